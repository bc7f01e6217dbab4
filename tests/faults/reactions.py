"""What must follow a fault, and how it is seen."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from beyondmimic_diffusion.ros.conversions import time_from_msg

from .fault import Outcome, Reaction
from .heard import Moment
from .rig import Rig, RigError

STANDS = 0.15
"""Mean speed over a second below which the robot stands [m/s]."""
_REST = 6.0
"""A robot that is kept on its feet is at rest within this [s of simulated time]."""
_RESUMES = 5.0
"""Plans come again within this after the clock was set [s]."""
_DOWN = ("DAMPING", "E_STOP", "FAULT", "DISARMED")


def reaches(*modes: str, patience: float = 5.0, by: str = "sim", saying: str = "") -> Reaction:
    """The executor enters one of some modes; then the motors are to be damped if that is what the mode does.

    Args:
        modes: Any of them.
        patience: For how long it is waited [s].
        by: How it is timed from the injection: ``sim``, in simulated time; ``steady``; or ``age``, the age of the last
            measurement that could be used, for only the simulator knows when its sensors failed.
        saying: What the message must hold.
    """

    def wait(rig: Rig, since: Moment) -> Outcome:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            for report in rig.ears.since(since):
                if report.mode in modes and saying in report.message:
                    time.sleep(0.3)
                    stiff = [f for f in list(rig.ears.frames) if f.at > report.at + 0.1 and f.stiff]
                    damps = report.mode not in ("RETURN_TO_STAND", "HOLD")
                    problems = ("stiff commands afterwards",) if damps and stiff else ()
                    times = {"sim": report.sim - since.sim, "steady": report.at - since.steady, "age": report.state_age}
                    return Outcome(max(0.0, times[by]), problems + numbers(rig, since), report.mode)
            time.sleep(0.005)
        return Outcome(None, (f"mode stays {rig.ears.mode}",))

    return wait


def first_damping(mode: str) -> Reaction:
    """The first damping frame arrives, and nothing stiff after it; the executor ends in ``mode``."""

    def wait(rig: Rig, since: Moment) -> Outcome:
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            first = next((f for f in list(rig.ears.frames) if f.at >= since.steady and not f.stiff), None)
            if first is not None:
                time.sleep(0.3)
                problems = numbers(rig, since)
                if any(frame.stiff for frame in list(rig.ears.frames) if frame.at > first.at):
                    problems += ("stiff commands after the first damping frame",)
                if rig.ears.mode != mode:
                    problems += (f"it is in {rig.ears.mode}",)
                return Outcome(first.at - since.steady, problems)
            time.sleep(0.002)
        return Outcome(None, ("no damping",))

    return wait


def damped_by_supervisor(rig: Rig, since: Moment) -> Outcome:
    """The first damping frame arrives, nothing stiff after it, and the stream goes on.

    Its time is that of the supervisor's log, which is written once the frame is sent: on a busy machine this program
    may hear of it much later.
    """
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        first = next((f for f in list(rig.ears.frames) if f.at >= since.steady and not f.stiff), None)
        if first is not None:
            time.sleep(0.5)
            after = [f for f in list(rig.ears.frames) if f.at > first.at]
            problems = numbers(rig, since)
            if any(frame.stiff for frame in after):
                problems += ("stiff commands after the first damping frame",)
            if len(after) < 20:
                problems += (f"only {len(after)} frames in 0.5 s",)
            if not rig.ears.damping:
                problems += ("supervisor/damping is not announced",)
            return Outcome(rig.ears.logged("supervisor", "damping", since), problems)
        time.sleep(0.002)
    return Outcome(None, ("no damping",))


def frozen_and_back(rig: Rig, since: Moment) -> Outcome:
    """As above; and the executor, when thawed, is in FAULT and all but silent, and refuses to be armed."""
    outcome = damped_by_supervisor(rig, since)
    if outcome.seconds is None:
        return outcome
    thawed = time.monotonic()
    rig.signal("action_executor", signal.SIGCONT)
    time.sleep(0.5)
    with contextlib.suppress(RigError):
        rig.until(lambda: rig.ears.mode == "FAULT", 3.5, "FAULT")
    problems = outcome.problems
    stiff = sum(frame.stiff for frame in list(rig.ears.frames) if frame.at > thawed)
    if stiff > 1:  # one may have been on its way when it froze
        problems += (f"{stiff} stiff commands after it was thawed",)
    if rig.ears.mode != "FAULT":
        problems += (f"thawed in {rig.ears.mode}",)
    if rig.ask("executor/arm").success:
        problems += ("it let itself be armed at once",)
    return Outcome(outcome.seconds, problems)


def goes_on(seconds: float = 2.0) -> Reaction:
    """The robot walks on."""

    def wait(rig: Rig, since: Moment) -> Outcome:
        problems = walked_on(rig, since, seconds)
        return Outcome(None if problems else 0.0, problems + numbers(rig, since))

    return wait


def refuses(count: Callable[[Rig, Moment], float], by: str = "sim", seconds: float = 2.0) -> Reaction:
    """What was injected is refused and counted while the robot walks on.

    Args:
        count: Something that is 0 at the injection (it is called then, too) and grows with each refusal.
        by: Clock of the time until it has grown, ``sim`` or ``steady``.
        seconds: How long it must walk on [s].
    """

    def wait(rig: Rig, since: Moment) -> Outcome:
        end = time.monotonic() + 3.0
        noticed = None
        while noticed is None and time.monotonic() < end:
            if count(rig, since) > 0:
                now = rig.now()
                noticed = max(0.0, now.sim - since.sim if by == "sim" else now.steady - since.steady)
            time.sleep(0.002)
        problems = walked_on(rig, since, seconds) + numbers(rig, since)
        if noticed is None:
            problems += ("not refused, or not counted",)
        return Outcome(noticed, problems)

    return wait


def plans_refused(rig: Rig, since: Moment) -> float:
    """Plans that the executor refused since a moment."""
    before = [report.refused_plans for report in list(rig.ears.reports) if report.at < since.steady]
    return rig.ears.refused_plans - (before[-1] if before else 0)


def states_dropped(rig: Rig, since: Moment) -> float:
    """Robot states that the planner refused since ``count_states``."""
    return rig.ears.dropped_states - rig.tools["dropped_states"]


def says(node: str, text: str) -> Callable[[Rig, Moment], float]:
    """1 once a node has logged something since a moment."""
    return lambda rig, since: 0.0 if rig.ears.logged(node, text, since) is None else 1.0


def survives(seconds: float = 4.0) -> Reaction:
    """It walks on, or loses plans and is kept on its feet or damped; commands never stop, nothing breaks."""

    def wait(rig: Rig, since: Moment) -> Outcome:
        walked = rig.for_sim(seconds, lambda: not rig.ears.up or rig.ears.mode in _DOWN)
        time.sleep(0.3)
        problems = numbers(rig, since)
        if rig.ears.damping:
            problems += ("the supervisor took over",)
        if rig.ears.mode in ("FAULT", "E_STOP", "DISARMED"):
            problems += (f"it ends in {rig.ears.mode}: {rig.ears.reports[-1].message}",)
        if not walked and rig.ears.mode != "DAMPING":
            problems += (f"down in {rig.ears.mode} (up: {rig.ears.up})",)
        stood = any(report.mode == "RETURN_TO_STAND" for report in rig.ears.since(since))
        gaps = [b.at - a.at for a, b in _pairs(rig, since)]
        end = "damped" if not walked else "kept on its feet" if stood else "walks on"
        note = f"{end}; longest wait for a command {1e3 * max(gaps, default=0):.0f} ms"
        return Outcome(0.0, problems, note)

    return wait


def _pairs(rig: Rig, since: Moment):
    frames = [frame for frame in list(rig.ears.frames) if frame.at >= since.steady]
    return zip(frames, frames[1:], strict=False)


def steps_to_a_stand(rig: Rig, since: Moment) -> Outcome:
    """The executor keeps the robot on its feet until it is at rest; timed until it begins to."""
    outcome = reaches("RETURN_TO_STAND")(rig, since)
    if outcome.seconds is None:
        return outcome
    ears, start = rig.ears, since.sim + outcome.seconds
    fallen = lambda: not ears.up or ears.mode != "RETURN_TO_STAND"  # noqa: E731
    rig.for_sim(_REST, lambda: fallen() or (ears.sim > start + 1.0 and ears.speed() < STANDS))
    problems = outcome.problems + numbers(rig, since)
    if fallen() or ears.speed() >= STANDS:
        problems += (f"{ears.mode}, speed {ears.speed():.2f} m/s, up {ears.up}",)
    return Outcome(outcome.seconds, problems, f"at rest after {ears.sim - start:.1f} s")


def steps_after_last_state(rig: Rig, since: Moment) -> Outcome:
    """As above, timed from the last state of the robot that was told: asking for the fault takes up to 0.1 s itself."""
    outcome, state = steps_to_a_stand(rig, since), rig.ears.state
    if outcome.seconds is None or state is None:
        return outcome
    last, reaction = time_from_msg(state.header.stamp), since.sim + outcome.seconds
    return replace(outcome, seconds=reaction - last) if since.sim <= last <= reaction else outcome


def steps_then_walks(rig: Rig, since: Moment) -> Outcome:
    """Plans are dropped and the robot is kept on its feet; new plans come, and it walks on.

    Timed from the moment at which this program, too, heard the clock jump.
    """
    outcome = reaches("RETURN_TO_STAND", by="steady", saying="clock jumped")(rig, since)
    if outcome.seconds is None:
        return outcome
    seconds = max(0.0, since.steady + outcome.seconds - rig.ears.set_at)
    problems = outcome.problems
    with contextlib.suppress(RigError):
        rig.until(lambda: rig.ears.mode != "RETURN_TO_STAND", _RESUMES, "plans")
    if rig.ears.mode not in ("TRACKING", "COASTING"):
        return Outcome(seconds, (*problems, f"{_RESUMES:.0f} s later it is in {rig.ears.mode}"))
    rig.ears.forget()
    rig.until(lambda: rig.ears.poses, _RESUMES, "where the robot is")
    return Outcome(seconds, problems + walked_on(rig, since, 2.0), "walks on")


def stands(rig: Rig, since: Moment) -> Outcome:
    """The robot comes to rest on its feet, still playing plans; measured to the end of the first second at rest."""
    ears = rig.ears
    fallen = lambda: not ears.up or ears.mode in _DOWN  # noqa: E731
    if (
        not rig.for_sim(8.0, lambda: fallen() or (ears.sim > since.sim + 1.0 and ears.speed() < STANDS))
        and not fallen()
    ):
        return Outcome(ears.sim - since.sim, numbers(rig, since))
    return Outcome(None, (f"{ears.mode}, speed {ears.speed():.2f} m/s, up {ears.up}",))


def recorder_gives_up(rig: Rig, since: Moment) -> Outcome:
    """The recorder meets the end of its disk, says so and ends by itself; the robot walks on all the while."""
    recorder = rig.tools["recorder"]
    walks = lambda: rig.ears.up and rig.ears.mode not in _DOWN  # noqa: E731
    rig.for_sim(30.0, lambda: recorder.poll() is not None or not walks())
    problems = walked_on(rig, since, 1.0)
    if recorder.poll() is None:
        return Outcome(None, (*problems, "the recorder goes on"))
    said = recorder.stdout.read().strip()
    if recorder.returncode or "recording stopped" not in said:
        problems += (f"exit code {recorder.returncode}: {said[-200:]}",)
    return Outcome(None if problems else 0.0, problems + numbers(rig, since))


def walked_on(rig: Rig, since: Moment, seconds: float) -> tuple[str, ...]:
    """Let it walk; what was wrong, empty if nothing was."""
    went_on = rig.for_sim(seconds, lambda: not rig.ears.up or rig.ears.mode in _DOWN)
    if went_on:
        return ()
    return (f"{rig.ears.mode}: {rig.ears.reports[-1].message}, up {rig.ears.up}",)


def numbers(rig: Rig, since: Moment) -> tuple[str, ...]:
    """No command may ever hold NaN."""
    bad = sum(not frame.finite for frame in list(rig.ears.frames) if frame.at >= since.steady)
    return (f"{bad} commands with NaN",) if bad else ()
