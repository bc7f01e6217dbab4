"""What the operator wants, from topics, actions and services, as the one latched goal on ``guidance/active``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from beyondmimic_msgs.action import ReachWaypoint
from beyondmimic_msgs.msg import GuidanceGoal, SdfScene
from beyondmimic_msgs.srv import SetGuidance
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from nav_msgs.msg import OccupancyGrid
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Joy
from std_srvs.srv import Trigger

from ..core.engine import PolicyManifest
from ..core.errors import BeyondMimicError, GoalError
from ..core.guidance.clip_library import ClipLibrary
from ..core.guidance.goal_config import CustomConfig, GoalConfig
from ..core.guidance.goal_judge import GoalJudge
from ..core.guidance.pad_report import PadReport
from ..core.guidance.teleop import CommandPace, JoyConfig, JoyMapping, VelocityLimits, VelocityTask
from ..core.guidance.user_cost import load_cost_modules
from ..core.parameters import param, validate
from ..core.robot import g1
from ..core.tasks import TaskCode
from ..ros import qos
from ..ros.clip_action import ClipTaskAction
from ..ros.clock import LoopClock
from ..ros.conversions import FrameNames
from ..ros.diagnostics import Diagnosis, Level
from ..ros.goal_reader import facts_of, frame_of
from ..ros.goal_writer import GoalWriter
from ..ros.lifecycle import ManagedNode, run
from ..ros.obstacle_store import ObstacleStore, SceneConfig
from ..ros.picture import Picture
from ..ros.publisher_types import wrong_type
from ..ros.readiness import Readiness, ReadinessConfig
from ..ros.scene_intake import SceneIntake
from ..ros.task_actions import KeyframeTaskAction, StandTaskAction, TasksConfig, TaskWorld, WaypointTaskAction
from ..ros.task_desk import TaskDesk
from ..ros.transforms import TransformListener

_TICK = 0.05
"""How often tasks are advanced and the goal is looked at [s]."""
_MOVED = 0.25
"""Share of ``scene.reach`` after which a robot that walks is told of what is near it now."""
_FORWARD_PERIOD = 0.02
"""Commands are forwarded as they come, but not more often than this [s]; the newest of a burst at its end."""


@dataclass(frozen=True)
class GuidanceTaskServerConfig:
    """What an operator may choose about commands, tasks and obstacles."""

    autostart: bool = param(True, doc="Configure and activate without being asked.")
    policy: str = param("", doc="Folder of the planner's policy, for the clips in it; empty: no clip can be played.")
    custom_modules: str = param(
        "",
        doc="Modules that register users' costs, as the planner's steering.goals.custom.modules; empty: none served.",
    )
    enable_stamped_cmd_vel: bool = param(True, doc="cmd_vel is TwistStamped; false: Twist.")
    cmd_vel_timeout: float = param(
        0.5, unit="s", lo=0.05, hi=5.0, doc="A command that is not renewed for this long means stand."
    )
    base_frame: str = param("pelvis", doc="Frame of the commanded velocity (its heading only).")
    odom_frame: str = param("odom", doc="Frame in which goals and obstacles are kept.")
    goal_pose_heading: bool = param(True, doc="A goal_pose is reached with its heading; false: with any.", live=True)
    limits: VelocityLimits = field(default_factory=VelocityLimits)
    joy: JoyConfig = field(default_factory=JoyConfig)
    tasks: TasksConfig = field(default_factory=TasksConfig)
    scene: SceneConfig = field(default_factory=SceneConfig)
    ready: ReadinessConfig = field(default_factory=ReadinessConfig)

    def __post_init__(self) -> None:
        validate(self)


class GuidanceTaskServerNode(ManagedNode[GuidanceTaskServerConfig]):
    """Hands what comes to the desk, the store and the velocity task, and publishes what follows."""

    def __init__(self, **node_arguments):
        super().__init__("guidance_task_server", GuidanceTaskServerConfig, polls_time=True, **node_arguments)

    def configure(self) -> None:
        """Make topics, actions and services."""
        config = self.parameters.config
        names = FrameNames(config.odom_frame, config.base_frame)
        self._transforms = TransformListener(self, self.polled, config.odom_frame)
        self._loop_clock = LoopClock(self, on_jump=lambda step: self._transforms.buffer.clear())
        self._teleop = VelocityTask(config.cmd_vel_timeout)
        self._pace = CommandPace(_FORWARD_PERIOD)
        self._joy, self._pad = JoyMapping(config.joy, config.limits), PadReport()
        self._store = ObstacleStore(self._transforms.buffer, config.odom_frame, config.scene)
        self._intake = SceneIntake(self._store, self._loop_clock.now, self._refuse)
        self._readiness = Readiness(self, self.polled, config.ready, self._loop_clock.now)
        self._waypoint = WaypointTaskAction()
        world = TaskWorld(
            lambda: self.parameters.config.tasks, self._transforms.buffer, names, self._store, config.scene.avoid
        )
        clips = _clips(config.policy)
        load_cost_modules(config.custom_modules)
        judge = GoalJudge(
            facts_of(_manifest(config.policy)), GoalConfig(custom=CustomConfig(modules=config.custom_modules))
        )
        self._desk = TaskDesk(
            self,
            (self._waypoint, KeyframeTaskAction(), ClipTaskAction(clips), StandTaskAction()),
            world,
            self._readiness,
            self._teleop,
            self._loop_clock.now,
            lambda: self.active,
        )
        self._refused, self._refusal = 0, ""
        self.parameters.on_change(self._on_parameters)
        self._goal_pub = self.create_publisher(GuidanceGoal, "guidance/active", qos.LATCHED)
        self._scene_pub = self.create_publisher(SdfScene, "guidance/scene", qos.LATCHED)
        self._picture = Picture(self, self._store, self._desk, config.odom_frame)
        self._writer = GoalWriter(
            self._goal_pub,
            self._teleop,
            self._desk,
            self._store,
            names,
            config.scene.avoid,
            clips,
            judge,
            bool(config.custom_modules),
        )
        self._scene_version = -1
        self._scene_place: np.ndarray | None = None
        self._scene_reach = config.scene.reach
        self._subscribe(config)
        self._offered = (
            self.create_service(Trigger, "guidance/clear", self._on_clear),
            self.create_service(SetGuidance, "guidance/set_terms", self._on_set_terms),
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(_TICK, self._on_tick, clock=steady)
        self._burst = self.create_timer(_FORWARD_PERIOD, self._on_burst, clock=steady, autostart=False)
        self.diagnostics.add("commands", self._diagnose)
        self.diagnostics.add("pad", self._diagnose_pad)

    def _subscribe(self, config: GuidanceTaskServerConfig) -> None:
        velocity = TwistStamped if config.enable_stamped_cmd_vel else Twist
        self._inputs = (
            self.create_subscription(velocity, "cmd_vel", self._on_velocity, qos.ORDER),
            self.create_subscription(Joy, "joy", self._on_joy, qos.SENSOR_INPUT),
            self.create_subscription(PoseStamped, "goal_pose", self._on_goal_pose, qos.ORDER),
            self.create_subscription(SdfScene, "sdf_scene", self._on_scene, qos.SCENE_INPUT),
            self.create_subscription(OccupancyGrid, config.scene.map_topic, self._on_map, qos.SCENE_INPUT),
        )

    def activate(self) -> None:
        """Start with the wish to stand."""
        self._teleop.stop()
        self._writer.reset()

    def deactivate(self) -> None:
        """Leave the planner with the wish to stand."""
        self._teleop.stop()
        self._desk.drop(TaskCode.NOT_READY, "the task server was deactivated")
        self._writer.publish(self._loop_clock.now())

    def cleanup(self) -> None:
        """Remove topics, actions and services."""
        self.destroy_timer(self._timer)
        self.destroy_timer(self._burst)
        for service in self._offered:
            self.destroy_service(service)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        for part in (self._desk, self._transforms, self._picture):
            part.destroy()
        self._intake.close()
        self.polled.close()
        self.destroy_publisher(self._goal_pub)
        self.destroy_publisher(self._scene_pub)

    def destroy_node(self) -> None:
        """Also the action servers, which rclpy's own clean-up does not know."""
        if hasattr(self, "_desk"):
            self._desk.destroy()
        super().destroy_node()

    def _on_parameters(self, config: GuidanceTaskServerConfig) -> None:
        """Live ones count from the next command, and the next task, on; limits for the command in force, too."""
        self._joy.configure(config.joy, config.limits)
        self._teleop.limit(config.limits)

    def _on_velocity(self, msg: TwistStamped | Twist) -> None:
        twist = msg.twist if isinstance(msg, TwistStamped) else msg
        self._take((twist.linear.x, twist.linear.y, twist.angular.z), "cmd_vel")

    def _on_joy(self, msg: Joy) -> None:
        try:
            velocity = self._joy.velocity(msg.axes, msg.buttons)
        except GoalError as error:
            self._pad.heard(time.monotonic(), msg.axes, msg.buttons, str(error))
            self._refuse("joy", error)
            return
        self._pad.heard(time.monotonic(), msg.axes, msg.buttons)
        if velocity is not None:
            self._take(velocity, "joy")

    def _take(self, velocity: tuple[float, float, float], source: str) -> None:
        if not self.active:
            return
        try:
            self._teleop.command(self.parameters.config.limits.clip(velocity), time.monotonic())
        except GoalError as error:
            self._refuse(source, error)
            return
        self._forward()

    def _forward(self) -> None:
        """Let the newest command count now, or together with those that come within a moment."""
        if self._pace.wait(time.monotonic()) > 0.0:
            if self._burst.is_canceled():
                self._burst.reset()
            return
        if self._desk.operator_steers():
            self._desk.tick()  # a task ends, and a clip leads back to a stand, before the command counts
        self._writer.tick(self._loop_clock.now())

    def _on_burst(self) -> None:
        self._burst.cancel()
        if self.active:
            self._forward()

    def _on_goal_pose(self, msg: PoseStamped) -> None:
        if self.active:
            goal = ReachWaypoint.Goal(pose=msg, use_heading=self.parameters.config.goal_pose_heading)
            self._desk.start(self._waypoint, goal, None)

    def _on_scene(self, msg: SdfScene) -> None:
        self._intake.take(msg)

    def _on_map(self, msg: OccupancyGrid) -> None:
        self._intake.take(msg)

    def _refuse(self, source: str, error: BeyondMimicError) -> None:
        self._refused += 1
        self._refusal = f"{source} refused: {error}"
        self.get_logger().warning(self._refusal, throttle_duration_sec=1.0)

    def _on_clear(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._teleop.stop()
        self._desk.drop(TaskCode.CANCELED, "cleared by guidance/clear")
        response.success, response.message = True, "all goals dropped; standing"
        return response

    def _on_set_terms(self, request: SetGuidance.Request, response: SetGuidance.Response) -> SetGuidance.Response:
        try:
            if not self.active:
                raise GoalError("the task server is not active")
            state = self._readiness.state()
            frame = None if state is None else frame_of(state)
            response.seq = self._writer.set_terms(request.goal, self._transforms.buffer, self._loop_clock.now(), frame)
        except BeyondMimicError as error:
            response.message = str(error)
            self._refuse("guidance/set_terms", error)
            return response
        response.success, response.message = True, "in force"
        return response

    def _on_tick(self) -> None:
        if self.sim_time is not None:
            self.sim_time.refresh()
        self._transforms.refresh()
        self._readiness.refresh()
        now = self._loop_clock.now()
        self._intake.tick()
        for note in self._store.refresh(now, self._intake.take):
            self._refuse("sdf_scene", GoalError(note))
        if not self.active:
            return
        self.heartbeat.beat()
        self._tell_scene(now)
        self._desk.tick()
        self._writer.tick(now)
        self._picture.tick(now)

    def _tell_scene(self, now: float) -> None:
        """Publish what is near the robot when that has changed, or the robot is elsewhere."""
        version = self._store.version
        if version == self._scene_version and self._store.empty:
            return
        state = self._readiness.state()
        place = None if state is None else np.array(state.root_pos_w[:2])
        if place is None and self._store.large:
            return  # the planner has no use for it before it knows the robot's place, too
        told = self._scene_place
        moved = place is not None and (told is None or np.linalg.norm(place - told) > _MOVED * self._scene_reach)
        if version != self._scene_version or moved:
            self._scene_version, self._scene_place = version, place
            self._scene_pub.publish(self._store.message(now, place))

    def _diagnose(self) -> Diagnosis:
        values = {
            "goal": self._writer.words,
            "seq": self._writer.seq,
            "task": "none" if self._desk.job is None else self._desk.job.action.name,
            "last_task": self._desk.last_end,
            "obstacles": len(self._store.solids),
            "scenes_being_understood": self._intake.waiting,
            "refused": self._refused,
            "last_refusal": self._refusal,
        }
        wrong = self._unheard()
        if wrong:
            self.get_logger().warning(wrong, throttle_duration_sec=5.0)
            return Diagnosis(Level.WARN, wrong, values)
        waiting = self._store.waiting_for
        if self._refusal:
            self._refusal, text = "", self._refusal
            return Diagnosis(Level.WARN, text, values)
        if waiting:
            return Diagnosis(Level.WARN, f"obstacles wait for frames: {', '.join(waiting)}", values)
        return Diagnosis(Level.OK, "serving", values)

    def _unheard(self) -> str:
        """Publishers of another type than ours, whose commands nobody hears."""
        stamped = self.parameters.config.enable_stamped_cmd_vel
        remedy = (
            f"set the parameter enable_stamped_cmd_vel to {str(not stamped).lower()}, "
            f"or have it publish {'TwistStamped' if stamped else 'Twist'}"
        )
        return (
            wrong_type(self, "cmd_vel", TwistStamped if stamped else Twist, remedy)
            or wrong_type(self, "joy", Joy)
            or wrong_type(self, "goal_pose", PoseStamped)
        )

    def _diagnose_pad(self) -> Diagnosis:
        well, text = self._pad.sentence(time.monotonic(), self.count_publishers("joy"), self._joy.words)
        return Diagnosis(Level.OK if well else Level.WARN, text, {"messages": self._pad.count})


def _manifest(policy: str) -> PolicyManifest | None:
    """Facts of the policy; None for a folder that holds clips alone."""
    known = bool(policy) and (Path(policy) / "manifest.json").is_file()
    return PolicyManifest.load(policy) if known else None


def _clips(policy: str) -> ClipLibrary:
    """What can be played."""
    return ClipLibrary.load(Path(policy), g1.JOINT_NAMES, g1.KEY_POINT_NAMES) if policy else ClipLibrary()


def main() -> None:
    """Entry point."""
    run(GuidanceTaskServerNode)


if __name__ == "__main__":
    main()
