"""Generating adversarial examples with adversarial networks (Xiao, Li, Zhu, He, Liu and Song, 2018)."""

import copy
from typing import Any, Unpack

from torch import Tensor, nn
from torch.nn.functional import relu
from torch.optim import Optimizer

from gan_modules import checks, classifiers
from gan_modules.adversarial import AdversarialModule, Mechanics, adam
from gan_modules.batches import labelled_images_of
from gan_modules.objectives import least_squares, logit_margin


class AdvGAN(AdversarialModule):
    """A generator of perturbations that a classifier falls for, and a discriminator that looks for them.

    Images lie in [-1, 1], so that epsilon and norms are twice those of images in [0, 1]. The classifier is frozen: its
    weights are buffers, which a checkpoint carries and no optimizer has.

    Args:
        generator: maps images in [-1, 1] to perturbations in [-1, 1], in units of epsilon; what is larger is cut.
        discriminator: maps images to scores of any shape.
        classifier: maps images to class logits `(n, k)`, not probabilities.
        classifier_epochs: for which the classifier is trained on the data module's training part before the attack,
            once for all runs of the same data (`gan_modules.classifiers.kept`); 0: it comes trained.
        epsilon: the largest change of a value (on MNIST 0.3 of images in [0, 1], in our units 0.6).
        confidence: by how much another logit is to be larger (kappa: 0).
        gan_weight, hinge_weight: of L_GAN and L_hinge beside L_adv (alpha and beta; 0.1 each, after the weights 10, 1
            and 1 of a well-known copy, which sums L_adv over the batch).
        norm_bound: the Euclidean norm up to which a perturbation is free (c, left to the user).
        learning_rate, betas: of Adam (the copy: 1e-3, with torch's 0.9 and 0.999).
        mechanics: see `gan_modules.adversarial.Mechanics`.

    Attributes:
        given: the classifier as it was given, alone in a tuple.
    """

    at_rest = ("classifier",)
    readers = ("generator",)
    needs_every_label = True

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        classifier: nn.Module,
        classifier_epochs: int = 0,
        epsilon: float = 0.6,
        confidence: float = 0.0,
        gan_weight: float = 0.1,
        hinge_weight: float = 0.1,
        norm_bound: float = 0.2,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "classifier"])
        checks.whole(0, classifier_epochs=classifier_epochs)
        checks.positive(epsilon=epsilon)
        checks.not_negative(
            confidence=confidence, gan_weight=gan_weight, hinge_weight=hinge_weight, norm_bound=norm_bound
        )
        checks.adam(betas, learning_rate=learning_rate)
        self.generator, self.discriminator = generator, discriminator
        self.classifier = classifiers.frozen(classifier)
        self.classifier_epochs = classifier_epochs
        self.given = (classifier,)  # in a tuple, as its parameters are no part of this module
        self._ready = False
        self.epsilon, self.confidence, self.norm_bound = epsilon, confidence, norm_bound
        self.gan_weight, self.hinge_weight = gan_weight, hinge_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.register_generators("generator")

    def forward(self, images: Tensor) -> Tensor:
        """Adversarial images: within epsilon of `images` `(n, c, h, w)`, and in [-1, 1]."""
        return (images + self.perturbation(images)).clamp(-1, 1)

    def perturbation(self, images: Tensor) -> Tensor:
        """What is added to the images, in [-epsilon, epsilon]."""
        return self.epsilon * self.serving("generator")(images).clamp(-1, 1)

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> Tensor:
        """L_GAN, with least squares."""
        fake = self(real).detach()
        return least_squares(self.discriminator(real), 1) + least_squares(self.discriminator(fake), 0)

    def generator_loss(self, real: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """L_adv + alpha L_GAN + beta L_hinge; beside it L_adv and L_hinge."""
        perturbation = self.perturbation(real)
        fake = (real + perturbation).clamp(-1, 1)
        attack = logit_margin(self.classifier(fake), labels, self.confidence)
        hinge = relu(perturbation.flatten(1).norm(dim=1) - self.norm_bound).mean()
        deceit = least_squares(self.discriminator(fake), 1)
        return attack + self.gan_weight * deceit + self.hinge_weight * hinge, attack, hinge

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, labels))
        loss, attack, hinge = self.descend(generator_optimizer, self.generator_loss, real, labels)
        self.record(generator=loss, attack=attack, hinge=hinge)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        real, labels = labelled_images_of(batch)
        fake = self(real)
        named = {"before": self.classifier(real).argmax(1), "after": self.classifier(fake).argmax(1)}
        return {"source": real, "real": real, "fake": fake, "labels": labels, **named}

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit" and self.classifier_epochs and not self._ready:
            data: Any = getattr(self.trainer, "datamodule", None)
            if data is None:
                raise ValueError("a classifier is trained on a data module, and there is none; give datamodule= to fit")
            state = classifiers.kept(copy.deepcopy(self.given[0]), data, self.classifier_epochs).state_dict()
            self.classifier.load_state_dict(self.trainer.strategy.broadcast(state))
            self._ready = True

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._ready = True  # the classifier is in the checkpoint

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]
