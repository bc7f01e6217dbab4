"""TensorRT, whichever kind is installed: the one module that imports it.

``tensorrt`` builds engines for the GPU it runs on; ``tensorrt_rtx`` (TensorRT for RTX) builds on any machine, with no
GPU too, what an RTX card finishes when it loads it. Both have the functions used here by the same names, TensorRT from
10.3 to 11.4: no precision flags (precision is in the ONNX graph), no bindings by index, no implicit batch.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    import tensorrt

FLAVOURS = {"tensorrt": ("tensorrt",), "tensorrt_rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings")}
"""Kind of TensorRT -> names of its Python module, the first that is installed is taken."""


@dataclass(frozen=True)
class TensorRt:
    """An imported TensorRT."""

    flavour: str
    """One of :data:`FLAVOURS`."""
    name: str
    """Of the Python module."""

    @property
    def version(self) -> str:
        """E.g. '10.3.0'."""
        return str(self.module().__version__)

    def module(self):
        """The module; a type checker sees TensorRT 10's."""
        if TYPE_CHECKING:
            return tensorrt
        return importlib.import_module(self.name)


def find_tensorrt(flavour: str = "") -> TensorRt:
    """The TensorRT that is installed here.

    Args:
        flavour: One of :data:`FLAVOURS`; empty: the first that is installed.

    Raises:
        ConfigError: It is not installed, or cannot be imported.
    """
    wanted = [flavour] if flavour else list(FLAVOURS)
    for kind in wanted:
        for name in FLAVOURS[kind]:
            if not _installed(name):
                continue
            try:
                importlib.import_module(name)
            except Exception as error:  # a missing CUDA or driver library shows itself here in several ways
                raise ConfigError(f"the Python package '{name}' is installed but cannot be imported: {error}") from None
            return TensorRt(kind, name)
    names = " nor ".join(f"'{kind}'" for kind in wanted)
    raise ConfigError(f"no TensorRT: neither {names} is installed" if len(wanted) > 1 else f"{names} is not installed")


def has_tensorrt() -> bool:
    """Whether any kind is installed; does not import it."""
    return any(_installed(name) for names in FLAVOURS.values() for name in names)


def make_logger(api: TensorRt) -> Any:
    """A logger for TensorRT that keeps its complaints in ``lines`` instead of printing them."""
    trt = api.module()
    severe = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

    class Complaints(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[str] = []

        def log(self, severity: Any, msg: str) -> None:  # called by TensorRT
            if severity in severe:
                self.lines.append(msg.strip())

    return Complaints()


def complaint(logger: Any) -> str:
    """What TensorRT said last, for an error's text."""
    return "; ".join(logger.lines[-3:]) or "TensorRT gave no reason"


def _installed(name: str) -> bool:
    """A package with code; packages of type stubs leave a folder of the same name without any."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None
