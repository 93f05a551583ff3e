"""Where a run is computed: one process or several, of one node or several, by Lightning Fabric.

Processes come from Fabric itself (`--devices 8`), from torchrun or from Slurm's srun; the latter two say in their
environment how many there are. DDP keeps the whole model on each device, FSDP a share of it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dabs.errors import RequestError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor, nn
    from torch.optim import Optimizer


@dataclass(frozen=True, kw_only=True)
class Devices:
    """On what a run is computed. Several devices share each batch, and give the numbers of one."""

    devices: int = 0  # GPUs (without any: CPU processes) on each node; 0: one, or as torchrun or srun say
    num_nodes: int = 0  # machines; 0: one, or as torchrun or srun say
    strategy: Literal["ddp", "fsdp"] = "ddp"  # the whole model on each device, or (for large ones) a share of it
    gather: bool = True  # contrast with the examples of all devices; without, numbers depend on how many there are


def _given() -> tuple[str, int, int]:
    """Who started the processes ("torchrun", "srun" or "fabric"), how many on each node, and on how many nodes."""
    found = os.environ
    if "TORCHELASTIC_RUN_ID" in found:
        local = int(found["LOCAL_WORLD_SIZE"])
        return "torchrun", local, int(found["WORLD_SIZE"]) // local
    if "SLURM_STEP_ID" in found and int(found.get("SLURM_NTASKS", 1)) > 1:  # a batch script itself has no step
        nodes = int(found.get("SLURM_NNODES", 1))
        return "srun", int(found["SLURM_NTASKS"]) // nodes, nodes
    return "fabric", 1, 1


def launch(wanted: Devices, precision: str) -> Fabric:
    """Start the other processes, or meet them where they were started from outside.

    Args:
        wanted: how many, and how the model lies on them.
        precision: "fp32" or "bf16" (autocast).

    Raises:
        RequestError: other numbers are asked for than torchrun or srun started.
    """
    starter, local, nodes = _given()
    for name, asked, found in (("devices", wanted.devices, local), ("num_nodes", wanted.num_nodes, nodes)):
        if asked < 0 or (starter != "fabric" and asked not in (0, found)):
            there = f"; {starter} started {found}" if starter != "fabric" else ""
            raise RequestError(f"--{name.replace('_', '-')} cannot be {asked}{there}. Leave the option out.")
    if starter == "fabric":
        local, nodes = wanted.devices or 1, wanted.num_nodes or 1
    _check_gpus(local)
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it says what was asked for, run by run
    fabric = Fabric(
        accelerator="auto",
        devices=local,
        num_nodes=nodes,
        strategy=_strategy(wanted.strategy, local * nodes) if local * nodes > 1 else "auto",
        plugins=[_environment(starter)],
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )
    if local * nodes > 1:
        fabric.launch()
    return fabric


@contextmanager
def launched(wanted: Devices, precision: str) -> Iterator[Fabric]:
    """`launch`, and when the block ends well the processes part."""
    from torch import distributed

    fabric = launch(wanted, precision)
    yield fabric
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _check_gpus(wanted: int) -> None:
    import torch

    if torch.cuda.is_available() and wanted > torch.cuda.device_count():
        raise RequestError(f"--devices {wanted}: this machine has {torch.cuda.device_count()} GPUs.")


def _environment(starter: str) -> Any:
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    kinds: dict[str, Any] = {"torchrun": TorchElasticEnvironment, "srun": SLURMEnvironment}
    return kinds.get(starter, LightningEnvironment)()


def _strategy(name: str, processes: int) -> Any:
    from lightning_fabric.strategies.ddp import DDPStrategy
    from lightning_fabric.strategies.model_parallel import ModelParallelStrategy

    if name == "fsdp":
        return ModelParallelStrategy(_shard, data_parallel_size=processes, tensor_parallel_size=1)
    return DDPStrategy(find_unused_parameters=True)  # an objective may leave the projection head out


def _shard(module: nn.Module, mesh: Any) -> nn.Module:
    """Each block's parameters apart, so that no device ever holds more than the rest and one block whole."""
    from torch.distributed.fsdp import fully_shard

    for block in module.encoder.blocks:  # type: ignore[union-attr]
        fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(module, mesh=mesh["data_parallel"])
    return module


def is_sharded(module: nn.Module) -> bool:
    """Whether each process holds only a share of the parameters."""
    from torch.distributed.tensor import DTensor

    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def whole(value: Any) -> Any:
    """Nested values with every sharded tensor made whole; all processes must call it."""
    from torch.distributed.tensor import DTensor
    from torch.utils._pytree import tree_map

    return tree_map(lambda x: x.full_tensor() if isinstance(x, DTensor) else x, value)


def load_optimizer(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Put a saved state back; of sharded parameters each process keeps its shares."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def share(value: Tensor, parameter: Tensor) -> Tensor:
        if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
            return value
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)

    state = {
        number: {name: share(value, parameters[number]) for name, value in entry.items()}
        for number, entry in saved["state"].items()
    }
    optimizer.load_state_dict({**saved, "state": state})
