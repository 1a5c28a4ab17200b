"""What several processes kept of the samples, in the order in which one process would have kept it."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors


def in_turn(rows: Tensor, group: Any = None) -> list[Tensor]:
    """The `dist_sync_fn` of a metric whose states are lists of samples, reduced by "cat", or single numbers.

    Samples are dealt to the processes in turn, by our data modules as by torch's `DistributedSampler`: row i of process
    r of n is of sample i n + r. What a metric then draws at random it draws for the same samples, whatever n is.

    Args:
        rows: what this process kept, a row for each of its samples; processes may have different numbers of rows.
            Or a number of this process, a tensor without dimensions.
        group: the processes; None: all.

    Returns:
        A list of one tensor, the rows of all processes in the order of the samples; of numbers, that of each process.
    """
    parts = gather_all_tensors(rows, group)
    if rows.ndim == 0:
        return parts
    samples = [torch.arange(len(part)) * len(parts) + rank for rank, part in enumerate(parts)]
    return [torch.cat(parts)[torch.cat(samples).argsort().to(rows.device)]]
