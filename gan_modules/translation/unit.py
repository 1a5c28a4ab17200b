"""Unsupervised image-to-image translation networks (Liu, Breuel and Kautz, 2017)."""

from itertools import chain
from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.objectives import minimax_discriminator, non_saturating_generator, over_scales
from gan_modules.schedules import halving, scheduled
from gan_modules.translating import TwoWayModule

_DISCRIMINATORS = ("discriminator_x", "discriminator_y")
_GENERATORS = ("encoder_x", "shared_encoder", "shared_decoder", "decoder_x", "decoder_y", "encoder_y")


class UNIT(TwoWayModule):
    """Two variational autoencoders whose codes are one: each domain's decoder draws what the other's encoder read.

    Codes are Gaussian with unit variance around the encoder's mean. Their divergence from N(0, I) is the mean of the
    squared means, as in the authors' code; the paper's is half the sum. Translations are of the means, without noise.

    Args:
        encoder_x, encoder_y: map images of their domain to contents.
        shared_encoder: maps contents of either domain to the means of codes (section 3: the encoders' last layers).
        shared_decoder: maps codes to contents (section 3: the generators' first layers).
        decoder_x, decoder_y: map contents to images of their domain in [-1, 1].
        discriminator_x, discriminator_y: map images of their domain to scores of any shape, or to several, one a scale.
        reconstruction_weight, kl_weight: of the autoencoders' terms, relative to the adversarial one's:
            10 and 0.01, for 100 and 0.1 with 10 there in the authors' first code.
        cycle_weight, cycle_kl_weight: of the same terms for the way there and back: 10 and 0.01.
        learning_rate, betas, weight_decay: of Adam (section 4: 1e-4, 0.5 and 0.999; code: 1e-4).
        halving_steps: steps after which the learning rate is halved (code: 100,000); None: never.
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    readers = ("encoder_x", "encoder_y")

    def __init__(
        self,
        encoder_x: nn.Module,
        encoder_y: nn.Module,
        shared_encoder: nn.Module,
        shared_decoder: nn.Module,
        decoder_x: nn.Module,
        decoder_y: nn.Module,
        discriminator_x: nn.Module,
        discriminator_y: nn.Module,
        reconstruction_weight: float = 10.0,
        kl_weight: float = 0.01,
        cycle_weight: float = 10.0,
        cycle_kl_weight: float = 0.01,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 1e-4,
        halving_steps: int | None = 100_000,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=[*_GENERATORS, *_DISCRIMINATORS])
        checks.not_negative(reconstruction_weight=reconstruction_weight, kl_weight=kl_weight, weight_decay=weight_decay)
        checks.not_negative(cycle_weight=cycle_weight, cycle_kl_weight=cycle_kl_weight)
        checks.whole(1, halving_steps=1 if halving_steps is None else halving_steps)
        checks.adam(betas, learning_rate=learning_rate)
        self.encoder_x, self.encoder_y, self.shared_encoder = encoder_x, encoder_y, shared_encoder
        self.decoder_x, self.decoder_y, self.shared_decoder = decoder_x, decoder_y, shared_decoder
        self.discriminator_x, self.discriminator_y = discriminator_x, discriminator_y
        self.reconstruction_weight, self.kl_weight = reconstruction_weight, kl_weight
        self.cycle_weight, self.cycle_kl_weight = cycle_weight, cycle_kl_weight
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay
        self.halving_steps = halving_steps
        self.register_generators(*_GENERATORS)

    def mean(self, encoder: nn.Module, images: Tensor) -> Tensor:
        """The means of the codes of images, by the encoder of their domain and the shared one."""
        return self.serving("shared_encoder")(encoder(images))

    def decoded(self, decoder: nn.Module, codes: Tensor) -> Tensor:
        """Images of codes, by the shared decoder and that of their domain."""
        return decoder(self.serving("shared_decoder")(codes))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoded(self.serving("decoder_y"), self.mean(self.serving("encoder_x"), x))

    def inverse(self, y: Tensor) -> Tensor:
        return self.decoded(self.serving("decoder_x"), self.mean(self.serving("encoder_y"), y))

    def sampled(self, mean: Tensor) -> Tensor:
        """Codes drawn from N(mean, I)."""
        return mean + self.normal(*mean.shape)

    def generator_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All terms of encoders and generators; beside it the cycle's distance and the translations."""
        mean_x, mean_y = self.mean(self.encoder_x, x), self.mean(self.encoder_y, y)
        code_x, code_y = self.sampled(mean_x), self.sampled(mean_y)
        fake_x, fake_y = self.decoded(self.decoder_x, code_y), self.decoded(self.decoder_y, code_x)
        adversarial = over_scales(non_saturating_generator, self.discriminator_x(fake_x))
        adversarial = adversarial + over_scales(non_saturating_generator, self.discriminator_y(fake_y))
        own = l1_loss(self.decoded(self.decoder_x, code_x), x) + l1_loss(self.decoded(self.decoder_y, code_y), y)
        again_x, again_y = self.mean(self.encoder_y, fake_y), self.mean(self.encoder_x, fake_x)
        back_x = self.decoded(self.decoder_x, self.sampled(again_x))
        cycle = l1_loss(back_x, x) + l1_loss(self.decoded(self.decoder_y, self.sampled(again_y)), y)
        divergence = self.kl_weight * (mean_x.square().mean() + mean_y.square().mean())
        divergence = divergence + self.cycle_kl_weight * (again_x.square().mean() + again_y.square().mean())
        loss = adversarial + self.reconstruction_weight * own + self.cycle_weight * cycle + divergence
        return loss, cycle, fake_x, fake_y

    def discriminator_loss(self, x: Tensor, y: Tensor, fake_x: Tensor, fake_y: Tensor) -> Tensor:
        """The minimax objective in each domain, at each scale."""
        in_x = over_scales(minimax_discriminator, self.discriminator_x(x), self.discriminator_x(fake_x))
        return in_x + over_scales(minimax_discriminator, self.discriminator_y(y), self.discriminator_y(fake_y))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        # the generators first, so that one translation serves both players; the order of the alternating steps stays
        loss, cycle, *fakes = self.descend(generator_optimizer, self.generator_loss, x, y)
        self.record(generator=loss, cycle=cycle)
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, x, y, *fakes))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = halving(self.halving_steps)
        players = [[getattr(self, name) for name in names] for names in (_DISCRIMINATORS, _GENERATORS)]
        parameters = (chain.from_iterable(network.parameters() for network in player) for player in players)
        numbers = self.learning_rate, self.betas, self.weight_decay
        return [scheduled(adam(each, *numbers), factor, "step") for each in parameters]
