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
from dataclasses import replace
from functools import partial

import numpy as np
from beyondmimic_msgs.msg import ActionPlan, ExecutorState
from geometry_msgs.msg import Vector3Stamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float32
from std_srvs.srv import SetBool, Trigger

from ..core.rotations import quat_from_yaw
from ..core.tasks import Scene, load_scene
from ..ros import qos
from ..ros.cdr import ClockWriter, OdometryWriter
from ..ros.diagnostics import Diagnosis, Diagnostics, Heartbeat, Level
from ..ros.lifecycle import run
from ..ros.lockstep_hub import LockstepHub
from ..ros.parameters import NodeParameters
from ..ros.polled import leave_clock_topic, set_sim_time
from ..ros.raw_stamp import stamp_ns
from ..sim.auto_pace import AutoPace
from ..sim.entities import Entities
from ..sim.gantry import Gantry
from ..sim.mujoco_g1 import MujocoG1, Physics
from ..sim.pacer import Pacer
from ..sim.simulation_control import Phase, SimulationControl
from ..sim.window import open_window
from .mujoco_sim_config import SimConfig, slice_steps, steps_between
from .obstacle_topics import ObstacleTopics
from .sensor_faults import faulty
from .simulated_robot import connect
from .simulation_services import offer_services

_PACE_PERIOD = 0.1
"""How often the factor is looked at with ``pacing: auto`` [s]."""
_LOW_FACTOR = 0.95
"""Below this real-time factor no latency figure means anything."""
_ANSWER_TIME = 2.0
"""How long a service waits for the physics [s]."""
_IDLE = 0.01
"""How long the physics waits for a request while no time passes [s]."""
_PLAYED = (
    ExecutorState.CHECKING,
    ExecutorState.HOLD,
    ExecutorState.BLEND,
    ExecutorState.TRACKING,
    ExecutorState.COASTING,
    ExecutorState.RETURN_TO_STAND,
)
"""States in which the executor relies on the robot being where it was."""


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
            name: steps_between(name, getattr(config, name), self.sim.dt)
            for name in ("clock_frequency", "sensor_frequency", "ground_truth_frequency")
        }
        self._chunk = math.gcd(*self._every.values())
        self._steps = 0
        self._pacer = Pacer(config.real_time_factor)
        self._applied = config
        self._auto: AutoPace | None = None
        self._requests: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.parameters.on_change(lambda changed: self._requests.put(partial(self._change, changed)))
        self._stop = threading.Event()
        self._hub: LockstepHub | None = None
        if config.pacing == "lockstep":
            self._hub = LockstepHub(self, config.lockstep_members.split(), config.plan_latency, self._stop)
        self._robot = connect(self, config.robot_interface, config.imu_frame, config.unitree_domain)
        # Unitree's simulator publishes no /clock; neither does this one behind its DDS, unless it is asked to.
        self._keeps_time = config.robot_interface == "topics" or bool(self.get_parameter("use_sim_time").value)
        if config.pacing == "auto" and self._keeps_time:  # who follows the wall's clock cannot be slowed
            self._auto = AutoPace(config.real_time_factor, config.plan_latency)
            self.create_subscription(ActionPlan, "plan", self._on_plan, qos.PLAN_INPUT, raw=True)
        self._executor_state: ExecutorState | None = None
        self.control = SimulationControl(self._restart)
        self._window = open_window(self.sim) if config.viewer else None
        self._make_topics(config)
        if self._hub is not None:
            self._hub.release()
        self._factor_pub = self.create_publisher(Float32, "sim/real_time_factor", qos.STREAM)
        leave_clock_topic(self)
        self.heartbeat = Heartbeat(self, self._set_own_clock)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add("rate", self.heartbeat.diagnose)
        self.diagnostics.add("real-time factor", self._diagnose)
        self._standard = offer_services(
            self,
            self.control,
            lambda: Entities(self.sim, self._scene, self.gantry),
            self._requests.put,
            self._why_not_move,
            config.frame_id,
        )
        self._thread = threading.Thread(target=self._run, name="physics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the physics and wait for its thread."""
        self._stop.set()
        self._thread.join()
        self._serve()
        self.control.break_off("the simulator ends")
        if self._standard is not None:
            self._standard.close()
        self._robot.close()
        if self._window is not None:
            self._window.close()

    def _make_topics(self, config: SimConfig) -> None:
        self._clock_writer = ClockWriter()
        self._truth_writer = OdometryWriter(config.frame_id, config.base_frame)
        self._clock_pub = self.create_publisher(Clock, "/clock", qos.NEWEST) if self._keeps_time else None
        self._truth_pub = self.create_publisher(Odometry, "ground_truth/odom", qos.STREAM)
        self._obstacles: ObstacleTopics | None = None
        if self._scene.obstacles:
            self._obstacles = ObstacleTopics(self, self._scene, self.sim, config.frame_id, config.announce_scene)
        self.create_subscription(ExecutorState, "executor/state", self._on_executor, qos.LATCHED)
        self.create_subscription(Vector3Stamped, "sim/push", self._on_push, qos.STREAM)
        self.create_service(Trigger, "sim/reset", self._on_reset)
        self.create_service(SetBool, "sim/pause", self._on_pause)

    # ------------------------------------------------------------ ROS callbacks

    def _on_plan(self, data: bytes) -> None:
        if self._auto is not None:
            self._auto.plan_came(1e-9 * (self._now_ns - stamp_ns(data)))

    def _on_executor(self, msg: ExecutorState) -> None:
        self._executor_state = msg
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
        phase = Phase.PAUSED if request.data else Phase.PLAYING
        self._requests.put(partial(self.control.set_phase, phase))
        response.success, response.message = True, "paused" if request.data else "running"
        return response

    def _why_not_move(self) -> str:
        """Why nobody may put the robot elsewhere now; empty if anybody may."""
        if self._executor_state is None or self._executor_state.state not in _PLAYED:
            return ""
        if self.count_publishers("executor/state") == 0:
            return ""  # it is gone, and its last word was latched
        return "the executor is armed and would see the robot leap; disarm it first: executor/disarm"

    def _set_own_clock(self) -> None:
        """This node's clock is the time that it publishes; nothing has to be listened to for that."""
        set_sim_time(self.get_clock(), self.sim.stamp)

    # ------------------------------------------------------------ physics thread

    def _serve(self) -> None:
        while not self._requests.empty():
            self._requests.get()()

    def _wait_for_request(self) -> None:
        try:
            self._requests.get(timeout=_IDLE)()
        except queue.Empty:
            return

    def _run(self) -> None:
        published = paced = time.monotonic()
        if self._hub is not None:
            self._hub.gather(self._now_ns)
        while not self._stop.is_set():
            self._serve()
            steps = self.control.due(slice_steps(self._chunk - self._steps % self._chunk))
            if steps == 0:
                self._pacer.pause()
                self._wait_for_request()
                continue
            self._advance(steps)
            if self._obstacles is not None:
                self._obstacles.look()
            self._publish()
            if self._hub is not None:
                self._hub.exchange(self._now_ns)
            self.heartbeat.beat()
            if self._window is not None:
                self._window.draw()
            if time.monotonic() - published >= 1.0:
                published = time.monotonic()
                self._factor_pub.publish(Float32(data=self._pacer.measured))
            self.control.passed()
            if self._auto is not None and time.monotonic() - paced >= _PACE_PERIOD:
                self._pacer.aim(self._auto.update(time.monotonic() - paced, self._pacer.measured))
                paced = time.monotonic()
            if self._hub is None:
                self._pacer.wait(steps * self.sim.dt)
            else:
                self._pacer.passed(steps * self.sim.dt)

    @property
    def _now_ns(self) -> int:
        """Simulated time [ns]."""
        return round(1e9 * self.sim.stamp)

    def _advance(self, steps: int) -> None:
        command = self._robot.command()
        if command is not None:
            self.sim.apply(command)
        if self.gantry.strength > 0.0:
            for _ in range(steps):
                self.gantry.apply(self.sim.dt)
                self.sim.advance(1)
        else:
            self.sim.advance(steps)
        self._steps += steps

    def _publish(self) -> None:
        if self._clock_pub is not None and self._steps % self._every["clock_frequency"] == 0:
            self._clock_pub.publish(self._clock_writer.write(self.sim.stamp))
        if self._steps % self._every["ground_truth_frequency"] == 0:
            # The truth is for whoever judges, on the clock that all nodes have.
            stamp = self.sim.stamp if self._keeps_time else self.get_clock().now().nanoseconds * 1e-9
            state = replace(self.sim.state(), stamp=stamp)
            self._truth_pub.publish(self._truth_writer.write(state))
            if self._obstacles is not None:
                self._obstacles.publish(stamp)
        if self._steps % self._every["sensor_frequency"] == 0:
            self._publish_sensors()

    def _publish_sensors(self) -> None:
        samples = faulty(self.parameters.config.sensor_fault, self.sim.imu(), self.sim.joints())
        if samples is not None:
            self._robot.publish(*samples)

    def _change(self, config: SimConfig) -> None:
        """Apply live parameters between two steps; physics and sensors go on where the clock jumps."""
        before, self._applied = self._applied, config
        if config.real_time_factor != before.real_time_factor:
            self._pacer.set_factor(config.real_time_factor)
            if self._auto is not None:
                self._auto.most = config.real_time_factor
        if config.clock_offset != before.clock_offset:
            self.sim.data.time = max(0.0, self.sim.data.time + config.clock_offset - before.clock_offset)
        self.sim.set_physics(Physics(config.friction, config.mass_scale, config.payload))

    def _restart(self, time: bool, state: bool) -> None:
        """Back to the start, as if the node had just been started; for :class:`SimulationControl`."""
        config = self.parameters.config
        if time:
            self.sim.data.time, self._steps = max(0.0, config.clock_offset), 0
            if self._obstacles is not None:
                self._obstacles.restart()
        if state:
            self._put_back()
            if not config.hold:
                self.gantry.release()

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
        if self.control.phase is not Phase.PLAYING:
            return Diagnosis(Level.OK, self.control.phase.name.lower(), values)
        if self._hub is not None:
            waiting = ", ".join(self._hub.waiting_for)
            return Diagnosis(Level.OK, f"in lockstep, waits for {waiting or 'nobody'}", values)
        if self._auto is not None and self._auto.factor < _LOW_FACTOR * self._auto.most:
            values["plan_time_ms"] = 1e3 * self._auto.plan_time
            text = f"slowed to {factor:.2f} of real time: a plan takes {1e3 * self._auto.plan_time:.0f} ms here"
            return Diagnosis(Level.WARN, text, values)
        if factor < _LOW_FACTOR * min(1.0, self.parameters.config.real_time_factor):
            return Diagnosis(Level.WARN, "slower than asked: latency figures mean nothing", values)
        return Diagnosis(Level.OK, "in time", values)


def main() -> None:
    """Entry point."""
    run(MujocoSimNode, close=lambda node: node.close())


if __name__ == "__main__":
    main()
