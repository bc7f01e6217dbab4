"""Facts of the Unitree G1 with 29 joints, as frozen data. A test compares each with the robot's MJCF.

Internal joint order = MJCF order = Unitree motor order 0-28: left leg, right leg, waist, left arm, right arm.
Sources: joint limits from the MJCF in the pip package ``mjlab``; motor figures (armature, torque, speed) from the
Unitree data that BeyondMimic publishes; natural frequency and damping ratio from BeyondMimic, section III.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..types import Array

ROBOT_NAME = "unitree_g1_29dof"
"""Written into data sets and policy manifests."""
ROOT_BODY = "pelvis"
"""The body whose free joint carries the robot."""
IMU_SITE = "imu_in_pelvis"
"""Where the IMU sits; its axes are the pelvis's."""
HEAD_POINT_B = (0.0, 0.0, 0.43)
"""Centre of the head in ``torso_link`` [m]; the head's height decides whether the robot has fallen."""
HEAD_BODY = "torso_link"
FOOT_BODIES = ("left_ankle_roll_link", "right_ankle_roll_link")

_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")


def _side(side: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{side}_{part}_joint" for part in parts)


JOINT_NAMES: tuple[str, ...] = (
    *_side("left", _LEG),
    *_side("right", _LEG),
    "waist_yaw_joint",
    "waist_roll_joint",
    "waist_pitch_joint",
    *_side("left", _ARM),
    *_side("right", _ARM),
)
"""The 29 joints in internal order."""
NUM_JOINTS = len(JOINT_NAMES)

UNITREE_JOINT_NAMES: tuple[str, ...] = JOINT_NAMES
"""Motor slots 0-28 of LowState and LowCmd."""

ISAACLAB_JOINT_NAMES: tuple[str, ...] = (
    *("left_hip_pitch_joint", "right_hip_pitch_joint", "waist_yaw_joint"),
    *("left_hip_roll_joint", "right_hip_roll_joint", "waist_roll_joint"),
    *("left_hip_yaw_joint", "right_hip_yaw_joint", "waist_pitch_joint"),
    *("left_knee_joint", "right_knee_joint", "left_shoulder_pitch_joint", "right_shoulder_pitch_joint"),
    *("left_ankle_pitch_joint", "right_ankle_pitch_joint", "left_shoulder_roll_joint", "right_shoulder_roll_joint"),
    *("left_ankle_roll_joint", "right_ankle_roll_joint", "left_shoulder_yaw_joint", "right_shoulder_yaw_joint"),
    *("left_elbow_joint", "right_elbow_joint", "left_wrist_roll_joint", "right_wrist_roll_joint"),
    *("left_wrist_pitch_joint", "right_wrist_pitch_joint", "left_wrist_yaw_joint", "right_wrist_yaw_joint"),
)
"""The same joints breadth-first along the kinematic tree, as PhysX numbers them."""


class Motor(NamedTuple):
    """One actuator type, seen at the joint."""

    armature: float
    """Reflected rotor inertia [kg m^2]."""
    effort: float
    """Largest torque [N m]."""
    speed: float
    """Largest speed [rad/s]."""


_5020 = Motor(0.003609725, 25.0, 37.0)
_7520_14 = Motor(0.010177520, 88.0, 32.0)
_7520_22 = Motor(0.025101925, 139.0, 20.0)
_4010 = Motor(0.00425, 5.0, 22.0)
_PAIR_5020 = Motor(2 * _5020.armature, 2 * _5020.effort, _5020.speed)
"""Ankles, waist roll and pitch: two 5020 behind a parallel linkage, taken as 1:1."""

_MOTOR_OF_PART: dict[str, Motor] = {
    **dict.fromkeys(("hip_pitch", "hip_yaw", "waist_yaw"), _7520_14),
    **dict.fromkeys(("hip_roll", "knee"), _7520_22),
    **dict.fromkeys(("ankle_pitch", "ankle_roll", "waist_roll", "waist_pitch"), _PAIR_5020),
    **dict.fromkeys(("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll"), _5020),
    **dict.fromkeys(("wrist_pitch", "wrist_yaw"), _4010),
}


def joint_part(joint_name: str) -> str:
    """``left_hip_pitch_joint`` -> ``hip_pitch``: the joint's name without its side."""
    return joint_name.removeprefix("left_").removeprefix("right_").removesuffix("_joint")


def _frozen(values: object) -> Array:
    array = np.asarray(values, dtype=np.float64)
    array.setflags(write=False)
    return array


_MOTORS = tuple(_MOTOR_OF_PART[joint_part(name)] for name in JOINT_NAMES)

ARMATURES: Array = _frozen([m.armature for m in _MOTORS])
"""[kg m^2], shape (J,)."""
EFFORT_LIMITS: Array = _frozen([m.effort for m in _MOTORS])
"""[N m], symmetric, shape (J,)."""
VELOCITY_LIMITS: Array = _frozen([m.speed for m in _MOTORS])
"""[rad/s], symmetric, shape (J,)."""

NATURAL_FREQUENCY = 2.0 * math.pi * 10.0
"""Of the joint PD loop on the armature alone [rad/s]."""
DAMPING_RATIO = 2.0

KP: Array = _frozen(ARMATURES * NATURAL_FREQUENCY**2)
"""BeyondMimic gains kp = I w^2 [N m/rad], shape (J,)."""
KD: Array = _frozen(2.0 * DAMPING_RATIO * ARMATURES * NATURAL_FREQUENCY)
"""BeyondMimic gains kd = 2 zeta I w [N m s/rad], shape (J,)."""

_LEFT_LEG_LIMITS = (
    (-2.5307, 2.8798),
    (-0.5236, 2.9671),
    (-2.7576, 2.7576),
    (-0.087267, 2.8798),
    (-0.87267, 0.5236),
    (-0.2618, 0.2618),
)
_LEFT_ARM_LIMITS = (
    (-3.0892, 2.6704),
    (-1.5882, 2.2515),
    (-2.618, 2.618),
    (-1.0472, 2.0944),
    (-1.97222, 1.97222),
    (-1.61443, 1.61443),
    (-1.61443, 1.61443),
)
_WAIST_LIMITS = ((-2.618, 2.618), (-0.52, 0.52), (-0.52, 0.52))


def _mirrored(limits: tuple[tuple[float, float], ...], parts: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    """The right side's limits: joints that turn about x or z change sign."""
    return tuple(
        (low, high) if _mirror_sign(part) > 0 else (-high, -low)
        for (low, high), part in zip(limits, parts, strict=True)
    )


def _mirror_sign(part: str) -> float:
    return -1.0 if part.endswith(("roll", "yaw")) else 1.0


JOINT_POS_LIMITS: Array = _frozen(
    [
        *_LEFT_LEG_LIMITS,
        *_mirrored(_LEFT_LEG_LIMITS, _LEG),
        *_WAIST_LIMITS,
        *_LEFT_ARM_LIMITS,
        *_mirrored(_LEFT_ARM_LIMITS, _ARM),
    ]
)
"""Lowest and highest angle [rad], shape (J, 2)."""

_DEFAULT_LEG = (-0.312, 0.0, 0.0, 0.669, -0.363, 0.0)
DEFAULT_JOINT_POS: Array = _frozen(
    [
        *_DEFAULT_LEG,
        *_DEFAULT_LEG,
        *(0.0, 0.0, 0.0),
        *(0.2, 0.2, 0.0, 0.6, 0.0, 0.0, 0.0),
        *(0.2, -0.2, 0.0, 0.6, 0.0, 0.0, 0.0),
    ]
)
"""The stand with bent knees that the walkers were trained around [rad], shape (J,)."""
DEFAULT_ROOT_HEIGHT = 0.76
"""Height of the pelvis at which the feet touch the floor in :data:`DEFAULT_JOINT_POS`, within 1 cm [m]."""


class KeyPoint(NamedTuple):
    """A point fixed to a body: what Body-Pos states are made of and what obstacles are kept away from."""

    name: str
    body: str
    offset_b: tuple[float, float, float]
    """In the body's frame [m]."""
    radius: float
    """Of the sphere around it that stands for the body's flesh in obstacle costs [m]."""


_TOE_B = (0.132, 0.0, -0.025)
"""Front end of the middle foot capsule."""
_FOOT_SIDE_B = (0.075, 0.026, -0.025)
"""Middle of the outermost foot capsule, left foot; the right foot's has the other sign of y."""


def _links(side: str, parts: tuple[tuple[str, float], ...]) -> tuple[KeyPoint, ...]:
    return tuple(KeyPoint(f"{side}_{p}", f"{side}_{p}_link", (0.0, 0.0, 0.0), radius) for p, radius in parts)


_LEG_POINTS = (("hip_roll", 0.08), ("knee", 0.06), ("ankle_roll", 0.05))
_ARM_POINTS = (("shoulder_roll", 0.06), ("elbow", 0.05), ("wrist_yaw", 0.06))

KEY_POINTS: tuple[KeyPoint, ...] = (
    KeyPoint("pelvis", "pelvis", (0.0, 0.0, 0.0), 0.12),
    *_links("left", _LEG_POINTS),
    *_links("right", _LEG_POINTS),
    KeyPoint("torso", "torso_link", (0.0, 0.0, 0.0), 0.13),
    *_links("left", _ARM_POINTS),
    *_links("right", _ARM_POINTS),
    KeyPoint("left_toe", "left_ankle_roll_link", _TOE_B, 0.03),
    KeyPoint("right_toe", "right_ankle_roll_link", _TOE_B, 0.03),
    KeyPoint("left_foot_side", "left_ankle_roll_link", _FOOT_SIDE_B, 0.03),
    KeyPoint("right_foot_side", "right_ankle_roll_link", (_FOOT_SIDE_B[0], -_FOOT_SIDE_B[1], _FOOT_SIDE_B[2]), 0.03),
)
"""BeyondMimic's 14 bodies, then four points on the feet: link origins say little about the ankles' angles."""
KEY_POINT_NAMES: tuple[str, ...] = tuple(p.name for p in KEY_POINTS)
KEY_POINT_RADII: Array = _frozen([p.radius for p in KEY_POINTS])
"""[m], shape (M,)."""


class Extension(NamedTuple):
    """Flesh that has no key point of its own, on the line from one key point through another."""

    name: str
    base: str
    tip: str
    reach: float
    """How far beyond ``tip``, as a share of the distance between the two."""
    radius: float
    """[m]."""


EXTENSIONS: tuple[Extension, ...] = tuple(
    Extension(f"{side}_hand", f"{side}_elbow", f"{side}_wrist_yaw", 0.6, 0.085) for side in ("left", "right")
)
"""The hands reach 0.19 m beyond the wrist's origin. Obstacle costs look at them; they are no part of the state."""


def other_side(name: str) -> str:
    """``left_x`` <-> ``right_x``; a name without a side is its own mirror image."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


MIRROR_JOINT_INDEX: tuple[int, ...] = tuple(JOINT_NAMES.index(other_side(name)) for name in JOINT_NAMES)
"""Mirrored joint vector = MIRROR_JOINT_SIGN * q[MIRROR_JOINT_INDEX]."""
MIRROR_JOINT_SIGN: Array = _frozen([_mirror_sign(joint_part(name)) for name in JOINT_NAMES])
"""-1 for joints about x (roll) and z (yaw), +1 about y, shape (J,)."""
MIRROR_KEY_POINT_INDEX: tuple[int, ...] = tuple(KEY_POINT_NAMES.index(other_side(name)) for name in KEY_POINT_NAMES)
"""Mirrored key points = p[MIRROR_KEY_POINT_INDEX] with the sign of y changed."""
