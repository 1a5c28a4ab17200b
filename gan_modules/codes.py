"""Structured latent codes: one categorical and several continuous ones, and how likely a network finds them."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from gan_modules import randomness


def draw_codes(n: int, categories: int, continuous: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Codes `(n, categories + continuous)`: a uniform category as one-hot vector, and uniform numbers in [-1, 1)."""
    category = one_hot(randomness.labels(n, categories, device), categories).to(dtype)
    return torch.cat([category, 2 * randomness.uniform(n, continuous, device=device, dtype=dtype) - 1], dim=1)


def negative_log_likelihood(codes: Tensor, logits: Tensor, means: Tensor) -> Tensor:
    """-E log Q(c | x) up to a constant: a categorical given by `logits` and unit Gaussians around `means`."""
    categories = logits.shape[1]
    categorical = cross_entropy(logits, codes[:, :categories].argmax(1))
    return categorical + 0.5 * (codes[:, categories:] - means).square().sum(1).mean()
