"""Asks the policy for plans, in a thread of its own, while the executor plays the ones before."""

from __future__ import annotations

import math
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from beyondmimic_msgs.msg import ActionPlan, ExecutorState, GuidanceGoal, GuidanceStats, PlannerStatus, SdfScene
from beyondmimic_msgs.msg import JointCommand as JointCommandMsg
from beyondmimic_msgs.msg import RobotState as RobotStateMsg
from beyondmimic_msgs.srv import LoadEngine
from nav_msgs.msg import Path as PathMsg
from rclpy.clock import Clock, ClockType
from std_srvs.srv import Trigger

from ..core.batch_planner import OWN, PlannerConfig
from ..core.engine import BACKENDS, LoadedPolicy, PolicyManifest, kind_of, load_policy, load_successor
from ..core.engine.selection import choose_backend
from ..core.errors import BeyondMimicError, ConfigError
from ..core.guidance.clip_library import ClipLibrary
from ..core.guidance.goals import JoystickGoal
from ..core.parameters import param, validate
from ..core.pass_budget import PassBudget, PlanCost
from ..core.plan_trial import try_plans
from ..core.plan_worker import PlanWorker
from ..core.planner import GuidedPlanner
from ..core.robot import g1
from ..core.steering import SteeringConfig
from ..core.types import Plan, RobotState
from ..ros import qos
from ..ros.cdr import JointCommandReader, PathWriter, PlanWriter, RobotStateReader
from ..ros.clock import LoopClock
from ..ros.conversions import (
    FrameNames,
    JointMap,
    planner_status_to_msg,
    stats_to_msg,
)
from ..ros.diagnostics import Diagnosis, Level
from ..ros.goal_reader import GoalReader, frame_of
from ..ros.lifecycle import ManagedNode, give_back_memory, map_large_blocks, prefer_realtime, prefer_this_process, run
from ..ros.side_node import SideNode

_STATUS_PERIOD = 0.1
"""``planner/status`` [s]."""
_PATH_EVERY = 4
"""Every so many plans ``planned_path`` is drawn."""
_RESTART_PAUSE = 2.0
"""Least time between two restarts of a planning thread that ended by itself [s, steady]."""

_COMPUTE_OF_LATENCY = 0.6
"""Share of a plan's promised latency that computing it may take; the rest is the way of states and plans."""
_SHORTEST_PROMISE = 0.02
"""One set-point: a plan that promises less is played from its first set-point all the same [s]."""


@dataclass(frozen=True)
class DiffusionPlannerConfig:
    """What an operator may choose about planning."""

    autostart: bool = param(True, doc="Configure and activate without being asked.")
    policy: str = param("", doc="Folder of the policy: manifest.json, model.onnx, golden.npz.")
    backend: str = param("auto", choices=BACKENDS, doc="What runs the network.")
    budget_share: float = param(
        0.5,
        lo=0.05,
        hi=1.0,
        doc="Share of the step that a plan may take; backend and passes left to the planner are chosen to keep it.",
    )
    step_dt: float = param(0.04, unit="s", lo=0.005, hi=0.2, doc="Time between two plans; must be the policy's step.")
    when_expired: str = param("stand", choices=("stand", "unguided"), doc="What to do when the goal has expired.")
    injected_delay: float = param(
        0.0, unit="s", lo=0.0, hi=1.0, doc="Publish plans so much later; for tests of a late planner."
    )
    realtime_priority: int = param(
        10, lo=0, hi=90, doc="SCHED_FIFO priority of the planning thread where permitted; 0: none."
    )
    odom_frame: str = param("odom", doc="Frame of goals, obstacles and predicted poses.")
    base_frame: str = param("pelvis", doc="Frame of poses relative to the robot.")
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    steering: SteeringConfig = field(default_factory=SteeringConfig)

    def __post_init__(self) -> None:
        validate(self)


class DiffusionPlannerNode(ManagedNode[DiffusionPlannerConfig]):
    """Feeds a :class:`PlanWorker` and publishes what it makes."""

    def __init__(self, **node_arguments):
        super().__init__("diffusion_planner", DiffusionPlannerConfig, **node_arguments)
        self._loader: SideNode | None = None
        self._restarted = -_RESTART_PAUSE
        self._policy_lock = threading.Lock()

    def configure(self) -> None:
        """Load and prove the policy, warm it up, make the topics."""
        config = self.parameters.config
        if not config.policy:
            raise ConfigError("diffusion_planner: parameter 'policy' is empty; give the folder of a policy")
        manifest = PolicyManifest.load(config.policy)
        manifest.check_robot(g1.JOINT_NAMES, g1.ROBOT_NAME)
        manifest.check_rate(config.step_dt)
        self._policy, self._cost, self._reason = self._choose(config)
        joints = JointMap(g1.JOINT_NAMES)
        self._states, self._commands = RobotStateReader(joints), JointCommandReader(joints)
        names = FrameNames(config.odom_frame, config.base_frame)
        key_points = tuple(point.name for point in manifest.key_points) or g1.KEY_POINT_NAMES
        clips = ClipLibrary.load(Path(config.policy), manifest.joint_names, key_points)
        self._reader = GoalReader(manifest, config.steering.goals, names, clips)
        self._reader.check()
        self._newest: RobotState | None = None
        self._bad_scene = ""
        self._loop_clock = LoopClock(self, on_jump=self._on_jump)
        self._worker: PlanWorker | None = None
        self._session = 0
        span = manifest.setpoint_dt * manifest.setpoints_per_step * manifest.action_horizon
        self._plan_pub = self.create_publisher(ActionPlan, "plan", qos.plan(span))
        self._path_writer = PathWriter(config.odom_frame)
        self._plan_writer = PlanWriter(g1.JOINT_NAMES, config.odom_frame)
        self._path_pub = self.create_publisher(PathMsg, "planned_path", qos.ORDER)
        self._stats_pub = self.create_publisher(GuidanceStats, "guidance/stats", qos.STREAM)
        self._status_pub = self.create_publisher(PlannerStatus, "planner/status", qos.STREAM)
        self._executed = self.polled.subscribe(JointCommandMsg, "applied_joint_commands", qos.DECIMATED)
        self._inputs = (
            self.create_subscription(RobotStateMsg, "robot_state", self._on_state, qos.NEWEST, raw=True),
            self.create_subscription(ExecutorState, "executor/state", self._on_executor, qos.LATCHED),
            self.create_subscription(GuidanceGoal, "guidance/active", self._on_goal, qos.LATCHED),
            self.create_subscription(SdfScene, "guidance/scene", self._on_scene, qos.LATCHED),
        )
        self._reset = self.create_service(Trigger, "planner/reset", self._on_reset)
        self._timer = self.create_timer(_STATUS_PERIOD, self._on_status, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.diagnostics.add("plans", self._diagnose)
        self._loader = SideNode(self, "loader")
        self._loader.serve(LoadEngine, "planner/load_engine", self._on_load_engine)
        self._loader.start()
        self.parameters.on_change(self._on_parameters)
        self._tell_policy()

    @property
    def _allowance(self) -> float:
        """Time that a plan may take [s]: a share of the step, and no more of the latency that plans promise."""
        config = self.parameters.config
        promised = max(config.planner.latency, _SHORTEST_PROMISE)
        return min(config.budget_share * config.step_dt, _COMPUTE_OF_LATENCY * promised)

    def _choose(self, config: DiffusionPlannerConfig) -> tuple[LoadedPolicy, PlanCost, str]:
        """The policy on its backend, what plans cost, and why; in lockstep nothing may depend on how fast this is."""
        if self.lockstep is not None:
            policy = load_policy(config.policy, config.backend)
            return policy, PlanCost(0.0, 0.0), "lockstep: backend and passes do not depend on the machine's speed"
        cores = len(os.sched_getaffinity(0))
        return choose_backend(config.policy, config.backend, self._try_plans, self._allowance, cores)

    def _try_plans(self, policy: LoadedPolicy) -> PlanCost:
        config = self.parameters.config
        return try_plans(policy, config.planner, config.steering, time.perf_counter)

    def _make_planner(self, policy: LoadedPolicy, cost: PlanCost) -> GuidedPlanner:
        config, own = self.parameters.config, policy.manifest.sampling
        budget = None if self.lockstep is not None else PassBudget(self._allowance, own.passes, own.least, cost)
        return GuidedPlanner(policy, config.planner, config.steering, self._session, budget=budget)

    def activate(self) -> None:
        """Start the thread with a new session."""
        config = self.parameters.config
        self._session = random.getrandbits(32) if self.lockstep is None else self._session + 1
        with self._policy_lock:
            self._worker = PlanWorker(
                self._make_planner(self._policy, self._cost),
                self._publish,
                self._loop_clock.now,
                config.when_expired == "stand",
                config.injected_delay,
                self._hurry,
            )
            self._worker.put_goals((JoystickGoal(),), 0)
            if self.lockstep is None:
                self._worker.start()
            else:
                self.lockstep.on_turn = self._worker.turn

    def _hurry(self) -> None:
        """Ask for real-time scheduling of the planning thread, and say so where it is refused."""
        refused = prefer_realtime(self.parameters.config.realtime_priority)
        if refused:
            self.get_logger().warning(f"no SCHED_FIFO for the planning thread: {refused}")

    def deactivate(self) -> None:
        """Stop the thread; the executor coasts, then damps."""
        with self._policy_lock:
            if self.lockstep is not None:
                self.lockstep.on_turn = lambda: None
            if self._worker is not None:
                self._worker.stop()
                self._worker = None

    def cleanup(self) -> None:
        """Remove topics."""
        self._close_loader()
        self.destroy_timer(self._timer)
        self.destroy_service(self._reset)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self.polled.close()
        for publisher in (self._plan_pub, self._path_pub, self._stats_pub, self._status_pub):
            self.destroy_publisher(publisher)

    def destroy_node(self) -> None:
        """rclpy's end of a node; the one beside it goes first."""
        self._close_loader()
        super().destroy_node()

    def _close_loader(self) -> None:
        if self._loader is not None:
            self._loader.close()
            self._loader = None

    def _on_parameters(self, config: DiffusionPlannerConfig) -> None:
        """Live ones count from the next plan on."""
        if self._worker is not None:
            self._worker.retune(config.planner, config.steering)

    def _on_state(self, raw: bytes) -> None:
        """What was executed before this state is fetched with it: both are needed for a plan from here on."""
        executed = self._executed.all()
        if self._worker is None:
            return
        for command in executed:
            self._take_executed(command)
        try:
            state = self._states.read(raw)
            self._worker.put_state(state)
            self._newest = state
        except BeyondMimicError as error:
            self.get_logger().warning(f"robot_state refused: {error}", throttle_duration_sec=1.0)

    def _take_executed(self, raw: bytes) -> None:
        try:
            command = self._commands.read(raw)
        except BeyondMimicError as error:
            self.get_logger().warning(f"applied_joint_commands refused: {error}", throttle_duration_sec=1.0)
            return
        if self._worker is not None:
            self._worker.put_executed(command.stamp, command.position)

    def _on_executor(self, msg: ExecutorState) -> None:
        """How old plans are when they reach it: only the executor knows."""
        if self._worker is not None and math.isfinite(msg.plan_latency_ms):
            self._worker.executor_told(1e-3 * msg.plan_latency_ms)

    def _on_goal(self, msg: GuidanceGoal) -> None:
        self._reader.take_goal(msg)
        self._serve()

    def _on_scene(self, msg: SdfScene) -> None:
        try:
            self._reader.take_scene(msg)
            self._bad_scene = ""
        except BeyondMimicError as error:
            self._bad_scene = f"guidance/scene {msg.seq} refused, the one before counts: {error}"
            self.get_logger().warning(self._bad_scene, throttle_duration_sec=1.0)
        self._serve()

    def _serve(self) -> None:
        """Hand goal and scene to the worker, or tell why not."""
        if self._worker is None:
            return
        try:
            served = self._reader.goals(None if self._newest is None else frame_of(self._newest))
        except BeyondMimicError as error:
            self._worker.refuse_goal(str(error))
            self.get_logger().warning(f"guidance goal refused: {error}", throttle_duration_sec=1.0)
            return
        if served is not None:
            self._worker.put_goals(*served)
        if self._bad_scene:
            self._worker.refuse_goal(self._bad_scene)

    def _on_jump(self, step: float) -> None:
        """Time was set: history and plans have no place in it."""
        self.get_logger().warning(f"the clock jumped by {step:+.2f} s: history and plans are forgotten")
        if self._worker is not None:
            self._worker.reset()

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._worker is not None
        response.message = "history and plans forgotten" if response.success else "the planner is not active"
        if self._worker is not None:
            self._worker.reset()
        return response

    def _on_load_engine(self, request: LoadEngine.Request, response: LoadEngine.Response) -> LoadEngine.Response:
        """On the loader's thread: the plans go on meanwhile."""
        config = self.parameters.config
        try:
            successor = load_successor(request.path, config.backend, self._policy.manifest)
            self._adopt(successor, self._try_plans(successor))
            self._reason = "; ".join([f"{successor.backend_name} loaded while planning", *successor.passed_over])
            give_back_memory()  # that of the policy before
            response.success = True
            self._tell_policy()
        except Exception as error:  # whatever a network's runtime raises: the policy before goes on
            response.error_code = getattr(LoadEngine.Response, kind_of(error, request.path))
            response.error_msg = str(error)
            self.get_logger().error(f"planner/load_engine refused, '{self._policy.manifest.name}' goes on: {error}")
        response.engine_name = self._policy.manifest.name
        response.engine_sha256 = self._policy.manifest.onnx_sha256
        return response

    def _adopt(self, successor: LoadedPolicy, cost: PlanCost) -> None:
        """From the next plan on, or from the next activation.

        Raises:
            ConfigError: The planning thread did not take it over, and will not do so later.
        """
        with self._policy_lock:
            if self._worker is not None and not self._worker.swap(self._make_planner(successor, cost)):
                raise ConfigError(
                    f"the planning thread did not take '{successor.manifest.name}' over: "
                    f"{self._worker.detail or 'it is busy with a plan'}"
                )
            self._policy, self._cost = successor, cost

    def _tell_policy(self) -> None:
        """Policy, backend and passes in one line of the log, with the reasons."""
        policy, mode = self._policy, self.parameters.config.planner.mode
        note = self._budget_note() or "passes by the mode"
        self.get_logger().info(
            f"policy '{policy.manifest.name}' on {policy.backend_name}, mode {mode}, {note}; {self._reason}"
        )

    def _budget_note(self) -> str:
        """How the passes came about, in words; empty where mode or parameter fix them."""
        given, worker = self.parameters.config.planner.passes, self._worker
        if given != OWN:
            return f"{given} passes by parameter: {1e3 * self._cost.of(given):.1f} ms a plan"
        if worker is not None:
            return worker.budget.note if worker.budget is not None else ""
        own = self._policy.manifest.sampling
        return "" if self.lockstep is not None else PassBudget(self._allowance, own.passes, own.least, self._cost).note

    def _publish(self, plan: Plan) -> None:
        """In the worker's thread."""
        frame = self.parameters.config.odom_frame
        self._plan_pub.publish(self._plan_writer.write(plan))
        self.heartbeat.beat()
        if plan.cost_stats:
            self._stats_pub.publish(stats_to_msg(plan, frame))
        if plan.plan_id % _PATH_EVERY == 0:
            self._path_pub.publish(self._path_writer.write(plan))

    def _on_status(self) -> None:
        status = planner_status_to_msg(self._worker)
        planner, manifest, worker = self.parameters.config.planner, self._policy.manifest, self._worker
        status.header.stamp = self.get_clock().now().to_msg()
        status.session_id, status.seed = self._session, planner.seed
        own = manifest.sampling.passes if planner.passes == OWN else planner.passes
        status.denoise_steps_used = own if worker is None else worker.passes
        if worker is not None and worker.budget is not None:
            status.budget_ms = 1e3 * worker.budget.seconds
        status.budget_note = f"{self._policy.backend_name}; {self._budget_note()}"
        status.engine_name, status.engine_sha256 = manifest.name, manifest.onnx_sha256
        status.backend = self._policy.backend_name
        self._status_pub.publish(status)
        if worker is not None and worker.dropped:
            self.get_logger().warning(f"left out of the plans: {worker.dropped}", throttle_duration_sec=1.0)
        if worker is not None and worker.ended:
            self._restart(worker)

    def _restart(self, ended: PlanWorker) -> None:
        """The planning thread is gone: say so, and begin a new session, at most once in a while."""
        if time.monotonic() - self._restarted < _RESTART_PAUSE:
            return
        self._restarted = time.monotonic()
        self.get_logger().error(f"the planning thread has ended ({ended.detail}); a new session begins")
        self.deactivate()
        self.activate()
        self._serve()

    def _diagnose(self) -> Diagnosis:
        worker = self._worker
        if worker is None:
            return Diagnosis(Level.STALE, "not active")
        compute, slack = worker.statistics.compute.summary(), worker.statistics.slack.summary()
        values = {
            "plans": worker.statistics.plans,
            "late": worker.statistics.late_plans,
            "compute_p50_ms": 1e3 * compute.p50,
            "compute_p99_ms": 1e3 * compute.p99,
            "slack_p01_ms": 1e3 * slack.p01,
            "state_age_p99_ms": 1e3 * worker.statistics.state_age.summary().p99,
            "rate_hz": worker.statistics.rate(),
            "dropped_states": worker.statistics.dropped_states,
            "detail": worker.detail,
        }
        state, _, text = worker.condition.value
        levels = {"RUNNING": Level.OK, "WARMUP": Level.OK, "DEGRADED": Level.WARN, "FAULT": Level.ERROR}
        return Diagnosis(levels[state], text, values)


def main() -> None:
    """Entry point; plans are due every 40 ms, so this process goes first where that is permitted."""
    prefer_this_process()
    map_large_blocks()  # load_engine drops a policy
    run(DiffusionPlannerNode, close=lambda node: node.deactivate() if node.active else None)


if __name__ == "__main__":
    main()
