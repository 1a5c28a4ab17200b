"""Multimodal unsupervised image-to-image translation (Huang, Liu, Belongie and Kautz, 2018)."""

from functools import partial
from itertools import chain
from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import group_norm, l1_loss, mse_loss

from gan_modules import checks, classifiers
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.objectives import least_squares, over_scales
from gan_modules.schedules import halving, scheduled
from gan_modules.translating import CodedTwoWayModule

_DISCRIMINATORS = ("discriminator_x", "discriminator_y")
_GENERATORS = (
    "content_encoder_x", "style_encoder_x", "decoder_x", "decoder_y", "style_encoder_y", "content_encoder_y"
)  # fmt: skip


class MUNIT(CodedTwoWayModule):
    """Pictures are content, which the domains share, and style; a translation has the content, and a style it is given.

    Args:
        content_encoder_x, content_encoder_y: map images of their domain to contents, of one shape in both.
        style_encoder_x, style_encoder_y: map images of their domain to styles `(n, style_dim)`.
        decoder_x, decoder_y: map contents and styles to images of their domain in [-1, 1].
        discriminator_x, discriminator_y: map images of their domain to scores of any shape, or to several, one a scale.
        perceptual: maps images in [-1, 1] to feature maps, for the domain-invariant perceptual loss (the paper: VGG);
            it is frozen, and carried by checkpoints. None: no such loss.
        style_dim: numbers a style; the prior of styles is N(0, I) (code: 8).
        reconstruction_weight, content_weight, style_weight: of the distances of pictures, contents and styles
            (the paper's lambda_x, lambda_c and lambda_s: 10, 1 and 1).
        cycle_weight: of the style-augmented cycle (code: 0, and 10 for large pictures).
        perceptual_weight: of the perceptual loss, where there is one (code: 1).
        learning_rate, betas, weight_decay: of Adam (code: 1e-4; 0.5 and 0.999; 1e-4).
        halving_steps: steps after which the learning rate is halved (the paper: 100,000); None: never.
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    at_rest = ("perceptual",)
    readers = ("content_encoder_x", "content_encoder_y")
    style_readers = ("style_encoder_y", "style_encoder_x")

    def __init__(
        self,
        content_encoder_x: nn.Module,
        content_encoder_y: nn.Module,
        style_encoder_x: nn.Module,
        style_encoder_y: nn.Module,
        decoder_x: nn.Module,
        decoder_y: nn.Module,
        discriminator_x: nn.Module,
        discriminator_y: nn.Module,
        perceptual: nn.Module | None = None,
        style_dim: int = 8,
        reconstruction_weight: float = 10.0,
        content_weight: float = 1.0,
        style_weight: float = 1.0,
        cycle_weight: float = 0.0,
        perceptual_weight: float = 1.0,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 1e-4,
        halving_steps: int | None = 100_000,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=[*_GENERATORS, *_DISCRIMINATORS, "perceptual"])
        checks.whole(1, style_dim=style_dim, halving_steps=1 if halving_steps is None else halving_steps)
        checks.not_negative(reconstruction_weight=reconstruction_weight, content_weight=content_weight)
        checks.not_negative(style_weight=style_weight, cycle_weight=cycle_weight, weight_decay=weight_decay)
        checks.not_negative(perceptual_weight=perceptual_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.content_encoder_x, self.style_encoder_x, self.decoder_x = content_encoder_x, style_encoder_x, decoder_x
        self.content_encoder_y, self.style_encoder_y, self.decoder_y = content_encoder_y, style_encoder_y, decoder_y
        self.discriminator_x, self.discriminator_y = discriminator_x, discriminator_y
        self.perceptual = None if perceptual is None else classifiers.frozen(perceptual)
        self.style_dim, self.perceptual_weight, self.cycle_weight = style_dim, perceptual_weight, cycle_weight
        self.weights = reconstruction_weight, content_weight, style_weight
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay
        self.halving_steps = halving_steps
        self.register_generators(*_GENERATORS)

    def codes(self, n: int) -> Tensor:
        """`n` styles drawn from their prior."""
        return self.normal(n, self.style_dim)

    def style(self, reference: Tensor) -> Tensor:
        """The styles of images of Y."""
        return self.serving("style_encoder_y")(reference)

    def inverse_style(self, reference: Tensor) -> Tensor:
        """The styles of images of X."""
        return self.serving("style_encoder_x")(reference)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Images of X as images of Y, in the styles `code` `(n, style_dim)`, or in drawn ones."""
        content = self.serving("content_encoder_x")(x)
        return self.serving("decoder_y")(content, self.codes(len(x)) if code is None else code)

    def inverse(self, y: Tensor, code: Tensor | None = None) -> Tensor:
        """Images of Y as images of X, in the styles `code` `(n, style_dim)`, or in drawn ones."""
        content = self.serving("content_encoder_y")(y)
        return self.serving("decoder_x")(content, self.codes(len(y)) if code is None else code)

    def generator_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """All terms of encoders and decoders; beside it the distances of pictures and styles, and the fakes."""
        content_x, content_y = self.content_encoder_x(x), self.content_encoder_y(y)
        style_x, style_y = self.style_encoder_x(x), self.style_encoder_y(y)
        drawn_x, drawn_y = self.codes(len(x)), self.codes(len(y))
        fake_x, fake_y = self.decoder_x(content_y, drawn_x), self.decoder_y(content_x, drawn_y)
        again_x, again_y = self.content_encoder_y(fake_y), self.content_encoder_x(fake_x)
        pictures = l1_loss(self.decoder_x(content_x, style_x), x) + l1_loss(self.decoder_y(content_y, style_y), y)
        contents = l1_loss(again_x, content_x) + l1_loss(again_y, content_y)
        styles = l1_loss(self.style_encoder_x(fake_x), drawn_x) + l1_loss(self.style_encoder_y(fake_y), drawn_y)
        deceit = partial(least_squares, target=1)
        loss = over_scales(deceit, self.discriminator_x(fake_x)) + over_scales(deceit, self.discriminator_y(fake_y))
        for weight, distance in zip(self.weights, (pictures, contents, styles), strict=True):
            loss = loss + weight * distance
        if self.cycle_weight > 0:
            cycle = l1_loss(self.decoder_x(again_x, style_x), x) + l1_loss(self.decoder_y(again_y, style_y), y)
            loss = loss + self.cycle_weight * cycle
        if self.perceptual is not None:
            for fake, source in ((fake_y, x), (fake_x, y)):
                loss = loss + self.perceptual_weight * domain_invariant_distance(self.perceptual, fake, source)
        return loss, pictures, styles, fake_x, fake_y

    def discriminator_loss(self, x: Tensor, y: Tensor, fake_x: Tensor, fake_y: Tensor) -> Tensor:
        """Least squares in each domain, at each scale."""
        in_x = over_scales(_told_apart, self.discriminator_x(x), self.discriminator_x(fake_x))
        return in_x + over_scales(_told_apart, self.discriminator_y(y), self.discriminator_y(fake_y))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        # the generators first, so that one translation serves both players; the order of the alternating steps stays
        loss, pictures, styles, *fakes = self.descend(generator_optimizer, self.generator_loss, x, y)
        self.record(generator=loss, reconstruction=pictures, style=styles)
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, x, y, *fakes))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = halving(self.halving_steps)
        players = [[getattr(self, name) for name in names] for names in (_DISCRIMINATORS, _GENERATORS)]
        parameters = (chain.from_iterable(network.parameters() for network in player) for player in players)
        numbers = self.learning_rate, self.betas, self.weight_decay
        return [scheduled(adam(each, *numbers), factor, "step") for each in parameters]


def _told_apart(real: Tensor, fake: Tensor) -> Tensor:
    return least_squares(real, 1) + least_squares(fake, 0)


def domain_invariant_distance(perceptual: nn.Module, fake: Tensor, source: Tensor) -> Tensor:
    """The squared distance of perceptual features that are instance-normalised, so without a domain's colours.

    Huang et al. (2018), with VGG's features.
    """
    of_fake, of_source = (perceptual(images) for images in (fake, source))
    return mse_loss(group_norm(of_fake, of_fake.shape[1]), group_norm(of_source, of_source.shape[1]))
