"""Several processes as one: data parallelism for modules with several optimizers."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
from lightning.pytorch.strategies import DDPStrategy, Strategy, StrategyRegistry
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer


class AdversarialDDP(DDPStrategy):
    """Data parallelism that reduces the gradients of the optimizer that steps, and no others.

    `DistributedDataParallel` refuses modules of which a backward pass leaves parts unused, as those of a GAN must;
    told to look for them, it moves the gradients of all networks each time. Here the module stays as it is: all
    processes start from the first one's parameters, and each step averages exactly the gradients that it uses.

    On GPUs batch normalisation is over the whole batch (torch's `SyncBatchNorm`). Elsewhere, where torch does not have
    it, each process normalises its part of the batch, which is said; running statistics are averaged once a batch.
    """

    def setup(self, trainer: Trainer) -> None:
        if trainer.world_size > 1 and _batch_norms(self._module()):
            if self.root_device.type == "cuda":
                self._layer_sync = self._layer_sync or TorchSyncBatchNorm()
            else:
                rank_zero_warn(
                    f"Batch norm is over each process's part of the batch, as torch cannot synchronise it on the "
                    f"{self.root_device.type}: {trainer.world_size} processes do not end where one does; networks with "
                    "InstanceNorm, GroupNorm or LayerNorm do."
                )
        super().setup(trainer)

    def configure_ddp(self) -> None:
        for tensor in [*self._module().parameters(), *self._module().buffers()]:
            torch.distributed.broadcast(tensor.detach(), 0)
        norms = _batch_norms(self._module())
        self._statistics = [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: LightningModule | nn.Module | None = None,
        **kwargs: Any,
    ) -> Any:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        average(gradients)
        return super().optimizer_step(optimizer, closure, model, **kwargs)

    def post_training_step(self) -> None:
        average(self._statistics)

    def _module(self) -> nn.Module:
        if self.model is None:
            raise ValueError("expected a module to train, got none; call Trainer.fit with one")
        return self.model


def _batch_norms(module: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d]:
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d  # not SyncBatchNorm, which is over the whole batch
    return [part for part in module.modules() if isinstance(part, kinds)]


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
def average(tensors: list[Tensor]) -> None:
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
