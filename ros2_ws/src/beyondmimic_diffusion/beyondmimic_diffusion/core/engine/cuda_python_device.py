"""A GPU through NVIDIA's cuda-python: the runtime's functions, each of which returns its error code first."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import ConfigError
from .cuda_device import DeviceFacts, version_text

_MODULES = ("cuda.bindings.runtime", "cuda.cudart")
"""Since cuda-python 12.6, and before."""


class CudaCallError(ConfigError):
    """A function of the CUDA runtime failed."""


def open_first() -> CudaPythonDevice:
    """The first GPU.

    Raises:
        ConfigError: cuda-python is not installed, or finds no GPU.
    """
    for name in _MODULES:
        with contextlib.suppress(ImportError):
            return CudaPythonDevice(importlib.import_module(name))
    raise ConfigError("cuda-python: not installed")


class CudaPythonDevice:
    """See :class:`~.cuda_device.CudaDevice`."""

    library = "cuda_python"

    def __init__(self, runtime: Any):
        """
        Args:
            runtime: ``cuda.bindings.runtime``.

        Raises:
            CudaCallError: No GPU, or no driver that fits.
        """
        self._runtime = runtime
        self._memory: list[int] = []
        self._pinned: list[int] = []
        self._graphs: list[Any] = []
        if not self._call("cudaGetDeviceCount"):
            raise CudaCallError("cuda-python: no GPU")
        self._call("cudaSetDevice", 0)
        properties = self._call("cudaGetDeviceProperties", 0)
        self.facts = DeviceFacts(
            properties.name.decode().strip("\0"),
            f"{properties.major}.{properties.minor}",
            version_text(self._call("cudaRuntimeGetVersion")),
            version_text(self._call("cudaDriverGetVersion")),
        )
        self._stream = self._call("cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking)

    @property
    def stream(self) -> int:
        """See :class:`~.cuda_device.CudaDevice`."""
        return int(self._stream)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """See :class:`~.cuda_device.CudaDevice`; the runtime's context is the primary one of the device chosen."""
        self._call("cudaSetDevice", 0)
        yield

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """See :class:`~.cuda_device.CudaDevice`."""
        size = int(np.prod(shape)) * dtype.itemsize
        address = int(self._call("cudaHostAlloc", size, self._runtime.cudaHostAllocDefault))
        self._pinned.append(address)
        array = np.frombuffer(memoryview((ctypes.c_byte * size).from_address(address)), dtype).reshape(shape)
        array[...] = 0
        return array

    def allocate(self, size: int) -> int:
        """See :class:`~.cuda_device.CudaDevice`."""
        self._memory.append(int(self._call("cudaMalloc", size)))
        return self._memory[-1]

    def upload(self, address: int, host: np.ndarray) -> None:
        """See :class:`~.cuda_device.CudaDevice`."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", address, host.ctypes.data, host.nbytes, kind, self._stream)

    def download(self, host: np.ndarray, address: int) -> None:
        """See :class:`~.cuda_device.CudaDevice`."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", host.ctypes.data, address, host.nbytes, kind, self._stream)

    def synchronize(self) -> None:
        """See :class:`~.cuda_device.CudaDevice`."""
        self._call("cudaStreamSynchronize", self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See :class:`~.cuda_device.CudaDevice`."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._stream, mode)
        try:
            work()
        finally:  # a stream left recording can do nothing else
            graph = self._call("cudaStreamEndCapture", self._stream)
        playable = self._call("cudaGraphInstantiate", graph, 0)
        self._call("cudaGraphDestroy", graph)
        self._graphs.append(playable)
        return lambda: self._call("cudaGraphLaunch", playable, self._stream)

    def close(self) -> None:
        """See :class:`~.cuda_device.CudaDevice`; pinned arrays must not be used any more."""
        with self.active():
            for free, things in (
                ("cudaGraphExecDestroy", self._graphs),
                ("cudaFree", self._memory),
                ("cudaFreeHost", self._pinned),
            ):
                for thing in things:
                    self._call(free, thing)
                things.clear()
            self._call("cudaStreamDestroy", self._stream)

    def _call(self, name: str, *arguments: Any) -> Any:
        code, *results = getattr(self._runtime, name)(*arguments)
        if code != self._runtime.cudaError_t.cudaSuccess:
            _, text = self._runtime.cudaGetErrorString(code)
            raise CudaCallError(f"cuda-python: {name}: {text.decode()}")
        return results[0] if results else None
