"""What all tests share: quiet logs, one thread, and randomness that no test leaves behind."""

import logging
import os
from collections.abc import Iterator

import lightning.pytorch  # noqa: F401  (sets the level of its logs when it is imported)
import pytest
import torch

from gan_modules import randomness

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.set_num_threads(1)  # the networks are tiny: threads would only wait for each other


@pytest.fixture(autouse=True)
def fixed_randomness() -> Iterator[None]:
    """Every test starts from seed 0, and leaves neither a stream nor a seed in the environment."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("PL_")}
    torch.manual_seed(0)
    yield
    randomness.use(None)
    for name in [name for name in os.environ if name.startswith("PL_")]:
        del os.environ[name]
    os.environ.update(environment)
