"""Sensor samples to ``robot_state``, ``odom`` and the transforms from odom to the pelvis."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from beyondmimic_msgs.msg import RobotState as RobotStateMsg
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from tf2_msgs.msg import TFMessage

from ..core.errors import BeyondMimicError, GoalError
from ..core.estimation import EstimatorConfig, OdometrySource, PoseStatus, StateEstimator
from ..core.estimation.grid import StampGrid
from ..core.parameters import param, validate
from ..core.robot import g1
from ..core.types import ImuSample, JointSample, RobotState
from ..robot_io import open_robot
from ..ros import qos
from ..ros.cdr import BaseTransformsWriter, OdometryReader, OdometryWriter, RobotStateWriter
from ..ros.clock import LoopClock
from ..ros.conversions import external_pose_from_msg, place_from_msg
from ..ros.diagnostics import Diagnosis, Level
from ..ros.lifecycle import ManagedNode, prefer_realtime, run
from ..ros.polled import Companion
from .robot_parameters import RobotParameters
from .sensor_topics import SensorTopics
from .sensor_watch import SensorWatch

_MAX_TRUTH_GAP = 0.011
"""The simulator's truth may be this far from a joint sample and is then moved along with its own velocity [s]."""


@dataclass(frozen=True)
class StateEstimatorConfig(RobotParameters):
    """What an operator may choose about the estimate and its topics."""

    autostart: bool = param(True, doc="Configure and activate without being asked.")
    root_source: str = param(
        "proprioception",
        choices=("truth", "proprioception"),
        doc="Root pose and velocity from the simulator (ground_truth/odom), or from IMU and legs.",
    )
    state_frequency: float = param(
        50.0,
        unit="Hz",
        lo=10.0,
        hi=200.0,
        doc="Rate of robot_state; the policy's steps must be multiples.",
    )
    odom_frequency: float = param(50.0, unit="Hz", lo=1.0, hi=200.0, doc="Rate of odom and /tf.")
    sensor_frequency: float = param(
        100.0, unit="Hz", lo=1.0, hi=500.0, doc="Rate of joint_states and imu/data, if this node publishes them."
    )
    realtime_priority: int = param(
        8, lo=0, hi=90, doc="SCHED_FIFO priority of Unitree's samples where permitted; 0: none."
    )
    odom_frame: str = param("odom", doc="Frame of the odometry.")
    base_footprint_frame: str = param("base_footprint", doc="Frame below the pelvis, on the floor.")
    base_frame: str = param("pelvis", doc="Frame of the pelvis.")
    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)

    def __post_init__(self) -> None:
        validate(self)


class StateEstimatorNode(ManagedNode[StateEstimatorConfig]):
    """Hands samples to :class:`StateEstimator` and publishes what it believes."""

    def __init__(self, **node_arguments):
        super().__init__("state_estimator", StateEstimatorConfig, polls_time=True, **node_arguments)

    def configure(self) -> None:
        """Make topics."""
        config = self.parameters.config
        self._estimator = StateEstimator(config.estimator)
        self._lock = threading.Lock()  # Unitree's samples come from DDS's thread, poses from ROS's
        self._external = dict.fromkeys(PoseStatus, 0)
        self._state_grid = StampGrid(1.0 / config.state_frequency)
        self._odom_grid = StampGrid(1.0 / config.odom_frequency)
        self._use_truth = config.root_source == "truth"
        self._truth: bytes | None = None
        self._waiting: tuple[ImuSample, JointSample] | None = None
        self._unmatched = 0
        self._state_pub = self.create_publisher(RobotStateMsg, "robot_state", qos.NEWEST)
        self._odom_pub = self.create_publisher(Odometry, "odom", qos.STREAM)
        self._tf_pub = self.create_publisher(TFMessage, "/tf", qos.TRANSFORMS)
        self._state_writer = RobotStateWriter(g1.JOINT_NAMES, config.odom_frame)
        self._odom_writer = OdometryWriter(config.odom_frame, config.base_frame)
        self._tf_writer = BaseTransformsWriter(config.odom_frame, config.base_footprint_frame, config.base_frame)
        self._truth_reader = OdometryReader()
        self._sensors = SensorTopics(self, config.sensor_frequency) if config.robot_interface == "unitree" else None
        self._watch = SensorWatch(self)
        self._loop_clock = LoopClock(self, on_jump=self._on_jump)
        if self._use_truth:
            topic = "ground_truth/odom"
            self._truths = Companion(self, self.polled, Odometry, topic, qos.SAMPLES, self._on_truth)
        if self._sensors is not None:  # 500 samples a second, and a plan waits for each tenth: DDS's threads inherit it
            prefer_realtime(config.realtime_priority)
        self._robot = open_robot(
            self,
            g1.JOINT_NAMES,
            config.robot_interface,
            config.unitree,
            clock=self._loop_clock,
            on_pair=self._on_pair,
        )
        if not self._use_truth:
            self._pose_subs = (
                self.create_subscription(Odometry, "external_odom", self._on_external, qos.SENSOR_INPUT),
                self.create_subscription(PoseWithCovarianceStamped, "initialpose", self._on_place, qos.ORDER),
            )
        self.diagnostics.add("state", self._diagnose)
        self.diagnostics.add("sensors", lambda: self._watch.diagnose(self._robot))

    def activate(self) -> None:
        """Start with an empty estimate."""
        self._estimator.reset()
        self._state_grid.reset()
        self._odom_grid.reset()

    def deactivate(self) -> None:
        """Samples are ignored from now on."""

    def cleanup(self) -> None:
        """Remove the topics."""
        self._robot.close()  # first: its samples may come from another thread
        self._watch.close()
        if self._sensors is not None:
            self._sensors.close()
        for publisher in (self._state_pub, self._odom_pub, self._tf_pub):
            self.destroy_publisher(publisher)
        if self._use_truth:
            self._truths.close()
            self.polled.close()
            return
        for subscription in self._pose_subs:
            self.destroy_subscription(subscription)

    def _on_jump(self, step: float) -> None:
        """Time was set: no sample of before has a partner; the estimate itself starts anew after any gap."""
        self._waiting = None
        self._watch.reset()
        self._state_grid.reset()
        self._odom_grid.reset()

    def _on_pair(self, imu: ImuSample, joints: JointSample) -> None:
        if self.sim_time is not None:
            self.sim_time.refresh()  # before the sample counts: after a jump of time it is one of a new stream
        if self._sensors is not None:
            self._sensors.publish(imu, joints, self._robot)
        self._watch.take(imu, joints)
        if not self.active:
            return
        if not self._use_truth:
            with self._lock:
                state = self._estimator.update(imu, joints)
            if state is None:
                self._refuse_sample()
            elif self._state_grid.take(joints.stamp):
                self._publish(state, imu, joints)
        elif self._state_grid.take(joints.stamp):
            self._unmatched += self._waiting is not None
            self._waiting = (imu, joints)
            self._truths.fetch()
            self._match()
            self._truths.look(self._waiting is not None)

    def _refuse_sample(self) -> None:
        counts = ", ".join(f"{count} {fault.value}" for fault, count in self._estimator.faults.items() if count)
        self.get_logger().warning(f"samples left out so far: {counts}", throttle_duration_sec=1.0)

    def _on_external(self, msg: Odometry) -> None:
        if not self.active:
            return
        try:
            pose = external_pose_from_msg(msg)
        except GoalError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)
            return
        with self._lock:
            status = self._estimator.fuse(pose)
        self._external[status] += 1
        if status not in (PoseStatus.FUSED, PoseStatus.ALIGNED):
            self.get_logger().warning(f"external_odom: {status.value}", throttle_duration_sec=1.0)

    def _on_place(self, msg: PoseWithCovarianceStamped) -> None:
        if not self.active:
            return
        try:
            place, heading, covariance = place_from_msg(msg, self.parameters.config.odom_frame)
        except GoalError as error:
            self.get_logger().warning(str(error))
            return
        with self._lock:
            done = self._estimator.refer(place, heading, covariance)
        text = "the robot is now at" if done else "estimator.method is not 'kalman', which cannot be set to"
        self.get_logger().info(f"initialpose: {text} {place.tolist()} m, heading {heading:.3f} rad")

    def _on_truth(self, raw: bytes) -> None:
        self._truth = raw
        self._match()
        self._truths.look(self._waiting is not None)

    def _match(self) -> None:
        """Publish once the truth of the waiting sample's time is there."""
        if self._truth is None or self._waiting is None:
            return
        imu, joints = self._waiting
        try:
            stamp, position, quat, linear, angular = self._truth_reader.read(self._truth)
        except BeyondMimicError as error:
            self._truth = None
            self.get_logger().warning(f"ground_truth/odom refused: {error}", throttle_duration_sec=1.0)
            return
        lead = joints.stamp - stamp
        if lead > 1e-6 or lead < -_MAX_TRUTH_GAP:
            return
        self._waiting = None
        state = self._estimator.update_with_truth(
            joints,
            stamp=joints.stamp,
            root_pos_w=position + lead * linear,
            root_quat_w=quat,
            root_lin_vel_w=linear,
            root_ang_vel_w=angular,
        )
        self._publish(state, imu, joints)

    def _publish(self, state: RobotState, imu: ImuSample, joints: JointSample) -> None:
        estimator = self._estimator
        with self._lock:
            uncertainty, position_std = estimator.uncertainty, estimator.position_std
        message = self._state_writer.write(
            state,
            imu,
            joints.effort,
            int(estimator.source),
            estimator.foot_contact,
            position_std,
            receive_stamp=self._loop_clock.now(),
        )
        self._state_pub.publish(message)
        self._watch.estimated(state, on_level_floor=estimator.source is OdometrySource.LEG)
        self.heartbeat.beat()
        if self._odom_grid.take(state.stamp):
            self._odom_pub.publish(self._odom_writer.write(state, position_std, uncertainty))
            self._tf_pub.publish(self._tf_writer.write(state))

    def _diagnose(self) -> Diagnosis:
        values = {
            "source": self._estimator.source.name,
            "states": self.heartbeat.progress,
            **self._robot.values(),
            "samples_without_truth": self._unmatched,
            "position_std": self._estimator.position_std,
            **{f"external_{status.name.lower()}": count for status, count in self._external.items() if count},
            **{f"samples_{fault.name.lower()}": count for fault, count in self._estimator.faults.items() if count},
        }
        if self._estimator.kalman is not None:
            values["foot_slips"], values["restarts"] = self._estimator.kalman.slips, self._estimator.kalman.restarts
        if self._robot.read() is None:
            return Diagnosis(Level.STALE, "no samples of joints and IMU yet", values)
        if self._unmatched > self.heartbeat.progress:
            text = "ground_truth/odom is missing at the stamps of joint_states; its rate must be state_frequency"
            return Diagnosis(Level.ERROR, text, values)
        return Diagnosis(Level.OK, "estimating", values)


def main() -> None:
    """Entry point."""
    run(StateEstimatorNode)


if __name__ == "__main__":
    main()
