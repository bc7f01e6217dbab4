"""Builds the interface packages with cmake, straight into the virtual environment: nothing has to be sourced."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .console import run_logged
from .host import check_build_tools
from .virtualenv import VirtualEnv, clean_environment

REMEDY = "If the sources are unchanged: make clean, then run again."
HOOK = Path(__file__).with_name("python_interfaces.cmake")
INPUTS = (Path(__file__), HOOK, Path(__file__).with_name("generate.py"))
"""What a build depends on beside its sources."""


def build_all(venv: VirtualEnv, sources: list[Path], ros_prefixes: list[Path], log: Path) -> None:
    """Build interface packages that do not depend on each other, side by side.

    Args:
        venv: Where they go, and whose Python they are for.
        sources: Folders with the packages' CMakeLists.txt.
        ros_prefixes: Prefixes of a sourced ROS install, searched after the environment.
        log: File that collects the output of the first one; the others have one beside it.
    """
    check_build_tools()
    logs = [log, *(log.with_name(f"{log.stem}_{source.name}.log") for source in sources[1:])]
    for extra in logs[1:]:
        extra.write_text("")
    with ThreadPoolExecutor(len(sources)) as pool:
        list(pool.map(lambda source, log: build_interfaces(venv, source, log, ros_prefixes), sources, logs))


def build_interfaces(venv: VirtualEnv, source: Path, log: Path, ros_prefixes: list[Path]) -> None:
    """Configure, compile and install one interface package.

    Without a sourced ROS install, everything but C++ is generated, by generators that parse each interface once:
    rclpy needs no more. A sourced install may bring nodes in C++, so it gets everything in the usual way.
    """
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
    if not ros_prefixes:
        configure.append(f"-DINTERFACES_HOOK={HOOK}")
    _clear_unless_made_with(build, " ".join(configure))
    jobs = str(os.cpu_count() or 2)
    for command in (configure, ["cmake", "--build", str(build), "-j", jobs], ["cmake", "--install", str(build)]):
        run_logged(command, log, environment, REMEDY)
    for stale in before - set(manifest.read_text().split("\n")):
        Path(stale).unlink(missing_ok=True)


def _clear_unless_made_with(build: Path, command: str) -> None:
    """Remove a build that was configured in another way: what it left behind would be installed."""
    record = build / "configured_with.txt"
    if not record.exists() or record.read_text() != command:
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        record.write_text(command)


def build_environment(venv: VirtualEnv, ros_prefixes: list[Path]) -> dict[str, str]:
    """Environment in which ament's cmake files and generators find each other."""
    environment = clean_environment()
    environment["AMENT_PREFIX_PATH"] = os.pathsep.join(map(str, [venv.path, *ros_prefixes]))
    environment["PATH"] = os.pathsep.join([str(venv.path / "bin"), environment.get("PATH", os.defpath)])
    return environment


def offered(package: str, prefixes: list[Path]) -> bool:
    """Whether a ROS install has a package."""
    return any((prefix / "share" / package / "package.xml").exists() for prefix in prefixes)
