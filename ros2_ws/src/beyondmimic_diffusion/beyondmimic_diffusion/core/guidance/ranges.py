"""How large a number of a goal or a scene can be before it is a unit error: one place for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import GoalError

MAX_SPEED = 3.0
"""A planar velocity beyond this is a unit error, not a wish [m/s]."""
MAX_YAW_RATE = 4.0
"""Likewise [rad/s]."""
MAX_DISTANCE = 1000.0
"""Likewise, from the world's origin, and to the farthest surface of a distance grid [m]."""
MAX_AHEAD = 3600.0
"""Likewise, how far ahead a keyframe may be due, and how long it may be held [s]."""
MAX_OBSTACLE_SPEED = 30.0
"""Likewise, of what moves beside the robot [m/s]."""
MAX_SIZE = 1000.0
"""Likewise, of an obstacle's edge, radius or height, and of a map's or grid's edge [m]."""
MAX_INFLATION = 10.0
"""Likewise [m]."""
CELLS = (1e-3, 10.0)
"""Least and greatest edge of a cell of a map or a grid [m]."""
MAX_MAP_CELLS = 16_000_000
"""A larger map must be cut or made coarser: 4000 x 4000 cells."""
MAX_GRID_NODES = 4_000_000
"""The same for a grid of distances."""
MAX_OBSTACLES = 1000
"""Solids in force at a time."""
MAX_WEIGHT = 1e6
"""Of a user's cost."""
MAX_TERMS = 64
"""Of one goal."""
MAX_PARAMETERS = 100_000
"""Characters of the arguments of a user's cost."""


def check_size(what: str, sizes: Iterable[float], unit: str = "m", limit: float = MAX_SIZE) -> None:
    """Refuse sizes that nothing near a robot has.

    Raises:
        GoalError: One is not finite, or larger than the limit.
    """
    values = [float(value) for value in sizes]
    if not all(math.isfinite(value) and abs(value) <= limit for value in values):
        raise GoalError(f"{what} {values} {unit}; up to {limit:g} {unit} is plausible; a unit error?")


def check_cells(what: str, counts: Iterable[int], edge: float, limit: int) -> None:
    """Refuse maps and grids that cannot be of a place where a robot walks.

    Args:
        what: For the message.
        counts: Cells along each axis.
        edge: Of a cell [m].
        limit: Most cells.

    Raises:
        GoalError: Too many cells, cells of an implausible size, or an implausible extent.
    """
    counts = [int(count) for count in counts]
    if math.prod(counts) > limit:
        raise GoalError(f"{what} of {' x '.join(map(str, counts))} cells; up to {limit} are served: cut or coarsen it")
    if not CELLS[0] <= edge <= CELLS[1]:
        raise GoalError(f"{what} with cells of {edge:g} m; {CELLS[0]} to {CELLS[1]:g} m is plausible; a unit error?")
    if max(counts, default=0) * edge > MAX_SIZE:
        raise GoalError(f"{what} is {max(counts) * edge:.0f} m long; up to {MAX_SIZE:g} m is plausible; a unit error?")
