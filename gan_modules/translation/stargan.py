"""StarGAN: unified generative adversarial networks for multi-domain image-to-image translation (Choi et al., 2018)."""

from functools import partial
from typing import Any, Unpack

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss

from gan_modules import checks, randomness
from gan_modules.adversarial import AdversarialModule, Mechanics, adam
from gan_modules.batches import labelled_images_of
from gan_modules.objectives import wasserstein_critic, wasserstein_generator
from gan_modules.penalties import gradient_penalty
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import Way


class StarGAN(AdversarialModule):
    """One generator that translates between all domains, told which one it is to be.

    Labels are domains, of which a picture has one (the paper's RaFD; its CelebA has attributes that are combined).
    Target domains are drawn for each picture; the authors' code permutes those of the batch.

    Args:
        generator: maps images and target domains, int64 `(n,)`, to images in [-1, 1].
        discriminator: maps images to `(scores of any shape, domain logits (n, len(domains)))`; no normalisation that
            couples the samples.
        domains: the names of the domains, in the order of the labels.
        class_weight: weight of the domain's classification (section 3.1: 1).
        reconstruction_weight: weight of the L1 between a picture and its translation back (section 3.1: 10).
        penalty_weight: weight of the gradient penalty (section 4: 10).
        n_critic: steps of the discriminator for one of the generator (section 5.3: 5).
        learning_rate, betas: of Adam (section 5.3: 1e-4; 0.5 and 0.999).
        constant_steps, decay_steps: batches at the full learning rate, and while it falls to 0 (code: 100,000 each).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    readers = ("generator",)
    needs_every_label = True

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        domains: tuple[str, ...],
        class_weight: float = 1.0,
        reconstruction_weight: float = 10.0,
        penalty_weight: float = 10.0,
        n_critic: int = 5,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        constant_steps: int = 100_000,
        decay_steps: int = 100_000,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.words(domains=domains)
        checks.not_negative(
            class_weight=class_weight, reconstruction_weight=reconstruction_weight, penalty_weight=penalty_weight
        )
        checks.whole(1, n_critic=n_critic)
        checks.whole(0, constant_steps=constant_steps, decay_steps=decay_steps)
        checks.adam(betas, learning_rate=learning_rate)
        self.generator, self.discriminator, self.domains = generator, discriminator, tuple(domains)
        self.class_weight, self.reconstruction_weight = class_weight, reconstruction_weight
        self.penalty_weight, self.n_critic = penalty_weight, n_critic
        self.learning_rate, self.betas = learning_rate, betas
        self.constant_steps, self.decay_steps = constant_steps, decay_steps
        self.register_generators("generator")

    def forward(self, source: Tensor, domain: Tensor | int = 0) -> Tensor:
        """Images of any domain as images of `domain`: its place in `domains`, one for all or int64 `(n,)`."""
        wanted = torch.as_tensor(domain, device=source.device).expand(source.shape[0])
        return self.serving("generator")(source, wanted)

    def discriminator_loss(self, real: Tensor, labels: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Equation 5, with equation 8 for L_adv; beside it the cross-entropy of the real pictures' domains."""
        fake = self.generator(real, wanted).detach()
        scores, logits = self.discriminator(real)
        classes = cross_entropy(logits, labels)
        loss = wasserstein_critic(scores, self.discriminator(fake)[0]) + self.class_weight * classes
        if self.penalty_weight > 0:
            penalty = gradient_penalty(lambda images: self.discriminator(images)[0], real, fake)
            loss = loss + self.penalty_weight * penalty
        return loss, classes

    def generator_loss(self, real: Tensor, labels: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Equation 6; beside it the cross-entropy of the wanted domains and what is lost on the way back."""
        fake = self.generator(real, wanted)
        scores, logits = self.discriminator(fake)
        classes, lost = cross_entropy(logits, wanted), l1_loss(self.generator(fake, labels), real)
        loss = wasserstein_generator(scores) + self.class_weight * classes + self.reconstruction_weight * lost
        return loss, classes, lost

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        wanted = randomness.labels(len(real), len(self.domains), device=self.device)
        loss, classes = self.descend(discriminator_optimizer, self.discriminator_loss, real, labels, wanted)
        self.record(discriminator=loss, classes=classes)
        if self.batches_seen % self.n_critic == 0:
            loss, classes, lost = self.descend(generator_optimizer, self.generator_loss, real, labels, wanted)
            self.record(generator=loss, wanted_classes=classes, cycle=lost)

    def ways(self) -> dict[str, Way]:
        """From each domain to the next one, and from the last one to the first."""
        last = len(self.domains) - 1
        order = [(place - 1 if place else last, place) for place in range(last + 1)]
        return {f"{self.domains[home]}_to_{self.domains[place]}": self._way(home, place) for home, place in order}

    def _way(self, home: int, place: int) -> Way:
        return Way(partial(self, domain=place), lambda fake, source: self(fake, home))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Pictures of a batch `(images, labels)` in each other's domains; or each domain from the one before it.

        The latter where a batch has the same pictures in all domains, `(in domain 0, in domain 1, ...)`, whereby all
        translations have their truth.
        """
        if len(batch) == 2 and batch[1].ndim == 1:
            real, labels = labelled_images_of(batch)
            return {"source": real, "fake": self(real, labels.roll(1)), "real": real}
        views = {}
        for place, ((name, way), truth) in enumerate(zip(self.ways().items(), batch, strict=True)):
            source = batch[place - 1]
            views[name] = {"source": source, "fake": way.there(source), "real": truth, "truth": truth}
        return views

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        players = (self.discriminator, 1), (self.generator, self.n_critic)
        return [
            scheduled(
                adam(network.parameters(), self.learning_rate, self.betas),
                constant_then_linear(self.constant_steps // every, self.decay_steps // every),
                "step",
            )
            for network, every in players
        ]
