"""Diverse image-to-image translation via disentangled representations (Lee, Tseng, Huang, Singh and Yang, 2018)."""

from itertools import chain
from typing import Any, Unpack

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import l1_loss, softplus

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam, frozen
from gan_modules.batches import two_images_of
from gan_modules.gaussians import drawn, kl_to_normal
from gan_modules.objectives import minimax_discriminator, non_saturating_generator, over_scales
from gan_modules.penalties import mode_seeking
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import CodedTwoWayModule

_ATTRIBUTES = ("attribute_encoder_x", "attribute_encoder_y")
_CONTENTS = ("content_encoder_x", "shared_encoder", "shared_decoder", "decoder_x", "decoder_y", "content_encoder_y")
_DISCRIMINATORS = ("discriminator_x", "discriminator_y", "random_discriminator_x", "random_discriminator_y")


class DRIT(CodedTwoWayModule):
    """A space of contents, in which a discriminator cannot tell the domains, and one of attributes for each domain.

    As in the authors' code translations with drawn attributes have discriminators of their own, the attribute encoders
    are not trained by the attributes' regression, and contents are kept small by the mean of their squares. Both
    discriminators of a domain see the same real images, where the code halves its batches between them. There two
    of three batches train the content discriminator alone. Its gradient's bound of 5 is left to `clip_norm`.

    Args:
        content_encoder_x, content_encoder_y: map images of their domain to contents.
        shared_encoder: maps contents of either domain to the shared ones (the encoders' last layer).
        attribute_encoder_x, attribute_encoder_y: map images of their domain to (means, log variances) of attributes,
            each `(n, attribute_dim)`.
        shared_decoder: maps shared contents to contents (the generators' first layer).
        decoder_x, decoder_y: map contents and attributes to images of their domain in [-1, 1].
        discriminator_x, discriminator_y: map images of their domain to scores of any shape, or to several, one a scale.
        random_discriminator_x, random_discriminator_y: the same, for translations with drawn attributes.
        content_discriminator: maps shared contents to scores of any shape: of being those of Y.
        attribute_dim: numbers an attribute; their prior is N(0, I) (code: 8).
        cycle_weight, reconstruction_weight, regression_weight: of the cross-cycle's, the own pictures' and the
            attributes' L1 distances (code: 10 each).
        content_weight: of the content adversarial loss (code: 1).
        kl_weight: of the attributes' divergence from the prior, and of the squared contents (code: 0.01).
        mode_seeking_weight: of the regulariser of Mao et al. (2019), which compares means over a batch, so that those
            of its parts are not that of the whole (their code: 1); 0 turns it off.
        content_every: batches of which one trains more than the content discriminator (code's d_iter: 3).
        learning_rate, content_learning_rate, betas, weight_decay: of Adam (code: 1e-4, that / 2.5 for the content
            discriminator; 0.5 and 0.999; 1e-4).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (code: 600, 600).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    readers = ("content_encoder_x", "content_encoder_y")
    style_readers = ("attribute_encoder_y", "attribute_encoder_x")

    def __init__(
        self,
        content_encoder_x: nn.Module,
        content_encoder_y: nn.Module,
        shared_encoder: nn.Module,
        attribute_encoder_x: nn.Module,
        attribute_encoder_y: nn.Module,
        shared_decoder: nn.Module,
        decoder_x: nn.Module,
        decoder_y: nn.Module,
        discriminator_x: nn.Module,
        discriminator_y: nn.Module,
        random_discriminator_x: nn.Module,
        random_discriminator_y: nn.Module,
        content_discriminator: nn.Module,
        attribute_dim: int = 8,
        cycle_weight: float = 10.0,
        reconstruction_weight: float = 10.0,
        regression_weight: float = 10.0,
        content_weight: float = 1.0,
        kl_weight: float = 0.01,
        mode_seeking_weight: float = 0.0,
        content_every: int = 3,
        learning_rate: float = 1e-4,
        content_learning_rate: float = 4e-5,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 1e-4,
        constant_epochs: int = 600,
        decay_epochs: int = 600,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=[*_CONTENTS, *_ATTRIBUTES, *_DISCRIMINATORS, "content_discriminator"])
        checks.whole(1, attribute_dim=attribute_dim, content_every=content_every)
        checks.whole(0, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.not_negative(cycle_weight=cycle_weight, reconstruction_weight=reconstruction_weight)
        checks.not_negative(regression_weight=regression_weight, content_weight=content_weight, kl_weight=kl_weight)
        checks.not_negative(mode_seeking_weight=mode_seeking_weight, weight_decay=weight_decay)
        checks.adam(betas, learning_rate=learning_rate, content_learning_rate=content_learning_rate)
        self.content_encoder_x, self.content_encoder_y = content_encoder_x, content_encoder_y
        self.shared_encoder, self.shared_decoder = shared_encoder, shared_decoder
        self.attribute_encoder_x, self.attribute_encoder_y = attribute_encoder_x, attribute_encoder_y
        self.decoder_x, self.decoder_y = decoder_x, decoder_y
        self.discriminator_x, self.discriminator_y = discriminator_x, discriminator_y
        self.random_discriminator_x, self.random_discriminator_y = random_discriminator_x, random_discriminator_y
        self.content_discriminator, self.attribute_dim = content_discriminator, attribute_dim
        self.cycle_weight, self.reconstruction_weight = cycle_weight, reconstruction_weight
        self.regression_weight, self.mode_seeking_weight = regression_weight, mode_seeking_weight
        self.content_weight, self.kl_weight, self.content_every = content_weight, kl_weight, content_every
        self.learning_rate, self.content_learning_rate = learning_rate, content_learning_rate
        self.betas, self.weight_decay = betas, weight_decay
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators(*_CONTENTS[:-1], *_ATTRIBUTES, _CONTENTS[-1])

    def codes(self, n: int) -> Tensor:
        """`n` attributes drawn from their prior."""
        return self.normal(n, self.attribute_dim)

    def style(self, reference: Tensor) -> Tensor:
        """The attributes, at their means, of images of Y."""
        return self.serving("attribute_encoder_y")(reference)[0]

    def inverse_style(self, reference: Tensor) -> Tensor:
        """The attributes, at their means, of images of X."""
        return self.serving("attribute_encoder_x")(reference)[0]

    def content(self, encoder: nn.Module, images: Tensor) -> Tensor:
        """The contents of images, by the encoder of their domain and the shared layer."""
        return self.serving("shared_encoder")(encoder(images))

    def drawn(self, decoder: nn.Module, content: Tensor, attribute: Tensor) -> Tensor:
        """Images with these contents and attributes, by the shared layer and the decoder of their domain."""
        return decoder(self.serving("shared_decoder")(content), attribute)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Images of X as images of Y, with the attributes `code` `(n, attribute_dim)`, or with drawn ones."""
        content = self.content(self.serving("content_encoder_x"), x)
        return self.drawn(self.serving("decoder_y"), content, self.codes(len(x)) if code is None else code)

    def inverse(self, y: Tensor, code: Tensor | None = None) -> Tensor:
        """Images of Y as images of X, with the attributes `code` `(n, attribute_dim)`, or with drawn ones."""
        content = self.content(self.serving("content_encoder_y"), y)
        return self.drawn(self.serving("decoder_x"), content, self.codes(len(y)) if code is None else code)

    def attributed(self, encoder: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        """Attributes drawn from what their encoder says of images, and their divergence from the prior."""
        mean, log_variance = encoder(images)
        return drawn(mean, log_variance, self.normal(*mean.shape)), kl_to_normal(mean, log_variance)

    def generator_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """All terms but those of drawn attributes; beside it the cross-cycle's distance and the translations."""
        content_x, content_y = self.content(self.content_encoder_x, x), self.content(self.content_encoder_y, y)
        attribute_x, divergence_x = self.attributed(self.attribute_encoder_x, x)
        attribute_y, divergence_y = self.attributed(self.attribute_encoder_y, y)
        fake_x = self.drawn(self.decoder_x, content_y, attribute_x)
        fake_y = self.drawn(self.decoder_y, content_x, attribute_y)
        own = l1_loss(self.drawn(self.decoder_x, content_x, attribute_x), x)
        own = own + l1_loss(self.drawn(self.decoder_y, content_y, attribute_y), y)
        cycle = self.cross_cycle(x, y, fake_x, fake_y)
        loss = over_scales(non_saturating_generator, self.discriminator_x(fake_x))
        loss = loss + over_scales(non_saturating_generator, self.discriminator_y(fake_y))
        loss = loss + self.content_weight * (self.blended(content_x) + self.blended(content_y))
        size = content_x.square().mean() + content_y.square().mean()
        loss = loss + self.kl_weight * (divergence_x + divergence_y + size)
        return loss + self.cycle_weight * cycle + self.reconstruction_weight * own, cycle, fake_x, fake_y

    def cross_cycle(self, x: Tensor, y: Tensor, fake_x: Tensor, fake_y: Tensor) -> Tensor:
        """Contents and attributes, exchanged a second time, are the first images again."""
        attribute_x, _ = self.attributed(self.attribute_encoder_x, fake_x)
        attribute_y, _ = self.attributed(self.attribute_encoder_y, fake_y)
        content_x, content_y = (
            self.content(self.content_encoder_y, fake_y),
            self.content(self.content_encoder_x, fake_x),
        )
        back_x = self.drawn(self.decoder_x, content_x, attribute_x)
        return l1_loss(back_x, x) + l1_loss(self.drawn(self.decoder_y, content_y, attribute_y), y)

    def blended(self, content: Tensor) -> Tensor:
        """The encoders' side of the content loss, as in the code: the cross-entropy of its probability with a half."""
        score = self.content_discriminator(content)
        return (softplus(score) - score / 2).mean()

    def random_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """Translations with drawn attributes: their adversarial loss, the regression and mode seeking.

        Beside it the regression's distance and the translations, of which there are two of each image where modes are
        sought.
        """
        repeats = 2 if self.mode_seeking_weight > 0 else 1
        code = self.codes(len(x) * repeats)
        content_x, content_y = self.content(self.content_encoder_x, x), self.content(self.content_encoder_y, y)
        fake_x = self.drawn(self.decoder_x, content_y.repeat(repeats, 1, 1, 1), code)
        fake_y = self.drawn(self.decoder_y, content_x.repeat(repeats, 1, 1, 1), code)
        deceit = over_scales(non_saturating_generator, self.random_discriminator_x(fake_x))
        deceit = deceit + over_scales(non_saturating_generator, self.random_discriminator_y(fake_y))
        with frozen(chain(self.attribute_encoder_x.parameters(), self.attribute_encoder_y.parameters())):
            means = self.attribute_encoder_x(fake_x)[0], self.attribute_encoder_y(fake_y)[0]
        regression = l1_loss(means[0][: len(x)], code[: len(x)]) + l1_loss(means[1][: len(x)], code[: len(x)])
        loss = repeats * deceit + self.regression_weight * regression
        if self.mode_seeking_weight > 0:
            loss = loss + self.mode_seeking_weight * (mode_seeking(fake_x, code) + mode_seeking(fake_y, code))
        return loss, regression, fake_x, fake_y

    def discriminator_loss(self, x: Tensor, y: Tensor, *fakes: Tensor) -> Tensor:
        """The minimax objective for translations, and for those with drawn attributes, in each domain."""
        networks = self.discriminator_x, self.discriminator_y, self.random_discriminator_x, self.random_discriminator_y
        terms = [
            len(fake) // len(real) * over_scales(minimax_discriminator, network(real), network(fake))
            for network, real, fake in zip(networks, (x, y, x, y), fakes, strict=True)
        ]
        return torch.stack(terms).sum()

    def content_discriminator_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Contents of Y are to be told from those of X."""
        with torch.no_grad():
            content_x, content_y = self.content(self.content_encoder_x, x), self.content(self.content_encoder_y, y)
        return minimax_discriminator(self.content_discriminator(content_y), self.content_discriminator(content_x))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        content_optimizer, discriminator_optimizer, generator_optimizer = self.optimizers()
        if self.batches_seen % self.content_every == 0:
            # the generators first, so that one translation serves both players
            loss, cycle, *fakes = self.descend(generator_optimizer, self.generator_loss, x, y)
            random, regression, *more = self.descend(generator_optimizer, self.random_loss, x, y)
            self.record(generator=loss + random, cycle=cycle, regression=regression)
            loss = self.descend(discriminator_optimizer, self.discriminator_loss, x, y, *fakes, *more)
            self.record(discriminator=loss)
        self.record(content=self.descend(content_optimizer, self.content_discriminator_loss, x, y))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        players = ("content_discriminator",), _DISCRIMINATORS, (*_CONTENTS, *_ATTRIBUTES)
        rates = self.content_learning_rate, self.learning_rate, self.learning_rate
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        networks = [[getattr(self, name) for name in names] for names in players]
        parameters = [chain.from_iterable(network.parameters() for network in player) for player in networks]
        optimizers = [
            adam(each, rate, self.betas, self.weight_decay) for each, rate in zip(parameters, rates, strict=True)
        ]
        return [scheduled(each, factor, "epoch") for each in optimizers]
