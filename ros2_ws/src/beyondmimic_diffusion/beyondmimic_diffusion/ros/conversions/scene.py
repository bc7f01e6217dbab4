"""Obstacles and maps: messages to the core's shapes, placed in another frame, and back."""

from __future__ import annotations

import array

import numpy as np
from beyondmimic_msgs import msg as bm
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import OccupancyGrid
from shape_msgs.msg import SolidPrimitive

from ...core.errors import GoalError
from ...core.guidance.distance_grid import DistanceGrid
from ...core.guidance.goals import ObstacleScene
from ...core.guidance.ranges import (
    MAX_DISTANCE,
    MAX_GRID_NODES,
    MAX_INFLATION,
    MAX_MAP_CELLS,
    MAX_OBSTACLE_SPEED,
    MAX_OBSTACLES,
    check_cells,
    check_size,
)
from ...core.guidance.sdf import Placed, SignedDistance, Union
from ...core.rotations import quat_from_yaw, quat_rotate, rotate_yaw, yaw_of
from ...core.route import OccupancyMap
from ...core.tasks import Obstacle
from ...core.types import Array
from ..frames import IDENTITY, Transform, plain
from .geometry import assign_pose, assign_vector, floats, quat_from_msg, vector_from_msg
from .time import time_from_msg

MAP_ID = "map"
"""Id of the grid that is made of an occupancy grid."""
MAX_TILT = 0.2
"""Boxes and cylinders stand upright; frames on a walking body lean a little, which is passed over [rad]."""
_SHAPES = {SolidPrimitive.BOX: "box", SolidPrimitive.SPHERE: "sphere", SolidPrimitive.CYLINDER: "cylinder"}
_UP = np.array([0.0, 0.0, 1.0])


def obstacle_from_msg(msg: bm.SdfPrimitive, frame: Transform) -> Obstacle:
    """A primitive in the parent of ``frame``; inflation grows each of its dimensions on all sides.

    Raises:
        GoalError: No id, an unknown shape, wrong dimensions, NaN, tilted, turning, or implausibly far or fast.
    """
    what = f"obstacle '{msg.id}'"
    shape = _SHAPES.get(msg.shape.type)
    if shape is None:
        raise GoalError(f"{what} has shape type {msg.shape.type}; served are BOX (1), SPHERE (2) and CYLINDER (3)")
    position, velocity = vector_from_msg(msg.pose.position), vector_from_msg(msg.twist.linear)
    if np.linalg.norm(position) > MAX_DISTANCE or np.linalg.norm(velocity) > MAX_OBSTACLE_SPEED:
        raise GoalError(f"{what}: at {position.tolist()} m with {velocity.tolist()} m/s; a unit error?")
    if np.any(vector_from_msg(msg.twist.angular) != 0.0) and shape == "box":
        raise GoalError(f"{what}: turning boxes are not served; send its pose again when it has turned")
    if not 0.0 <= msg.inflation <= MAX_INFLATION:
        raise GoalError(f"{what}: inflation {msg.inflation} m; zero to {MAX_INFLATION:g} m is right")
    if not all(size > 0.0 for size in msg.shape.dimensions):
        raise GoalError(f"{what}: dimensions {list(msg.shape.dimensions)} m; each must be above zero")
    turned = frame.rotation(_unit(what, msg.pose.orientation))
    if shape != "sphere" and quat_rotate(turned, _UP)[2] < np.cos(MAX_TILT):
        raise GoalError(f"{what} is tilted by more than {MAX_TILT} rad; boxes and cylinders must stand upright")
    return Obstacle(
        msg.id,
        shape,
        tuple(frame.point(position)),
        _grown(shape, np.asarray(msg.shape.dimensions, dtype=np.float64), float(msg.inflation)),
        yaw=float(yaw_of(turned)) if shape == "box" else 0.0,
        velocity=tuple(frame.vector(velocity)),
    )


def _grown(shape: str, sizes: Array, inflation: float) -> tuple[float, ...]:
    """Sizes as :class:`Obstacle` has them; a message's cylinder is (height, radius)."""
    if shape == "cylinder" and len(sizes) == 2:
        return (float(sizes[1] + inflation), float(sizes[0] + 2.0 * inflation))
    return tuple(float(v) for v in sizes + (2.0 if shape == "box" else 1.0) * inflation)


def obstacle_to_msg(obstacle: Obstacle) -> bm.SdfPrimitive:
    """An obstacle as a primitive of its own frame; a capsule becomes the cylinder around it."""
    msg = bm.SdfPrimitive(id=obstacle.name, operation=bm.SdfPrimitive.ADD)
    size = obstacle.size
    if obstacle.shape == "sphere":
        msg.shape = SolidPrimitive(type=SolidPrimitive.SPHERE, dimensions=array.array("d", size))
    elif obstacle.shape == "box":
        msg.shape = SolidPrimitive(type=SolidPrimitive.BOX, dimensions=array.array("d", size))
    else:
        height = size[1] + (2.0 * size[0] if obstacle.shape == "capsule" else 0.0)
        msg.shape = SolidPrimitive(type=SolidPrimitive.CYLINDER, dimensions=array.array("d", (height, size[0])))
    assign_pose(msg.pose, np.array(obstacle.center), quat_from_yaw(obstacle.yaw))
    assign_vector(msg.twist.linear, np.array(obstacle.velocity))
    return msg


def placed_grid(msg: bm.SdfGrid, frame: Transform) -> bm.SdfGrid:
    """A checked copy of a grid in the parent of ``frame``; its values are shared.

    Raises:
        GoalError: No id, sizes that do not fit the values, or NaN where no unknown_distance helps.
    """
    count = int(np.prod(np.asarray(msg.size, dtype=np.int64)))
    if not msg.id or count != len(msg.distances) or not msg.voxel_size > 0.0:
        raise GoalError(
            f"grid '{msg.id}': size {list(msg.size)}, {len(msg.distances)} distances, voxels of {msg.voxel_size} m; "
            "right are an id, as many distances as nodes, and voxels above zero"
        )
    check_cells(f"grid '{msg.id}'", msg.size, msg.voxel_size, MAX_GRID_NODES)
    check_size(f"grid '{msg.id}': origin", vector_from_msg(msg.origin.position), limit=MAX_DISTANCE)
    values = np.abs(np.asarray(msg.distances))
    if values.size and not np.nanmax(values, initial=0.0) <= MAX_DISTANCE:
        raise GoalError(f"grid '{msg.id}': distances up to {np.nanmax(values):g} m; a unit error?")
    turned = frame.rotation(_unit(f"grid '{msg.id}'", msg.origin.orientation))
    placed = bm.SdfGrid(id=msg.id, voxel_size=msg.voxel_size, size=msg.size, unknown_distance=msg.unknown_distance)
    placed.distances = msg.distances
    assign_pose(placed.origin, frame.point(vector_from_msg(msg.origin.position)), quat_from_yaw(yaw_of(turned)))
    grid_to_sdf(placed)
    return placed


def grid_to_sdf(msg: bm.SdfGrid) -> SignedDistance:
    """A grid as a signed distance; nodes without a value count as ``unknown_distance``."""
    values = np.array(msg.distances, dtype=np.float64).reshape(tuple(int(n) for n in msg.size))
    values = np.where(np.isnan(values), msg.unknown_distance, values)
    origin, yaw = vector_from_msg(msg.origin.position), float(yaw_of(quat_from_msg(msg.origin.orientation)))
    if yaw == 0.0:
        return DistanceGrid(values, origin, msg.voxel_size)
    # Placed turns what is asked by its yaw and then moves it; here from the world into the grid
    local = DistanceGrid(values, (0.0, 0.0, origin[2]), msg.voxel_size)
    return Placed(local, -rotate_yaw(origin[:2], -yaw), -yaw)


def scene_from_msg(msg: bm.SdfScene, odom_frame: str = "odom") -> ObstacleScene:
    """``guidance/scene``: all that is in force, as the planner feels it.

    Raises:
        GoalError: Another frame than the odometry's, or a shape that is not served.
    """
    if plain(msg.header.frame_id) != plain(odom_frame):
        raise GoalError(
            f"scene {msg.seq} is in frame '{msg.header.frame_id}', the planner needs '{odom_frame}'; "
            "send it to sdf_scene: the task server brings it there"
        )
    check_bodies(msg)
    nodes = sum(len(grid.distances) for grid in msg.grids)
    if len(msg.primitives) > MAX_OBSTACLES or nodes > MAX_GRID_NODES:
        raise GoalError(
            f"scene {msg.seq}: {len(msg.primitives)} obstacles and {nodes} nodes; up to {MAX_OBSTACLES} and "
            f"{MAX_GRID_NODES} are felt; send it to sdf_scene: the task server tells what is near the robot"
        )
    parts = [obstacle_from_msg(primitive, IDENTITY).sdf() for primitive in msg.primitives]
    parts += [grid_to_sdf(grid) for grid in msg.grids]
    union = None if not parts else parts[0] if len(parts) == 1 else Union(parts)
    return ObstacleScene(union, stamp=time_from_msg(msg.header.stamp))


def check_bodies(msg: bm.SdfScene) -> None:
    """Refuse what is not served yet.

    Raises:
        GoalError: The scene asks for other radii of the robot's bodies.
    """
    if msg.body_names or msg.body_radii:
        raise GoalError(f"scene {msg.seq}: other body radii than the policy's are not served; leave body_names empty")


def occupancy_map_from_msg(
    msg: OccupancyGrid, frame: Transform, occupied_from: int, unknown_is_free: bool
) -> OccupancyMap:
    """An occupancy grid as clearances in the parent of ``frame``; of its orientation the heading counts.

    Raises:
        GoalError: Sizes that do not fit the data, NaN, or no resolution.
    """
    info = msg.info
    check_cells("occupancy grid", (info.width, info.height), info.resolution, MAX_MAP_CELLS)
    check_size("occupancy grid: origin", vector_from_msg(info.origin.position), limit=MAX_DISTANCE)
    turned = frame.rotation(_unit("occupancy grid", info.origin.orientation))
    corner = frame.point(vector_from_msg(info.origin.position))[:2]
    return OccupancyMap.from_occupancy_grid(
        np.asarray(msg.data),
        info.width,
        info.height,
        info.resolution,
        corner,
        float(yaw_of(turned)),
        occupied_from,
        unknown_is_free,
    )


def grid_near(msg: bm.SdfGrid, xy: Array, reach: float, most: int) -> bm.SdfGrid:
    """The part of a grid within ``reach`` [m] of a place (2,) in its frame, along its own axes.

    Args:
        msg: Placed (:func:`placed_grid`); its values are shared where nothing is cut off.
        xy: The place [m].
        reach: How far it is looked at [m].
        most: Nodes at most; with more, every second, third .. is left.
    """
    size = [int(n) for n in msg.size]
    origin, yaw = vector_from_msg(msg.origin.position), float(yaw_of(quat_from_msg(msg.origin.orientation)))
    at = rotate_yaw(np.asarray(xy) - origin[:2], -yaw) / msg.voxel_size
    span = reach / msg.voxel_size
    low = [int(np.clip(np.floor(at[k] - span), 0, size[k] - 1)) for k in (0, 1)]
    high = [int(np.clip(np.ceil(at[k] + span), low[k], size[k] - 1)) + 1 for k in (0, 1)]
    kept = [high[0] - low[0], high[1] - low[1], size[2]]
    stride = 1
    while np.prod([-(-count // stride) for count in kept]) > most:
        stride += 1
    if kept == size and stride == 1:
        return msg
    values = np.asarray(msg.distances, dtype=np.float32).reshape(size)
    part = values[low[0] : high[0] : stride, low[1] : high[1] : stride, ::stride]
    out = bm.SdfGrid(id=msg.id, voxel_size=msg.voxel_size * stride, unknown_distance=msg.unknown_distance)
    out.size = list(part.shape)
    out.distances = floats(part)
    moved = rotate_yaw(np.array(low, dtype=np.float64) * msg.voxel_size, yaw) + origin[:2]
    assign_pose(out.origin, np.array([*moved, origin[2]]), quat_from_yaw(yaw))
    return out


def map_to_grid(floor: OccupancyMap) -> bm.SdfGrid:
    """A map's clearances as a grid of one layer: the same at all heights."""
    x, y = floor.clearance.shape
    grid = bm.SdfGrid(id=MAP_ID, voxel_size=floor.resolution, unknown_distance=0.0)
    grid.size = [x, y, 1]
    grid.distances = floats(floor.clearance)
    first = floor.centres((0, 0))
    assign_pose(grid.origin, np.array([first[0], first[1], 0.0]), quat_from_yaw(floor.yaw_w))
    return grid


def _unit(what: str, orientation: Quaternion) -> Array:
    """A message's orientation wxyz, scaled to length one; all zeros, as in a message nobody filled in: not turned."""
    quat = quat_from_msg(orientation)
    length = float(np.linalg.norm(quat))
    if not np.isfinite(length):
        raise GoalError(f"{what}: orientation {quat.tolist()} is not finite")
    return quat / length if length > 1e-6 else np.array([1.0, 0.0, 0.0, 0.0])
