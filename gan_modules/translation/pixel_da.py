"""Unsupervised pixel-level domain adaptation with generative adversarial networks (Bousmalis et al., 2017)."""

from itertools import chain
from typing import Any, Unpack, cast

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_modules import checks, randomness
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import labelled_domains_of
from gan_modules.objectives import masked_pairwise_error, minimax_discriminator, non_saturating_generator
from gan_modules.schedules import scheduled, staircase
from gan_modules.translating import CodedModule, several


class PixelDA(CodedModule):
    """Labelled pictures of a source domain, drawn as of a target domain, teach a classifier that domain.

    Training batches are `(source, target, labels of source)`: no label of the target is known. Both domains have equal
    shapes, as the classifier sees both. The code's classifier has first layers of its own for the source; here it is
    one network for both.

    Args:
        generator: maps source images and codes `(n, latent_dim)` to images of the target domain, in [-1, 1].
        discriminator: maps images to scores of any shape.
        classifier: maps images of either domain to class logits `(n, k)`.
        latent_dim: numbers a code, each uniform in [-1, 1) (code: 10).
        domain_weight, task_weight, similarity_weight: of the adversarial, the task and the content-similarity loss
            (the paper's alpha, beta and gamma; code: 1, 1 and 0).
        background: brightness of the ground in source images, from 0 to 1, where similarity is not asked for (the
            paper masks it by the depth that its sources were rendered with); None: it is asked for everywhere.
        learning_rate, betas, weight_decay: of Adam (code: 1e-3; 0.5 and 0.999; 0, as it declares 1e-5 and does not
            add it to its losses).
        decay, decay_steps: by what the learning rates are multiplied after each so many batches (code: 0.95 after
            20,000 steps, in which it counts those of both players).
        mechanics: see `gan_modules.adversarial.Mechanics`; the code has `clip_norm=5`, for each tensor by itself.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        classifier: nn.Module,
        latent_dim: int = 10,
        domain_weight: float = 1.0,
        task_weight: float = 1.0,
        similarity_weight: float = 0.0,
        background: float | None = None,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 0.0,
        decay: float = 0.95,
        decay_steps: int = 10_000,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "classifier"])
        checks.not_negative(
            domain_weight=domain_weight,
            task_weight=task_weight,
            similarity_weight=similarity_weight,
            weight_decay=weight_decay,
        )
        checks.portion(background=0.0 if background is None else background, decay=decay)
        checks.whole(1, decay_steps=decay_steps)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.classifier = discriminator, classifier
        self.domain_weight, self.task_weight = domain_weight, task_weight
        self.similarity_weight, self.background = similarity_weight, background
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay
        self.decay_rate, self.decay_steps = decay, decay_steps
        self.register_generators("generator")

    def codes(self, n: int) -> Tensor:
        """Codes `(n, latent_dim)`, whose numbers are uniform in [-1, 1)."""
        dtype = cast(torch.dtype, self.dtype)
        return 2 * randomness.uniform(n, self.latent_dim, device=self.device, dtype=dtype) - 1

    def similarity_loss(self, source: Tensor, fake: Tensor) -> Tensor:
        """Content similarity: how a picture and its translation differ, but for what all its pixels share."""
        if self.background is None:
            return masked_pairwise_error(fake, source, torch.ones_like(source[:, :1]))
        ground = 2 * self.background - 1
        return masked_pairwise_error(fake, source, ((source - ground).abs() > 1 / 255).any(1, keepdim=True))

    def generator_loss(self, source: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All losses, the adversarial one not saturating as in the code; beside it the task's, and the translations."""
        fake = self.generator(source, self.codes(len(source)))
        task = cross_entropy(self.classifier(fake), labels)
        loss = self.domain_weight * non_saturating_generator(self.discriminator(fake)) + self.task_weight * task
        if self.similarity_weight > 0:
            loss = loss + self.similarity_weight * self.similarity_loss(source, fake)
        return loss, task, fake

    def discriminator_loss(
        self, source: Tensor, target: Tensor, labels: Tensor, fake: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The discriminator's loss and the classifier's; beside it the two terms of the latter, of source and fake."""
        domain = minimax_discriminator(self.discriminator(target), self.discriminator(fake))
        own, adapted = (cross_entropy(self.classifier(images), labels) for images in (source, fake))
        return self.domain_weight * domain + self.task_weight * (own + adapted), own, adapted

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target, labels = labelled_domains_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        # G first, so that one translation serves both players; the order of the alternating steps is the same
        loss, task, fake = self.descend(generator_optimizer, self.generator_loss, source, labels)
        self.record(generator=loss, generator_task=task)
        loss, own, adapted = self.descend(
            discriminator_optimizer, self.discriminator_loss, source, target, labels, fake
        )
        self.record(discriminator=loss, source_task=own, adapted_task=adapted)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Translations, and what the classifier says of the target; labels of a held-out batch are the target's.

        Where the batch is `(source, target, source_as_target, labels)`, translations have their truth.
        """
        source, target, labels = labelled_domains_of(batch)
        shown = {"source": source, "fake": self(source), "real": target, "samples": several(self, source)}
        if len(batch) == 4:
            shown["truth"] = batch[2]
        return {**shown, "classes": labels, "predicted": self.classifier(target).argmax(1)}

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        judges = chain(self.discriminator.parameters(), self.classifier.parameters())
        factor = staircase(self.decay_rate, self.decay_steps)
        return [
            scheduled(adam(each, self.learning_rate, self.betas, self.weight_decay), factor, "step")
            for each in (judges, self.generator.parameters())
        ]
