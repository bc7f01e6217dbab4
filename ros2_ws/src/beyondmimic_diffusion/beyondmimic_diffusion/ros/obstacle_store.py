"""All obstacles in force: gathered from scenes and a map, brought into the odometry's frame, given on as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.ndimage  # noqa: F401 - the first map and route need them, and should not wait for them
import skimage.graph  # noqa: F401
from beyondmimic_msgs.msg import SdfGrid, SdfPrimitive, SdfScene
from nav_msgs.msg import OccupancyGrid

from ..core.errors import GoalError
from ..core.guidance.goals import ObstacleScene
from ..core.guidance.sdf import SignedDistance, Union
from ..core.parameters import param, validate
from ..core.route import OccupancyMap
from ..core.route.occupancy_map import BODY_HEIGHTS
from ..core.tasks import Obstacle
from ..core.types import Array
from .conversions.scene import (
    check_bodies,
    grid_to_sdf,
    map_to_grid,
    obstacle_from_msg,
    obstacle_to_msg,
    occupancy_map_from_msg,
    placed_grid,
)
from .conversions.time import set_stamp, time_from_msg
from .frames import FrameError
from .transforms import TransformBuffer, stamp_or_newest

_FUTURE = 0.5
"""A scene stamped so much ahead of our clock comes from another clock [s]."""


@dataclass(frozen=True)
class SceneConfig:
    """How obstacles and maps are understood."""

    avoid: bool = param(True, doc="Keep clear of sdf_scene and map whatever else is asked for.")
    moving_timeout: float = param(
        2.0, unit="s", lo=0.1, hi=60.0, doc="A moving obstacle that is not renewed for this long is dropped."
    )
    map_topic: str = param("map", doc="Topic of the occupancy grid.")
    occupied_from: int = param(65, lo=1, hi=100, doc="Occupancy from which a cell of the map is an obstacle.")
    unknown_is_free: bool = param(True, doc="Unknown cells of the map may be walked on.")
    resolution: float = param(
        0.1, unit="m", lo=0.02, hi=1.0, doc="Cells of the floor on which routes are sought where there is no map."
    )
    margin: float = param(3.0, unit="m", lo=0.5, hi=50.0, doc="Floor beyond robot, goal and obstacles for routes.")

    def __post_init__(self) -> None:
        validate(self)


class ObstacleStore:
    """What must not be touched, by id. Times are the robot's clock."""

    def __init__(self, frames: TransformBuffer, odom_frame: str, config: SceneConfig):
        self._frames = frames
        self._odom = odom_frame
        self._config = config
        self._solids: dict[str, tuple[Obstacle, float]] = {}
        self._grids: dict[str, SdfGrid] = {}
        self._map: OccupancyMap | None = None
        self._waiting: list[SdfScene | OccupancyGrid] = []
        self._seq = 0
        self.version = 0
        """Changes with everything that is felt."""
        self.floor_version = 0
        """Changes with what stands still: routes depend on that alone."""

    @property
    def empty(self) -> bool:
        """Nothing there."""
        return not self._solids and not self._grids

    @property
    def solids(self) -> tuple[tuple[Obstacle, float], ...]:
        """Each obstacle, in the odometry's frame, with the time for which its place is given [s]."""
        return tuple(self._solids.values())

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Frames of scenes and maps that cannot be placed yet."""
        return tuple(sorted({msg.header.frame_id for msg in self._waiting}))

    def take_scene(self, msg: SdfScene, now: float) -> None:
        """Add, replace and remove; all of a message, or nothing of it.

        Raises:
            FrameError: Its frame is not known yet; it is tried again at :meth:`refresh`.
            GoalError: A shape that cannot be served, or a stamp from another clock.
        """
        check_bodies(msg)
        stamp = time_from_msg(msg.header.stamp) or now
        if stamp > now + _FUTURE:
            raise GoalError(f"scene {msg.seq} is stamped {stamp - now:.1f} s ahead of our clock; one of them is wrong")
        try:
            frame = self._frames.lookup(self._odom, msg.header.frame_id, stamp_or_newest(stamp))
        except FrameError:
            if not self._frames.knows(self._odom, msg.header.frame_id):
                self._waiting.append(msg)
            raise
        solids = {p.id: obstacle_from_msg(p, frame) for p in msg.primitives if p.operation == SdfPrimitive.ADD}
        grids = {g.id: placed_grid(g, frame) for g in msg.grids if any(g.size)}
        for gone in (p.id for p in msg.primitives if p.operation == SdfPrimitive.REMOVE):
            self._remove(gone)
        for gone in (g.id for g in msg.grids if not any(g.size)):
            self.floor_version += self._grids.pop(gone, None) is not None
        self._put(solids, stamp)
        self._grids.update(grids)
        self.floor_version += bool(grids)
        self.version += 1

    def _put(self, solids: dict[str, Obstacle], stamp: float) -> None:
        for name, solid in solids.items():
            known = self._solids.get(name)
            if not (solid.moves and (known is None or known[0].moves)) and (known is None or known[0] != solid):
                self.floor_version += 1
            self._solids[name] = (solid, stamp)

    def _remove(self, name: str) -> None:
        for gone in [key for key in self._solids if name in ("", key)]:
            self.floor_version += not self._solids.pop(gone)[0].moves

    def take_map(self, msg: OccupancyGrid) -> None:
        """Replace the map; an empty one removes it.

        Raises:
            FrameError: Its frame is not known yet; it is tried again at :meth:`refresh`.
            GoalError: Its sizes do not fit its data.
        """
        self._waiting = [other for other in self._waiting if not isinstance(other, OccupancyGrid)]
        self._map, grid = None, None
        if len(msg.data):
            try:
                frame = self._frames.lookup(self._odom, msg.header.frame_id)
            except FrameError:
                self._waiting.append(msg)
                raise
            config = self._config
            self._map = occupancy_map_from_msg(msg, frame, config.occupied_from, config.unknown_is_free)
            grid = map_to_grid(self._map)
        self._grids.pop("map", None)
        if grid is not None:
            self._grids[grid.id] = grid
        self.version += 1
        self.floor_version += 1

    def refresh(self, now: float) -> list[str]:
        """Try again what waited for a frame, drop moving obstacles that nobody renews; say what happened."""
        notes = []
        ready = [msg for msg in self._waiting if self._frames.knows(self._odom, msg.header.frame_id)]
        if ready:
            self._waiting = [msg for msg in self._waiting if msg not in ready]
        for msg in ready:
            try:
                if isinstance(msg, SdfScene):
                    self.take_scene(msg, now)
                else:
                    self.take_map(msg)
            except GoalError as error:
                notes.append(str(error))
        old = [
            name
            for name, (solid, stamp) in self._solids.items()
            if solid.moves and now - stamp > self._config.moving_timeout
        ]
        for name in old:
            del self._solids[name]
            self.version += 1
            notes.append(
                f"moving obstacle '{name}' was not renewed for {self._config.moving_timeout} s and is dropped: "
                "nobody knows where it is"
            )
        return notes

    def message(self, stamp: float) -> SdfScene:
        """All that is in force, moving obstacles where they are at ``stamp`` [s]."""
        self._seq += 1
        msg = SdfScene(seq=self._seq)
        set_stamp(msg.header, stamp)
        msg.header.frame_id = self._odom
        msg.primitives = [obstacle_to_msg(solid.at(stamp - at)) for solid, at in self._solids.values()]
        msg.grids = list(self._grids.values())
        return msg

    def scene(self, stamp: float) -> ObstacleScene:
        """The same for the core."""
        parts = [solid.at(stamp - at).sdf() for solid, at in self._solids.values()]
        parts += [grid_to_sdf(grid) for grid in self._grids.values()]
        return ObstacleScene(Union(parts) if parts else None, stamp=stamp)

    def floor(self, places: Iterable[Array]) -> OccupancyMap:
        """Clearances for routes, of what stands still: on the map if there is one, else around ``places`` (2,) [m]."""
        still = [solid.sdf() for solid, _ in self._solids.values() if not solid.moves]
        still += [grid_to_sdf(grid) for name, grid in self._grids.items() if name != "map"]
        shapes: SignedDistance | None = Union(still) if still else None
        if self._map is not None:
            return self._map if shapes is None else _with(self._map, shapes)
        centres = [np.array(solid.center[:2]) for solid, _ in self._solids.values() if not solid.moves]
        points = np.array([np.asarray(place, dtype=np.float64)[:2] for place in (*places, *centres)])
        low, high = points.min(axis=0) - self._config.margin, points.max(axis=0) + self._config.margin
        return OccupancyMap.from_sdf(shapes, tuple(low), tuple(high), self._config.resolution)


def _with(floor: OccupancyMap, shapes: SignedDistance) -> OccupancyMap:
    """A map with more obstacles on it."""
    clearance = floor.clearance
    places = floor.centres(np.moveaxis(np.indices(clearance.shape), 0, -1))  # (X, Y, 2)
    for height in BODY_HEIGHTS:
        points = np.concatenate([places, np.full((*places.shape[:2], 1), height)], axis=-1)
        clearance = np.minimum(clearance, shapes.query(points)[0])
    return OccupancyMap(clearance, floor.resolution, floor.origin_xy_w, floor.yaw_w)
