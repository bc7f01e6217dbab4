"""A motion as trackers are trained on: every body's pose and velocity at 50 Hz, in the names of whole_body_tracking."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.model import foot_geom_ids, load_model
from beyondmimic_diffusion.core.types import Array

from .motion import Motion, angular_velocity, difference

RATE = 50.0
"""[Hz]."""


def bodies(motion: Motion) -> tuple[Array, Array, list[str], float]:
    """Positions (T, bodies, 3), orientations (T, bodies, 4), names, and the height of the lowest sole [m]."""
    model = load_model()
    data, feet = mujoco.MjData(model), foot_geom_ids(model)
    positions, orientations, lowest = [], [], np.inf
    for root, quat, joints in zip(motion.root_pos_w, motion.root_quat_w, motion.joint_pos, strict=True):
        data.qpos[:] = np.concatenate([root, quat, joints])
        mujoco.mj_kinematics(model, data)
        positions.append(data.xpos[1:].copy())
        orientations.append(data.xquat[1:].copy())
        lowest = min(lowest, float((data.geom_xpos[feet, 2] - model.geom_size[feet, 0]).min()))
    names = [model.body(i).name for i in range(1, model.nbody)]
    return np.array(positions), np.array(orientations), names, lowest


def write_tracker_npz(motion: Motion, out: Path, on_floor: bool = True) -> str:
    """Write a motion for a tracker's training; returns a sentence about what was changed.

    Args:
        motion: Checked; brought to 50 Hz here.
        out: The ``.npz``.
        on_floor: Shift the whole motion so that the lowest sole touches the floor, if it is off by over 2 cm.
    """
    motion = motion.resampled(RATE)
    position, orientation, names, lowest = bodies(motion)
    said = ""
    if on_floor and abs(lowest) > 0.02:
        position = position - np.array([0.0, 0.0, lowest])
        said = f"moved by {-lowest:+.3f} m so that the lowest sole touches the floor"
    np.savez_compressed(
        out,
        fps=np.array([RATE]),
        joint_pos=motion.joint_pos.astype(np.float32),
        joint_vel=motion.joint_velocity().astype(np.float32),
        body_pos_w=position.astype(np.float32),
        body_quat_w=orientation.astype(np.float32),
        body_lin_vel_w=difference(position, RATE).astype(np.float32),
        body_ang_vel_w=angular_velocity(orientation, RATE).astype(np.float32),
        joint_names=np.array(g1.JOINT_NAMES),
        body_names=np.array(names),
    )
    return said
