"""The joystick: ROS 2's own joy node with our settings. Which stick does what: ``config/joy``."""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.graph import find_joy_config
from beyondmimic_diffusion.ros.lifeline import prefix_for_others
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription


def start_joy(context: LaunchContext) -> list[Node]:
    """Refuse where the driver is not installed."""
    try:
        get_package_prefix("joy")
    except PackageNotFoundError as error:
        raise ConfigError("teleop: the package 'joy' is not installed; sudo apt install ros-jazzy-joy") from error
    device = LaunchConfiguration("joy_dev").perform(context)
    if not device.isdigit():
        raise ConfigError(f"teleop: joy_dev:={device}; give the number of the joystick, 0 is the first")
    return [
        Node(
            package="joy",
            executable="joy_node",
            name="joy_node",
            namespace=LaunchConfiguration("namespace").perform(context),
            parameters=[
                find_joy_config(LaunchConfiguration("joy_config").perform(context)),
                {"device_id": int(device)},
            ],
            output="screen",
            prefix=prefix_for_others(),
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Arguments: ``joy_dev``, ``joy_config``, ``namespace``."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("joy_dev", default_value="0", description="Number of the joystick."),
            DeclareLaunchArgument("joy_config", default_value="xbox", description="A name in config/joy, or a file."),
            DeclareLaunchArgument("namespace", default_value="", description="As given to bringup."),
            OpaqueFunction(function=start_joy),
        ]
    )
