"""Networks larger than a device: every process keeps its share of each parameter, gradient, moment and average."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy, StrategyRegistry
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

PART = 2**22
"""Parts of a network are gathered one after the other: its smallest modules of at least so many parameters."""


class AdversarialModelParallel(ModelParallelStrategy):
    """FSDP2 for modules with several optimizers.

    Each process keeps 1/N of every parameter, gradient, optimizer state and average, and works on its part of the
    batch. A part of a network (see `PART`) is gathered whole for as long as its forward or backward pass lasts; its
    gradients are averaged over the processes as its backward pass ends, those of the optimizer that steps and no
    others. A network whose gradient is differentiated again, as a gradient penalty does, is gathered whole, gradients
    included, for as long as the penalty's backward pass lasts: that network must fit on a device, while optimizer
    states, averages and all other networks stay shared out.

    A network must be called as `network(x)`, for that is when its parameters are gathered, by all processes alike:
    also to sample from it after training. Each process makes all networks in its host's memory, and all start from the
    first one's parameters. Checkpoints are single files that do not depend on the number of processes; the first
    process puts them together in its host's memory, and each reads them whole.

    Args:
        process_group_backend, timeout: as for Lightning's `ModelParallelStrategy`.
    """

    def __init__(
        self, process_group_backend: str | None = None, timeout: timedelta | None = timedelta(minutes=30)
    ) -> None:
        super().__init__(
            save_distributed_checkpoint=False, process_group_backend=process_group_backend, timeout=timeout
        )

    def setup_environment(self) -> None:
        # Lightning's default splits layers among the devices of a node; private names, held by tests/test_sharding.py
        self._data_parallel_size, self._tensor_parallel_size = self.num_nodes * self.num_processes, 1
        super().setup_environment()

    def setup(self, trainer: Any) -> None:
        if self.precision_plugin.precision == "16-mixed":
            raise ValueError("shared-out gradients are not scaled; use precision bf16-mixed or 32-true")
        super().setup(trainer)
        norms = [m for m in self._module().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._statistics = [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]

    def post_training_step(self) -> None:
        for statistic in self._statistics:
            statistic.copy_(self.reduce(statistic))

    @property
    def lightning_restore_optimizer(self) -> bool:
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        return self._whole(self._module().state_dict())

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        return self._whole(optimizer.state_dict())

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        return Strategy.load_checkpoint(self, checkpoint_path, weights_only)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        own = self._module().state_dict()
        state = {name: _shared_out(value, own.get(name)) for name, value in checkpoint["state_dict"].items()}
        self._module().load_state_dict(state, strict=strict)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state = {
                index: {name: _shared_out(value, own[index]) for name, value in values.items()}
                for index, values in saved["state"].items()
            }
            optimizer.load_state_dict({**saved, "state": state})

    def _whole(self, state: Any) -> Any:
        """The state with all shares put together, on the first process, and an empty one on the others."""
        first = self.is_global_zero

        def together(share: DTensor) -> Tensor | None:
            full = share.full_tensor()
            return full.cpu() if first else None

        gathered = apply_to_collection(state, DTensor, together)
        return gathered if first else {}

    def _module(self) -> LightningModule:
        if self.lightning_module is None:
            raise ValueError("expected a module to train, got none; call Trainer.fit with one")
        return self.lightning_module


def shard(module: LightningModule) -> None:
    """Share out the networks of a module, and their averages, among the processes of its trainer; once.

    Raises:
        ValueError: if the module has parameters that belong to no network, or parameters without a dimension; if it
            is to be compiled or laid out in channels_last; or if the strategy is Lightning's own.
    """
    if not isinstance(module.trainer.strategy, AdversarialModelParallel):
        raise ValueError(
            "Lightning's ModelParallelStrategy splits layers by default, and steps an optimizer that has not stepped "
            'to save it; use the strategy "adversarial_model_parallel"'
        )
    for option, wanted in (("compile", "wants_compiled"), ("channels_last", "channels_last")):
        if getattr(module, wanted, False):
            raise ValueError(f"{option} does not go with networks that are shared out; leave it out")
    mesh = module.trainer.strategy.device_mesh["data_parallel"]
    for name, parameter in module.named_parameters():
        if "." not in name or parameter.ndim == 0:
            raise ValueError(
                f"{name} cannot be shared out among processes; make it a parameter of a network, of shape (1,) at least"
            )
    for network in _networks(module):
        if not isinstance(network, FSDPModule):
            network.register_forward_pre_hook(_watch_inputs, with_kwargs=True)
            _shard_parts(network, mesh)
            _shard_part(network, mesh)


def is_sharded(parameters: list[nn.Parameter]) -> bool:
    """Whether these are shares of parameters, which are not themselves what a network computes with."""
    return any(isinstance(parameter, DTensor) for parameter in parameters)


def whole(tensor: Tensor) -> Tensor:
    """The tensor itself, or what the processes' shares of it are together; all of them have to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _networks(module: nn.Module) -> list[nn.Module]:
    networks = []
    for child in module.children():
        if isinstance(child, (nn.ModuleDict, nn.ModuleList)):
            networks += _networks(child)
        elif any(True for _ in child.parameters()):
            networks += [child]
    return networks


def _shard_parts(module: nn.Module, mesh: DeviceMesh) -> int:
    """Make units of what is large enough inside; returns how many parameters are left over."""
    left = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    for child in module.children():
        inside = _shard_parts(child, mesh)
        if inside >= PART and not isinstance(child, (nn.ModuleDict, nn.ModuleList)):
            _shard_part(child, mesh)
            inside = 0
        left += inside
    return left


def _shard_part(part: nn.Module, mesh: DeviceMesh) -> None:
    if isinstance(part, FSDPModule):
        return
    for tensor in [*part.parameters(), *part.buffers()]:
        if not isinstance(tensor, DTensor):
            tensor.data = tensor.data.to(mesh.device_type).contiguous()
            torch.distributed.broadcast(tensor.data, 0)
    fully_shard(part, mesh=mesh, reshard_after_forward=True)


def _watch_inputs(network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if torch.is_grad_enabled():
        for value in (*args, *kwargs.values()):
            if isinstance(value, Tensor) and value.requires_grad:
                value.register_hook(partial(_watch_gradient, network))


def _watch_gradient(network: nn.Module, gradient: Tensor | None) -> None:
    if gradient is not None and gradient.requires_grad:  # it is to be differentiated again
        gradient.register_hook(partial(_gather, network))


def _gather(network: nn.Module, gradient: Tensor) -> None:
    # What FSDP does as the backward pass reaches the network's output, by which a second derivative does not come.
    network._get_fsdp_state()._pre_backward(gradient)  # type: ignore[operator]
    for part in network.modules():
        if isinstance(part, FSDPModule):
            part.unshard()


def _shared_out(value: Any, like: Any) -> Any:
    """This process's share of a tensor, where it belongs to a parameter that is shared out."""
    if isinstance(value, Tensor) and isinstance(like, DTensor) and value.shape == like.shape:
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
    return value


StrategyRegistry.register(
    "adversarial_model_parallel", AdversarialModelParallel, description="FSDP2 for modules with several optimizers"
)
