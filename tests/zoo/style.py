"""StyleGAN2."""

from typing import Any

from torch import Tensor, nn

from gan_modules import AdversarialModule, StyleGAN2, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge


class Styled(nn.Module):
    """A user's generator of two styles."""

    layers = 2

    def __init__(self) -> None:
        super().__init__()
        self.draw = Draw(2 * LATENT)

    def forward(self, styles: Tensor) -> Tensor:
        return self.draw(styles.flatten(1))


def _stylegan2(own: bool, **options: Any) -> AdversarialModule:
    lazy = {"r1_interval": 3, "path_interval": 2, "ada_interval": 2, "ada_images": 64, "ada_target": 0.0, **options}
    if own:
        return StyleGAN2(nn.Sequential(nn.Linear(LATENT, LATENT), nn.Tanh()), Styled(), Judge(), LATENT, **lazy)
    mapping, generator = networks.StyleGAN2Mapping(LATENT, 5, 2), networks.StyleGAN2Generator(5, SIZE, 3, 8)
    return StyleGAN2(mapping, generator, networks.StyleGAN2Discriminator(SIZE, 3, 8), LATENT, **lazy)


CASES = {"stylegan2": Case(_stylegan2)}
