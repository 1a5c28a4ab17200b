"""Large scale GAN training for high fidelity natural image synthesis (Brock et al., 2019)."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import labelled_images_of
from gan_modules.latent import LabelledModule, LatentMechanics
from gan_modules.objectives import hinge_discriminator, wasserstein_generator
from gan_modules.penalties import similar_filters


class BigGAN(LabelledModule):
    """The hinge game for every class, with a generator whose filters are held apart so that its noise can be truncated.

    `networks.BigGANGenerator` brings the hierarchical latents and the shared embedding along, both networks spectral
    norm, attention and orthogonal weights at first. The noise is standard normal, and samples are truncated by
    `scripts/sample.py --truncation`, or inside `randomness.using(randomness.ItemStream(..., truncation=0.5))`: drawn
    again until they lie in [-t, t] (section 3.1). The paper's moving average of the generator is `average_decay`
    (0.9999). Generated classes are those of the batch.

    Args:
        generator: maps noise `(n, latent_dim)` and labels `(n,)` to images in [-1, 1].
        discriminator: maps images and labels `(n,)` to unbounded scores `(n,)`.
        num_classes: number of classes.
        latent_dim: dimensions of the standard normal noise.
        n_critic: discriminator steps, each on fresh data, for one generator step (the paper, of ImageNet: 2; the
            author's code, of CIFAR-10: 4).
        orthogonal_weight: weight of the orthogonal regularisation of the generator (equation 3, beta: 1e-4).
        generator_learning_rate, discriminator_learning_rate, betas: of Adam (the author's code, of CIFAR-10: 2e-4 both,
            0 and 0.999; the paper, of ImageNet: 5e-5 and 2e-4).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        num_classes: int = 10,
        latent_dim: int = 128,
        n_critic: int = 4,
        orthogonal_weight: float = 1e-4,
        generator_learning_rate: float = 2e-4,
        discriminator_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.0, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, num_classes, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(1, n_critic=n_critic)
        checks.not_negative(orthogonal_weight=orthogonal_weight)
        checks.positive(generator_learning_rate=generator_learning_rate)
        checks.adam(betas, discriminator_learning_rate=discriminator_learning_rate)
        self.discriminator, self.n_critic, self.orthogonal_weight = discriminator, n_critic, orthogonal_weight
        self.learning_rates, self.betas = (discriminator_learning_rate, generator_learning_rate), betas

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> Tensor:
        """E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))."""
        fake = self.sample(len(real), labels).detach()
        return hinge_discriminator(self.discriminator(real, labels), self.discriminator(fake, labels))

    def generator_loss(self, labels: Tensor) -> Tensor:
        """-E D(G(z, y), y), and the orthogonal regularisation of equation 3."""
        loss = wasserstein_generator(self.discriminator(self.sample(len(labels), labels), labels))
        if self.orthogonal_weight > 0:
            loss = loss + self.orthogonal_weight * self.orthogonality()
        return loss

    def orthogonality(self) -> Tensor:
        """The regularisation of all weights but embeddings, whose rows are no filters (as in the author's code)."""
        layers = [layer for layer in self.generator.modules() if not isinstance(layer, nn.Embedding)]
        return similar_filters(p for layer in layers for p in layer.parameters(recurse=False) if p.ndim > 1)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, labels))
        if self.batches_seen % self.n_critic == 0:
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, labels))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [
            adam(net.parameters(), rate, self.betas) for net, rate in zip(networks, self.learning_rates, strict=True)
        ]
