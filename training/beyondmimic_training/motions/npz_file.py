"""Motions as NumPy archives, as whole_body_tracking and mjlab write them (``csv_to_npz``), and as this project does.

Arrays: fps, joint_pos (T, 29), joint_vel, body_pos_w (T, bodies, 3), body_quat_w (T, bodies, 4) wxyz; body 0 is the
pelvis. whole_body_tracking stores joints in Isaac Lab's breadth-first order, mjlab in the order of the MJCF, and
neither says so. The order is taken from ``joint_names`` where the file has it, else from the only order in which every
joint stays inside its limits; where both do, the reader must be told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.types import Array

from .motion import Motion, MotionError

ORDERS = {"mjcf": g1.JOINT_NAMES, "isaaclab": g1.ISAACLAB_JOINT_NAMES}
_WANTED = ("joint_pos", "body_pos_w", "body_quat_w")
_SLACK = 0.05
"""How far outside its limits a joint of a retargeted motion may be [rad]."""


def read_npz(path: Path, rate_hz: float | None, joint_order: str = "") -> Motion:
    """Read an NPZ motion.

    Args:
        path: The file.
        rate_hz: Frames a second, instead of what the file says; None: what it says, or 50.
        joint_order: A name of :data:`ORDERS`; empty: found out.

    Raises:
        MotionError: Not such a file, or joints whose order cannot be told.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    except Exception as error:  # zip, numpy and value errors of damaged files
        raise MotionError(f"motion file '{path.name}' is not a NumPy archive of plain arrays: {error}") from error
    missing = [name for name in _WANTED if name not in content]
    if missing:
        raise MotionError(f"motion file '{path.name}' lacks {missing}; it holds {sorted(content)}")
    try:
        pos, body_pos, body_quat = (np.asarray(content[name], dtype=np.float64) for name in _WANTED)
        rate = float(np.asarray(content.get("fps", 50.0)).reshape(-1)[0])
    except (TypeError, ValueError, IndexError) as error:
        raise MotionError(f"motion file '{path.name}': {list(_WANTED)} and fps must be numbers ({error})") from error
    frames = len(pos) if pos.ndim else 0
    if pos.shape != (frames, g1.NUM_JOINTS) or not frames:
        raise MotionError(f"motion file '{path.name}' has joint_pos {pos.shape}; (T, {g1.NUM_JOINTS}) was expected")
    if body_pos.shape[:1] != (frames,) or body_pos.shape[2:] != (3,) or body_quat.shape != (*body_pos.shape[:2], 4):
        raise MotionError(
            f"motion file '{path.name}' has body_pos_w {body_pos.shape} and body_quat_w {body_quat.shape}; "
            f"({frames}, bodies, 3) and ({frames}, bodies, 4) were expected"
        )
    if not body_pos.shape[1]:
        raise MotionError(f"motion file '{path.name}' has no bodies; body 0 should be the pelvis")
    order = _order(path, content, pos, joint_order)
    return Motion(rate_hz or rate, body_pos[:, 0], body_quat[:, 0], pos[:, order])


def _order(path: Path, content: dict[str, Array], joint_pos: Array, asked: str) -> list[int]:
    """Place of each of our joints among the file's columns."""
    if asked:
        names = ORDERS[asked]
    elif "joint_names" in content:
        names = tuple(str(name) for name in content["joint_names"].reshape(-1))
        if sorted(names) != sorted(g1.JOINT_NAMES):
            raise MotionError(
                f"motion file '{path.name}' has joint_names {list(names)}; the robot's are {list(g1.JOINT_NAMES)}"
            )
    else:
        fits = [name for name, order in ORDERS.items() if _inside(joint_pos, order)]
        same = np.ptp(joint_pos[:, [ORDERS["isaaclab"].index(n) for n in g1.JOINT_NAMES]] - joint_pos) == 0.0
        if len(fits) != 1 and not same:
            raise MotionError(
                f"motion file '{path.name}' does not name its joints, and they "
                + ("fit the limits in either order" if fits else "leave the robot's limits in either order")
                + "; say --joint-order isaaclab (whole_body_tracking) or mjcf (mjlab)"
            )
        names = ORDERS[fits[0] if fits else "mjcf"]
    return [names.index(name) for name in g1.JOINT_NAMES]


def _inside(joint_pos: Array, names: tuple[str, ...]) -> bool:
    """Whether each joint stays inside its limits if the columns are these joints."""
    ours = joint_pos[:, [names.index(name) for name in g1.JOINT_NAMES]]
    low, high = g1.JOINT_POS_LIMITS.T
    return bool(np.all(ours >= low - _SLACK) and np.all(ours <= high + _SLACK))
