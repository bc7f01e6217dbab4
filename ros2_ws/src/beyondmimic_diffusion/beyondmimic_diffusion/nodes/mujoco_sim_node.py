"""The simulated G1: a robot on topics, named as Isaac Sim's bridge names them, or one behind Unitree's DDS; its ground
truth apart, ``/clock``, and obstacles that can be touched.

The physics has a thread of its own, paced by the steady clock; ROS callbacks only leave requests and the newest
command. As real motors do, the simulated ones keep following the last command until a new one comes.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from beyondmimic_msgs.msg import ExecutorState
from geometry_msgs.msg import Vector3Stamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float32
from std_srvs.srv import SetBool, Trigger

from ..core.errors import ConfigError
from ..core.parameters import param, validate
from ..core.robot.model import FLOOR_FRICTION
from ..core.rotations import quat_from_yaw
from ..core.tasks import Scene, load_scene
from ..ros import qos
from ..ros.conversions import odometry_to_msg, time_to_msg
from ..ros.diagnostics import Diagnosis, Diagnostics, Heartbeat, Level
from ..ros.lifecycle import run
from ..ros.parameters import NodeParameters
from ..sim.gantry import Gantry
from ..sim.mujoco_g1 import MujocoG1, Physics
from ..sim.pacer import Pacer
from ..sim.window import open_window
from .obstacle_topics import ObstacleTopics
from .sensor_faults import SENSOR_FAULTS, faulty
from .simulated_robot import ROBOT_INTERFACES, connect

_LOW_FACTOR = 0.95
"""Below this real-time factor no latency figure means anything."""
_ANSWER_TIME = 2.0
"""How long a service waits for the physics [s]."""


@dataclass(frozen=True)
class SimConfig:
    """What an operator may choose about the simulation."""

    robot_interface: str = param(
        "topics",
        choices=ROBOT_INTERFACES,
        doc="Sensors and commands on ROS topics, or as Unitree's LowState and LowCmd over DDS on lo.",
        read_only=True,
    )
    unitree_domain: int = param(1, lo=1, hi=232, doc="Domain of that DDS; 0 is that of real robots.", read_only=True)
    clock_frequency: float = param(125.0, unit="Hz", lo=10.0, hi=500.0, doc="Rate of /clock.", read_only=True)
    sensor_frequency: float = param(
        250.0, unit="Hz", lo=50.0, hi=500.0, doc="Rate of the sensors' messages.", read_only=True
    )
    ground_truth_frequency: float = param(
        50.0, unit="Hz", lo=1.0, hi=500.0, doc="Rate of ground_truth/odom.", read_only=True
    )
    real_time_factor: float = param(
        1.0, lo=0.05, hi=20.0, doc="Simulated seconds per second; what is reached is on sim/real_time_factor."
    )
    hold: bool = param(
        True,
        doc="Hang the pelvis in a gantry until the executor plays plans.",
        read_only=True,
    )
    release_time: float = param(0.3, unit="s", lo=0.01, hi=5.0, doc="Time in which the gantry lets go.", read_only=True)
    friction: float = param(
        FLOOR_FRICTION, lo=0.05, hi=3.0, doc="Sliding friction between feet and floor.", read_only=True
    )
    payload: float = param(0.0, unit="kg", lo=-5.0, hi=20.0, doc="Mass added at the torso.", read_only=True)
    mass_scale: float = param(1.0, lo=0.5, hi=2.0, doc="Factor of all masses.", read_only=True)
    scene: str = param("", doc="YAML file with obstacles and the robot's place; empty: a bare floor.", read_only=True)
    sensor_fault: str = param(
        "none",
        choices=SENSOR_FAULTS,
        doc="What is wrong with joint_states and imu/data: silence, NaN, or stamps off by 1 s; for fault tests.",
    )
    clock_offset: float = param(
        0.0, unit="s", lo=-1e6, hi=1e6, doc="Added to simulated time; a change is a jump of /clock, for fault tests."
    )
    announce_scene: bool = param(True, doc="Tell of the obstacles on sdf_scene, as a perfect sensor.", read_only=True)
    viewer: bool = param(False, doc="Open MuJoCo's window (needs a display).", read_only=True)
    frame_id: str = param("odom", doc="Frame of the ground truth.", read_only=True)
    base_frame: str = param("pelvis", doc="Child frame of the ground truth.", read_only=True)
    imu_frame: str = param("imu_in_pelvis", doc="Frame of imu/data.", read_only=True)

    def __post_init__(self) -> None:
        validate(self)


class MujocoSimNode(Node):
    """Physics, pacing and the robot's topics."""

    def __init__(self, **node_arguments):
        super().__init__("mujoco_sim", **node_arguments)
        self.parameters = NodeParameters(self, SimConfig)
        config = self.parameters.config
        self._scene = load_scene(config.scene) if config.scene else Scene("bare floor")
        self.sim = MujocoG1(obstacles=[obstacle.sdf() for obstacle in self._scene.obstacles])
        self.sim.set_physics(Physics(config.friction, config.mass_scale, config.payload))
        self._stand_up(stamp=max(0.0, config.clock_offset))
        self.gantry = Gantry(self.sim, config.release_time)
        if not config.hold:
            self.gantry.release()
        self._every = {
            name: _steps_between(name, getattr(config, name), self.sim.dt)
            for name in ("clock_frequency", "sensor_frequency", "ground_truth_frequency")
        }
        self._chunk = math.gcd(*self._every.values())
        self._steps = 0
        self._pacer = Pacer(config.real_time_factor)
        self._offset = config.clock_offset
        self.parameters.on_change(self._on_parameters)
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._robot = connect(self, config.robot_interface, config.imu_frame, config.unitree_domain)
        # Unitree's simulator publishes no /clock; neither does this one behind its DDS, unless it is asked to.
        self._keeps_time = config.robot_interface == "topics" or bool(self.get_parameter("use_sim_time").value)
        self._paused = False
        self._stop = threading.Event()
        self._window = open_window(self.sim) if config.viewer else None
        self._make_topics(config)
        self.heartbeat = Heartbeat(self)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add("rate", self.heartbeat.diagnose)
        self.diagnostics.add("real-time factor", self._diagnose)
        self._thread = threading.Thread(target=self._run, name="physics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the physics and wait for its thread."""
        self._stop.set()
        self._thread.join()
        self._robot.close()
        if self._window is not None:
            self._window.close()

    def _make_topics(self, config: SimConfig) -> None:
        self._clock_msg = Clock()
        self._clock_pub = self.create_publisher(Clock, "/clock", qos.NEWEST) if self._keeps_time else None
        self._truth_pub = self.create_publisher(Odometry, "ground_truth/odom", qos.STREAM)
        self._obstacles: ObstacleTopics | None = None
        if self._scene.obstacles:
            self._obstacles = ObstacleTopics(self, self._scene, self.sim, config.frame_id, config.announce_scene)
        self._factor_pub = self.create_publisher(Float32, "sim/real_time_factor", qos.STREAM)
        self.create_subscription(ExecutorState, "executor/state", self._on_executor, qos.LATCHED)
        self.create_subscription(Vector3Stamped, "sim/push", self._on_push, qos.STREAM)
        self.create_service(Trigger, "sim/reset", self._on_reset)
        self.create_service(SetBool, "sim/pause", self._on_pause)

    # ------------------------------------------------------------ ROS callbacks

    def _on_parameters(self, config: SimConfig) -> None:
        self._pacer.set_factor(config.real_time_factor)
        if config.clock_offset != self._offset:
            step, self._offset = config.clock_offset - self._offset, config.clock_offset
            self._requests.put(lambda: self._jump(step))

    def _on_executor(self, msg: ExecutorState) -> None:
        if msg.state == ExecutorState.TRACKING and self.gantry.strength == 1.0:
            self._requests.put(self.gantry.release)

    def _on_push(self, msg: Vector3Stamped) -> None:
        kick = np.array([msg.vector.x, msg.vector.y])
        if not np.all(np.isfinite(kick)):
            self.get_logger().warning(f"push refused: {kick} is not finite")
            return
        self._requests.put(lambda: self.sim.push(kick))

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        done = threading.Event()
        self._requests.put(self._put_back)
        self._requests.put(done.set)
        response.success = done.wait(_ANSWER_TIME)
        response.message = "robot hangs in the gantry again" if response.success else "the physics does not answer"
        return response

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._paused = request.data
        response.success, response.message = True, "paused" if request.data else "running"
        return response

    # ------------------------------------------------------------ physics thread

    def _run(self) -> None:
        published = time.monotonic()
        while not self._stop.is_set():
            while not self._requests.empty():
                self._requests.get()()
            if self._paused:
                self._pacer.pause()
                time.sleep(0.01)
                continue
            self._advance()
            if self._obstacles is not None:
                self._obstacles.look()
            self._publish()
            self.heartbeat.beat()
            if self._window is not None:
                self._window.draw()
            if time.monotonic() - published >= 1.0:
                published = time.monotonic()
                self._factor_pub.publish(Float32(data=self._pacer.measured))
            self._pacer.wait(self._chunk * self.sim.dt)

    def _advance(self) -> None:
        command = self._robot.command()
        if command is not None:
            self.sim.apply(command)
        if self.gantry.strength > 0.0:
            for _ in range(self._chunk):
                self.gantry.apply(self.sim.dt)
                self.sim.advance(1)
        else:
            self.sim.advance(self._chunk)
        self._steps += self._chunk

    def _publish(self) -> None:
        if self._clock_pub is not None and self._steps % self._every["clock_frequency"] == 0:
            self._clock_msg.clock = time_to_msg(self.sim.stamp)
            self._clock_pub.publish(self._clock_msg)
        if self._steps % self._every["ground_truth_frequency"] == 0:
            config = self.parameters.config
            # The truth is for whoever judges, on the clock that all nodes have.
            stamp = self.sim.stamp if self._keeps_time else self.get_clock().now().nanoseconds * 1e-9
            state = replace(self.sim.state(), stamp=stamp)
            self._truth_pub.publish(odometry_to_msg(state, config.frame_id, config.base_frame))
            if self._obstacles is not None:
                self._obstacles.publish(stamp)
        if self._steps % self._every["sensor_frequency"] == 0:
            self._publish_sensors()

    def _publish_sensors(self) -> None:
        samples = faulty(self.parameters.config.sensor_fault, self.sim.imu(), self.sim.joints())
        if samples is not None:
            self._robot.publish(*samples)

    def _jump(self, step: float) -> None:
        """Set the clock by ``step`` [s]; physics and sensors go on."""
        self.sim.data.time = max(0.0, self.sim.data.time + step)

    def _put_back(self) -> None:
        """Stand the robot up in the gantry again; time goes on."""
        self._robot.forget()
        self._stand_up(self.sim.stamp)
        self.gantry.catch()

    def _stand_up(self, stamp: float) -> None:
        """Put the robot on its feet where the scene says."""
        self.sim.reset(stamp=stamp)
        x, y, heading = self._scene.start
        height = self.sim.state().root_pos_w[2]
        self.sim.reset(root_pos_w=np.array([x, y, height]), root_quat_w=quat_from_yaw(heading), stamp=stamp)

    def _diagnose(self) -> Diagnosis:
        factor = self._pacer.measured
        values = {"real_time_factor": factor, "simulated_time": self.sim.stamp, "gantry": self.gantry.strength}
        if self._paused:
            return Diagnosis(Level.OK, "paused", values)
        if factor < _LOW_FACTOR * min(1.0, self.parameters.config.real_time_factor):
            return Diagnosis(Level.WARN, "slower than asked: latency figures mean nothing", values)
        return Diagnosis(Level.OK, "in time", values)


def _steps_between(name: str, frequency: float, dt: float) -> int:
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


def main() -> None:
    """Entry point."""
    run(MujocoSimNode, close=lambda node: node.close())


if __name__ == "__main__":
    main()
