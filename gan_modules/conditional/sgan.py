"""Improved techniques for training GANs: semi-supervised learning and feature matching (Salimans et al., 2016)."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import labelled_images_of
from gan_modules.latent import LatentMechanics, LatentModule


class SGAN(LatentModule):
    """A classifier that learns from a few labels, and from telling pictures without labels from generated ones.

    Generated pictures are class K + 1, whose logit is held at 0: it is the other K logits that say what is real. Labels
    of -1 are unknown: data modules give them with `labels_per_class`. Its means, over the labelled and the unlabelled
    pictures of a batch and of features, are over each process's part and each micro-batch.

    Args:
        generator: maps noise `(n, latent_dim)` to images in [-1, 1].
        discriminator: maps images to `(class logits (n, num_classes), features (n, k))`; no softmax at its end. It
            classifies in evaluation mode.
        num_classes: K, without the generated one.
        latent_dim: dimensions of the standard normal noise (the authors' code: 100 uniform numbers).
        unsupervised_weight: weight of L_unsupervised beside L_supervised (section 5: 1; the authors' code: 1/2).
        learning_rate, betas: of Adam (the authors' code: 3e-3 for MNIST, 3e-4 for CIFAR-10; 0.5 and 0.999).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        num_classes: int = 10,
        latent_dim: int = 100,
        unsupervised_weight: float = 0.5,
        learning_rate: float = 3e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(1, num_classes=num_classes)
        checks.not_negative(unsupervised_weight=unsupervised_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.num_classes, self.unsupervised_weight = discriminator, num_classes, unsupervised_weight
        self.learning_rate, self.betas = learning_rate, betas

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """L_supervised + L_unsupervised (section 5); beside it the former, the cross-entropy of the known labels."""
        fake_logits, _ = self.discriminator(self.sample(len(real)).detach())
        logits, _ = self.discriminator(real)
        evidence, known = logits.logsumexp(1), labels >= 0  # the logit of being real: log Z(x)
        likelihoods = logits.gather(1, labels.clamp(min=0)[:, None]).squeeze(1) - evidence
        supervised = -_mean(likelihoods, known)
        unsupervised = _mean(softplus(-evidence), ~known) + softplus(fake_logits.logsumexp(1)).mean()
        return supervised + self.unsupervised_weight * unsupervised, supervised

    def generator_loss(self, real: Tensor, labels: Tensor) -> Tensor:
        """Feature matching (section 3.1): the squared distance of the mean features of unlabelled and of generated."""
        with torch.no_grad():
            _, features = self.discriminator(real)
        _, fake_features = self.discriminator(self.sample(len(real)))
        return mse_loss(fake_features.mean(0), _mean(features, labels < 0))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        if self.batches_seen == 1:
            _check(labels)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, supervised = self.descend(discriminator_optimizer, self.discriminator_loss, real, labels)
        self.record(discriminator=loss, supervised=supervised)
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real, labels))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        real, labels = labelled_images_of(batch)
        logits, _ = self.discriminator(real)
        return {"real": real, "fake": self.sample(len(real)), "classes": labels, "predicted": logits.argmax(1)}

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean over the first dimension of what is chosen `(n,)`; 0 where nothing is."""
    return (values.movedim(0, -1) * chosen).sum(-1) / chosen.sum().clamp(min=1)


def _check(labels: Tensor) -> None:
    if not (labels < 0).any():
        raise ValueError(
            "semi-supervised learning needs pictures without labels, which have the label -1, and the first batch has "
            "none; add --data.labels_per_class 10, or a folder unlabelled to your own"
        )
