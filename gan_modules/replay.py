"""A history of generated images, from which discriminators are shown older ones (Shrivastava et al., 2017)."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import checks, randomness


class ImageHistory(nn.Module):
    """The last images seen, as CycleGAN keeps them (Zhu et al., 2017, section 4).

    Until it is full, images are stored and returned. Then each image is, with probability one half, swapped for a
    stored one chosen at random. Images and count are part of the state dict.

    Args:
        size: number of images kept; 0 returns every image as it is.
    """

    images: Tensor

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        checks.whole(0, size=size)
        self.size, self.count = size, 0
        self.register_buffer("images", torch.empty(0), persistent=False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Exchange a batch `(n, c, h, w)` for one of the same shape. Decisions are made image by image, in order."""
        if self.size == 0:
            return images
        if self.images.shape != (self.size, *images.shape[1:]):
            self.images, self.count = images.new_zeros(self.size, *images.shape[1:]), 0
        returned = images.clone()
        swap, slot = randomness.shared_uniform(2, len(images), dtype=torch.float64).tolist()
        for index, image in enumerate(images):
            if self.count < self.size:
                self.images[self.count] = image
                self.count += 1
            elif swap[index] < 0.5:
                place = int(slot[index] * self.size)
                returned[index] = self.images[place]
                self.images[place] = image
        return returned

    def get_extra_state(self) -> dict[str, Any]:
        return {"images": self.images, "count": self.count}

    def check_extra_state(self, state: Any) -> None:
        """Raise ValueError unless `state` is that of a history; one of another size is forgotten at the next batch."""
        if isinstance(state, dict) and state.keys() == {"images", "count"}:
            images, count = state["images"], state["count"]
            if isinstance(images, Tensor) and images.is_floating_point() and images.ndim:
                counted = type(count) is int and 0 <= count <= len(images)
                if counted and torch.isfinite(images).all():
                    return
        raise ValueError(
            "the checkpoint's history must hold finite images, and how many of them are filled; it is damaged or was "
            "tampered with: give another file"
        )

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.check_extra_state(state)
        self.images, self.count = state["images"].to(self.images.device, copy=True), state["count"]
