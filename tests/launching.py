"""Starts a script as several processes that find each other over gloo, and hands back what they wrote."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch


def launch(script: Path, processes: int, folder: Path, timeout: float = 180) -> list[Any]:
    """What each rank saved as RANK.pt, tensors in plain containers; a rank that fails fails the test with its log.

    The script is called with its rank, the number of processes, a free port and the folder to write to.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PL_")}
    logs = [(folder / f"{rank}.log").open("w") for rank in range(processes)]
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(processes), port, str(folder)],
            env=environment,
            stdout=log,
            stderr=log,
        )
        for rank, log in enumerate(logs)
    ]
    try:
        codes = [process.wait(timeout=timeout) for process in started]
    finally:
        for process, log in zip(started, logs, strict=True):
            process.kill()
            log.close()
    if any(codes):
        texts = [f"rank {rank}:\n{(folder / f'{rank}.log').read_text()[-3000:]}" for rank in range(processes)]
        pytest.fail("\n".join(texts))
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(processes)]
