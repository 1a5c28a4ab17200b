"""What all models with inference do alike: codes, reconstructions, and what validation shows. No algorithm."""

from typing import Any, ClassVar, Unpack

from torch import Tensor, nn

from gan_modules.batches import images_of
from gan_modules.gaussians import drawn
from gan_modules.latent import LatentMechanics, LatentModule


class InferringModule(LatentModule):
    """A generator of noise, the decoder, and an encoder that says which noise an image is made of.

    A subclass gives what `AdversarialModule` asks for, and other methods than these where its paper has them.

    Args:
        encoder: maps images to their codes `(n, latent_dim)`, or to means and log variances of these, each of that
            shape, of a normal distribution q(z | x).
        generator: maps noise or codes `(n, latent_dim)` to images in [-1, 1].
        latent_dim: dimensions of the standard normal noise.
        mechanics: see `LatentMechanics`.
    """

    readers: ClassVar[tuple[str, ...]] = ("encoder",)
    """Networks that see a picture first."""

    def __init__(
        self, encoder: nn.Module, generator: nn.Module, latent_dim: int, **mechanics: Unpack[LatentMechanics]
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.encoder = encoder
        self.register_generators("generator", "encoder")

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Means and log variances of q(z | x), each `(n, latent_dim)`; None for those of an encoder without."""
        given = self.serving("encoder")(images)
        return given if isinstance(given, tuple) else (given, None)

    def gaussian(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior, which must have variances.

        Raises:
            ValueError: if the encoder gives codes alone.
        """
        mean, log_variance = self.posterior(images)
        if log_variance is None:
            raise ValueError(
                f"{type(self).__name__} needs an encoder that returns means and log variances, got codes alone; give "
                "one that does, as networks.DCGANEncoder(gaussian=True)"
            )
        return mean, log_variance

    def encode(self, images: Tensor) -> Tensor:
        """The codes `(n, latent_dim)` of images: of a distribution its means."""
        return self.posterior(images)[0]

    def inferred(self, images: Tensor) -> Tensor:
        """Codes `(n, latent_dim)` drawn from q(z | x); those of an encoder without variances are `encode`'s."""
        mean, log_variance = self.posterior(images)
        return mean if log_variance is None else drawn(mean, log_variance, self.normal(*mean.shape))

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images as their codes have them."""
        return self(self.encode(images))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Beside samples, the images' reconstructions and codes; true classes where the data know them."""
        real = images_of(batch)
        codes = self.encode(real)
        view = {"real": real, "fake": self.sample(len(real)), "reconstruction": self(codes), "codes": codes}
        return view | ({"classes": batch[1]} if isinstance(batch, (tuple, list)) and len(batch) == 2 else {})
