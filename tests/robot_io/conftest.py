"""Domains and messages for the tests of Unitree's side."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

_FIRST, _DOMAINS = 200, 30
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_SHARE = _DOMAINS // _WORKERS
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = itertools.count()


@pytest.fixture
def domain() -> int:
    """A DDS domain of this test's own, whatever runs beside it: none of ROS's, and never the robot's."""
    return _FIRST + _WORKER * _SHARE + next(_numbers) % _SHARE


@pytest.fixture
def make_state():
    """Makes a LowState of a robot that stands and is well; fields may be replaced."""
    from beyondmimic_diffusion.robot_io.unitree_wire import LowState

    def make(**fields) -> LowState:
        values: dict = {
            "tick": 1,
            "mode_pr": 0,
            "mode_machine": 5,
            "quaternion_wxyz": np.array([1.0, 0.0, 0.0, 0.0]),
            "gyroscope": np.zeros(3),
            "accelerometer": np.array([0.0, 0.0, 9.81]),
            "rpy": np.zeros(3),
            "imu_temperature": 40,
            "q": np.zeros(29),
            "dq": np.zeros(29),
            "tau_est": np.zeros(29),
            "temperature": np.full((29, 2), 35.0),
            "voltage": np.full(29, 50.0),
            "motor_error": np.zeros(29, np.uint32),
        }
        return LowState(**(values | fields))

    return make


@pytest.fixture
def make_bytes(make_state):
    """The same as it is on the wire."""
    from beyondmimic_diffusion.robot_io.unitree_wire import encode_low_state

    return lambda **fields: encode_low_state(make_state(**fields))
