"""The walkers of the pip package ``holosoma-inference``: where they are, and what they see.

They follow a velocity command and need neither position nor velocity of the root: IMU, encoders and their own last
action are enough. Their files are read where the package has been installed (nothing of it is imported or copied).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from ..errors import ArtifactError
from ..types import Array

WALKER_FILES: dict[str, str] = {
    "fastsac_walker": "loco/g1_29dof/fastsac_g1_29dof.onnx",
    "ppo_walker": "loco/g1_29dof/ppo_g1_29dof.onnx",
}
"""By name."""
ACTION_SCALE = 0.25
"""Radians per action unit."""
STANDING_PHASE = np.pi
"""Gait phase of both feet while no velocity is asked for [rad]."""
_PACKAGE = "holosoma_inference"


def pretrained_path(relative: str) -> Path:
    """Path of a model file inside the installed package.

    Raises:
        ArtifactError: The package is missing or has no such file.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ArtifactError(
            "the pretrained policies come with the pip package 'holosoma-inference', which is not installed; "
            "'pip install --no-deps holosoma-inference==0.1.3' is enough"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / "models" / relative
    if not path.is_file():
        raise ArtifactError(f"the package 'holosoma-inference' holds no '{relative}'; version 0.1.3 does")
    return path


def walker_observation(
    last_action: Array,
    ang_vel_b: Array,
    command: Array,
    phase: Array,
    joint_offset: Array,
    joint_vel: Array,
    gravity_b: Array,
) -> Array:
    """What a walker sees of B robots: the terms in alphabetical order of their names upstream, shape (B, 100).

    Args:
        last_action: Its last output, or what was done in its place, shape (B, J).
        ang_vel_b: Gyro, in pelvis axes [rad/s], shape (B, 3).
        command: Forward and lateral velocity [m/s] and yaw rate [rad/s], shape (B, 3).
        phase: Of the left and the right foot in the gait [rad], shape (B, 2).
        joint_offset: Joint positions from the stand pose [rad], shape (B, J).
        joint_vel: [rad/s], shape (B, J).
        gravity_b: Unit vector of gravity in pelvis axes, shape (B, 3).
    """
    terms = (
        last_action,
        0.25 * ang_vel_b,
        command[:, 2:],
        command[:, :2],
        np.cos(phase),
        joint_offset,
        0.05 * joint_vel,
        gravity_b,
        np.sin(phase),
    )
    return np.concatenate(terms, axis=1)
