"""LPIPS against its authors' package and against the formula, with small random weights in the place of ImageNet's."""

import warnings
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.functional.image import lpips as shipped

from gan_modules.metrics import LPIPS, LPIPSDiversity, PerceptualNetwork, Unavailable
from gan_modules.metrics.comparing import circles

SHAPES = {
    "alex": {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)},
    "vgg": {
        0: (64, 3, 3),
        2: (64, 64, 3),
        5: (128, 64, 3),
        7: (128, 128, 3),
        10: (256, 128, 3),
        12: (256, 256, 3),
        14: (256, 256, 3),
        17: (512, 256, 3),
        **dict.fromkeys((19, 21, 24, 26, 28), (512, 512, 3)),
    },
}


def random_state(backbone: str) -> dict[str, Tensor]:
    """Convolutions under torchvision's names, and the classifier that its files have as well."""
    state = {"classifier.6.bias": torch.zeros(1000)}
    for place, (channels, before, size) in SHAPES[backbone].items():
        deviation = (2 / (before * size**2)) ** 0.5
        state[f"features.{place}.weight"] = deviation * torch.randn(channels, before, size, size)
        state[f"features.{place}.bias"] = 0.1 * torch.randn(channels)
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "alex.pth"
    torch.save(random_state("alex"), path)
    return path


@pytest.fixture(scope="module")
def network(weights: Path) -> PerceptualNetwork:
    return PerceptualNetwork("alex", weights)


def pairs(count: int) -> tuple[Tensor, Tensor]:
    """Smooth random images in [-1, 1], of 64 pixels, and others that are like them."""
    noise = torch.randn(2, count, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    images, others = (F.avg_pool2d(each, 7, 1, 3).mul(5).tanh() for each in noise)
    # as bytes hold them
    return tuple(((each + 1) * 127.5).round() / 127.5 - 1 for each in (images, 0.7 * images + 0.3 * others))


def reference(images: Tensor, truth: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Zhang et al. (2018), equation 1, layer by layer in float64, with AlexNet as torchvision documents it."""
    linear = torch.load(Path(shipped.__file__).with_name("lpips_models") / "alex.pth", map_location="cpu")
    both = torch.cat([images, truth]).double()
    shift, scale = (
        torch.tensor(values).reshape(1, 3, 1, 1) for values in ([-0.03, -0.088, -0.188], [0.458, 0.448, 0.45])
    )
    x, total = (both - shift.double()) / scale.double(), torch.zeros(len(images), dtype=torch.float64)
    for layer, place in enumerate(SHAPES["alex"]):
        if layer in (1, 2):
            x = F.max_pool2d(x, 3, 2)
        stride, padding = (4, 2) if layer == 0 else (1, 2) if layer == 1 else (1, 1)
        convolution = (state[f"features.{place}.{kind}"].double() for kind in ("weight", "bias"))
        x = F.conv2d(x, *convolution, stride=stride, padding=padding).relu()
        unit = x / (x.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
        difference = (unit[: len(images)] - unit[len(images) :]).square()
        total += (difference * linear[f"lin{layer}.model.1.weight"].double()).sum(dim=1).mean(dim=(1, 2))
    return total


def test_equals_the_formula(weights: Path, network: PerceptualNetwork) -> None:
    images, truth = pairs(6)
    expected = reference(images, truth, torch.load(weights))
    assert expected.min() > 0.01
    assert network(images, truth).tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    metric = LPIPS(network)
    for part in (slice(0, 0), slice(0, 4), slice(4, 6)):
        metric.update(images[part], truth[part])
    assert metric.name == "lpips"
    assert metric.compute().item() == pytest.approx(expected.mean().item(), rel=1e-4)


@pytest.mark.parametrize("backbone", ["alex", pytest.param("vgg", marks=pytest.mark.slow)])
def test_equals_the_authors_package(backbone: str, tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips")
    state = random_state(backbone)
    torch.save(state, tmp_path / "weights.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    names = {name: f"features.{name.partition('.')[2]}" for name in theirs.net.state_dict()}
    theirs.net.load_state_dict({name: state[features] for name, features in names.items()})
    images, truth = (each[..., :32] for each in pairs(3))
    ours = PerceptualNetwork(backbone, tmp_path / "weights.pth")
    assert ours(images, truth).tolist() == pytest.approx(theirs(images, truth).flatten().tolist(), rel=1e-5)
    smallest = {"alex": 31, "vgg": 16}[backbone]
    assert _fits(ours, smallest) and not _fits(ours, smallest - 1)
    with pytest.raises(ValueError, match=f"at least {smallest} x {smallest} pixels, got 64 x 15; give the network"):
        ours(images[..., :15], truth[..., :15])


def test_diversity_is_the_mean_over_pairs_of_the_shared_network(network: PerceptualNetwork) -> None:
    images, truth = pairs(7)
    diversity, distance = LPIPSDiversity(network, pairs_per_image=2, seed=3), LPIPS(network)
    assert diversity.network is distance.network
    for part in images.split([1, 4, 2]):
        diversity.update(part, real=False)
    diversity.update(truth, real=True)
    (places,) = circles(torch.zeros(7).long(), 2, seed=3)
    expected = network(images[places[:, 0]], images[places[:, 1]]).mean().item()
    values = diversity.compute()
    assert values["lpips_diversity"].item() == pytest.approx(expected, rel=1e-5)
    assert set(values) == {"lpips_diversity", "lpips_diversity_real"}
    collapsed = LPIPSDiversity(network)
    collapsed.update(images[:1].expand(7, -1, -1, -1), real=False)
    assert collapsed.compute()["lpips_diversity"] == 0 < expected


def test_numbers_name_their_network_and_size(weights: Path, network: PerceptualNetwork) -> None:
    assert network.named("ppl", usual="vgg") == "ppl_alex"
    resized = PerceptualNetwork("alex", weights, resize=48)
    assert LPIPS(resized).name == "lpips@48"
    images, truth = pairs(2)
    smaller = [F.interpolate(each, (48, 48), mode="area") for each in (images, truth)]
    assert resized(images, truth).tolist() == pytest.approx(network(*smaller).tolist(), rel=1e-5)
    diversity = LPIPSDiversity(resized, within_classes=True)
    diversity.update(images, real=False, labels=torch.zeros(2))
    assert list(diversity.compute()) == ["lpips_diversity_intra@48"]


def test_stays_frozen_out_of_training_and_of_half_precision(weights: Path) -> None:
    before = torch.get_rng_state()
    network = PerceptualNetwork("alex", weights)
    assert torch.equal(torch.get_rng_state(), before)
    nn.Sequential(network).train()
    assert not any(module.training for module in network.modules())
    assert not any(each.requires_grad or each.is_meta for each in (*network.parameters(), *network.buffers()))
    expected, given = LPIPS(network), LPIPS(network)
    expected.update(*pairs(2))
    with torch.autocast("cpu", torch.bfloat16):
        given.update(*pairs(2))
    assert given.compute() == expected.compute()


def test_grey_is_colour_with_equal_channels(network: PerceptualNetwork) -> None:
    images, truth = (each[:, :1] for each in pairs(2))
    assert torch.equal(network(images, truth), network(images.expand(-1, 3, -1, -1), truth.expand(-1, 3, -1, -1)))


def test_bad_input_is_named(network: PerceptualNetwork) -> None:
    metric = LPIPS(network)
    with pytest.raises(ValueError, match="at least 31 x 31 pixels, got 28 x 28; give the network resize=64"):
        metric.update(torch.zeros(1, 3, 28, 28), torch.zeros(1, 3, 28, 28))
    assert min(side for side in range(8, 40) if _fits(network, side)) == 31
    with pytest.raises(ValueError, match=r"data in \[-1, 1\]"):
        metric.update(torch.zeros(1, 3, 64, 64), torch.full((1, 3, 64, 64), 255.0))
    with pytest.raises(ValueError, match="'alex' or 'vgg', got 'squeeze'"):
        PerceptualNetwork("squeeze")
    with pytest.raises(ValueError, match="resize must be a whole number of at least 31, got 0"):
        PerceptualNetwork("alex", resize=0)


def _fits(network: PerceptualNetwork, side: int) -> bool:
    try:
        network.body(torch.zeros(1, 3, side, side), torch.zeros(1, 3, side, side))
    except RuntimeError:
        return False
    return True


def test_other_weights_are_refused_and_missing_ones_unavailable(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="vgg network in .*another network's: features.0.weight"):
        PerceptualNetwork("vgg", weights)
    state = torch.load(weights)
    del state["features.10.bias"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(ValueError, match="features.10.bias is not there"):
        PerceptualNetwork("alex", tmp_path / "part.pth")

    def fails(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fails)
    with pytest.raises(Unavailable, match="LPIPS' alex network could not be downloaded .*alexnet-owt-7be5be79.pth"):
        PerceptualNetwork("alex")
