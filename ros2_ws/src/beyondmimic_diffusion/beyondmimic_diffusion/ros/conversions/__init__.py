"""Messages to the core's types and back; quaternions become wxyz here and nowhere else.

The messages of the control loop are written and read as arrays over their serialised bytes, in ``ros/cdr``.
"""

from ..cdr.writers import ImuWriter, JointCommandWriter, JointStateWriter
from .executor import (
    TickStatistics,
    executor_state_to_msg,
)
from .external import external_pose_from_msg, place_from_msg
from .geometry import (
    assign_pose,
    assign_vector,
    floats,
    quat_from_msg,
    quat_to_msg,
    vector_from_msg,
    yaw_from_pose,
)
from .guidance import (
    FrameNames,
    goals_from_msg,
    goals_to_msg,
    scene_term,
    velocity_goal_to_msg,
)
from .joints import (
    JointMap,
    MessageError,
    imu_sample_from_msg,
    joint_command_from_msg,
    joint_sample_from_msg,
)
from .keyframe import (
    key_point,
    keyframe_from_msg,
    keyframes_to_msg,
)
from .placing import (
    placed_goal,
    placed_pose,
)
from .plan import (
    cost_stats_to_msg,
    path_to_msg,
    plan_from_msg,
    plan_to_msg,
    planner_status_to_msg,
    stats_to_msg,
)
from .scene import (
    map_to_grid,
    obstacle_from_msg,
    obstacle_to_msg,
    occupancy_map_from_msg,
    scene_from_msg,
)
from .state import (
    base_transforms,
    odometry_to_msg,
    robot_state_from_msg,
    robot_state_to_msg,
    root_from_odometry,
    transform_to_msg,
)
from .time import (
    duration_from_msg,
    duration_to_msg,
    set_stamp,
    time_from_msg,
    time_to_msg,
)

__all__ = [
    "FrameNames",
    "ImuWriter",
    "JointCommandWriter",
    "JointMap",
    "JointStateWriter",
    "MessageError",
    "TickStatistics",
    "assign_pose",
    "assign_vector",
    "base_transforms",
    "cost_stats_to_msg",
    "duration_from_msg",
    "duration_to_msg",
    "executor_state_to_msg",
    "external_pose_from_msg",
    "floats",
    "goals_from_msg",
    "goals_to_msg",
    "imu_sample_from_msg",
    "joint_command_from_msg",
    "joint_sample_from_msg",
    "key_point",
    "keyframe_from_msg",
    "keyframes_to_msg",
    "map_to_grid",
    "obstacle_from_msg",
    "obstacle_to_msg",
    "occupancy_map_from_msg",
    "odometry_to_msg",
    "path_to_msg",
    "place_from_msg",
    "placed_goal",
    "placed_pose",
    "plan_from_msg",
    "plan_to_msg",
    "planner_status_to_msg",
    "quat_from_msg",
    "quat_to_msg",
    "robot_state_from_msg",
    "robot_state_to_msg",
    "root_from_odometry",
    "scene_from_msg",
    "scene_term",
    "set_stamp",
    "stats_to_msg",
    "time_from_msg",
    "time_to_msg",
    "transform_to_msg",
    "vector_from_msg",
    "velocity_goal_to_msg",
    "yaw_from_pose",
]
