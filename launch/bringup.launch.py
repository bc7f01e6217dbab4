"""The one entry: ``ros2 launch beyondmimic_diffusion bringup.launch.py sim:=mujoco``.

Arguments, nodes and parameters come from ``beyondmimic_diffusion.graph``, as for the plain ``bringup``.

``ros2 launch`` itself leaves its processes behind on SIGTERM, and sends them no signal when it gets a SIGINT that no
terminal sent. Ours end in each case: they watch the launch (``ros/lifeline.py``), and are told here of the SIGINT.
"""

import os
import signal
from functools import partial
from pathlib import Path

from beyondmimic_diffusion.bringup import DEFAULT_DOMAIN, GOES_ON, RESPAWN_DELAY
from beyondmimic_diffusion.core.parameters import describe
from beyondmimic_diffusion.graph import PACKAGE, BringupArguments, NodeSpec, arguments_from_launch, make_graph
from beyondmimic_diffusion.preflight import check_machine, operator_notes
from beyondmimic_diffusion.robot_io.command_lease import lease_path, robot_is_armed
from beyondmimic_diffusion.ros.lifeline import started_by_us
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnShutdown
from launch.events import Shutdown as LaunchShutdown
from launch.events import matches_action
from launch.events.process import ProcessExited, SignalProcess
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from launch import Action, LaunchContext, LaunchDescription

# Fast DDS reaches a robot on the network in domain 0; ours is another, and stays on this machine unless told otherwise.
ENVIRONMENT = {
    "ROS_DOMAIN_ID": str(DEFAULT_DOMAIN),
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def say_notes(context: LaunchContext) -> list[LogInfo]:
    """What somebody beside a real robot must have read."""
    return [LogInfo(msg=note) for note in operator_notes(_arguments(context))]


def set_environment(context: LaunchContext) -> list[SetEnvironmentVariable]:
    """What the arguments say of it, after the defaults; and who has started the nodes."""
    variables = {**_arguments(context).environment, **started_by_us()}
    return [SetEnvironmentVariable(name, value) for name, value in variables.items()]


def check(context: LaunchContext) -> None:
    """The arguments together, then this machine; what cannot work fails here, with the fix in the text."""
    arguments = _arguments(context)
    make_graph(arguments)
    check_machine(arguments, {**ENVIRONMENT, **os.environ, **arguments.environment})


def start_nodes(context: LaunchContext) -> list[Action]:
    """The nodes of the table, and how they are ended."""
    arguments = _arguments(context)
    nodes = [
        Node(
            package=PACKAGE,
            executable=spec.name,
            name=spec.name,
            namespace=arguments.namespace,
            parameters=[*spec.parameter_files, spec.parameters],
            remappings=list(spec.remaps),
            ros_arguments=["--log-level", arguments.log_level, *spec.security_arguments],
            output="screen",
            respawn=spec.respawn,
            respawn_delay=RESPAWN_DELAY,
            on_exit=None if spec.respawn else partial(_on_exit, spec, arguments.namespace),
        )
        for spec in make_graph(arguments)
    ]
    return [*nodes, RegisterEventHandler(OnShutdown(on_shutdown=partial(_interrupt, nodes)))]


def _interrupt(nodes: list[Node], event: LaunchShutdown, context: LaunchContext) -> list[Action]:
    """Pass a SIGINT on to our nodes, for which a second one changes nothing; other reasons launch passes on itself."""
    if not event.due_to_sigint:
        return []
    signals = [SignalProcess(signal_number=signal.SIGINT, process_matcher=matches_action(node)) for node in nodes]
    return [EmitEvent(event=event) for event in signals]


def _on_exit(spec: NodeSpec, namespace: str, event: ProcessExited, context: LaunchContext) -> list[Action]:
    """What the plain start-up does, too: the end of one node ends all, but not where an armed robot would fall."""
    ended = f"{spec.name} has ended with exit code {event.returncode}"
    if context.is_shutdown:
        return []
    if spec.managed and robot_is_armed(_lease(namespace, context)):
        return [LogInfo(msg=f"{ended}; {GOES_ON}"), _look_again(ended, namespace)]
    return [Shutdown(reason=ended)]


def _look_again(ended: str, namespace: str) -> TimerAction:
    return TimerAction(period=0.5, actions=[OpaqueFunction(function=partial(_end_disarmed, ended, namespace))])


def _end_disarmed(ended: str, namespace: str, context: LaunchContext) -> list[Action]:
    armed = robot_is_armed(_lease(namespace, context))
    return [_look_again(ended, namespace) if armed else Shutdown(reason=f"{ended}, and the robot is disarmed")]


def _lease(namespace: str, context: LaunchContext) -> Path:
    return lease_path(namespace, context.environment.get("ROS_DOMAIN_ID", "0"))


def include_tools(context: LaunchContext) -> list[IncludeLaunchDescription]:
    """The joystick's driver and those who look on, from the launch files beside this one."""
    arguments = _arguments(context)
    included = []
    if arguments.joy:
        words = {
            **{"joy_dev": str(arguments.joy_dev), "joy_config": arguments.joy_config},
            "namespace": arguments.namespace,
        }
        included.append(_include("teleop.launch.py", words))
    if arguments.rviz or arguments.foxglove or arguments.records:
        words = {
            **{"rviz": _text(arguments.rviz), "foxglove": _text(arguments.foxglove)},
            **{"record": _text(arguments.records), "use_sim_time": _text(arguments.sim_time)},
            "namespace": arguments.namespace,
        }
        included.append(_include("monitor.launch.py", words))
    return included


def generate_launch_description() -> LaunchDescription:
    """Declare what ``graph.BringupArguments`` lists."""
    declared = [
        DeclareLaunchArgument(spec.name, default_value=_text(spec.default), description=spec.doc)
        for spec in describe(BringupArguments)
    ]
    environment = [SetEnvironmentVariable(name, os.environ.get(name, value)) for name, value in ENVIRONMENT.items()]
    steps = [
        OpaqueFunction(function=function)
        for function in (check, set_environment, say_notes, start_nodes, include_tools)
    ]
    return LaunchDescription([*declared, *environment, *steps])


def _arguments(context: LaunchContext) -> BringupArguments:
    return arguments_from_launch(context.launch_configurations)


def _include(name: str, words: dict[str, str]) -> IncludeLaunchDescription:
    path = str(Path(__file__).resolve().parent / name)
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(path), launch_arguments=words.items())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
