"""What looks on: rviz, Foxglove's bridge, a recorder. None of them is in the control path."""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.graph import config_folder
from beyondmimic_diffusion.ros.lifeline import prefix_for_others
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

RECORDED = (
    *("/clock", "/tf", "/tf_static", "/diagnostics", "joint_states", "imu/data", "odom", "ground_truth/odom"),
    *("robot_state", "plan", "planned_path", "planner/status", "guidance/active", "guidance/stats", "cmd_vel", "joy"),
    *("applied_joint_commands", "executor/state", "e_stop", "sim/real_time_factor"),
    *("goal_pose", "sdf_scene", "guidance/scene", "guidance/markers"),
    *("ground_truth/contacts", "ground_truth/clearance"),
)
"""Named one by one: recording everything also records what nobody can replay, and has stalled rosbag2."""
NEEDED = {"rviz": "rviz2", "foxglove": "foxglove_bridge", "record": "rosbag2_storage_mcap"}


def start_monitors(context: LaunchContext) -> list[Node | ExecuteProcess]:
    """Start what was asked for; refuse what is not installed."""
    wanted = [name for name in NEEDED if LaunchConfiguration(name).perform(context).lower() == "true"]
    for name in wanted:
        _require(name, NEEDED[name])
    namespace = LaunchConfiguration("namespace").perform(context)
    output = LaunchConfiguration("output").perform(context)
    topics = [topic if topic.startswith("/") else f"{_prefix(namespace)}/{topic}" for topic in RECORDED]
    record = ["ros2", "bag", "record", "-s", "mcap", "--disable-keyboard-controls", "-o", output, "--topics", *topics]
    layout = str(config_folder() / "beyondmimic.rviz")
    sim_time = {"use_sim_time": LaunchConfiguration("use_sim_time").perform(context).lower() == "true"}
    prefix = prefix_for_others()
    allowed = {"topic_whitelist": topics, **sim_time}
    makers = {
        "rviz": lambda: Node(
            package="rviz2", executable="rviz2", arguments=["-d", layout], parameters=[sim_time], prefix=prefix
        ),
        "foxglove": lambda: Node(
            package="foxglove_bridge",
            executable="foxglove_bridge",
            parameters=[allowed],
            prefix=prefix,
        ),
        "record": lambda: ExecuteProcess(cmd=record, output="screen", prefix=prefix),
    }
    return [makers[name]() for name in wanted]


def generate_launch_description() -> LaunchDescription:
    """Arguments: ``rviz``, ``foxglove``, ``record``, ``output``, ``namespace``, ``use_sim_time``."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("rviz", default_value="true", description="Show rviz."),
            DeclareLaunchArgument("foxglove", default_value="false", description="Serve Foxglove."),
            DeclareLaunchArgument("record", default_value="false", description="Record a bag."),
            DeclareLaunchArgument("output", default_value="out/bag", description="Folder of the bag; must not exist."),
            DeclareLaunchArgument("namespace", default_value="", description="As given to bringup."),
            DeclareLaunchArgument("use_sim_time", default_value="true", description="As bringup's nodes have it."),
            OpaqueFunction(function=start_monitors),
        ]
    )


def _require(name: str, package: str) -> None:
    try:
        get_package_prefix(package)
    except PackageNotFoundError as error:
        debian = f"ros-jazzy-{package.replace('_', '-')}"
        raise ConfigError(f"monitor: {name}:=true needs the package '{package}'; sudo apt install {debian}") from error


def _prefix(namespace: str) -> str:
    stripped = namespace.strip("/")
    return f"/{stripped}" if stripped else ""
