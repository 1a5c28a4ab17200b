"""Several processes as one: data parallelism for modules with several optimizers."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy, Strategy, StrategyRegistry
from torch import Tensor, nn
from torch.optim import Optimizer


class AdversarialDDP(DDPStrategy):
    """Data parallelism that reduces the gradients of the optimizer that steps, and no others.

    `DistributedDataParallel` refuses modules of which a backward pass leaves parts unused, as those of a GAN must;
    told to look for them, it moves the gradients of all networks each time. Here the module stays as it is: all
    processes start from the first one's parameters, and each step averages exactly the gradients that it uses. Running
    statistics of batch normalisation are averaged once a batch (normalisation itself is over each process's part of
    the batch unless `sync_batchnorm` is set).
    """

    def configure_ddp(self) -> None:
        for tensor in [*self._module().parameters(), *self._module().buffers()]:
            torch.distributed.broadcast(tensor.detach(), 0)
        norms = [m for m in self._module().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._statistics = [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: LightningModule | nn.Module | None = None,
        **kwargs: Any,
    ) -> Any:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        _average(gradients)
        return super().optimizer_step(optimizer, closure, model, **kwargs)

    def post_training_step(self) -> None:
        _average(self._statistics)

    def _module(self) -> nn.Module:
        if self.model is None:
            raise ValueError("expected a module to train, got none; call Trainer.fit with one")
        return self.model


def check(strategy: Strategy | str) -> None:
    """Say why a strategy of Lightning's, or one of that name, cannot train a module with several optimizers.

    Raises:
        ValueError: for DeepSpeed, the first FSDP, and DDP that does not look for unused parameters.
    """
    name = strategy.rsplit(".", 1)[-1] if isinstance(strategy, str) else type(strategy).__name__
    if name.lower().startswith("deepspeed"):
        raise ValueError(f"DeepSpeed takes one optimizer, and a GAN has several; {_ADVICE}")
    if name.lower().startswith("fsdp"):
        raise ValueError(f"the first FSDP cannot run a gradient penalty; {_ADVICE}")
    if type(strategy) is DDPStrategy and not strategy._ddp_kwargs.get("find_unused_parameters"):
        raise ValueError(f"plain DDP fails where a loss leaves a network unused, as those of a GAN do; {_ADVICE}")


_ADVICE = (
    'use the strategy "adversarial_ddp", or "adversarial_model_parallel" for networks larger than a device '
    "(to scripts/fit.py: ddp and model_parallel)"
)


@torch.no_grad()
def _average(tensors: list[Tensor]) -> None:
    """Replace tensors by their means over all processes, in one reduction."""
    if not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    parts = flat.split([tensor.numel() for tensor in tensors])
    torch._foreach_copy_(tensors, [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)])


StrategyRegistry.register(
    "adversarial_ddp", AdversarialDDP, description="DDP that reduces only the gradients of the optimizer that steps"
)
