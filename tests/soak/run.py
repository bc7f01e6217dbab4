"""One long run: random velocities, random faults, and a sample of everything now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from tests.faults.fault import Fault
from tests.faults.injections import swap_policy
from tests.faults.rig import Rig, RigError
from tests.faults.stack import running_rig

from .record import Change, Injection, Record, Sample, Span

SAMPLE_PERIOD = 5.0
GOAL_TIME = (3.0, 8.0)
"""Simulated time for which a random velocity is asked for [s]."""
FAULT_SHARE = 0.4
"""How often a goal is followed by a fault."""
_PEAKS = 2
"""How often the policy is loaded anew in the warm-up."""
_AFTER = 0.5
"""The executor reports a change that a fault has caused so much later at most [s]."""


class Watcher:
    """Takes samples and notes mode changes in a thread of its own while somebody else plays with the robot."""

    def __init__(self, rig: Rig, record: Record, start: float):
        """
        Args:
            rig: Stack under test.
            record: Gets what is seen.
            start: Of the run, steady clock [s].
        """
        self._rig, self._record, self._start = rig, record, start
        self._stop = threading.Event()
        self._seen = len(rig.ears.reports)
        self._last = time.monotonic()
        self._mode = rig.ears.mode
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look once more and end."""
        self._stop.set()
        self._thread.join()
        self._look()

    @property
    def t(self) -> float:
        """Since the start of the run [s]."""
        return time.monotonic() - self._start

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(0.1):
            self._look()
            if time.monotonic() >= due:
                due += SAMPLE_PERIOD
                self._sample()

    def _look(self) -> None:
        for report in list(self._rig.ears.reports):
            if report.at <= self._last:
                continue
            self._last = report.at
            if report.mode != self._mode:
                change = Change(report.at - self._start, self._mode, report.mode, report.message)
                self._record.changes.append(change)
                self._mode = report.mode

    def _sample(self) -> None:
        ears = self._rig.ears
        if not ears.reports or ears.planner is None:
            return
        rss = {}
        for name, pid in self._rig.processes.items():
            try:
                rss[name] = psutil.Process(pid).memory_info().rss / 2**20
            except psutil.Error:
                continue
        status = ears.planner
        self._record.samples.append(
            Sample(
                t=self.t,
                rss=rss,
                plan_p50=status.compute_p50_ms,
                plan_p99=status.compute_p99_ms,
                slack_p01=status.publish_to_due_p01_ms,
                tick_p99=1e3 * ears.reports[-1].late_p99,
                factor=ears.factor,
            )
        )


def soak(
    seconds: float,
    seed: int,
    faults: Sequence[Fault],
    folder: Path,
    policy: str,
    real_time_factor: float,
    say: Callable[[str], object],
    executor: Mapping[str, object],
) -> Record:
    """Run until the time is up; a stack that does not come back to walking is started anew, which is a finding.

    Args:
        seconds: Of wall time.
        seed: Of velocities and faults.
        faults: To choose from.
        folder: For logs and parameters.
        policy: Of planner and executor.
        real_time_factor: Simulated seconds per second.
        say: Gets a line per fault.
        executor: More parameters of the executor.
    """
    rng = np.random.default_rng(seed)
    record = Record(asked_factor=real_time_factor, stacks=0)
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        record.stacks += 1
        try:
            with running_rig(folder, real_time_factor, policy, executor) as rig:
                watcher = Watcher(rig, record, start)
                try:
                    if any(fault.inject is swap_policy for fault in faults):
                        _peak(rig, watcher, record)
                    while watcher.t < seconds:
                        _one_goal(rig, watcher, record, rng)
                        if faults and rng.random() < FAULT_SHARE and watcher.t < seconds:
                            _one_fault(rig, watcher, record, faults[int(rng.integers(len(faults)))], say)
                finally:
                    watcher.close()
        except RigError as error:
            say(f"stack started anew: {error}")
            if record.stacks > 5 + seconds / 300.0:
                break
    return record


@contextmanager
def explained(watcher: Watcher, record: Record, cause: str) -> Iterator[None]:
    """Mode changes within have a known cause."""
    start = watcher.t
    try:
        yield
    finally:
        time.sleep(0.1)
        record.spans.append(Span(start - 0.05, watcher.t + _AFTER, cause))


def _peak(rig: Rig, watcher: Watcher, record: Record) -> None:
    """Have the planner reach its largest memory, two policies at once, in the warm-up: what comes on top is a leak."""
    with explained(watcher, record, "warm-up"):
        rig.walk()
        for _ in range(_PEAKS):
            swap_policy(rig)
            rig.walk()


def _one_goal(rig: Rig, watcher: Watcher, record: Record, rng: np.random.Generator) -> None:
    """Bring the robot to walk if it does not, then let it follow a random velocity."""
    if not (rig.ears.up and rig.ears.mode in ("TRACKING", "COASTING")):
        with explained(watcher, record, "operator"):
            rig.walk()
    before = len(rig.ears.poses)
    speed = (rng.uniform(-0.3, 0.6), rng.uniform(-0.2, 0.2), rng.uniform(-0.6, 0.6))
    rig.operator.velocity = (0.0, 0.0, 0.0) if rng.random() < 0.15 else speed
    record.goals += 1
    first = rig.ears.poses[-1].xy if before else np.zeros(2)
    rig.for_sim(float(rng.uniform(*GOAL_TIME)), lambda: rig.ears.mode not in ("TRACKING", "COASTING", "HOLD"))
    record.distance += float(np.linalg.norm(rig.ears.poses[-1].xy - first))


def _one_fault(rig: Rig, watcher: Watcher, record: Record, fault: Fault, say: Callable[[str], object]) -> None:
    """A fault into the walk; everything up to the next walk is explained by it."""
    with explained(watcher, record, fault.name):
        rig.walk()
        fault.prepare(rig)
        since, t = rig.now(), watcher.t
        fault.inject(rig)
        outcome = fault.reaction(rig, since)
        record.injections.append(Injection(t, fault.name, outcome.seconds, outcome.problems))
        say(f"{t:6.0f} s {fault.name}: {'as expected' if not outcome.problems else '; '.join(outcome.problems)}")
        fault.undo(rig)
        rig.walk()
