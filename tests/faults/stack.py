"""Starts a stack for fault tests and ends it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import rclpy
from beyondmimic_diffusion.bringup import Bringup, ros_environment
from beyondmimic_diffusion.graph import BringupArguments
from beyondmimic_diffusion.ros.transport import use_sockets
from rclpy.signals import SignalHandlerOptions

from .rig import CLOCK_OFFSET, PATIENCE, Rig
from .terminal import Terminal

_INSIDE = Path(__file__).parent / "inside"
"""Holds what each process of the stack loads at its start."""
_BLEND_TIME = 0.5
"""Time to the stand pose after arming; the robot hangs in a gantry and is at that pose [s]."""


@contextmanager
def running_rig(
    folder: Path, real_time_factor: float, policy: str, executor: Mapping[str, object] | None = None
) -> Iterator[Rig]:
    """Start the stack, hand it over once it speaks, and end it however the block is left.

    Args:
        folder: For parameters and logs.
        real_time_factor: Simulated seconds per second.
        policy: Of planner and executor.
        executor: More parameters of the executor.
    """
    own = {"blend_time": _BLEND_TIME, **(executor or {})}
    settings = "".join(f"    {name}: {json.dumps(value)}\n" for name, value in own.items())
    parameters = folder / "faults.param.yaml"
    parameters.write_text(
        f"/**/mujoco_sim:\n  ros__parameters:\n    real_time_factor: {real_time_factor}\n"
        f"    clock_offset: {CLOCK_OFFSET}\n"
        f"/**/action_executor:\n  ros__parameters:\n{settings}"
    )
    terminal = Terminal()
    lines = terminal.lines
    environment = ros_environment()
    os.environ.update({name: environment[name] for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")})
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_INSIDE), environment.get("PYTHONPATH", ""))))
    use_sockets()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        arguments = BringupArguments(policy=policy, params_file=str(parameters))
        with Bringup(arguments, environment, terminal.take) as bringup:
            rig = Rig(bringup, lines, folder, policy, real_time_factor)
            rig.terminal = terminal
            try:
                rig.until(lambda: rig.ears.mode and rig.ears.sim > 0.0 and rig.ears.poses, PATIENCE, "the stack")
                yield rig
            finally:
                terminal.go_on()
                rig.close()
    finally:
        rclpy.try_shutdown()
        with (folder / "nodes.log").open("a") as log:
            log.write("\n".join(lines) + "\n")
