"""Objectives: scores of real and generated samples -> a scalar to minimise.

Scores are the discriminator's raw outputs (logits, or critic values) of any shape: `(n,)`, or a map of patches. Every
function takes the mean over all of them. Discriminators' objectives take `(real, fake)`, generators' `(fake)`.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, leaky_relu, relu, softplus


def minimax_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))), with D the sigmoid of the score (Goodfellow et al., 2014, eq. 1).

    >>> import torch
    >>> minimax_discriminator(torch.zeros(2), torch.zeros(2))  # log 4 at D = 1/2
    tensor(1.3863)
    """
    return softplus(-real).mean() + softplus(fake).mean()


def minimax_generator(fake: Tensor) -> Tensor:
    """E log(1 - D(G(z))), the generator's side of the minimax game (Goodfellow et al., 2014, eq. 1)."""
    return -softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """-E log D(G(z)): strong gradients where the discriminator is sure (Goodfellow et al., 2014, section 3)."""
    return softplus(-fake).mean()


def maximum_likelihood_generator(fake: Tensor) -> Tensor:
    """-1/2 E exp(score): at the optimal discriminator, maximum likelihood (Goodfellow, 2016, section 3.2.5)."""
    return -0.5 * fake.exp().mean()


def boundary_seeking_generator(fake: Tensor) -> Tensor:
    """1/2 E (log D(G(z)) - log(1 - D(G(z))))^2; these logarithms differ by the score (Hjelm et al., 2018)."""
    return 0.5 * fake.square().mean()


def boundary_seeking_discrete(fake: Tensor, log_probabilities: Tensor) -> Tensor:
    """-E_z sum w log q(x | z) over samples x, for generators of discrete samples (Hjelm et al., 2018).

    Its gradient is a policy gradient whose rewards are the normalised importance weights w, in the ratio of exp(score)
    (binary_BGAN of the authors' lib/loss.py); no gradient goes through the samples, or through the weights.

    Args:
        fake: scores `(m, n)` of m samples for each of n noises.
        log_probabilities: `(m, n)`, of the samples under the generator.
    """
    return -(fake.detach().softmax(0) * log_probabilities).sum(0).mean()


def least_squares(scores: Tensor, target: float) -> Tensor:
    """E (score - target)^2, the term of which least squares GANs are made (Mao et al., 2017, eq. 2)."""
    return (scores - target).square().mean()


def cross_entropy_to(scores: Tensor, label: float) -> Tensor:
    """-E label log D - E (1 - label) log(1 - D); a label of 0.9 is one-sided smoothing (Salimans et al., 2016, 3.4).

    >>> import torch
    >>> cross_entropy_to(torch.zeros(2), 0.9)  # log 2 at D = 1/2, whatever the label
    tensor(0.6931)
    """
    return (softplus(scores) - label * scores).mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))) (Lim and Ye, 2017; Miyato et al., 2018, eq. 16)."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E f(G(z)) - E f(x): minus the estimate of the Wasserstein distance (Arjovsky et al., 2017, eq. 2)."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E f(G(z)), also the generator's side of the hinge game (Arjovsky et al., 2017, eq. 3)."""
    return -fake.mean()


def logistic_margin(difference: Tensor) -> Tensor:
    """-log sigmoid(d), for each d: the standard form of the relativistic objectives."""
    return softplus(-difference)


def least_squares_margin(difference: Tensor) -> Tensor:
    """(d - 1)^2, for each d: their least squares form."""
    return (difference - 1).square()


def hinge_margin(difference: Tensor) -> Tensor:
    """max(0, 1 - d), for each d: their hinge form."""
    return relu(1 - difference)


def logit_margin(logits: Tensor, labels: Tensor, confidence: float = 0.0) -> Tensor:
    """E max(logit of the label - largest other logit, -confidence): an attack's loss (Carlini and Wagner, 2017).

    Their f_6, untargeted. It is bounded, and without a gradient, where another class leads by `confidence`.

    Args:
        logits: (n, k), before any softmax.
        labels: the true classes, int64 (n,).
        confidence: the lead that is asked for.

    >>> import torch
    >>> logit_margin(torch.tensor([[3.0, 1.0, 0.0], [0.0, 5.0, 1.0]]), torch.tensor([0, 2]))  # 2 and, deceived, 0
    tensor(1.)
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -math.inf).amax(1)
    return (own - others).clamp(min=-confidence).mean()


def relativistic(better: Tensor, worse: Tensor, margin: Callable[[Tensor], Tensor] = logistic_margin) -> Tensor:
    """E margin(better - worse), pair by pair: RpGAN, and with the logistic margin RSGAN (Jolicoeur-Martineau, 2018).

    The discriminator's objective is `relativistic(real, fake)`, the generator's `relativistic(fake, real)`.

    >>> import torch
    >>> relativistic(torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.0]), hinge_margin)  # of 0 and 1
    tensor(0.5000)
    """
    return margin(better - worse).mean()


def relativistic_average(better: Tensor, worse: Tensor, margin: Callable[[Tensor], Tensor] = logistic_margin) -> Tensor:
    """Each side against the mean score of the other, both terms for both players (Jolicoeur-Martineau, 2018): RaGAN.

    The discriminator's objective is `relativistic_average(real, fake)`, the generator's
    `relativistic_average(fake, real)`.
    """
    return margin(better - worse.mean()).mean() + margin(better.mean() - worse).mean()


def l1_distance(x: Tensor, y: Tensor) -> Tensor:
    """sum |x - y| over all but the first dimension, for each pair, `(n,)`."""
    return (x - y).abs().flatten(1).sum(1)


def masked_pairwise_error(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """The variance of the differences x - y over the mask, each picture's by itself (Bousmalis et al., 2017).

    Their masked pairwise mean squared error: half the mean, over all pairs of numbers, of how far their differences
    differ, squared; so what is added to all of a picture costs nothing. Outside the mask differences are 0, and count.

    Args:
        x, y: pictures `(n, c, h, w)`.
        mask: what broadcasts to them, 1 where they are compared and 0 elsewhere.

    >>> import torch
    >>> x, y = torch.tensor([[[[2.0, 3.0, 9.0]]]]), torch.tensor([[[[1.0, 2.0, 5.0]]]])
    >>> masked_pairwise_error(x, y, torch.tensor([1.0, 1.0, 1.0]))  # of 1, 1 and 4: 18 / 3 - (6 / 3)^2
    tensor(2.)
    """
    differences = ((x - y) * mask).flatten(1)
    return (differences.square().mean(1) - differences.mean(1).square()).mean()


def loss_sensitive(real: Tensor, fake: Tensor, margin: Tensor, slope: float = 0.0) -> Tensor:
    """E C(margin + L(x) - L(G(z))) pair by pair, with C(a) = max(a, slope a), of losses and no scores (Qi, 2017).

    With a slope of 1 this is minus the Wasserstein critic's estimate, the critic being -L, and the mean margin.

    Args:
        real, fake, margin: `(n,)`.
        slope: 0 for LS-GAN, up to 1 for GLS-GAN.

    >>> import torch
    >>> loss_sensitive(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 5.0]), torch.tensor([3.0, 3.0]))  # of 2 and 0
    tensor(1.)
    """
    return leaky_relu(margin + real - fake, slope).mean()


def over_scales(objective: Callable[..., Tensor], *scores: Tensor | Sequence[Tensor]) -> Tensor:
    """The sum of an objective over the scales of a discriminator that gives several scores, one a scale.

    Scores that are one tensor are those of one scale.

    >>> import torch
    >>> one, two = torch.tensor([1.0]), torch.tensor([[3.0]])
    >>> over_scales(wasserstein_critic, [one, two], [two, two])  # (3 - 1) + (3 - 3)
    tensor(2.)
    """
    lists = [[each] if isinstance(each, Tensor) else each for each in scores]
    terms = [objective(*scale) for scale in zip(*lists, strict=True)]
    return sum(terms[1:], terms[0])


def patch_nce(queries: Tensor, keys: Tensor, temperature: float = 0.07) -> Tensor:
    """-E log of the share that a patch's own key has among the keys of its image (Park et al., 2020, eq. 3 and 4).

    The cross-entropy of exp(query . key / temperature), in which the other patches of the image are the negatives. No
    gradient goes through the keys, as in the authors' `patchnce.py`.

    Args:
        queries: embeddings `(n, s, d)` of s patches of each translation, of length 1.
        keys: of the same patches of the sources.
        temperature: the paper's tau.

    >>> keys = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> patch_nce(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), keys, temperature=1.0)  # log(1 + 1/e), log(1 + e)
    tensor(0.8133)
    """
    logits = queries @ keys.detach().transpose(1, 2) / temperature
    own = torch.arange(queries.shape[1], device=queries.device).expand(len(queries), -1)
    return cross_entropy(logits.flatten(0, 1), own.flatten())
