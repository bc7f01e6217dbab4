"""The faults: how each is injected, what must follow, by when, and how it is taken back."""

from __future__ import annotations

import contextlib
import copy
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from beyondmimic_diffusion.ros import qos
from beyondmimic_diffusion.ros.conversions import time_from_msg, time_to_msg
from beyondmimic_msgs.msg import ActionPlan, JointCommand

from .rig import Moment, Rig, RigError

STANDS = 0.15
"""Mean speed over a second below which the robot stands [m/s]."""


@dataclass(frozen=True)
class Outcome:
    """What followed one injection."""

    seconds: float | None
    """Until the reaction, on the fault's clock; None if it did not come."""
    problems: tuple[str, ...] = ()
    """What else was not as it must be."""


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    name: str
    what: str
    """What happens, for people."""
    expected: str
    """What must follow."""
    deadline: float
    """[s]."""
    clock: str
    """``steady`` or ``sim``: on which clock the deadline is."""
    inject: Callable[[Rig], None]
    reaction: Callable[[Rig, Moment], Outcome]
    undo: Callable[[Rig], None] = field(default=lambda rig: None)
    fresh: bool = False
    """Whether the stack has to be started anew afterwards."""


# ---------------------------------------------------------------- reactions


def reaches(*modes: str, patience: float = 5.0, by_age: bool = False) -> Callable[[Rig, Moment], Outcome]:
    """The executor enters one of some modes; then the motors are to be damped if that is what the mode does.

    Args:
        modes: Any of them.
        patience: For how long it is waited [s].
        by_age: Measure from the last measurement that could be used (its age when the mode was entered), for only the
            simulator knows when its sensors failed; otherwise from the injection, in simulated time.
    """

    def wait(rig: Rig, since: Moment) -> Outcome:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            for report in list(rig.reports):
                if report.at >= since.steady and report.mode in modes:
                    time.sleep(0.3)
                    stiff = [f for f in list(rig.frames) if f.at > report.at + 0.1 and f.stiff]
                    problems = () if report.mode == "RETURN_TO_STAND" or not stiff else ("stiff commands afterwards",)
                    seconds = report.state_age if by_age else max(0.0, report.sim - since.sim)
                    return Outcome(seconds, problems + numbers(rig, since))
            time.sleep(0.005)
        return Outcome(None, (f"mode stays {rig.mode}",))

    return wait


def damped_by_supervisor(rig: Rig, since: Moment) -> Outcome:
    """The first damping frame arrives, nothing stiff after it, and the stream goes on.

    Its time is that of the supervisor's log, which is written once the frame is sent: on a busy machine this program
    may hear of it much later.
    """
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        first = next((f for f in list(rig.frames) if f.at >= since.steady and not f.stiff), None)
        if first is not None:
            time.sleep(0.5)
            after = [f for f in list(rig.frames) if f.at > first.at]
            problems = numbers(rig, since)
            if any(frame.stiff for frame in after):
                problems += ("stiff commands after the first damping frame",)
            if len(after) < 20:
                problems += (f"only {len(after)} frames in 0.5 s",)
            if not rig.damping:
                problems += ("supervisor/damping is not announced",)
            return Outcome(rig.logged("supervisor", "damping", since), problems)
        time.sleep(0.002)
    return Outcome(None, ("no damping",))


def frozen_and_back(rig: Rig, since: Moment) -> Outcome:
    """As above; and the executor, when thawed, is in FAULT and all but silent, and refuses to be armed."""
    outcome = damped_by_supervisor(rig, since)
    if outcome.seconds is None:
        return outcome
    thawed = time.monotonic()
    rig.signal("action_executor", signal.SIGCONT)
    time.sleep(1.0)
    with contextlib.suppress(RigError):
        rig.until(lambda: rig.mode == "FAULT", 3.0, "FAULT")
    problems = outcome.problems
    stiff = sum(frame.stiff for frame in list(rig.frames) if frame.at > thawed)
    if stiff > 1:  # one may have been on its way when it froze
        problems += (f"{stiff} stiff commands after it was thawed",)
    if rig.mode != "FAULT":
        problems += (f"thawed in {rig.mode}",)
    if rig.ask("executor/arm").success:
        problems += ("it let itself be armed at once",)
    return Outcome(outcome.seconds, problems)


def goes_on(*, refused: bool = False, seconds: float = 2.0) -> Callable[[Rig, Moment], Outcome]:
    """The robot walks on; what was injected is refused and counted, where that is asked."""

    def wait(rig: Rig, since: Moment) -> Outcome:
        counts = [report.refused_plans for report in list(rig.reports) if report.at < since.steady]
        before = counts[-1] if counts else 0
        stopped = lambda: not rig.up or rig.mode in ("DAMPING", "E_STOP", "FAULT", "DISARMED")  # noqa: E731
        went_on = rig.for_sim(seconds, stopped)
        problems = numbers(rig, since)
        if not went_on:
            problems += (f"{rig.mode}: {rig.reports[-1].message}, up {rig.up}",)
        if not refused:
            return Outcome(0.0 if went_on else None, problems)
        noticed = next((r for r in list(rig.reports) if r.at >= since.steady and r.refused_plans > before), None)
        return Outcome(None if noticed is None else max(0.0, noticed.sim - since.sim), problems)

    return wait


def stands(rig: Rig, since: Moment) -> Outcome:
    """The robot comes to rest on its feet, still playing plans; measured to the end of the first second at rest."""
    fallen = lambda: not rig.up or rig.mode in ("DAMPING", "E_STOP", "FAULT", "DISARMED")  # noqa: E731
    if not rig.for_sim(8.0, lambda: fallen() or (rig.sim > since.sim + 1.0 and rig.speed() < STANDS)) and not fallen():
        return Outcome(rig.sim - since.sim, numbers(rig, since))
    return Outcome(None, (f"{rig.mode}, speed {rig.speed():.2f} m/s, up {rig.up}",))


def numbers(rig: Rig, since: Moment) -> tuple[str, ...]:
    """No command may ever hold NaN."""
    bad = sum(not frame.finite for frame in list(rig.frames) if frame.at >= since.steady)
    return (f"{bad} commands with NaN",) if bad else ()


# ---------------------------------------------------------------- injections


def send(node: str, number: int) -> Callable[[Rig], None]:
    """A signal to a process."""
    return lambda rig: rig.signal(node, number)


def sensors(fault: str) -> Callable[[Rig], None]:
    """What is wrong with the simulated sensors."""
    return lambda rig: rig.set_parameter("mujoco_sim", "sensor_fault", fault)


def forged_plan(change: Callable[[ActionPlan], None]) -> Callable[[Rig], None]:
    """Ten copies of the newest plan, each with the next id and something wrong."""

    def inject(rig: Rig) -> None:
        for _ in range(10):
            plan = copy.deepcopy(rig.plan)
            plan.plan_id += 1
            change(plan)
            rig.plan_pub.publish(plan)
            time.sleep(0.02)

    return inject


def _shift(seconds: float) -> Callable[[ActionPlan], None]:
    def change(plan: ActionPlan) -> None:
        for stamp in (plan.header, plan):
            name = "stamp" if stamp is plan.header else "observation_stamp"
            setattr(stamp, name, time_to_msg(time_from_msg(getattr(stamp, name)) + seconds))
        plan.valid_until = time_to_msg(time_from_msg(plan.valid_until) + seconds)

    return change


def _nan(plan: ActionPlan) -> None:
    plan.position[7] = float("nan")


def _other_session(plan: ActionPlan) -> None:
    plan.session_id = (plan.session_id + 12345) % 2**32
    plan.plan_id = 1_000_000


def _repeated(plan: ActionPlan) -> None:
    plan.plan_id = max(0, plan.plan_id - 50)


def _joints(plan: ActionPlan) -> None:
    plan.joint_names = [f"{name}_of_another" for name in plan.joint_names]


def silence(rig: Rig) -> None:
    """The operator's commands stop in the middle of a walk."""
    rig.velocity = None


def second_writer(rig: Rig) -> None:
    """Another node opens the motor topic."""
    rig.intruder = rig.node.create_publisher(JointCommand, "motor_command", qos.NEWEST)  # type: ignore[attr-defined]


def remove_writer(rig: Rig) -> None:
    """Take it away again, and wait until that is known."""
    rig.node.destroy_publisher(rig.intruder)  # type: ignore[attr-defined]
    time.sleep(1.0)


def pause(rig: Rig) -> None:
    """Simulated time stands still for two seconds."""
    rig.pause(True)
    time.sleep(2.0)
    rig.pause(False)


PLAN_LOSS = 0.25
"""A plan takes over up to 60 ms after its observation, the next is due 40 ms later, coasting ends 100 ms after that,
and the fault comes up to 40 ms before the plan that it prevents [s]."""
STATE_LOSS = 0.15
"""``watchdog.state_damp`` is 0.1 s; the report comes with the tick [s]."""
STOPPED = ("DAMPING", "RETURN_TO_STAND")
_REFUSED = "refused, counted; walks on"

CATALOGUE: tuple[Fault, ...] = (
    Fault("planner_killed", "planner process killed", "coasts, then DAMPING", PLAN_LOSS, "sim",
          send("diffusion_planner", signal.SIGKILL), reaches(*STOPPED), fresh=True),
    Fault("planner_frozen", "planner process frozen", "coasts, then DAMPING", PLAN_LOSS, "sim",
          send("diffusion_planner", signal.SIGSTOP), reaches(*STOPPED), send("diffusion_planner", signal.SIGCONT)),
    Fault("executor_killed", "executor process killed", "supervisor damps", 0.06, "steady",
          send("action_executor", signal.SIGKILL), damped_by_supervisor, fresh=True),
    Fault("executor_frozen", "executor process frozen, thawed later",
          "supervisor damps; thawed: FAULT, silent, arming refused", 0.06, "steady",
          send("action_executor", signal.SIGSTOP), frozen_and_back, send("action_executor", signal.SIGCONT)),
    Fault("supervisor_killed", "supervisor process killed", "walks on", 2.0, "sim",
          send("supervisor", signal.SIGKILL), goes_on(), fresh=True),
    Fault("estimator_frozen", "state estimator frozen", "coasts, then DAMPING", PLAN_LOSS, "sim",
          send("state_estimator", signal.SIGSTOP), reaches(*STOPPED), send("state_estimator", signal.SIGCONT)),
    Fault("guidance_frozen", "guidance server frozen in mid-command", "goal expires; stands on its feet", 5.0, "sim",
          send("guidance_task_server", signal.SIGSTOP), stands, send("guidance_task_server", signal.SIGCONT)),
    Fault("joystick_unplugged", "cmd_vel stops in mid-command", "command expires; stands on its feet", 5.0, "sim",
          silence, stands),
    Fault("sensors_silent", "joint_states and imu/data stop", "HOLD, then DAMPING", STATE_LOSS, "steady",
          sensors("silent"), reaches("DAMPING", by_age=True), sensors("none")),
    Fault("sensors_nan", "joint_states and imu/data hold NaN", "HOLD, then DAMPING; no NaN sent", STATE_LOSS, "steady",
          sensors("nan"), reaches("DAMPING", by_age=True), sensors("none")),
    Fault("plan_nan", "plans with NaN", _REFUSED, 0.5, "sim", forged_plan(_nan), goes_on(refused=True)),
    Fault("plan_foreign", "plans of a second planner", _REFUSED, 0.5, "sim",
          forged_plan(_other_session), goes_on(refused=True)),
    Fault("plan_old", "plans stamped 1 s ago", _REFUSED, 0.5, "sim", forged_plan(_shift(-1.0)), goes_on(refused=True)),
    Fault("plan_future", "plans stamped in 1 s", _REFUSED, 0.5, "sim", forged_plan(_shift(1.0)), goes_on(refused=True)),
    Fault("plan_repeated", "plans with ids of the past", _REFUSED, 0.5, "sim",
          forged_plan(_repeated), goes_on(refused=True)),
    Fault("plan_joints", "plans for other joints", _REFUSED, 0.5, "sim", forged_plan(_joints), goes_on(refused=True)),
    Fault("second_writer", "another node opens motor_command", "E_STOP, the node is named", 0.5, "sim",
          second_writer, reaches("E_STOP"), remove_writer),
    Fault("paused", "simulation paused for 2 s", "last command stays; walks on", 2.0, "sim", pause, goes_on()),
)  # fmt: skip
"""In the order of the table."""
