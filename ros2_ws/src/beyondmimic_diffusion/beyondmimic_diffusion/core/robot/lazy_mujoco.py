"""MuJoCo, imported when it is first used: it is a fifth of a node's start, and most nodes do without."""

from __future__ import annotations

import importlib
import types
from typing import TYPE_CHECKING, Any


class _LazyModule(types.ModuleType):
    """Stands for a module; what was looked up once is kept."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by Python itself, e.g. while it looks for a module of this name
            raise AttributeError(name)
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import mujoco
else:
    mujoco = _LazyModule("mujoco")

__all__ = ["mujoco"]
