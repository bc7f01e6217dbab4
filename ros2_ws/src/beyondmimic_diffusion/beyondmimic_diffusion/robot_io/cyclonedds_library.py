"""Which CycloneDDS is installed, whether it may meet a robot, and where its libraries are."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
from pathlib import Path
from typing import Any

from ..core.errors import BeyondMimicError

SERIES = "0.10"
"""Of the robot's own processes."""
_INSTALL = "set it up with: python3 -m scripts.environment unitree (docs/robot.md)"


class DdsError(BeyondMimicError):
    """CycloneDDS is missing, of the wrong version, or refuses."""


def check_cyclonedds(version: str | None = None) -> None:
    """Refuse what would not work or would endanger the robot, then load the libraries; does nothing the second time.

    Args:
        version: Of the installed ``cyclonedds``; asked of the environment if None.

    Raises:
        DdsError: CycloneDDS or Unitree's package is missing, or CycloneDDS is of another series.
    """
    if version is None:
        try:
            version = importlib.metadata.version("cyclonedds")
        except importlib.metadata.PackageNotFoundError:
            raise DdsError(f"cyclonedds is not installed; {_INSTALL}") from None
    if version.split(".")[0] == "11":
        raise DdsError(
            f"cyclonedds {version} is installed: its discovery crashes every CycloneDDS 0.10 process that hears it, "
            "the robot's own among them. Never start it on a robot's network; "
            f"pip uninstall cyclonedds, then {_INSTALL}"
        )
    if not version.startswith(f"{SERIES}."):
        raise DdsError(f"cyclonedds {version} is installed, the robot speaks {SERIES}.x; {_INSTALL}")
    if importlib.util.find_spec("unitree_sdk2py") is None:
        raise DdsError(f"unitree_sdk2py is not installed; {_INSTALL}")
    _load_libraries()


def _load_libraries() -> None:
    """Let ``import cyclonedds`` find its libraries wherever set-up put them, whatever LD_LIBRARY_PATH says."""
    spec = importlib.util.find_spec("cyclonedds")
    assert spec is not None and spec.origin is not None
    names: dict[str, Any] = {}
    exec((Path(spec.origin).parent / "__library__.py").read_text(), names)  # two generated assignments
    library = Path(names["library_path"])
    if names.get("in_wheel") or not library.exists():
        return
    os.environ["CYCLONEDDS_HOME"] = str(library.parents[1])
    waiting = [*sorted(library.parent.glob("libiceoryx_*.so.?")), library]
    for _ in range(len(waiting)):  # each needs some of the others
        waiting = [path for path in waiting if not _loaded(path)]


def _loaded(path: Path) -> bool:
    try:
        ctypes.CDLL(str(path))
    except OSError:
        return False
    return True
