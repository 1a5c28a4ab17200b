"""Compare the metrics of pictures with other implementations, on pairs of emoji.

python scripts/compare_pictures.py [--n 32] [--alex FILE] [--vgg FILE]

Prints a table: the mean over pairs by ours and by each other implementation that is installed (scikit-image,
pytorch-msssim, lpips; torchmetrics always is), and the largest difference of a pair. The files hold the convolutions
of torchvision's AlexNet and VGG16, which are downloaded if no file is given.
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchmetrics.functional.image as torchmetrics
from torch import Tensor, nn

from datamodules import emoji
from gan_modules import GAN, checks
from gan_modules.cli import ScriptParser, main
from gan_modules.metrics import PathLength, PerceptualNetwork, Unavailable
from gan_modules.metrics.pixels import match_channels
from gan_modules.metrics.structure import EXPONENTS, multi_scale_ssim, scales_of, ssim

Row = tuple[str, str, Tensor, Tensor]
"""What is measured, by whom else, our values and theirs."""

PATHS = 100


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--n", type=int, default=32, help="number of pairs")
    parser.add_argument("--alex", type=Path, help="file with AlexNet's convolutions")
    parser.add_argument("--vgg", type=Path, help="file with VGG16's convolutions")
    given = parser.parse_args(arguments)
    checks.whole(1, 380, n=given.n)
    warnings.filterwarnings("ignore", category=UserWarning)  # of the other implementations
    print("| metric | ours | other | its value | largest difference |\n|---|---|---|---|---|")
    for what, other, ours, theirs in rows(given.n, {"alex": given.alex, "vgg": given.vgg}):
        difference = (ours.double() - theirs.double()).abs().max().item()
        print(f"| {what} | {ours.mean():.6f} | {other} | {theirs.mean():.6f} | {difference:.1e} |", flush=True)


@torch.no_grad()
def rows(n: int, weights: dict[str, Path | None]) -> Iterator[Row]:
    """All comparisons that can be made here."""
    places = emoji.split()[1][:n]
    small = [emoji.pictures(style)[places] / 127.5 - 1 for style in ("noto", "twemoji")]
    large = [F.interpolate(each, scale_factor=3, mode="bicubic").clamp(-1, 1) for each in small]
    for images, truth in (small, large):
        yield from similarities(images, truth)
        yield from multi_scale_similarities(images, truth)
    for backbone, path in weights.items():
        try:
            network = PerceptualNetwork(backbone, path)  # type: ignore[arg-type]
        except Unavailable as reason:
            print(reason, file=sys.stderr)
            continue
        yield from distances(network, *small)
        yield path_lengths(network)


def similarities(images: Tensor, truth: Tensor) -> Iterator[Row]:
    """SSIM."""
    what, ours = f"`ssim`, {images.shape[-1]} px", ssim(images, truth)
    if scikit := installed("skimage.metrics"):
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        arrays = [((each + 1) * 127.5).double().numpy() for each in (images, truth)]
        pairs = zip(*arrays, strict=True)
        found = [scikit.structural_similarity(*pair, channel_axis=0, **settings) for pair in pairs]
        yield what, "scikit-image", ours, torch.tensor(found)
    found = torchmetrics.structural_similarity_index_measure(*units(images, truth), data_range=1.0, reduction="none")
    yield what, "torchmetrics (with borders)", ours, found


def multi_scale_similarities(images: Tensor, truth: Tensor) -> Iterator[Row]:
    """MS-SSIM, with as many scales as there are."""
    scales, ours = scales_of(*images.shape[-2:]), multi_scale_ssim(images, truth)
    what = f"`{'ms_ssim' if scales == 5 else f'ms_ssim@{scales}'}`, {images.shape[-1]} px"
    if scales == 5 and (msssim := installed("pytorch_msssim")):
        greys = [match_channels(each, 1) for each in (images, truth)]  # of colours it multiplies the scales one by one
        found = msssim.ms_ssim(*units(*greys), data_range=1.0, size_average=False)
        yield f"{what}, grey", "pytorch-msssim", multi_scale_ssim(*greys), found
    exponents = tuple(each / (1 if scales == 5 else sum(EXPONENTS[:scales])) for each in EXPONENTS[:scales])
    found = torchmetrics.multiscale_structural_similarity_index_measure(
        *units(images, truth), data_range=1.0, reduction="none", betas=exponents
    )
    yield what, "torchmetrics (with borders)", ours, found


def distances(network: PerceptualNetwork, images: Tensor, truth: Tensor) -> Iterator[Row]:
    """LPIPS, by the authors' package with the same convolutions."""
    if lpips := installed("lpips"):
        theirs = lpips.LPIPS(net=network.backbone, pnet_rand=True, verbose=False)
        theirs.net.load_state_dict(network.body.net.state_dict())
        what = f"`{network.named('lpips')}`, {images.shape[-1]} px"
        yield what, "lpips", network(images, truth), theirs(images, truth).flatten()


def path_lengths(network: PerceptualNetwork) -> Row:
    """Path lengths of a generator of smooth pictures, from the same latents."""
    torch.manual_seed(0)
    smooth = nn.Upsample(scale_factor=8, mode="bilinear")
    generator = nn.Sequential(nn.Linear(16, 3 * 8 * 8), nn.Unflatten(1, (3, 8, 8)), smooth, nn.Tanh())
    module = GAN(generator, nn.Identity(), latent_dim=16).eval()
    drawn: list[Tensor] = []
    prior = module.prior
    module.prior = lambda n: drawn.append(prior(n)) or drawn[-1]  # type: ignore[method-assign, func-returns-value]
    metric = PathLength(network, PATHS, ends=True)
    metric.update(module)
    name, _ = metric.compute()
    _, _, theirs = torchmetrics.perceptual_path_length(
        Adapted(module, drawn),
        PATHS,
        interpolation_method="slerp_any",
        resize=None,
        lower_discard=None,  # the rules for percentiles differ by one path
        upper_discard=None,
        sim_net=network,
    )
    return f"`{name}`, {PATHS} paths, all counted", "torchmetrics", torch.cat(metric.distances), theirs


class Adapted(nn.Module):
    """A module as torchmetrics takes it, with latents that are given."""

    def __init__(self, module: nn.Module, latents: list[Tensor]) -> None:
        super().__init__()
        self.module, self.latents = module, iter(latents)

    def sample(self, num_samples: int) -> Tensor:
        return next(self.latents).double()  # of which a step of 1e-4 leaves enough digits

    def forward(self, z: Tensor) -> Tensor:
        return (self.module(z.float()) + 1) * 127.5


def units(*images: Tensor) -> list[Tensor]:
    """Images in [0, 1], as the other implementations take them."""
    return [(each + 1) / 2 for each in images]


def installed(module: str) -> Any:
    """A module of another package, or None where that is not installed."""
    return import_module(module) if find_spec(module.partition(".")[0]) else None


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:])
