"""Networks of features beside the published Inception: torchvision's classifiers and DINOv2.

Numbers from other networks are not those of the literature, and say so by their names: `fid_efficientnet_b0`. Any other
network is `FeatureNetwork(body, "_name", preprocessing)` for a body from byte images to features; `ImageNetInput` makes
of byte images what most networks want: `nn.Sequential(ImageNetInput(224), network)`.
"""

import re
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from gan_modules import checks
from gan_modules.metrics.features import FeatureNetwork, Unavailable
from gan_modules.metrics.weights import found, read

DINOV2 = "vit_large_patch14_dinov2.lvd142m"
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours in [0, 1]
_WITH_WEIGHTS = {  # what torchvision itself adds where it loads weights
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


def torchvision_network(name: str, weights: Path | str | None = None, version: str = "DEFAULT") -> FeatureNetwork:
    """One of torchvision's classifiers without its last layer, with the preprocessing of its weights.

    Images are resized and cropped as bytes, then scaled, on the device, by torchvision's own code for the weights. The
    features are what the last layer takes: for "vgg16" the layer of the paper on precision and recall, which had other
    weights. The last layer itself gives the logits for an Inception Score of this network's.

    Args:
        name: such as "efficientnet_b0"; `torchvision.models.list_models(module=torchvision.models)` has them all.
        weights: a file of them; None: torchvision's download, kept in torch's hub folder.
        version: which of torchvision's weights of this network they are, such as "IMAGENET1K_V1".

    Raises:
        Unavailable: if the weights cannot be downloaded.
        FileNotFoundError: if `weights` is given and is not there.
        ValueError: for an unknown name or version, and if the file does not hold weights of the network.
    """
    known = models.list_models(module=models)
    if name not in known:
        near = " or ".join(get_close_matches(name, known, n=3)) or "efficientnet_b0"
        raise ValueError(f"expected the name of a torchvision classifier, got {name!r}; {near} is one")
    versions = models.get_model_weights(name)
    checks.choice(versions.__members__, version=version)
    chosen = versions[version]
    path = found(weights, f"the weights of {name}", chosen.url)
    model = _classifier(name, chosen, path)
    last = _without_last_layer(model)
    label = f"_{name}" if chosen is versions["DEFAULT"] else f"_{name}_{chosen.name.lower()}"
    other = "" if path.name == chosen.url.rpartition("/")[2] else f"-{path.stem}"
    body = _Prepared(chosen.transforms(), model)
    return FeatureNetwork(body, label + other, f"{body.prepare} antialias={body.prepare.antialias}", last)


def dinov2(model: str = DINOV2, size: int = 224) -> FeatureNetwork:
    """DINOv2, or another vision transformer, through `timm` or `transformers` where the user has it.

    Oquab et al. (2023); Stein et al., "Exposing flaws of generative model evaluation metrics" (2023), compare images by
    its class token, with the large network at 224 pixels, which is the default here. Images are resized to a square
    (bicubic, antialiased, rounded to bytes) and scaled by ImageNet's mean and deviation.

    Args:
        model: a name of timm's; with a slash: a repository or folder of transformers', such as "facebook/dinov2-large".
            What they download they keep.
        size: of the images that the network sees; a multiple of its patches, 14 pixels for DINOv2. 518 is the size that
            its training ended with.

    Raises:
        Unavailable: if the package is not installed, or the network cannot be loaded or downloaded.
        ValueError: if timm has no network of this name.
    """
    checks.whole(1, size=size)
    library = "transformers" if "/" in model else "timm"
    try:
        package = import_module(library)
    except ImportError as error:
        raise Unavailable(f"{model} needs the package {library}, which is missing: pip install {library}") from error
    network = (_of_timm if library == "timm" else _of_transformers)(package, model, size)
    short = re.sub(r"\W", "_", model.rstrip("/").rpartition("/")[2].partition(".")[0])
    prepare = ImageNetInput(size)
    return FeatureNetwork(
        _Prepared(prepare, network), f"_{short}" if size == 224 else f"_{short}-{size}px", f"{prepare} {model}"
    )


class ImageNetInput(nn.Module):
    """Byte images (n, 3, h, w) -> floats (n, 3, size, size), scaled by ImageNet's mean and deviation.

    The resize is Pillow's bicubic one: antialiased, rounded to bytes after either direction.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        checks.whole(1, size=size)
        self.size = size
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(_DEVIATION).reshape(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        resized = images.float()
        for shape in ((images.shape[2], self.size), (self.size, self.size)):
            resized = F.interpolate(resized, shape, mode="bicubic", antialias=True).clamp(0, 255).round()
        return (resized - self.mean) / self.deviation

    def extra_repr(self) -> str:
        return f"{self.size}, bicubic, antialiased"


class _Prepared(nn.Module):
    """A network after its preprocessing, which has an answer for no images: a process may have none to score."""

    def __init__(self, prepare: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.prepare, self.network = prepare, network

    def forward(self, images: Tensor) -> Tensor:
        if not len(images):
            return self(images.new_zeros(1, *images.shape[1:]))[:0]
        return self.network(self.prepare(images))


class _ClassToken(nn.Module):
    """The first token that a transformer of transformers' gives, normalised."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, images: Tensor) -> Tensor:
        return self.transformer(images, interpolate_pos_encoding=True).last_hidden_state[:, 0]


def _classifier(name: str, version: models.WeightsEnum, path: Path) -> nn.Module:
    what = f"the weights of torchvision's {name}"
    state = {_renamed(key): value for key, value in read(path, what, version.url).items()}
    options: dict[str, Any] = dict(_WITH_WEIGHTS.get(name, {}))
    if name.startswith("vit_"):
        options["image_size"] = version.meta["min_size"][0]
    with torch.random.fork_rng(devices=[]):
        model = models.get_model(name, weights=None, num_classes=len(version.meta["categories"]), **options)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"expected {what} in {path}, got those of another network; download {version.url}") from error
    return model


def _renamed(key: str) -> str:
    """The files of DenseNets are older than the names of their layers."""
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", key)


def _without_last_layer(model: nn.Module) -> nn.Linear | None:
    """Let the last layer pass on what it is given; returns it, if it is linear (SqueezeNet's is a convolution)."""
    modules = list(model.named_modules())
    linear = [each for each in modules if isinstance(each[1], nn.Linear)]
    name, last = (linear or [each for each in modules if isinstance(each[1], nn.Conv2d)])[-1]
    model.set_submodule(name, nn.Identity())
    return last if isinstance(last, nn.Linear) else None


def _of_timm(timm: Any, model: str, size: int) -> nn.Module:
    if model.partition(".")[0] not in timm.list_models():
        near = " or ".join(get_close_matches(model, timm.list_models(pretrained=True), n=3)) or DINOV2
        raise ValueError(f"expected the name of one of timm's networks, got {model!r}; {near} is one")
    try:
        return timm.create_model(model, pretrained=True, num_classes=0, img_size=size)
    except Exception as error:  # whatever its ways of downloading raise
        raise _not_loaded("timm", model, error) from error


def _of_transformers(transformers: Any, model: str, size: int) -> nn.Module:
    try:
        return _ClassToken(transformers.AutoModel.from_pretrained(model))
    except Exception as error:
        raise _not_loaded("transformers", model, error) from error


def _not_loaded(library: str, model: str, error: Exception) -> Unavailable:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Unavailable(f"{library} could not load {model} ({reason}): fetch it elsewhere, and give where it is")
