"""How often classes are named right: by a model, and by a classifier that learnt from generated pictures.

The latter is the classification accuracy score.

Ravuri and Vinyals, "Classification accuracy score for conditional generative models" (2019).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_modules import checks
from gan_modules.metrics.comparing import check_shape
from gan_modules.metrics.gathering import in_turn
from gan_modules.metrics.pixels import to_bytes, to_floats
from gan_modules.randomness import mix

_SIDES = "fake", "real", "held_out"


class Accuracy(Metric):
    """The share of pictures whose class a model names right; more is better.

    >>> metric = Accuracy()
    >>> metric.update(predicted=torch.tensor([0, 2, 1, 0]), classes=torch.tensor([0, 2, 2, -1]))
    >>> metric.compute()
    tensor(0.6667)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    right: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ("right", "total"):
            self.add_state(state, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, classes: Tensor) -> None:
        """Add predicted and true classes, whole numbers (n,); those of -1 are unknown, and left out.

        Raises:
            ValueError: if they differ in shape.
        """
        if predicted.shape != classes.shape:
            raise ValueError(
                f"expected a prediction for each class, got {tuple(predicted.shape)} for {tuple(classes.shape)}; give "
                "both as (n,)"
            )
        known = classes >= 0
        self.right += (known & (predicted == classes)).sum()
        self.total += known.sum()

    def compute(self) -> Tensor:
        """The share, in [0, 1].

        Raises:
            ValueError: if there was no picture.
        """
        if not self.total:
            raise ValueError("an accuracy needs at least one known class, got none; call update with some")
        return self.right / self.total


class ConvNet(nn.Sequential):
    """A plain classifier: 3 x 3 convolutions, of 32 channels to 256, a halving after each until a side is below 8.

    Args:
        shape: (c, h, w) of the pictures.
        classes: how many.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        channels, height, width = shape
        layers, features = _block(channels, 32), 32
        while min(height, width) >= 8:
            layers += [nn.MaxPool2d(2), *_block(features, min(2 * features, 256))]
            height, width, features = height // 2, width // 2, min(2 * features, 256)
        super().__init__(*layers, nn.Flatten(), nn.Linear(features * height * width, classes))


class ClassificationAccuracy(Metric):
    """The share of held-out real pictures that a classifier trained on generated ones names right; more is better.

    `compute` has it as "cas_convnet", after the class of the classifier (the paper's "CAS" is a ResNet-50 on ImageNet),
    and where real pictures to train on were given "cas_convnet_real", of the same classifier trained on as many of
    them (on all, where there are fewer): what a perfect generator would have.

    Pictures are kept as bytes (c h w each). Weights, order and choice follow from the seed and the pictures' places
    among all: the number is the same in any split into batches, over any number of processes that are dealt the
    pictures in turn, as far as the device adds up in one order.

    Args:
        network: a class or function from ((c, h, w), number of classes) to a classifier, images in [-1, 1] to logits.
        epochs: over the training pictures.
        learning_rate: of Adam, which falls to 0 along half a cosine.
        batch_size: pictures a step.
        seed: of weights, order and choice.
        reset_real: whether `reset` also forgets the real pictures.
        progress: called with a number of pictures whenever so many more are trained on, such as a bar's `update`;
            `epochs` times the generated pictures in all, and as much again for the real ones.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    real_images: list[Tensor]

    def __init__(
        self,
        network: Callable[[tuple[int, int, int], int], nn.Module] = ConvNet,
        epochs: int = 10,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        seed: int = 0,
        reset_real: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        super().__init__(dist_sync_fn=in_turn)
        checks.function(network=network, progress=progress or print)
        checks.whole(1, epochs=epochs)
        checks.whole(2, batch_size=batch_size)
        checks.positive(learning_rate=learning_rate)
        checks.seed(seed=seed)
        checks.switch(reset_real=reset_real)
        self.build, self.epochs, self.learning_rate, self.batch_size = network, epochs, learning_rate, batch_size
        self.seed, self.reset_real, self.progress = seed, reset_real, progress
        self.name = f"cas_{getattr(network, '__name__', type(network).__name__).lower()}"
        self._real_value: tuple[int, Tensor] | None = None
        for side in _SIDES:
            self.add_state(f"{side}_images", [], dist_reduce_fx="cat")
            self.add_state(f"{side}_labels", [], dist_reduce_fx="cat")

    def update(self, images: Tensor, labels: Tensor, real: bool, held_out: bool = False) -> None:
        """Add pictures to learn from, generated or real, or held-out real ones.

        Args:
            images: (n, c, h, w), in [-1, 1] or uint8, of one shape in all calls; generated ones are clamped.
            labels: their classes, whole numbers from 0 on, (n,).
            real: whether these are data.
            held_out: whether the classifiers are tried on them, and not trained.

        Raises:
            ValueError: if the images are not finite, are of another shape than before, or are data outside [-1, 1]; if
                the labels are no such numbers; or if generated pictures are held out.
        """
        if held_out and not real:
            raise ValueError("a classification accuracy score is tried on real pictures, got held-out generated ones")
        if labels.shape != images.shape[:1] or labels.is_floating_point() or (len(labels) and labels.min() < 0):
            raise ValueError(
                f"expected a class from 0 on for each of {len(images)} images, got {labels.dtype} {tuple(labels.shape)}"
                f"{f' from {labels.min()} on' if labels.numel() else ''}; give whole numbers (n,)"
            )
        pixels = to_bytes(images, real)
        for side in _SIDES:
            check_shape(pixels, getattr(self, f"{side}_images"))
        side = "held_out" if held_out else "real" if real else "fake"
        getattr(self, f"{side}_images").append(pixels)
        getattr(self, f"{side}_labels").append(labels.long())
        if real:
            self._real_value = None

    def compute(self) -> dict[str, Tensor]:
        """Train, and count what was named right: shares in [0, 1] by name.

        Raises:
            ValueError: if there are fewer than 2 generated or no held-out pictures.
        """
        fakes, held_out = self._pictures("fake"), self._pictures("held_out")
        if len(fakes[0]) < 2 or not len(held_out[0]):
            raise ValueError(
                f"a classification accuracy score needs generated and held-out real pictures, got {len(fakes[0])} and "
                f"{len(held_out[0])}; call update with both"
            )
        values = {self.name: self._accuracy(*fakes, *held_out)}
        if len(self.real_images) and (real := self._pictures("real")) and len(real[0]) > 1:
            if self._real_value is None or self._real_value[0] != len(fakes[0]):
                generator = torch.Generator().manual_seed(mix(self.seed, 0))
                chosen = torch.randperm(len(real[0]), generator=generator)[: len(fakes[0])]
                chosen = chosen.to(real[0].device)
                self._real_value = len(fakes[0]), self._accuracy(real[0][chosen], real[1][chosen], *held_out)
            values[f"{self.name}_real"] = self._real_value[1]
        return values

    def reset(self) -> None:
        """Forget the pictures; with `reset_real=False` the generated ones alone."""
        states = [f"{side}_{what}" for side in ("real", "held_out") for what in ("images", "labels")]
        kept = {state: list(getattr(self, state)) for state in states}  # reset empties the lists themselves
        super().reset()
        if self.reset_real:
            self._real_value = None
        else:
            for state, parts in kept.items():
                setattr(self, state, parts)

    def _pictures(self, side: str) -> tuple[Tensor, Tensor]:
        images, labels = (getattr(self, f"{side}_{what}") for what in ("images", "labels"))
        return (dim_zero_cat(images), dim_zero_cat(labels)) if len(images) else (torch.empty(0), torch.empty(0))

    def _accuracy(self, images: Tensor, labels: Tensor, held_out: Tensor, truth: Tensor) -> Tensor:
        """The share of the held-out pictures that a classifier trained on the others names right."""
        classes = int(torch.cat([labels, truth]).max()) + 1
        # Lightning validates in inference mode, in which nothing can be trained, and perhaps in half precision.
        trainable, exact = torch.inference_mode(False), torch.autocast(images.device.type, enabled=False)
        with isolate_rng(), trainable, torch.enable_grad(), exact:
            torch.manual_seed(mix(self.seed, 1))
            network = self.build((images.shape[1], images.shape[2], images.shape[3]), classes).to(images.device)
            self._train(network, images, labels)
            return _share_named_right(network.eval(), held_out, truth)

    def _train(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        batches = max(1, len(images) // self.batch_size)
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs * batches)
        for epoch in range(self.epochs):
            order = torch.randperm(len(images), generator=torch.Generator().manual_seed(mix(self.seed, 2, epoch)))
            for places in order.to(images.device).tensor_split(batches):
                optimizer.zero_grad()
                F.cross_entropy(network(to_floats(images[places], real=False)), labels[places]).backward()
                optimizer.step()
                schedule.step()
                if self.progress is not None:
                    self.progress(len(places))


@torch.no_grad()
def _share_named_right(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    right = [
        network(to_floats(part, real=False)).argmax(dim=1) == truth
        for part, truth in zip(images.split(256), labels.split(256), strict=True)
    ]
    return torch.cat(right).float().mean()


def _block(channels: int, features: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, features, 3, padding=1, bias=False), nn.BatchNorm2d(features), nn.ReLU()]
