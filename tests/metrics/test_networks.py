"""Networks from torchvision, timm and transformers against what those make of the same images themselves."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms.functional import pil_to_tensor

from gan_modules.metrics import FeatureNetwork, InceptionScore, Unavailable
from gan_modules.metrics.networks import DINOV2, ImageNetInput, _renamed, dinov2, torchvision_network


@pytest.fixture
def images(drawings: Any) -> Tensor:
    """Three emoji as bytes."""
    return ((drawings.real[:3] + 1) * 127.5).round().byte()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty hub folder; nothing can be downloaded."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    return tmp_path / "hub" / "hub" / "checkpoints"


def torchvisions_own(name: str, version: Any, folder: Path, images: Tensor) -> tuple[nn.Module, Tensor, Tensor]:
    """The network that torchvision builds from a file of random weights in its folder, what its last layer takes and
    what it makes of it."""
    folder.mkdir(parents=True)
    options = {"init_weights": False} if name == "googlenet" else {}
    blank = models.get_model(name, **options)
    torch.save(blank.state_dict(), folder / version.url.rpartition("/")[2])
    network = models.get_model(name, weights=version).eval()
    taken: list[Tensor] = []
    last = [module for module in network.modules() if isinstance(module, (nn.Linear, nn.Conv2d))][-1]
    last.register_forward_hook(lambda module, inputs, output: taken.append(inputs[0]))
    with torch.no_grad():
        logits = network(version.transforms()(images))
    return network, taken[0], logits


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v3_small", *(pytest.param(each, marks=pytest.mark.slow) for each in ("googlenet", "regnet_y_400mf"))],
)
def test_torchvisions_features_and_logits(name: str, offline: Path, images: Tensor) -> None:
    version = models.get_model_weights(name)["DEFAULT"]
    _, features, logits = torchvisions_own(name, version, offline, images)
    before = torch.get_rng_state()
    ours = torchvision_network(name)  # finds the file in the folder
    assert torch.equal(torch.get_rng_state(), before)
    found = ours.features(images, real=True)
    assert torch.allclose(found, features, rtol=1e-5, atol=1e-6) and features.std() > 0
    assert torch.allclose(ours.logits(found), logits, rtol=1e-5, atol=1e-6)
    assert ours.named("fid") == f"fid_{name}"
    assert ours.features(images[:0], real=False).shape == (0, features.shape[1])
    InceptionScore(ours, 1)


def test_the_name_tells_versions_and_files_apart(offline: Path, tmp_path: Path, images: Tensor) -> None:
    name, versions = "squeezenet1_1", models.get_model_weights("squeezenet1_1")
    own, features, _ = torchvisions_own(name, versions["DEFAULT"], offline, images)
    torch.save(own.state_dict(), tmp_path / "mine.pth")
    network = torchvision_network(name, str(tmp_path / "mine.pth"))
    assert network.named("kid") == "kid_squeezenet1_1-mine"
    pooled = features.relu().mean(dim=(2, 3))
    assert torch.allclose(network.features(images, real=True), pooled, rtol=1e-5, atol=1e-6)
    assert "crop_size=[224]" in network.preprocessing and "antialias=True" in network.preprocessing
    with pytest.raises(Unavailable, match="squeezenet1_1-mine network has no last layer"):  # it is a convolution
        InceptionScore(network)


def test_old_names_of_layers_are_read() -> None:
    keys = models.densenet121().state_dict()
    old = [key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") for key in keys]
    assert old != list(keys) and [_renamed(key) for key in old] == list(keys)


def test_wrong_names_versions_and_files_are_named(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got 'resnet_50'; resnet50 or"):
        torchvision_network("resnet_50")
    with pytest.raises(ValueError, match="version must be 'IMAGENET1K_V1' or .*, got 'V9'"):
        torchvision_network("resnet50", version="V9")
    with pytest.raises(FileNotFoundError, match="nowhere.pth"):
        torchvision_network("resnet50", tmp_path / "nowhere.pth")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(
        ValueError, match="weights of torchvision's alexnet in .*other.pth, got those of another network"
    ):
        torchvision_network("alexnet", tmp_path / "other.pth")
    with pytest.raises(Unavailable, match="weights of alexnet could not be downloaded .* give its path as `weights`"):
        torchvision_network("alexnet")


def test_the_resize_is_pillows(drawings: Any) -> None:
    images = ((drawings.real[:3] + 1) * 127.5).round().byte()
    for size in (224, 28):
        prepare = ImageNetInput(size)
        found = prepare(images) * prepare.deviation + prepare.mean
        pictures = [Image.fromarray(np.asarray(each.permute(1, 2, 0))) for each in images]
        theirs = torch.stack([pil_to_tensor(each.resize((size, size), Image.Resampling.BICUBIC)) for each in pictures])
        assert (found - theirs).abs().max() < 1.01  # Pillow rounds after each direction


def test_a_transformer_of_timms(offline: Path, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm")
    with pytest.raises(ValueError, match="got 'vit_large_dinov2'; vit_large_patch14_dinov2"):
        dinov2("vit_large_dinov2")
    made, create = [], timm.create_model

    def fails(*_: Any, **__: Any) -> nn.Module:
        raise OSError("no network\nand much more")

    monkeypatch.setattr(timm, "create_model", fails)
    with pytest.raises(Unavailable, match=r"timm could not load test_vit \(no network\): fetch it elsewhere"):
        dinov2("test_vit")

    def without_weights(name: str, pretrained: bool, **options: Any) -> nn.Module:
        assert pretrained
        made.append(create(name, **options))
        return made[-1]

    monkeypatch.setattr(timm, "create_model", without_weights)
    network = dinov2("test_vit.r160_in1k", size=64)
    with torch.no_grad():
        expected = made[0].eval().forward_features(ImageNetInput(64)(images))[:, 0]  # the class token
    assert network.named("fid") == "fid_test_vit-64px"
    assert expected.std() > 0 and torch.allclose(network.features(images, real=True), expected, atol=1e-5)
    assert network.features(images[:0], real=True).shape == (0, expected.shape[1])


def test_a_transformer_of_transformers(offline: Path, tmp_path: Path, images: Tensor) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=70, patch_size=14
    )
    model = transformers.Dinov2Model(config).eval()
    model.save_pretrained(tmp_path / "dinov2-tiny")
    network = dinov2(str(tmp_path / "dinov2-tiny"), size=28)
    assert network.named("fid") == "fid_dinov2_tiny-28px"
    with torch.no_grad():
        expected = model(ImageNetInput(28)(images)).pooler_output
    assert expected.std() > 0 and torch.allclose(network.features(images, real=True), expected, atol=1e-5)
    with pytest.raises(Unavailable, match="transformers could not load .*nowhere"):
        dinov2(str(tmp_path / "nowhere"))


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, package in ((DINOV2, "timm"), ("facebook/dinov2-large", "transformers")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(Unavailable, match=f"needs the package {package}, which is missing"):
            dinov2(name)


def test_any_module_is_a_network(images: Tensor) -> None:
    body = nn.Sequential(ImageNetInput(8), nn.Conv2d(3, 5, 8), nn.Flatten())
    network = FeatureNetwork(body, "_mine")
    assert network.features(images, real=True).shape == (3, 5)
