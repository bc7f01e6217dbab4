"""Unitree's SDK and the CycloneDDS it needs, without root: Debian's library is unpacked into ``.venv/tools``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from .console import SetupError, run_logged, say
from .packages import INSTALL
from .virtualenv import VirtualEnv, clean_environment

SERIES = "0.10."
"""Of CycloneDDS; the robot's own."""
ROOTS = ("cyclonedds-dev", "cyclonedds-tools")
WANTED = re.compile(r"cyclonedds-(dev|tools)|libddsc\d\w*|libcycloneddsidl\d\w*|libiceoryx(-[a-z]+)+\d\w*")
"""The packages, of all that these two depend on, that are not on every machine."""
WITHOUT = tuple(f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"))
REMEDY = (
    "CycloneDDS 0.10 comes from Debian's or Ubuntu's package cyclonedds-dev. Where apt cannot get it, build it from "
    "source and set CYCLONEDDS_HOME to its install prefix; then run: python3 -m scripts.environment unitree"
)


def install_unitree(venv: VirtualEnv, requirements: Path, log: Path) -> None:
    """CycloneDDS's library and its binding, built for this environment, and Unitree's packages.

    Args:
        venv: Where it goes.
        requirements: File with the pinned packages.
        log: File that collects the output.

    Raises:
        SetupError: The library cannot be had here, or does not build.
    """
    home = Path(os.environ.get("CYCLONEDDS_HOME", "") or venv.path / "tools" / "cyclonedds")
    if not (home / "lib" / "libddsc.so").exists():
        if "CYCLONEDDS_HOME" in os.environ:
            raise SetupError(f"CYCLONEDDS_HOME={home} holds no lib/libddsc.so. {REMEDY}")
        unpack_cyclonedds(home, venv.state_dir / "apt", log)
    environment = clean_environment()
    environment["CYCLONEDDS_HOME"] = str(home)
    # An RPATH (not a RUNPATH) also serves the library's own dependencies.
    environment["LDFLAGS"] = f"-Wl,--disable-new-dtags,-rpath,{home / 'lib'}"
    # No cache: the built wheel holds this checkout's path.
    options = ("--no-deps", "--no-build-isolation", "--no-cache-dir", "-r", str(requirements))
    run_logged([str(venv.python), *INSTALL, *options], log, environment, REMEDY)


def try_unitree(venv: VirtualEnv, requirements: Path, log: Path) -> None:
    """The same where it is welcome, but not needed: says why not and goes on."""
    try:
        install_unitree(venv, requirements, log)
    except SetupError as error:
        say(f"  (without Unitree's SDK, its tests are skipped: {str(error).splitlines()[0]} Log: {log})")


def unpack_cyclonedds(home: Path, work: Path, log: Path) -> None:
    """Download the packages and lay out ``include``, ``lib`` and ``bin`` under one prefix.

    Args:
        home: The prefix to make.
        work: Scratch folder.
        log: File that collects the output.
    """
    for program in ("apt-get", "apt-cache", "dpkg"):
        if shutil.which(program) is None:
            raise SetupError(f"{program} not found. {REMEDY}")
    debs, root = work / "debs", work / "root"
    shutil.rmtree(debs, ignore_errors=True)
    shutil.rmtree(root, ignore_errors=True)
    debs.mkdir(parents=True)
    lists: list[str] = []
    names = package_names(lists)
    if not names:  # a machine whose package lists were never fetched, e.g. a small container: use lists of our own
        lists = own_lists(work / "lists")
        run_logged(["apt-get", *lists, "update"], log, remedy=REMEDY)
        names = package_names(lists)
    if not names:
        raise SetupError(f"apt knows no CycloneDDS {SERIES}x. {REMEDY}")
    run_logged(["sh", "-c", f"cd {debs} && apt-get {' '.join(lists)} download {' '.join(names)}"], log, remedy=REMEDY)
    for deb in sorted(debs.glob("*.deb")):
        run_logged(["dpkg", "-x", str(deb), str(root)], log)
    lay_out(root, home)
    shutil.rmtree(work, ignore_errors=True)


def own_lists(folder: Path) -> list[str]:
    """Options that let apt keep its state in a folder of ours."""
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return [
        *("-o", f"Dir::State::Lists={folder / 'lists'}"),
        *("-o", f"Dir::Cache={folder / 'cache'}"),
        *("-o", "Debug::NoLocking=true"),
    ]


def package_names(options: list[str]) -> list[str]:
    """The packages to download; none if apt does not know CycloneDDS, or only another series of it."""
    policy = _output(["apt-cache", *options, "policy", ROOTS[0]])
    candidate = re.search(r"Candidate: (\S+)", policy)
    if candidate is None or not candidate.group(1).startswith(SERIES):
        return []
    tree = _output(["apt-cache", *options, "depends", "--recurse", *WITHOUT, *ROOTS])
    return sorted({line for line in tree.splitlines() if WANTED.fullmatch(line)})


def lay_out(root: Path, home: Path) -> None:
    """Debian's multiarch folders to a plain prefix.

    Args:
        root: Where the packages were unpacked.
        home: The prefix; replaced.
    """
    shutil.rmtree(home, ignore_errors=True)
    include, library = root / "usr" / "include", root / "usr" / "lib"
    shutil.copytree(include, home / "include", ignore=shutil.ignore_patterns("*-linux-gnu"))
    for architecture in include.glob("*-linux-gnu"):
        shutil.copytree(architecture, home / "include", dirs_exist_ok=True)
    for architecture in library.glob("*-linux-gnu"):
        shutil.copytree(architecture, home / "lib", symlinks=True, dirs_exist_ok=True)
    shutil.copytree(root / "usr" / "bin", home / "bin")


def _output(command: list[str]) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=False)
    return result.stdout.decode(errors="replace")
