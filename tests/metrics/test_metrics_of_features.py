"""All metrics of features together: one pass for all, and over several processes the numbers of one."""

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_modules.metrics import (
    PRDC,
    FeatureNetwork,
    FrechetDistance,
    InceptionScore,
    IntraFrechetDistance,
    KernelDistance,
)

pytestmark = pytest.mark.filterwarnings("ignore:the intra-class distance leaves out")


def values(network: FeatureNetwork, drawings: Any, rank: int, processes: int) -> dict[str, Tensor]:
    """All numbers of the images that one of the processes is dealt, in two batches a side; the first may be empty."""
    metrics = (
        KernelDistance(network, 7, 20),
        InceptionScore(network, 3),
        PRDC(network),
        IntraFrechetDistance(network),
        FrechetDistance(network),
    )
    for images, labels, real in (
        (drawings.real, drawings.real_labels, True),
        (drawings.fake, drawings.fake_labels, False),
    ):
        own, of_own = images[rank::processes], labels[rank::processes]
        for part in (slice(0, 10 * rank), slice(10 * rank, None)):
            for metric in metrics:
                its = (of_own[part],) if isinstance(metric, IntraFrechetDistance) else ()
                metric.update(own[part], real, *its)
    (kid, kid_std), (score, score_std), four, intra, fid = (metric.compute() for metric in metrics)
    return {"kid": kid, "kid_std": kid_std, "score": score, "score_std": score_std, **four, "intra": intra, "fid": fid}


def test_one_pass_serves_all(network: FeatureNetwork, drawings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, forward = [], type(network.body).forward
    monkeypatch.setattr(type(network.body), "forward", lambda self, x: seen.append(len(x)) or forward(self, x))
    found = values(network, drawings, 0, 1)
    assert seen == [0, 50, 0, 37]
    assert len(found) == 10 and all(value.isfinite() for value in found.values())


def _joined(rank: int, port: int, network: FeatureNetwork, drawings: Any, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=rank)
    torch.save(values(network, drawings, rank, 2), folder / str(rank))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(network: FeatureNetwork, drawings: Any, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = (port, network, drawings, tmp_path)
    torch.multiprocessing.start_processes(_joined, arguments, nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / str(rank)) for rank in range(2))
    alone = values(network, drawings, 0, 1)
    for name, value in alone.items():
        assert first[name] == second[name] and first[name].item() == pytest.approx(value.item(), rel=1e-5), name
