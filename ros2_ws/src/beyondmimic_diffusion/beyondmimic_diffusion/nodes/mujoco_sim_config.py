"""Parameters of the simulated robot's node."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.parameters import param, validate
from ..core.robot.model import FLOOR_FRICTION
from .sensor_faults import SENSOR_FAULTS
from .simulated_robot import ROBOT_INTERFACES

PACINGS = ("fixed", "auto", "lockstep")
"""What simulated time follows: the steady clock, the steady clock and the plans, or the nodes alone."""
_LONGEST_SLICE = 3
"""Physics steps in which no new command is taken: 6 ms, about a tick of the executor."""


@dataclass(frozen=True)
class SimConfig:
    """What an operator may choose about the simulation."""

    robot_interface: str = param(
        "topics",
        choices=ROBOT_INTERFACES,
        doc="Sensors and commands on ROS topics, or as Unitree's LowState and LowCmd over DDS on lo.",
    )
    unitree_domain: int = param(1, lo=1, hi=232, doc="Domain of that DDS; 0 is that of real robots.")
    clock_frequency: float = param(
        50.0, unit="Hz", lo=10.0, hi=500.0, doc="Rate of /clock; between two messages nodes extrapolate."
    )
    sensor_frequency: float = param(250.0, unit="Hz", lo=50.0, hi=500.0, doc="Rate of the sensors' messages.")
    ground_truth_frequency: float = param(50.0, unit="Hz", lo=1.0, hi=500.0, doc="Rate of ground_truth/odom.")
    real_time_factor: float = param(
        1.0,
        lo=0.05,
        hi=20.0,
        doc="Simulated seconds per second, with pacing auto at most; what is reached is on sim/real_time_factor.",
        live=True,
    )
    pacing: str = param(
        "auto",
        choices=PACINGS,
        doc="fixed: at that factor; auto: slower while plans come late; lockstep: wait for each node in each step.",
    )
    lockstep_members: str = param(
        "state_estimator diffusion_planner guidance_task_server action_executor",
        doc="Nodes that lockstep waits for, with blanks between them.",
    )
    plan_latency: float = param(
        0.02,
        unit="s",
        lo=0.0,
        hi=1.0,
        doc="Age of a plan's observation when it arrives: exactly so in lockstep, at most so with pacing auto.",
    )
    hold: bool = param(
        True,
        doc="Hang the pelvis in a gantry until the executor plays plans.",
    )
    release_time: float = param(0.3, unit="s", lo=0.01, hi=5.0, doc="Time in which the gantry lets go.")
    friction: float = param(FLOOR_FRICTION, lo=0.05, hi=3.0, doc="Sliding friction between feet and floor.", live=True)
    payload: float = param(0.0, unit="kg", lo=-5.0, hi=20.0, doc="Mass added at the torso.", live=True)
    mass_scale: float = param(1.0, lo=0.5, hi=2.0, doc="Factor of all masses.", live=True)
    scene: str = param("", doc="YAML file with obstacles and the robot's place; empty: a bare floor.")
    sensor_fault: str = param(
        "none",
        choices=SENSOR_FAULTS,
        doc="What is wrong with joint_states and imu/data: silence, NaN, or stamps off by 1 s; for fault tests.",
        live=True,
    )
    clock_offset: float = param(
        0.0,
        unit="s",
        lo=-1e6,
        hi=1e6,
        doc="Added to simulated time; a change is a jump of /clock, for fault tests.",
        live=True,
    )
    announce_scene: bool = param(True, doc="Tell of the obstacles on sdf_scene, as a perfect sensor.")
    viewer: bool = param(False, doc="Open MuJoCo's window (needs a display).")
    frame_id: str = param("odom", doc="Frame of the ground truth.")
    base_frame: str = param("pelvis", doc="Child frame of the ground truth.")
    imu_frame: str = param("imu_in_pelvis", doc="Frame of imu/data.")

    def __post_init__(self) -> None:
        validate(self)


def steps_between(name: str, frequency: float, dt: float) -> int:
    """Physics steps between two messages.

    Raises:
        ConfigError: The rate does not divide the physics rate.
    """
    steps = 1.0 / (frequency * dt)
    if abs(steps - round(steps)) > 1e-9:
        raise ConfigError(
            f"mujoco_sim: {name} = {frequency} Hz; allowed are divisors of {1.0 / dt:g} Hz, e.g. 100, 125, 250"
        )
    return round(steps)


def slice_steps(left: int) -> int:
    """Physics steps to make at once; between two slices a new command is looked for.

    Args:
        left: Steps until the next message is due.
    """
    return left if left <= _LONGEST_SLICE else (left + 1) // 2 if left <= 2 * _LONGEST_SLICE else _LONGEST_SLICE
