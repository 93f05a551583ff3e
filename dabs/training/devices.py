"""The devices of a run: one or several processes and nodes, by Lightning Fabric.

The processes are started by Fabric itself (`--devices 8`), by torchrun or by Slurm's srun; the latter two say in the
environment how many there are. DDP keeps the whole model on each device, FSDP a shard of it.
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
    """The devices that a run uses. Several devices share each batch and compute what one device would."""

    devices: int = 0  # GPUs per node (CPU processes if there is no GPU); 0: one, or what torchrun or srun started
    num_nodes: int = 0  # machines; 0: one, or what torchrun or srun started
    strategy: Literal["ddp", "fsdp"] = "ddp"  # ddp: the whole model on each device; fsdp: a shard, for large models
    gather: bool = True  # use all devices' examples as negatives; otherwise results depend on the number of devices


def _launcher_and_counts() -> tuple[str, int, int]:
    """Return what starts the processes ("torchrun", "srun" or "fabric"), the processes per node, and the nodes."""
    found = os.environ
    if "TORCHELASTIC_RUN_ID" in found:
        local = int(found["LOCAL_WORLD_SIZE"])
        return "torchrun", local, int(found["WORLD_SIZE"]) // local
    if "SLURM_STEP_ID" in found and int(found.get("SLURM_NTASKS", 1)) > 1:  # a batch script itself has no step
        nodes = int(found.get("SLURM_NNODES", 1))
        return "srun", int(found["SLURM_NTASKS"]) // nodes, nodes
    return "fabric", 1, 1


def launch(wanted: Devices, precision: str) -> Fabric:
    """Start the other processes, or connect to those that torchrun or srun started.

    Args:
        wanted: how many devices, and how the model is placed on them.
        precision: "fp32" or "bf16" (autocast).

    Raises:
        RequestError: the numbers asked for are not what torchrun or srun started, or there are too few GPUs.
    """
    starter, local, nodes = _launcher_and_counts()
    for name, asked, found in (("devices", wanted.devices, local), ("num_nodes", wanted.num_nodes, nodes)):
        if asked < 0 or (starter != "fabric" and asked not in (0, found)):
            there = f"; {starter} started {found}" if starter != "fabric" else ""
            raise RequestError(f"--{name.replace('_', '-')} cannot be {asked}{there}. Leave the option out.")
    if starter == "fabric":
        local, nodes = wanted.devices or 1, wanted.num_nodes or 1
    _check_gpus(local)
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it repeats the options at every run
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
    """`launch` the processes, and disconnect them when the block ends without an error."""
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
    return DDPStrategy(find_unused_parameters=True)  # an objective need not use the projection head


def _shard(module: nn.Module, mesh: Any) -> nn.Module:
    """Shard block by block, so that no device ever holds more than one whole block and what is outside the blocks."""
    from torch.distributed.fsdp import fully_shard

    for block in module.encoder.blocks:  # type: ignore[union-attr]
        fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(module, mesh=mesh["data_parallel"])
    return module


def is_sharded(module: nn.Module) -> bool:
    """Whether each process holds only a shard of the parameters."""
    from torch.distributed.tensor import DTensor

    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def gather_shards(value: Any) -> Any:
    """Return nested values with every sharded tensor made whole; every process must call this."""
    from torch.distributed.tensor import DTensor
    from torch.utils._pytree import tree_map

    return tree_map(lambda x: x.full_tensor() if isinstance(x, DTensor) else x, value)


def load_optimizer(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Load a saved state; each process keeps its own shards of sharded parameters."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def shard(value: Tensor, parameter: Tensor) -> Tensor:
        if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
            return value
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)

    state = {
        number: {name: shard(value, parameters[number]) for name, value in entry.items()}
        for number, entry in saved["state"].items()
    }
    optimizer.load_state_dict({**saved, "state": state})
