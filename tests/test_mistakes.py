"""One sentence for what torch, the system and the command line report; nothing for an error of the program."""

import errno
import re

import pytest
import torch

from gan_modules.mistakes import explained

REPORTS: list[tuple[Exception, str]] = [
    (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has ..."),
        "out of memory: lower it",
    ),
    (
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        "lower it",
    ),
    (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 7 bytes."), "out of memory: lower it"),
    (RuntimeError("Storage size calculation overflowed with sizes=[9, 9]"), "out of memory: lower it"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "lower it"),
    (MemoryError("Unable to allocate 4.00 TiB for an array"), "out of memory: lower it"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory: lower it"),
    (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "was killed, perhaps for want of memory"),
    (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), "lower it, or --data.num_workers"),
    (
        RuntimeError(
            "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
            "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory"
        ),
        "out of memory: lower it",
    ),
    (
        ValueError(
            "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
            '  File "a.py", line 1, in f\nValueError: x.png is empty.'
        ),
        "x.png is empty.",
    ),
    (
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x5 and 2x1)"),
        "networks do not fit .*4x5 and 2x1.* check",
    ),
    (
        RuntimeError(
            "Given groups=1, weight of size [4, 3, 4, 4], expected input[2, 1, 8, 8] to have 3 channels, but got 1"
        ),
        "the networks do not fit",
    ),
    (RuntimeError("Sizes of tensors must match except in dimension 1. Expected 4 in dimension 2"), "do not fit"),
    (RuntimeError("The size of tensor a (4) must match the size of tensor b (5)"), "the networks do not fit"),
    (OSError(errno.ENOSPC, "No space left on device", "x.png"), r"x\.png cannot be written \(no space .*make room"),
    (OSError(errno.EFBIG, "File too large"), r"a file cannot be written \(file too large\); make room"),
    (PermissionError(errno.EACCES, "Permission denied", "x"), r"x cannot be used \(permission denied\); check"),
    (FileNotFoundError("There is no folder x: check the path."), "There is no folder x: check the path."),
    (FloatingPointError("the loss of step 3\nis NaN"), "the loss of step 3 is NaN"),
]


@pytest.mark.parametrize(("error", "says"), REPORTS, ids=[str(error)[:40] for error, _ in REPORTS])
def test_a_report_becomes_one_sentence(error: Exception, says: str) -> None:
    said = explained(error, "lower it")
    assert said is not None and "\n" not in said and "Traceback" not in said
    assert re.search(says, said), said


@pytest.mark.parametrize(
    "error", [RuntimeError("in the program"), TypeError("f() takes 1"), KeyError("x"), IndexError()]
)
def test_an_error_of_the_program_keeps_its_traceback(error: Exception) -> None:
    assert explained(error, "lower it") is None
