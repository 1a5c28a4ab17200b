"""Ways from one latent to another."""

import torch
from torch import Tensor


def spherical(start: Tensor, end: Tensor, position: Tensor) -> Tensor:
    """From `start` to `end` at `position` in [0, 1], at the angle's pace, so that latents keep their usual length."""
    cosine = torch.cosine_similarity(start, end, dim=-1, eps=1e-12).clamp(-1, 1).unsqueeze(-1)
    angle = torch.acos(cosine).clamp(min=1e-4)
    return (torch.sin((1 - position) * angle) * start + torch.sin(position * angle) * end) / torch.sin(angle)
