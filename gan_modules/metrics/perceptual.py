"""Distances between pictures as people judge them (LPIPS): to a known truth, and between samples.

Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual metric"
(2018), version 0.1 of the authors' linear weights, which torchmetrics ships.
"""

from pathlib import Path
from typing import Literal

import torch
import torchvision
from torch import Tensor, nn
from torchmetrics.functional.image import lpips

from gan_modules import checks
from gan_modules.metrics.comparing import Diversity, Paired
from gan_modules.metrics.pixels import match_channels
from gan_modules.metrics.weights import found, read

Backbone = Literal["alex", "vgg"]
_PUBLISHED = {"alex": torchvision.models.AlexNet_Weights.DEFAULT, "vgg": torchvision.models.VGG16_Weights.DEFAULT}
_SMALLEST = {"alex": 31, "vgg": 16}  # sides below which nothing is left for the last layer


class PerceptualNetwork(nn.Module):
    """LPIPS as a frozen network that several metrics share: pairs of images to distances.

    Args:
        backbone: "alex", the authors' choice for judging pictures; or "vgg", that of perceptual path lengths.
        weights: a file with the convolutions of torchvision's AlexNet or VGG16, under torchvision's names; None:
            torchvision's download.
        resize: the side of the square that images are brought to first (by torch-fidelity's rule: areas where that is
            smaller, else bilinear); None: they stay as they are.

    Raises:
        FileNotFoundError: if `weights` is given and is not there.
        Unavailable: if it is not given and cannot be downloaded.
        ValueError: if the file is damaged, or holds something else.
    """

    def __init__(
        self, backbone: Backbone = "alex", weights: Path | str | None = None, resize: int | None = None
    ) -> None:
        super().__init__()
        checks.choice(tuple(_PUBLISHED), backbone=backbone)
        checks.whole(_SMALLEST[backbone], resize=_SMALLEST[backbone] if resize is None else resize)
        self.backbone, self.resize = backbone, resize
        url = _PUBLISHED[backbone].url
        what = f"the weights of LPIPS' {backbone} network"
        path = found(weights, what, url)
        self.body = _built(backbone, resize, read(path, what, url), f"expected {what} in {path}, from {url}")
        self.eval()

    def train(self, mode: bool = True) -> "PerceptualNetwork":
        """Stays in evaluation mode, also inside a module that trains."""
        return super().train(False)

    def named(self, metric: str, usual: Backbone = "alex") -> str:
        """What the number of `metric` from this network is called, if the field means `usual` by the metric alone."""
        size = f"@{self.resize}" if self.resize else ""
        return f"{metric}{'' if self.backbone == usual else f'_{self.backbone}'}{size}"

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The distances (n,) of pairs of images (n, 1 or 3, h, w) in [-1, 1].

        Raises:
            ValueError: if a side is below 31 pixels ("alex") or 16 ("vgg").
        """
        smallest = _SMALLEST[self.backbone]
        if not self.resize and min(first.shape[-2:]) < smallest:
            raise ValueError(
                f"LPIPS with {self.backbone} needs images of at least {smallest} x {smallest} pixels, got "
                f"{first.shape[-2]} x {first.shape[-1]}; give the network resize=64, or leave LPIPS out"
            )
        return self.body(match_channels(first, 3), match_channels(second, 3)).flatten()


class LPIPS(Paired):
    """The mean over images of the perceptual distance to their truths; less is better.

    Its `name` is "lpips" for AlexNet and images as they are; else it says what it is: "lpips_vgg", "lpips@64".

    Args:
        network: a `PerceptualNetwork`.
    """

    higher_is_better = False

    def __init__(self, network: PerceptualNetwork) -> None:
        super().__init__()
        self.network = network
        self.name = network.named("lpips")

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """The perceptual distance of each pair, (n,)."""
        return self.network(first, second)


class LPIPSDiversity(Diversity):
    """The mean perceptual distance of pairs of generated images: more is more varied.

    `compute` has it as "lpips_diversity", and "lpips_diversity_real" of pairs of data; see `LPIPS` for other networks,
    and "lpips_diversity_intra" for pairs within classes.

    Args:
        network: a `PerceptualNetwork`, which may be that of other metrics as well.
        pairs_per_image, within_classes, seed, reset_real: as of `Diversity`.
    """

    higher_is_better = True

    def __init__(
        self,
        network: PerceptualNetwork,
        pairs_per_image: int = 1,
        within_classes: bool = False,
        seed: int = 0,
        reset_real: bool = True,
    ) -> None:
        super().__init__(pairs_per_image, within_classes, seed, reset_real)
        self.network = network

    def named(self, images: Tensor) -> str:
        """What the number is called, whatever the images are."""
        return self.network.named("lpips_diversity_intra" if self.within_classes else "lpips_diversity")

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """The perceptual distance of each pair, (n,)."""
        return self.network(first, second)


def _built(backbone: Backbone, resize: int | None, state: dict[str, Tensor], expected: str) -> nn.Module:
    """torchmetrics' network with the given convolutions and the linear weights that it ships."""
    # On "meta" nothing is drawn or stored for the layers that LPIPS has no use for, nor for what is loaded anyway.
    with torch.device("meta"):
        body = lpips._NoTrainLpips(pretrained=False, net=backbone, pnet_rand=True, resize=resize)
    body.scaling_layer = lpips.ScalingLayer()
    shipped = Path(lpips.__file__).with_name("lpips_models") / f"{backbone}.pth"
    linear = torch.load(shipped, map_location="cpu", weights_only=True)
    convolutions = {}
    for name, parameter in body.net.named_parameters():
        theirs = "features." + name.partition(".")[2]  # slice2.3.weight is torchvision's features.3.weight
        value = state.get(theirs)
        if value is None or value.shape != parameter.shape or not value.is_floating_point():
            raise ValueError(f"{expected}, but got another network's: {theirs} is not there or differs in shape")
        convolutions[f"net.{name}"] = value.float()
    body.load_state_dict(convolutions | linear, strict=False, assign=True)
    return body.requires_grad_(False)
