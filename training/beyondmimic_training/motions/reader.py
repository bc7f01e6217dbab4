"""Any motion file in, one checked motion out."""

from __future__ import annotations

from pathlib import Path

from .csv_file import read_csv
from .judge import judge
from .motion import Motion, MotionError
from .npz_file import ORDERS, read_npz
from .pickle_file import read_pickle

KINDS = {".csv": "CSV (LAFAN1, Unitree)", ".pkl": "pickle (GMR)", ".pickle": "pickle (GMR)", ".npz": "NPZ (trackers)"}
"""By the file's ending."""
_MOST_BYTES = 1 << 30


def read_motion(path: Path, rate_hz: float | None = None, joint_order: str = "") -> Motion:
    """Read and check a motion.

    Args:
        path: A file whose ending is one of :data:`KINDS`.
        rate_hz: Frames a second, where the file does not say or is wrong; None: the file's, or what is usual.
        joint_order: ``mjcf`` or ``isaaclab`` for an NPZ that does not name its joints; empty: found out.

    Raises:
        MotionError: No such file, an unknown kind, a damaged file, or a motion that the robot cannot have.
    """
    if not path.is_file():
        raise MotionError(f"there is no motion file '{path}'")
    if path.stat().st_size > _MOST_BYTES:
        raise MotionError(f"motion file '{path.name}' has {path.stat().st_size >> 20} MiB; motions have less than 1024")
    if joint_order and joint_order not in ORDERS:
        raise MotionError(f"joint order '{joint_order}' is unknown; known are {', '.join(ORDERS)}")
    kind = path.suffix.lower()
    if kind == ".csv":
        motion = read_csv(path, rate_hz)
    elif kind in (".pkl", ".pickle"):
        motion = read_pickle(path, rate_hz)
    elif kind == ".npz":
        motion = read_npz(path, rate_hz, joint_order)
    else:
        known = ", ".join(f"{ending} {text}" for ending, text in KINDS.items())
        raise MotionError(f"motion file '{path.name}' ends in '{path.suffix}'; known are {known}")
    return judge(motion, path.name)
