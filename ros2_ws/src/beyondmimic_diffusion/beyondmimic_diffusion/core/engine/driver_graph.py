"""CUDA graphs from the driver's own library, for wrappers that have none: ``libcuda``'s C functions by their names.

The functions are part of the driver's stable interface since CUDA 11.4 (JetPack 6 has 12.x).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ..errors import ArtifactError

LIBRARY = "libcuda.so.1"
_THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile does not disturb the recording."""
_SIGNATURES = {
    "cuStreamBeginCapture_v2": (ctypes.c_void_p, ctypes.c_int),
    "cuStreamEndCapture": (ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)),
    "cuGraphInstantiateWithFlags": (ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p, ctypes.c_ulonglong),
    "cuGraphLaunch": (ctypes.c_void_p, ctypes.c_void_p),
    "cuGraphDestroy": (ctypes.c_void_p,),
    "cuGraphExecDestroy": (ctypes.c_void_p,),
}


class DriverGraphs:
    """Records streams and plays them; the context must be active in the calling thread."""

    def __init__(self, library: Any = None):
        """
        Args:
            library: The loaded ``libcuda``; None: load it.

        Raises:
            OSError: There is no driver.
        """
        self._library = ctypes.CDLL(LIBRARY) if library is None else library
        for name, arguments in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = arguments, ctypes.c_int
        self._playable: list[ctypes.c_void_p] = []

    def capture(self, stream: int, work: Callable[[], None]) -> Callable[[], None]:
        """Record what ``work`` puts on a stream; the result puts all of it there at once.

        Raises:
            ArtifactError: The driver refuses; nothing stays recorded.
        """
        graph, playable = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", stream, _THREAD_LOCAL)
        try:
            work()
        finally:  # a stream left recording can do nothing else
            self._call("cuStreamEndCapture", stream, ctypes.byref(graph))
        self._call("cuGraphInstantiateWithFlags", ctypes.byref(playable), graph, 0)
        self._call("cuGraphDestroy", graph)
        self._playable.append(playable)
        return lambda: self._call("cuGraphLaunch", playable, stream)

    def close(self) -> None:
        """Forget all recordings."""
        for playable in self._playable:
            self._call("cuGraphExecDestroy", playable)
        self._playable.clear()

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code != 0:
            raise ArtifactError(f"CUDA driver: {name} failed with code {code}; try the engine without a CUDA graph")
