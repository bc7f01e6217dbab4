"""Builds the interface packages with cmake, straight into the virtual environment: nothing has to be sourced."""

from __future__ import annotations

import os
from pathlib import Path

from .console import run_logged
from .host import check_build_tools
from .virtualenv import VirtualEnv, clean_environment

REMEDY = "If the sources are unchanged: make clean, then run again."


def build_interfaces(venv: VirtualEnv, source: Path, ros_prefixes: list[Path], log: Path) -> None:
    """Configure, compile and install one interface package.

    Args:
        venv: Where it goes, and whose Python it is for.
        source: Folder with the package's CMakeLists.txt.
        ros_prefixes: Prefixes of a sourced ROS install, searched after the environment.
        log: File that collects the output.
    """
    check_build_tools()
    build = venv.state_dir / "build" / source.name
    manifest = build / "install_manifest.txt"
    before = set(manifest.read_text().split("\n")) if manifest.exists() else set()
    environment = build_environment(venv, ros_prefixes)
    prefixes = ";".join(map(str, [venv.path, *ros_prefixes]))
    configure = [
        *("cmake", "-S", str(source), "-B", str(build)),
        f"-DCMAKE_INSTALL_PREFIX={venv.path}",
        f"-DCMAKE_PREFIX_PATH={prefixes}",
        f"-DPython3_EXECUTABLE={venv.python}",
        *("-DBUILD_TESTING=OFF", "-DCMAKE_C_FLAGS=-O1", "-DCMAKE_CXX_FLAGS=-O1"),
    ]
    jobs = str(os.cpu_count() or 2)
    for command in (configure, ["cmake", "--build", str(build), "-j", jobs], ["cmake", "--install", str(build)]):
        run_logged(command, log, environment, REMEDY)
    for stale in before - set(manifest.read_text().split("\n")):
        Path(stale).unlink(missing_ok=True)


def build_environment(venv: VirtualEnv, ros_prefixes: list[Path]) -> dict[str, str]:
    """Environment in which ament's cmake files and generators find each other."""
    environment = clean_environment()
    environment["AMENT_PREFIX_PATH"] = os.pathsep.join(map(str, [venv.path, *ros_prefixes]))
    environment["PATH"] = os.pathsep.join([str(venv.path / "bin"), environment.get("PATH", os.defpath)])
    return environment


def offered(package: str, prefixes: list[Path]) -> bool:
    """Whether a ROS install has a package."""
    return any((prefix / "share" / package / "package.xml").exists() for prefix in prefixes)
