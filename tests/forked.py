"""Work in a copy of this process, which may be killed, and which starts at once."""

import os
from collections.abc import Callable


def forked(work: Callable[[], object]) -> int:
    """Start `work`; returns the id of the process, for `os.waitpid`. It ends with 0, or with 1 after an exception."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child
