"""The little of CUDA that an engine needs: memory, copies, one stream, a graph. Two libraries offer it.

``pycuda`` is the default; ``cuda-python`` the other. Each is imported in its own module. Neither makes a context when
it is imported: the GPU's primary context is shared with TensorRT, and is active only inside ``with device.active()``,
in whatever thread that is. One thread at a time uses a device.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError

LIBRARIES = ("pycuda", "cuda_python")
"""In the order in which they are tried; each has a module ``<name>_device.py``."""


@dataclass(frozen=True)
class DeviceFacts:
    """What an engine's manifest says about a GPU."""

    gpu: str
    compute_capability: str
    cuda: str
    """Version of the CUDA runtime."""
    driver: str
    """Newest CUDA version that the driver knows."""


class CudaDevice(Protocol):
    """One GPU with one stream. Addresses are those of device memory."""

    library: str
    facts: DeviceFacts

    @property
    def stream(self) -> int:
        """The stream's handle, as TensorRT takes it."""
        ...

    def active(self) -> AbstractContextManager[None]:
        """Make the GPU's context this thread's for the length of a ``with`` block."""
        ...

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """A zeroed array in page-locked memory of the host: copies to and from it need no detour."""
        ...

    def allocate(self, size: int) -> int:
        """Memory on the GPU [bytes]; its address. Kept until :meth:`close`."""
        ...

    def upload(self, address: int, host: np.ndarray) -> None:
        """Copy a pinned array to the GPU, on the stream; returns at once."""
        ...

    def download(self, host: np.ndarray, address: int) -> None:
        """Copy from the GPU into a pinned array, on the stream; returns at once."""
        ...

    def synchronize(self) -> None:
        """Wait for the stream."""
        ...

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what ``work`` puts on the stream, without running it; the result puts all of it there at once."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


def open_device(library: str = "") -> CudaDevice:
    """The first GPU.

    Args:
        library: One of :data:`LIBRARIES`; empty: the first that is installed and works.

    Raises:
        ConfigError: No library or no GPU; the text has the reason of each.
    """
    reasons = []
    for name in (library,) if library else LIBRARIES:
        if name not in LIBRARIES:
            raise ConfigError(f"unknown CUDA library '{name}'; known are {', '.join(LIBRARIES)}")
        module = importlib.import_module(f".{name}_device", __package__)
        try:
            return module.open_first()
        except ConfigError as error:
            reasons.append(str(error))
    raise ConfigError("no GPU to use: " + "; ".join(reasons))


def version_text(number: int) -> str:
    """CUDA's 12060 as '12.6'."""
    return f"{number // 1000}.{number % 1000 // 10}"
