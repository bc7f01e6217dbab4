"""Clips of a robot that stands still in its default pose, somewhere; key points by the model's own kinematics."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
from beyondmimic_diffusion.core.guidance.clip import Clip
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.state import StateSequence
from beyondmimic_diffusion.core.types import RobotState

DT = 0.04


def still_clip(seconds: float = 0.8, lifted: float = 0.0, name: str = "still") -> Clip:
    """A stand at (5, 7), facing along y; ``lifted`` metres are added to all key points, pelvis and joints are not."""
    count = round(seconds / DT) + 1
    points, speeds = _key_points()
    still = StateSequence(*(np.zeros((count, n)) for n in (3, 4, 3, 3, 29, 29)), *np.zeros((2, count, *points.shape)))
    root, quat = _root()
    states = replace(
        still,
        root_pos_w=np.tile(root, (count, 1)),
        root_quat_w=np.tile(quat, (count, 1)),
        joint_pos=np.tile(g1.DEFAULT_JOINT_POS, (count, 1)),
        key_pos_w=np.tile(points + [0.0, 0.0, lifted], (count, 1, 1)),
        key_vel_w=np.tile(speeds, (count, 1, 1)),
    )
    return Clip(name, states, DT, g1.JOINT_NAMES, g1.KEY_POINT_NAMES, "made for a test")


def _root() -> tuple[np.ndarray, np.ndarray]:
    return np.array([5.0, 7.0, 0.75]), np.array([math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4)])


@cache
def _key_points() -> tuple[np.ndarray, np.ndarray]:
    root, quat = _root()
    z3 = np.zeros(3)
    return Kinematics().key_points(RobotState(0.0, root, quat, z3, z3, np.array(g1.DEFAULT_JOINT_POS), np.zeros(29)))
