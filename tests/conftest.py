"""What all tests share: quiet logs, one thread, randomness that no test leaves behind, random Inception weights."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch  # noqa: F401  (sets the level of its logs when it is imported)
import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_modules import randomness

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.set_num_threads(1)  # the networks are tiny: threads would only wait for each other


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is kept in the user's cache, nor found there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_MODULES_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


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


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the network of the published FID, in torch-fidelity's layout."""

    class Blank(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: Any, **__: Any) -> None:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight)
                elif isinstance(module, nn.BatchNorm2d):
                    for part, middle in {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}.items():
                        getattr(module, part).data.uniform_(middle - 0.3, middle + 0.3)

    folder = tmp_path_factory.mktemp("weights")
    torch.save({}, folder / "empty.pth")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Blank("random", ["2048"], str(folder / "empty.pth"))
    torch.save(network.state_dict(), folder / "inception.pth")
    return folder / "inception.pth"
