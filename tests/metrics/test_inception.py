"""The network of the FID: its features are torch-fidelity's, its resizes TensorFlow's and Pillow's."""

import gc
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from gan_modules.metrics import inception as module
from gan_modules.metrics.features import FeatureNetwork
from gan_modules.metrics.inception import Inception, inception, resized

SIZES = [(32, 32), (299, 299), (411, 300), (7, 1), (298, 1000)]


@pytest.fixture(scope="module")
def network(inception_weights: Path) -> FeatureNetwork:
    return inception(inception_weights)


@pytest.fixture(scope="module")
def half(inception_weights: Path) -> FeatureNetwork:
    return inception(inception_weights, dtype=torch.bfloat16)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pixels(3, 24, 40)


@pytest.fixture(scope="module")
def expected(inception_weights: Path, images: Tensor) -> tuple[Tensor, ...]:
    """torch-fidelity's features and logits."""
    return FeatureExtractorInceptionV3("reference", ["2048", "logits_unbiased"], str(inception_weights))(images)


def pixels(*shape: int) -> Tensor:
    """Smooth pictures with noise: (n, 3, h, w) bytes."""
    n, height, width = shape
    drawn = torch.Generator().manual_seed(3)
    coarse = nn.functional.interpolate(torch.rand(n, 3, 4, 4, generator=drawn), (height, width), mode="bicubic")
    noise = torch.rand(n, 3, height, width, generator=drawn)
    return (255 * (0.7 * coarse + 0.3 * noise).clamp(0, 1)).round().to(torch.uint8)


def test_features_and_logits_are_those_of_torch_fidelity(network, images, expected) -> None:  # type: ignore[no-untyped-def]
    features = network.body(images)
    scale = expected[0].abs().max()
    assert features.dtype == torch.float32 and features.shape == (3, 2048)
    assert (features - expected[0]).abs().max() < 1e-5 * scale and (features[0] - features[1]).abs().max() > 0.1 * scale
    torch.testing.assert_close(
        network.logits(features), expected[1], rtol=0, atol=1e-5 * expected[1].abs().max().item()
    )


def test_parts_of_a_batch_give_what_the_whole_does(network, images, expected, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    sizes: list[int] = []
    monkeypatch.setattr(module, "_AT_ONCE", {"cpu": 2})
    hook = network.body.stem.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    features = network.body(images)
    hook.remove()
    assert sizes == [2, 1]
    torch.testing.assert_close(features, expected[0], rtol=0, atol=1e-5 * expected[0].max().item())
    assert network.body(images[:0]).shape == (0, 2048)


@pytest.mark.slow
def test_half_precision_is_near_and_has_its_own_name(half: FeatureNetwork, images: Tensor, expected) -> None:  # type: ignore[no-untyped-def]
    features = half.features(images, real=True)
    distance = (features - expected[0]).norm() / expected[0].norm()
    assert features.dtype == torch.float32 and 1e-5 < distance < 0.05
    assert half.named("fid") == "fid-bf16"


def test_resize_is_part_of_name_and_fingerprint(
    inception_weights: Path, network: FeatureNetwork, half: FeatureNetwork
) -> None:
    clean = inception(inception_weights, "clean")
    assert (network.named("kid"), clean.named("kid")) == ("kid", "kid-clean")
    assert len({each.fingerprint for each in (network, clean, half)}) == 3
    small = pixels(1, 32, 32)
    as_resized = resized(small, "clean").round().to(torch.uint8)  # 299 pixels, which either resize leaves alone
    of_clean, of_published, expected = clean.body(small), network.body(small), network.body(as_resized)
    assert (of_clean - expected).norm() < 0.1 * (of_clean - of_published).norm()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_published_resize_is_that_of_tensorflow(height: int, width: int) -> None:
    images = pixels(2, height, width)
    expected = interpolate_bilinear_2d_like_tensorflow1x(images.float(), (299, 299), align_corners=False)
    torch.testing.assert_close(resized(images, "published"), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_clean_resize_is_that_of_pillow(height: int, width: int) -> None:
    images = torch.randint(256, (2, 3, height, width), dtype=torch.uint8)  # sharp, so that the filter overshoots
    channels = images.float().flatten(0, 1).numpy()
    done = [np.asarray(Image.fromarray(each).resize((299, 299), Image.Resampling.BICUBIC)) for each in channels]
    expected = torch.from_numpy(np.stack(done).clip(0, 255)).reshape(2, 3, 299, 299)
    torch.testing.assert_close(resized(images, "clean"), expected, rtol=0, atol=3e-4)


def test_equal_arguments_share_one_network_while_it_is_held(inception_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    shutil.copy(inception_weights, path)
    first = inception(path)
    assert inception(str(path)) is first
    os.utime(path, (1, 1))  # another file in its place
    second = inception(path)
    assert second is not first and second.fingerprint == first.fingerprint
    del first, second
    gc.collect()
    assert not [key for key in module._known if key[0] == str(path)]


@pytest.mark.parametrize("name", ["Mixed_6b.branch7x7_2.bn.bias", "Mixed_5b.branch5x5_2.conv.weight", "fc.weight"])
def test_weights_of_another_network_are_named(name: str, inception_weights: Path) -> None:
    state = torch.load(inception_weights)
    part = state.pop(name)
    if part.ndim > 1:
        state[name] = part[:, :7]
    with pytest.raises(ValueError, match="in x.pth, got those of another network"):
        Inception.loaded(state, Path("x.pth"), "published", torch.float32)


def test_mistakes_are_named(inception_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="resize must be 'published' or 'clean', got 'bicubic'"):
        inception(inception_weights, "bicubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dtype must be torch.float32 or torch.bfloat16, got torch.float16"):
        inception(inception_weights, dtype=torch.float16)
    with pytest.raises(FileNotFoundError, match="found none at .*nowhere.pth"):
        inception(tmp_path / "nowhere.pth")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_features_of_the_processor(network: FeatureNetwork, images: Tensor, expected) -> None:  # type: ignore[no-untyped-def]
    on_gpu = network.body.to("cuda")(images.cuda()).cpu()
    network.body.to("cpu")
    torch.testing.assert_close(on_gpu, expected[0], rtol=0, atol=5e-3 * expected[0].max().item())  # TF32
