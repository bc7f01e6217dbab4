"""What the robot can be told to do, as small state machines; and scenes to do it in."""

from .floor import FloorExtent, floor_between, half_width
from .motion import MeanVelocity, ProgressWatch
from .play_clip import ClipTaskConfig, FinishClip, PlayClip
from .reach_keyframe import KeyframeTaskConfig, ReachKeyframe
from .reach_waypoint import ReachWaypoint, WaypointTaskConfig
from .scene import Obstacle, Scene
from .scene_file import load_scene, save_scene
from .scenes import composed, corridor, forest, moving_obstacle
from .stand import Stand, StandTaskConfig
from .task import ACTION_CODES, STANDING, Task, TaskCode, TaskRefusedError, TaskStatus, TaskUpdate

__all__ = [
    "ACTION_CODES",
    "STANDING",
    "ClipTaskConfig",
    "FinishClip",
    "FloorExtent",
    "KeyframeTaskConfig",
    "MeanVelocity",
    "Obstacle",
    "PlayClip",
    "ProgressWatch",
    "ReachKeyframe",
    "ReachWaypoint",
    "Scene",
    "Stand",
    "StandTaskConfig",
    "Task",
    "TaskCode",
    "TaskRefusedError",
    "TaskStatus",
    "TaskUpdate",
    "WaypointTaskConfig",
    "composed",
    "corridor",
    "floor_between",
    "forest",
    "half_width",
    "load_scene",
    "moving_obstacle",
    "save_scene",
]
