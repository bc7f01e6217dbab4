"""Motions as comma-separated text: the LAFAN1 motions that Unitree retargeted to the G1, and files laid out like them.

One frame a line, 7 + 29 numbers, no header (one is skipped if there is one): pelvis x y z [m], orientation x y z w,
joint angles [rad] in the order of the motors. The rate is not in the file; Unitree's motions have 30 frames a second.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from beyondmimic_diffusion.core.robot import g1

from .motion import Motion, MotionError

USUAL_RATE = 30.0
"""Of Unitree's LAFAN1 motions [Hz]."""
_COLUMNS = 7 + g1.NUM_JOINTS


def read_csv(path: Path, rate_hz: float | None) -> Motion:
    """Read a CSV motion.

    Args:
        path: The file.
        rate_hz: Frames a second; None: 30.

    Raises:
        MotionError: Not such a file; the line and what was found are named.
    """
    rows: list[list[float]] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MotionError(f"motion file '{path.name}' cannot be read as text: {error}") from error
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line.replace(";", ",").split(",") if cell.strip()]
        if not cells:
            continue
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            if number == 1:
                continue  # a header
            raise MotionError(
                f"motion file '{path.name}', line {number}: {line[:60]!r} is not a row of numbers"
            ) from None
        if len(row) != _COLUMNS:
            raise MotionError(
                f"motion file '{path.name}', line {number} has {len(row)} numbers; {_COLUMNS} were expected: pelvis "
                f"position (3), orientation x y z w (4) and {g1.NUM_JOINTS} joint angles"
            )
        rows.append(row)
    if not rows:
        raise MotionError(f"motion file '{path.name}' holds no frames")
    table = np.array(rows)
    return Motion(rate_hz or USUAL_RATE, table[:, :3], table[:, [6, 3, 4, 5]], table[:, 7:])
