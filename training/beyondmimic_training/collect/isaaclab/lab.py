"""Which Isaac Lab there is, and how it is started."""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType

from beyondmimic_diffusion.core.errors import ConfigError

SETUP = "make setup-isaaclab"


def installed_version() -> str:
    """Version of Isaac Lab in this environment, e.g. ``3.0.0``; empty if there is none."""
    try:
        return importlib.metadata.version("isaaclab")
    except importlib.metadata.PackageNotFoundError:
        return ""


def open_lab(device: str) -> ModuleType:
    """The module with this version's ways, after the simulator that it needs has been started.

    Args:
        device: ``cpu`` or ``cuda:0``.

    Raises:
        ConfigError: No Isaac Lab here, or one of another generation.
    """
    version = installed_version()
    if not version:
        raise ConfigError(f"Isaac Lab is not installed in this environment; '{SETUP}' makes one that has it")
    major = version.split(".")[0]
    if major not in ("2", "3"):
        raise ConfigError(f"Isaac Lab {version} is installed; 2.x and 3.x are supported")
    if major == "2":
        from isaaclab.app import AppLauncher  # the application must run before anything else is imported

        AppLauncher(headless=True, device=device)
    return importlib.import_module(f"{__package__}.lab{major}")
