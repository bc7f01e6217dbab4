"""Plays plans on the motors at a fixed rate. All decisions are in ``core.execution``.

A plain node in a process of its own, not a managed one: arming and disarming are its life cycle, and nothing but its
own modes may stop its ticks. The ticks have a thread of their own on the steady clock; ROS callbacks only leave the
newest plan, samples and requests in slots.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
from beyondmimic_msgs.msg import ActionPlan
from beyondmimic_msgs.srv import SetMode
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

from ..core.engine.manifest import PolicyManifest
from ..core.engine.walker_network import open_standing
from ..core.errors import BeyondMimicError, ConfigError
from ..core.execution import ActionExecutor, ExecutorMode, PlanVerdict, Reason
from ..core.execution.measured import measured_state
from ..core.execution.plan_buffer import MOST_SKIPPED
from ..core.execution.robot_limits import g1_limits, g1_sensor_judge
from ..core.plausibility import ArmingGate
from ..core.robot import g1
from ..core.types import Plan, RobotState
from ..robot_io import ExecutorLease, WriterWatch, lease_path, open_robot
from ..robot_io.command_lease import Owner
from ..ros import qos
from ..ros.background import Background
from ..ros.background_log import BackgroundLog
from ..ros.cdr import PlanReader
from ..ros.clock import LoopClock
from ..ros.conversions import JointMap
from ..ros.diagnostics import Diagnosis, Diagnostics, Heartbeat, Level
from ..ros.lifecycle import prefer_realtime, run
from ..ros.lockstep import join_lockstep
from ..ros.parameters import NodeParameters
from ..ros.polled import read_clock_as_bytes
from .executor_parameters import ActionExecutorParameters
from .executor_reports import STOPPED, ExecutorReports
from .executor_statistics import ExecutorStatistics
from .long_request import LongRequest
from .stop_inputs import StopInputs
from .tick_requests import TickRequests
from .ticker import Ticker

R = TypeVar("R", Trigger.Response, SetMode.Response)
_TAKING_PATIENCE = 5.0
"""How long a service call waits for the robot's own controller to let go [s]; the next call goes on waiting."""
_BELOW_THE_TICK = 5
"""By how much the priority of this node's other threads is lower."""
_MIDDLEWARE_PRIORITY = 15
"""Of the middleware's threads, which run before any parameter is known: below the tick's, above the planner's."""
_SERVICE_TIMEOUT = 3.0
"""A request that no tick begins within this has failed, and is not done later [s]."""
_STEADY = Clock(clock_type=ClockType.STEADY_TIME)
_GUARD_PERIOD = 0.2
"""How often it is asked who else commands the motors [s]."""
_WATCHED = frozenset({ExecutorMode.DISARMED, *STOPPED})
"""Modes in which sensors are judged: an armed tick has no time for it, and the watchdog."""
_LAST_FRAMES = 20
"""Damping commands of an armed executor that ends."""


class ActionExecutorNode(Node):
    """Slots, the tick thread and the reports."""

    def __init__(self, **node_arguments):
        super().__init__("action_executor", **node_arguments)
        self.lockstep = join_lockstep(self)
        self.parameters = NodeParameters(self, ActionExecutorParameters)
        config = self.parameters.config
        manifest = self._load(config.policy)
        manifest.check_rate(config.plan_period)
        standing = open_standing(config.standing, manifest)
        self._executor = ActionExecutor(config, g1_limits(), *_gains(manifest), standing)
        self._lease = ExecutorLease(lease_path(self.get_namespace()))
        # The threads of callbacks and DDS hold the interpreter now and then, and the tick waits for it: so they must
        # get on, too, and before the planner's (10). Threads that are started from here on inherit it.
        prefer_realtime(max(0, config.realtime_priority - _BELOW_THE_TICK))
        read_clock_as_bytes(self)
        self._loop_clock = LoopClock(self)
        self._robot = open_robot(
            self,
            g1.JOINT_NAMES,
            config.robot_interface,
            config.unitree,
            clock=self._loop_clock,
            command_type=config.command_type,
            mode_machine=manifest.mode_machine,
            limits=config.robot_checks,
        )
        self._taking = LongRequest(self._robot.take, _TAKING_PATIENCE)
        self._plan_reader = PlanReader(JointMap(g1.JOINT_NAMES))
        self._background = Background("reports", inline=self.lockstep is not None)
        self._log = BackgroundLog(self.get_logger(), self._background)
        self._plans: deque[Plan] = deque(maxlen=8)
        self._requests = TickRequests()
        self._statistics = ExecutorStatistics()
        self._state: RobotState | None = None
        self._gate = ArmingGate(g1_sensor_judge())
        self._refused = 0
        self._failure = ""
        self._stops = StopInputs(self, config.remote, lambda: self._requests.put(self._executor.e_stop))
        self._ticker = Ticker(1.0 / config.control_rate_hz, self._tick, self._damp_after)
        self._reports = ExecutorReports(
            self, g1.JOINT_NAMES, manifest.setpoint_dt, self._background, self._log,
            statistics=lambda: self._ticker.statistics(self._refused),
        )  # fmt: skip
        self._make_topics()
        self._strangers: list[str] = []
        self._writers = WriterWatch()
        self._planners: list[str] = []
        self._newest = 0
        self._plan_writers = WriterWatch()
        self._guard = self.create_timer(_GUARD_PERIOD, self._look_for_writers, clock=_STEADY)
        self.heartbeat = Heartbeat(self)
        self.diagnostics = Diagnostics(self)
        self.diagnostics.add("rate", self.heartbeat.diagnose)
        self.diagnostics.add("tick", self._diagnose)
        self.parameters.on_change(self._on_parameters)
        if self.lockstep is None:
            self._ticker.start(config.realtime_priority, config.cpu_core, self._log.warning)
        else:
            self.lockstep.on_turn = self._ticker.turn

    def close(self) -> None:
        """Stop ticking and wait for the thread; an armed robot is left damped."""
        if self._lease.closed:
            return
        self._ticker.stop()
        try:
            if self._executor.mode is not ExecutorMode.DISARMED:
                self._leave_damped()
            self._lease.watch(False)
        except Exception as error:  # the watch is not called off
            self._log.error(f"the motors could not be damped, the supervisor must do it: {error!r}")
        self._lease.close()
        gc.enable()
        self._background.close()
        self._statistics.conclude(self.parameters.config.latency_report, self.get_logger().info)

    def destroy_node(self) -> None:
        """Leave the robot, too."""
        self._robot.close()
        super().destroy_node()

    def _leave_damped(self) -> None:
        """Motors go on with their last command: more than one frame of damping, for one may be lost.

        The supervisor watches until the last of them.
        """
        self._executor.e_stop()
        for _ in range(_LAST_FRAMES):
            if self._lease.mine:
                self._robot.write(self._executor.tick(self._loop_clock.now(), time.monotonic(), self._state)[0])
                self._lease.count()
            time.sleep(1.0 / self.parameters.config.control_rate_hz)

    def _load(self, policy: str) -> PolicyManifest:
        if not policy:
            raise ConfigError("action_executor: parameter 'policy' is empty; give the folder of a policy")
        manifest = PolicyManifest.load(policy)
        manifest.check_robot(g1.JOINT_NAMES, g1.ROBOT_NAME)
        return manifest

    def _make_topics(self) -> None:
        self.create_subscription(ActionPlan, "plan", self._on_plan, qos.PLAN_INPUT, raw=True)
        for name, action in (
            ("executor/arm", self._arm),
            ("executor/disarm", self._disarm),
            ("e_stop_trigger", self._trigger_e_stop),
            ("e_stop_reset", self._reset_e_stop),
        ):
            self.create_service(Trigger, name, lambda request, response, action=action: self._ask(action, response))
        self.create_service(Trigger, "executor/take_motors", lambda request, response: self._take(response))
        self.create_service(SetMode, "executor/set_mode", self._set_mode)

    # ------------------------------------------------------------ ROS callbacks

    def _on_parameters(self, config: ActionExecutorParameters) -> str:
        """Let the next tick apply live parameters; why it does not, or an empty text."""
        answer = self._ask(lambda: self._executor.set_limits(config.limits), Trigger.Response())
        return "" if answer.success else answer.message

    def _on_plan(self, raw: bytes) -> None:
        try:
            self._plans.append(self._plan_reader.read(raw))
        except BeyondMimicError as error:
            self._refused += 1
            self._log.warning(f"plan refused: {error}", throttle_duration_sec=1.0)

    def _look_for_writers(self) -> None:
        """Two that command the same motors are a fault of whoever started them; nobody can balance like that."""
        if self._lease.closed:
            return
        self._look_for_planners()
        known = bool(self._strangers)
        others = self._robot.other_writers(("supervisor",), (self._lease.supervisor_pid,))
        self._strangers = self._writers.look(others)
        if self._strangers and not known:
            self._log.error(f"{', '.join(self._strangers)} commands the motors beside this node; end it")
            self._requests.put(partial(self._stop_for, Reason.SECOND_WRITER))

    def _look_for_planners(self) -> None:
        """Nodes of several names that publish plans: one restarted under its own name is none of them."""
        known = bool(self._planners)
        names = {f"{i.node_namespace.rstrip('/')}/{i.node_name}" for i in self.get_publishers_info_by_topic("plan")}
        self._planners = self._plan_writers.look(sorted(names) if len(names) > 1 else [])
        if self._planners and not known:
            self._log.error(f"plans come from {' and '.join(self._planners)}; end all but one")

    def _stop_for(self, reason: Reason) -> None:
        if self._executor.mode is not ExecutorMode.DISARMED:
            self._executor.e_stop(reason)

    def _ask(self, action: Callable[[], tuple[bool, str]], response: R) -> R:
        """Let the next tick do it, and wait for its answer; what no tick has begun in time is never done.

        In lockstep it is done now: ticks have the same thread.
        """
        if self.lockstep is not None:
            response.success, response.message = action()
            return response
        answer = self._requests.ask(action, _SERVICE_TIMEOUT)
        if answer is None:
            why = self._failure or f"no tick for {_SERVICE_TIMEOUT:g} s"
            answer = False, f"the executor does not tick: {why}; the request is dropped"
        response.success, response.message = answer
        return response

    # ------------------------------------------------------------ tick thread

    def _tick(self) -> None:
        self._requests.serve()
        now, steady = self._loop_clock.now(), time.monotonic()
        while self._plans:
            plan = self._plans.popleft()
            verdict = self._executor.accept(plan, now)
            if verdict is PlanVerdict.ACCEPTED:
                self._newest = plan.plan_id
                self._statistics.plan_came(plan, now)
            else:
                if verdict is PlanVerdict.REPEATED_ID and self._planners and plan.plan_id > self._newest - MOST_SKIPPED:
                    self._stop_for(Reason.SECOND_PLANNER)  # which of two plans of one number is the planner's?
                self._refused += 1
                self._log.warning(f"plan refused: {verdict.value}", throttle_duration_sec=1.0)
        samples = self._robot.read()
        if self._executor.mode in _WATCHED:
            self._gate.watch(samples)
        if samples is not None and (self._state is None or samples[1].stamp != self._state.stamp):
            self._state = measured_state(*samples)
        if not self._lease.mine:
            self._executor.superseded()
        if self._robot.stop_asked():
            self._executor.e_stop()
        command, report = self._executor.tick(now, steady, self._state)
        if self._lease.mine:  # silent otherwise: two streams would be worse than either
            self._robot.write(command)
            self._lease.count()
        self.heartbeat.beat()
        took = time.monotonic() - steady
        self._statistics.ticked(now, self._state, report, self._ticker.late, took, self._ticker.missed)
        plan_age = self._statistics.plan_age(report.plan_id, now)
        if self._reports.tick(now, steady, command, report, plan_age) and report.mode is ExecutorMode.DISARMED:
            self._lease.watch(False)
            gc.enable()

    def _arm(self) -> tuple[bool, str]:
        if self._strangers:
            return False, self._second_writer()
        if not self._lease.ask():
            return (
                False,
                "the supervisor has the motors and has been asked for them; disarm if not done, then arm again",
            )
        if self.parameters.config.supervised and not self._lease.supervised:
            return False, "no supervisor watches; start it, or set the parameter supervised to false"
        trouble = self._robot.trouble() or self._stops.trouble() or self._gate.refusal()
        if trouble:
            return False, trouble
        _stop_collecting()  # before, for ticks stand still meanwhile: nobody must miss one of an armed robot
        ok, text = self._executor.arm(self._loop_clock.now(), self._state)
        if not ok:
            gc.enable()
            return ok, text
        self._refused = 0
        self._ticker.reset()
        self._lease.watch(True)
        return ok, text

    def _disarm(self) -> tuple[bool, str]:
        """Also acknowledges that the supervisor took over: the executor may command again, weak damping only."""
        answer = self._executor.disarm()
        if answer[0]:
            self._lease.ask()
        return answer

    def _set_mode(self, request: SetMode.Request, response: SetMode.Response) -> SetMode.Response:
        self._ask(partial(self._executor.ask_for, request.mode), response)
        response.state = self._executor.mode.value
        return response

    def _take(self, response: Trigger.Response) -> Trigger.Response:
        """The operator says that the robot hangs: its own controller gives up the motors. No tick waits for that."""
        if self._executor.mode is not ExecutorMode.DISARMED:
            response.success, response.message = False, f"{Reason.NOT_DISARMED.sentence}: disarm first"
            return response
        response.success, response.message = self._taking.ask()
        self._log.info(f"motors: {response.message}")
        return response

    def _trigger_e_stop(self) -> tuple[bool, str]:
        self._executor.e_stop()
        return self._executor.mode is ExecutorMode.E_STOP, self._executor.reason.sentence

    def _reset_e_stop(self) -> tuple[bool, str]:
        """Refused until whatever asked for it, or forbids to arm, is gone."""
        if self._strangers:
            return False, self._second_writer()
        trouble = self._stops.held() or self._robot.sample_trouble() or self._gate.trouble()
        if trouble:
            return False, trouble
        return self._executor.reset_e_stop(self._loop_clock.now(), self._state)

    def _second_writer(self) -> str:
        return f"{Reason.SECOND_WRITER.sentence}: {', '.join(self._strangers)}; end it, then arm"

    def _damp_after(self, error: Exception) -> None:
        self._failure = f"{type(error).__name__}: {error}"
        self._log.error(f"internal error in the tick, damping: {self._failure}", throttle_duration_sec=1.0)
        try:
            self._executor.e_stop()
            command, _ = self._executor.tick(self._loop_clock.now(), time.monotonic(), self._state)
            if self._lease.mine:
                self._robot.write(command)
                self._lease.count()
        except Exception:  # then the supervisor must
            self._lease.give_up()

    def _diagnose(self) -> Diagnosis:
        if self._lease.closed:
            return Diagnosis(Level.STALE, "the executor has ended")
        ticks = self._ticker.statistics(self._refused)
        values = {
            "ticks": ticks.ticks,
            "missed": ticks.missed,
            "late_p99_ms": 1e3 * ticks.late_p99,
            "late_max_ms": 1e3 * ticks.late_max,
            "refused_plans": self._refused,
            "second_planner": ", ".join(self._planners),
            **self._robot.values(),
            **self._statistics.values(),
            "remote": self._stops.alive,
            "mode": self._executor.mode.name,
            "has_motors": self._lease.owner is Owner.EXECUTOR,
            "supervised": self._lease.supervised,
        }
        if self._failure:
            return Diagnosis(Level.ERROR, self._failure, values)
        if self._executor.mode in STOPPED:
            return Diagnosis(Level.ERROR, self._executor.reason.sentence, values)
        without_plans = self._executor.mode is ExecutorMode.RETURN_TO_STAND
        level = Level.WARN if without_plans or ticks.missed > 0.005 * max(ticks.ticks, 1) else Level.OK
        return Diagnosis(level, self._executor.reason.sentence, values)


def _gains(manifest: PolicyManifest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """kp, kd and stand pose, each (J,)."""
    return np.array(manifest.kp), np.array(manifest.kd), np.array(manifest.default_joint_pos)


def _stop_collecting() -> None:
    """No garbage collection from arming to disarming: one takes as long as many ticks, and comes when it likes.

    What is alive now is taken out of later collections, so that those after disarming are short, too.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def main() -> None:
    """Entry point."""
    run(ActionExecutorNode, close=lambda node: node.close(), realtime_priority=_MIDDLEWARE_PRIORITY)


if __name__ == "__main__":
    main()
