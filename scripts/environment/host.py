"""What this machine offers: a Python, a compiler, disk space, a ROS 2 install."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from .console import SetupError

PYTHON_VERSIONS = ((3, 11), (3, 12))
"""Versions the stack is tested with, the preferred one first."""
BUILD_TOOLS = {"cmake": ("cmake",), "g++": ("g++", "c++"), "gcc": ("gcc", "cc"), "make": ("make",)}
"""Debian package -> programs, one of which must be there."""
PROBE = """
import json, os, sys, sysconfig
missing = []
for module in ("venv", "ensurepip"):
    try:
        __import__(module)
    except ImportError:
        missing.append("venv")
if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
    missing.append("dev")
print(json.dumps([list(sys.version_info[:3]), sys.executable, sorted(set(missing))]))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter found on this machine."""

    executable: str
    version: tuple[int, int, int]
    missing: tuple[str, ...]
    """Of what a virtual environment with compiled messages needs: ``venv`` and ``dev`` (headers)."""

    @property
    def supported(self) -> bool:
        """Whether the stack is tested with this version."""
        return self.version[:2] in PYTHON_VERSIONS


def probe(executable: str) -> Python | None:
    """Ask an interpreter what it is; None if it does not run."""
    path = shutil.which(executable)
    if path is None:
        return None
    try:
        result = subprocess.run([path, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        version, real_path, missing = json.loads(result.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Python(real_path, (version[0], version[1], version[2]), tuple(missing))


def _candidates() -> Iterator[str]:
    yield "python3"
    for major, minor in PYTHON_VERSIONS:
        name = f"python{major}.{minor}"
        yield name
        yield f"/usr/bin/{name}"
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        yield from map(str, sorted(pyenv.glob(f"versions/{major}.{minor}.*/bin/python{major}.{minor}"), reverse=True))


def find_python(wanted: str = "") -> Python:
    """The interpreter to build the environment from.

    Args:
        wanted: Path or name given by the user (``PYTHON=...``); searched for if empty.

    Raises:
        SetupError: None is suitable; says what was found and what to install.
    """
    supported = " or ".join(f"{major}.{minor}" for major, minor in PYTHON_VERSIONS)
    found = [python for python in map(probe, [wanted] if wanted else _candidates()) if python is not None]
    suitable = [python for python in found if python.supported]
    complete = [python for python in suitable if not python.missing]
    if complete:
        return complete[0]
    if suitable:
        python = suitable[0]
        name = "python{}.{}".format(*python.version[:2])
        packages = " ".join(f"{name}-{part}" for part in python.missing)
        raise SetupError(f"{python.executable} lacks {packages}. On Debian or Ubuntu: sudo apt install {packages}")
    seen = ", ".join(sorted({"{}.{}.{}".format(*python.version) for python in found})) or "none that runs"
    where = f"PYTHON={wanted}" if wanted else "this machine"
    raise SetupError(
        f"Python {supported} is needed; {where} offers: {seen}. Install one (Debian 12: sudo apt install python3.11 "
        "python3.11-venv python3.11-dev; Ubuntu 24.04: the same with 3.12; or pyenv install 3.11), "
        "or name it: make PYTHON=/path/to/python3.11 ..."
    )


def check_build_tools() -> None:
    """Raise a SetupError that names the Debian packages of missing tools."""
    missing = [package for package, names in BUILD_TOOLS.items() if not any(map(shutil.which, names))]
    if missing:
        raise SetupError(
            f"{', '.join(missing)} not found; the messages are compiled on this machine. "
            f"On Debian or Ubuntu: sudo apt install {' '.join(missing)}"
        )


def check_disk(folder: Path, needed_gb: float) -> None:
    """Raise a SetupError if the file system of a folder has less free space than needed [GB]."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(
            f"{needed_gb:.0f} GB of free disk space are needed under {folder}, {free_gb:.1f} GB are there. Free some."
        )


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver is loaded."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def sourced_ros() -> list[Path]:
    """Prefixes of a sourced ROS 2 Jazzy install, empty if none is sourced.

    Raises:
        SetupError: Another ROS distribution is sourced; its Python packages would shadow ours.
    """
    distribution = os.environ.get("ROS_DISTRO", "")
    prefixes = [Path(entry) for entry in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry]
    if distribution and distribution != "jazzy" and prefixes:
        raise SetupError(
            f"ROS 2 {distribution} is sourced in this shell, Jazzy is needed. Use a shell that does not source it "
            "(set-up then brings Jazzy itself), or source /opt/ros/jazzy/setup.bash."
        )
    own = (Path(__file__).resolve().parents[2] / ".venv").resolve()
    return [prefix for prefix in prefixes if prefix.resolve() != own] if distribution == "jazzy" else []
