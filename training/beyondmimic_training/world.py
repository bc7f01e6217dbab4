"""The processes that torchrun started, and what this one computes with."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from beyondmimic_diffusion.core.errors import ConfigError

_T = TypeVar("_T")


@dataclass(frozen=True)
class World:
    """This process among those that torchrun started."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints and curves."""
        return self.rank == 0


def join_world() -> World:
    """Join the processes torchrun started (gloo on CPUs, nccl on GPUs); alone without torchrun."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    cuda = torch.cuda.is_available()
    device = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else "cpu")
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo")
    return World(dist.get_rank() if size > 1 else 0, size, device)


def leave_world() -> None:
    """Say goodbye to the other processes, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()


def from_leader(world: World, value: _T) -> _T:
    """The leading process's value, in every process; all must call this at the same place."""
    if world.size == 1:
        return value
    shared = [value if world.leads else None]
    dist.broadcast_object_list(shared, src=0, device=world.device)
    return shared[0]  # pyright: ignore[reportReturnType]


def ranks_where(world: World, true: bool) -> list[int]:
    """Ranks of the processes in which something is true; all must call this at the same place."""
    found: list[bool | None] = [true] * world.size
    if world.size > 1:
        dist.all_gather_object(found, true)
    return [rank for rank, value in enumerate(found) if value]


def choose_precision(asked: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; ``auto`` takes bfloat16 on GPUs, and on CPUs where a matrix product of our size runs faster.

    Raises:
        ConfigError: Another word was asked for.
    """
    named = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if asked in named:
        return named[asked]
    if asked != "auto":
        raise ConfigError(f"precision '{asked}' is unknown; known are auto, fp32 and bf16")
    if device.type == "cuda":
        return torch.bfloat16
    return min(named.values(), key=_matmul_time)


def _matmul_time(dtype: torch.dtype) -> float:
    a, b = torch.randn(2048, 256, dtype=dtype), torch.randn(256, 1024, dtype=dtype)
    times = []
    for _ in range(12):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    return sorted(times)[4]
