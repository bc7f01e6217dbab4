"""What all tests share: quiet numerics, a private ROS domain, seeded numbers, visible skips for missing hardware."""

from __future__ import annotations

import gc
import importlib.util
import os

import numpy as np
import pytest
from beyondmimic_diffusion.ros.transport import use_sockets
from hypothesis import settings

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # tests are small; more threads only wait for each other
# Neither the robot's domain (0) nor the default of bringup (42) nor another run's; above 101 the ports are those that
# Linux hands out to anybody.
os.environ.setdefault("ROS_DOMAIN_ID", str(43 + os.getpid() % 48))
if _worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):  # each has a domain of its own
    os.environ["ROS_DOMAIN_ID"] = str(int(os.environ["ROS_DOMAIN_ID"]) + int(_worker))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
use_sockets()

settings.register_profile("beyondmimic", deadline=None, derandomize=True)  # same examples on each run, no wall clock
settings.load_profile("beyondmimic")


def _missing_modules(*names: str) -> str:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


def _missing_gpu() -> str:
    if reason := _missing_modules("torch"):
        return reason
    import torch

    return "" if torch.cuda.is_available() else "no CUDA device"


def _missing_tensorrt() -> str:
    from beyondmimic_diffusion.core.engine.tensorrt_api import has_tensorrt

    return "" if has_tensorrt() else "neither TensorRT nor TensorRT for RTX is installed (requirements/tensorrt.txt)"


def _missing_unitree() -> str:
    if reason := _missing_modules("rclpy", "beyondmimic_msgs"):
        return reason
    from beyondmimic_diffusion.robot_io.cyclonedds_library import DdsError, check_cyclonedds

    try:
        check_cyclonedds()
    except DdsError as error:
        return str(error)
    return ""


REQUIREMENTS = {
    "ros": lambda: _missing_modules("rclpy", "beyondmimic_msgs"),
    "gpu": _missing_gpu,
    "tensorrt": _missing_tensorrt,
    "unitree": _missing_unitree,
    "unitree_peer": lambda: _missing_unitree() or _missing_modules("unitree_interface"),
}
"""Marker -> why its tests cannot run here; an empty string if they can."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from tests.schedule import FilesLongestFirst

    return FilesLongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        from tests.schedule import longest_first

        items[:] = longest_first(items)
    used = {name for name in REQUIREMENTS if any(item.get_closest_marker(name) for item in items)}
    reasons = {name: REQUIREMENTS[name]() for name in used}
    for item in items:
        for name, reason in reasons.items():
            if reason and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{name}: {reason}"))


def pytest_collection_finish() -> None:
    """What is imported stays: collections after a test need not look through all of it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same on each run."""
    return np.random.default_rng(0)
