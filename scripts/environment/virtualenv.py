"""The virtual environment: made, adopted, or made anew when its Python or place changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .console import SetupError, run_logged
from .host import PYTHON_VERSIONS, Python, find_python, probe


class VirtualEnv:
    """The folder ``.venv/`` of a checkout, or one beside it.

    Args:
        root: Root of the repository.
        with_ros: A ROS 2 install is sourced, so that its Python packages must be visible.
        name: Of the folder.
    """

    def __init__(self, root: Path, with_ros: bool, name: str = ".venv"):
        self.path = root / name
        self.python = self.path / "bin" / "python"
        self.state_dir = self.path / ".setup"
        self._with_ros = with_ros

    @property
    def version(self) -> str:
        """Python version as pyvenv.cfg states it, e.g. ``3.11``; empty without one."""
        config = self.path / "pyvenv.cfg"
        for line in config.read_text().splitlines() if config.exists() else ():
            name, _, value = line.partition("=")
            if name.strip() == "version":
                return ".".join(value.strip().split(".")[:2])
        return ""

    def inputs(self, wanted: str) -> list[Path | str]:
        """What an existing environment must agree with."""
        version = self.version
        if wanted:
            python = probe(wanted)
            version = "{}.{}".format(*python.version[:2]) if python else f"{wanted} does not run"
        return [str(self.path), version, f"system site packages: {self._with_ros}"]

    def create(self, log: Path, wanted: str) -> None:
        """Make the environment; one that somebody else made is taken as it is if its Python is suitable."""
        stranger = self.version and not (self.state_dir / "owned").exists()
        if stranger:
            self._check_stranger(wanted)
            return
        python = find_python("/usr/bin/python3" if self._with_ros and not wanted else wanted)
        self._clear()
        options = ["--system-site-packages"] if self._with_ros else []
        (self.state_dir / "owned").write_text("made by scripts/environment\n")
        run_logged([python.executable, "-m", "venv", *options, str(self.path)], log, clean_environment())

    def prefix_paths(self) -> dict[str, Path]:
        """Folders of the environment's Python: ``include`` and ``purelib``."""
        code = "import sysconfig; p = sysconfig.get_paths(); print(p['include']); print(p['purelib'])"
        output = subprocess.run(
            [str(self.python), "-c", code], stdout=subprocess.PIPE, check=True, env=clean_environment()
        )
        include, purelib = output.stdout.decode().split("\n")[:2]
        return {"include": Path(include), "purelib": Path(purelib)}

    def _check_stranger(self, wanted: str) -> None:
        found: Python | None = probe(str(self.python))
        if found is None or not found.supported:
            versions = " or ".join("{}.{}".format(*version) for version in PYTHON_VERSIONS)
            raise SetupError(
                f"{self.path} exists, but holds no Python {versions}. Remove it (make clean) and run again."
            )
        asked = probe(wanted) if wanted else None
        if asked is not None and asked.version[:2] != found.version[:2]:
            raise SetupError(
                f"{self.path} was made with Python {self.version}. Remove it (make clean) to use {wanted}."
            )

    def _clear(self) -> None:
        if not self.path.exists():
            return
        for entry in list(self.path.iterdir()):
            if entry != self.state_dir:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for stamp in self.state_dir.glob("*.stamp"):
            stamp.unlink()
        shutil.rmtree(self.state_dir / "build", ignore_errors=True)


def clean_environment() -> dict[str, str]:
    """This process's environment without what the ROS wheels of another environment left in it."""
    environment = dict(os.environ)
    environment.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)
    environment.pop("__PYVENV_LAUNCHER__", None)
    return environment
