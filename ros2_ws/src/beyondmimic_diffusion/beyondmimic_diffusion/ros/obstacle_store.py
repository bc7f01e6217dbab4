"""All obstacles in force: gathered from scenes and a map, brought into the odometry's frame, given on as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import scipy.ndimage  # noqa: F401 - the first map and route need them, and should not wait for them
import skimage.graph  # noqa: F401
from beyondmimic_msgs.msg import SdfGrid, SdfPrimitive, SdfScene
from nav_msgs.msg import OccupancyGrid

from ..core.errors import GoalError
from ..core.guidance.ranges import MAX_OBSTACLES
from ..core.guidance.sdf import Union
from ..core.parameters import param, validate
from ..core.route import OccupancyMap
from ..core.route.occupancy_map import REACH
from ..core.tasks import FloorExtent, Obstacle, floor_between, half_width
from ..core.types import Array
from .conversions.scene import (
    MAP_ID,
    check_bodies,
    grid_near,
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

Work = Callable[[], Callable[[], None]]
"""May be done by any thread; what it returns puts the result in force, on the owner's thread."""
_MOST_WAITING = 15
"""Scenes that may wait for their frame, beside the newest."""
_MOST_NODES = 250_000
"""Of a grid in a message to the planner: a megabyte."""
_MANY = 100
"""Solids from which on a scene is large."""
_AHEAD = 3.0
"""Where moving obstacles are in this time counts, too [s]."""
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
    reach: float = param(
        6.0, unit="m", lo=3.0, hi=30.0, doc="The planner is told of obstacles and map within this of the robot."
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
    def large(self) -> bool:
        """So many solids that only those near the robot are worth telling."""
        return len(self._solids) > _MANY

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
        self.scene_work(msg, now)()()

    def scene_work(self, msg: SdfScene, now: float) -> Work:
        """The same in three steps: this call places the message, the work it returns may be done by any thread, and
        what that returns puts the result in force.

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
                self._waiting = [*self._waiting[-_MOST_WAITING:], msg]
            raise

        def understand() -> Callable[[], None]:
            added = (p for p in msg.primitives if p.operation == SdfPrimitive.ADD)
            solids = {p.id: obstacle_from_msg(p, frame) for p in added}
            grids = {g.id: placed_grid(g, frame) for g in msg.grids if any(g.size)}
            return partial(self._change, msg, solids, grids, stamp)

        return understand

    def _change(self, msg: SdfScene, solids: dict[str, Obstacle], grids: dict[str, SdfGrid], stamp: float) -> None:
        gone = {p.id for p in msg.primitives if p.operation == SdfPrimitive.REMOVE}
        stay = set() if "" in gone else self._solids.keys() - gone
        if len(stay | solids.keys()) > MAX_OBSTACLES:
            raise GoalError(
                f"scene {msg.seq}: {len(stay | solids.keys())} obstacles would be in force; up to {MAX_OBSTACLES} are "
                "served: remove those that are far away, or send them as a map"
            )
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
        self.map_work(msg)()()

    def map_work(self, msg: OccupancyGrid) -> Work:
        """The same in three steps, as :meth:`scene_work`; until the last the map before is in force."""
        self._waiting = [other for other in self._waiting if not isinstance(other, OccupancyGrid)]
        if not len(msg.data):
            return lambda: partial(self._change_map, None, None)
        try:
            frame = self._frames.lookup(self._odom, msg.header.frame_id)
        except FrameError:
            self._change_map(None, None)
            self._waiting = [*self._waiting[-_MOST_WAITING:], msg]
            raise
        config = self._config

        def understand() -> Callable[[], None]:
            floor = occupancy_map_from_msg(msg, frame, config.occupied_from, config.unknown_is_free)
            return partial(self._change_map, floor, map_to_grid(floor))

        return understand

    def _change_map(self, floor: OccupancyMap | None, grid: SdfGrid | None) -> None:
        self._map = floor
        self._grids.pop(MAP_ID, None)
        if grid is not None:
            self._grids[grid.id] = grid
        self.version += 1
        self.floor_version += 1

    def refresh(self, now: float, take: Callable[[SdfScene | OccupancyGrid], None] | None = None) -> list[str]:
        """Try again what waited for a frame, drop moving obstacles that nobody renews; say what happened.

        Args:
            now: The robot's clock [s].
            take: Takes what can be placed now; None: it is done here.
        """
        notes = []
        ready = [msg for msg in self._waiting if self._frames.knows(self._odom, msg.header.frame_id)]
        if ready:
            self._waiting = [msg for msg in self._waiting if msg not in ready]
        for msg in ready:
            try:
                if take is not None:
                    take(msg)
                elif isinstance(msg, SdfScene):
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

    def message(self, stamp: float, near_xy: Array | None = None) -> SdfScene:
        """What is in force, moving obstacles where they are at ``stamp`` [s].

        Args:
            stamp: When [s].
            near_xy: Where the robot is [m], shape (2,): only what is within ``reach`` of it; None: all solids, and
                grids as far as they are small.
        """
        self._seq += 1
        msg = SdfScene(seq=self._seq)
        set_stamp(msg.header, stamp)
        msg.header.frame_id = self._odom
        reach = self._config.reach
        msg.primitives = [
            obstacle_to_msg(solid.at(stamp - at) if solid.moves else solid)
            for solid, at in self._solids.values()
            if near_xy is None or _near(solid, near_xy, reach, stamp - at)
        ]
        if near_xy is None:
            msg.grids = [grid for grid in self._grids.values() if len(grid.distances) <= _MOST_NODES]
        else:
            msg.grids = [grid_near(grid, near_xy, reach, _MOST_NODES) for grid in self._grids.values()]
        return msg

    def floor(self, places: Iterable[Array], reach: float = REACH) -> OccupancyMap:
        """Clearances for routes, of what stands still: on the map if there is one, else around places.

        Args:
            places: Where routes begin and end (2,) [m].
            reach: Clearance that makes no difference any more [m].
        """
        still = [solid for solid, _ in self._solids.values() if not solid.moves]
        grids = [grid_to_sdf(grid) for name, grid in self._grids.items() if name != MAP_ID]
        around = FloorExtent(self._config.resolution, self._config.margin)
        return floor_between(places, still, Union(grids) if grids else None, self._map, around, reach)


def _near(solid: Obstacle, xy: Array, reach: float, age: float) -> bool:
    """Whether a solid is within reach of a place, or soon may be, so long after its own time [s]."""
    x, y = (solid.center[k] + age * solid.velocity[k] - float(xy[k]) for k in (0, 1))
    span = reach + _AHEAD * math.hypot(*solid.velocity) + half_width(solid)
    return abs(x) <= span and abs(y) <= span
