"""What went wrong, in one sentence: errors that options, data or the machine cause, and no error of the program."""

import errno
import re

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException
from torch.distributed import DistError

_USERS = (ValueError, OSError, ImportError, FloatingPointError, MisconfigurationException)
_MEMORY = re.compile(
    r"not enough memory|(can't|cannot|unable to) allocate|out of memory|alloc_failed|bad.alloc|calculation overflow",
    re.IGNORECASE,
)
_KILLED = re.compile(r"DataLoader worker .*(killed by signal|exited unexpectedly)")
_SHAPES = re.compile(
    r"shapes cannot be multiplied|size mismatch|must match|sizes? of tensors?|expected input|to have \d+ channels"
    r"|invalid for input of size|should contain \d+ elements|can't be greater than actual input|[Pp]adding size",
)
_TRIED = re.compile(r"^Expected a (<class 'NoneType'>|path but)|Errors:\s*$")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explained(error: Exception, memory: str) -> str | None:
    """What to do about an error, on one line; None for one that its traceback explains best.

    Args:
        error: what was raised, here or in a process that reads data.
        memory: what to lower where memory runs out.
    """
    message = str(error)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return f"out of memory: {memory}"
    if isinstance(error, (RuntimeError, OSError, ValueError)) and _MEMORY.search(message):
        return f"out of memory: {memory}"
    if isinstance(error, (RuntimeError, FailOnRecompileLimitHit)):
        return _of_torch(error, message, memory)
    if isinstance(error, OSError) and error.strerror:
        return _of_the_system(error, error.strerror.lower())
    return sentence(message) if isinstance(error, _USERS) else None


def sentence(message: str) -> str:
    """A message on one line, without what surrounds its cause.

    That is the last type of those that jsonargparse tried, or the error at the end of another process's traceback.
    """
    if "\nOriginal Traceback" in message:
        message = re.split(r"\n(?:\w+\.)*\w+(?:Error|Exception): ", message)[-1]
    causes = [cause for cause in re.split(r"\n\s*- ", message)[1:] if not _TRIED.search(cause)]
    if causes:
        key = re.match(r'Parser key "[^"]+":\s', message)
        message = (key[0] if key else "") + causes[0].split("Given value type:")[0]
    message = re.sub(r"Expected an? <class '(\w+)'>", r"expected \1", message).replace("Parser key", "option")
    return " ".join(message.split())


def _of_torch(error: Exception, message: str, memory: str) -> str | None:
    if isinstance(error, (TorchDynamoException, FailOnRecompileLimitHit)):
        reason = re.search("raised exception (.*)", message)
        why = reason[1] if reason else message.partition("\n")[0]
        return f"torch.compile cannot compile a network ({why}); change the network, or leave --model.compile out"
    if isinstance(error, DistError) or "gloo" in message:
        return "another process of this run has ended, and so does this one; go on from the newest checkpoint"
    if "Early stopping conditioned on metric" in message:
        return f"{sentence(message)}: correct --trainer.callbacks.monitor, or add the callback that logs it"
    if _KILLED.search(message):
        return f"a process that reads the data was killed, perhaps for want of memory: {memory}, or --data.num_workers"
    if _SHAPES.search(message):
        return (
            f"the networks do not fit each other or the data ({sentence(message)}); "
            "check latent_dim, image_size, channels and num_classes"
        )
    return None


def _of_the_system(error: OSError, reason: str) -> str:
    what = error.filename or "a file"
    if error.errno in _FULL:
        return f"{what} cannot be written ({reason}); make room on the disk"
    return f"{what} cannot be used ({reason}); check the path and its permissions"
