"""A GPU through pycuda: the primary context is retained, never ``pycuda.autoinit``'s own.

pycuda wraps no CUDA graphs; those come from the driver itself (``driver_graph.py``), by the stream's handle.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import ConfigError
from .cuda_device import DeviceFacts, version_text
from .driver_graph import DriverGraphs


def open_first() -> PycudaDevice:
    """The first GPU.

    Raises:
        ConfigError: pycuda is not installed, or finds no GPU.
    """
    try:
        driver = importlib.import_module("pycuda.driver")
    except ImportError as error:
        raise ConfigError(f"pycuda: {error}") from None
    try:
        driver.init()
        return PycudaDevice(driver, driver.Device(0), DriverGraphs())
    except (driver.Error, OSError) as error:
        raise ConfigError(f"pycuda: {error}") from None


class PycudaDevice:
    """See :class:`~.cuda_device.CudaDevice`."""

    library = "pycuda"

    def __init__(self, driver: Any, device: Any, graphs: DriverGraphs):
        """
        Args:
            driver: ``pycuda.driver``, initialised.
            device: Its GPU.
            graphs: The driver's functions for graphs.
        """
        self._driver = driver
        self._graphs = graphs
        self._context = device.retain_primary_context()
        self._memory: list[Any] = []
        major, minor = device.compute_capability()
        cuda = ".".join(map(str, driver.get_version()[:2]))
        self.facts = DeviceFacts(device.name(), f"{major}.{minor}", cuda, version_text(driver.get_driver_version()))
        with self.active():
            self._stream = driver.Stream()

    @property
    def stream(self) -> int:
        """See :class:`~.cuda_device.CudaDevice`."""
        return int(self._stream.handle)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """See :class:`~.cuda_device.CudaDevice`."""
        self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """See :class:`~.cuda_device.CudaDevice`."""
        array = self._driver.pagelocked_empty(shape, dtype)
        array[...] = 0
        return array

    def allocate(self, size: int) -> int:
        """See :class:`~.cuda_device.CudaDevice`."""
        self._memory.append(self._driver.mem_alloc(size))
        return int(self._memory[-1])

    def upload(self, address: int, host: np.ndarray) -> None:
        """See :class:`~.cuda_device.CudaDevice`."""
        self._driver.memcpy_htod_async(address, host, self._stream)

    def download(self, host: np.ndarray, address: int) -> None:
        """See :class:`~.cuda_device.CudaDevice`."""
        self._driver.memcpy_dtoh_async(host, address, self._stream)

    def synchronize(self) -> None:
        """See :class:`~.cuda_device.CudaDevice`."""
        self._stream.synchronize()

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See :class:`~.cuda_device.CudaDevice`."""
        return self._graphs.capture(self.stream, work)

    def close(self) -> None:
        """See :class:`~.cuda_device.CudaDevice`."""
        with self.active():
            self._graphs.close()
            for memory in self._memory:
                memory.free()
            self._memory.clear()
        self._context.detach()
