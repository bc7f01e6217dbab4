"""Episodes spread over processes. Which process or batch an episode is in does not change it."""

from __future__ import annotations

import itertools
import math
import multiprocessing as mp
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from beyondmimic_diffusion.core.engine import load_policy
from beyondmimic_diffusion.core.guidance.clip_library import ClipLibrary
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics

from ..experts import make_expert
from .baselines import PilotedExpert, make_pilot
from .clip_goals import ClipGoals
from .conditions import Conditions
from .controllers import Controller, ExpertController, ExpertDriver, PolicyController, PolicySettings
from .fleet import Fleet
from .judge import EpisodeResult, Trace, judge
from .observer import OBSERVERS
from .rollout import run_episodes
from .suites import EpisodeSpec, Suite, suite_named
from .task_goals import TaskGoals, TaskSettings
from .task_judge import TaskResult, judge_task
from .task_rollout import TaskTrace, run_task
from .task_suites import TASK_SUITES, TaskSpec, TaskSuite

POLL = 0.2
"""How often the progress of the workers is looked at [s]."""
Outcome = tuple[EpisodeResult, Trace]
TaskOutcome = tuple[TaskResult, TaskTrace]


@dataclass(frozen=True)
class Setup:
    """What a worker needs."""

    policy: Path
    backend: str = "auto"
    settings: PolicySettings = field(default_factory=PolicySettings)
    tasks: TaskSettings = field(default_factory=TaskSettings)
    expert: str = "fastsac_walker"
    physics_dt: float = 0.002
    batch: int = 50
    seed: int = 0
    state: str = "truth"
    """What the policy is told of its robot: one of :data:`STATES`."""
    conditions: Conditions = field(default_factory=Conditions)
    """How robots and floor differ from the nominal ones."""
    cut: float = math.inf
    """Episodes end after this at the latest [s]."""

    def episode(self, suite: Suite, index: int) -> EpisodeSpec:
        """Episode ``index`` of a suite, as it is run here."""
        return suite.episode(self.seed, index).cut(self.cut)

    def task_episode(self, suite: TaskSuite, index: int) -> TaskSpec:
        """The same for a suite with tasks."""
        return suite.episode(self.seed, index).cut(self.cut)


@dataclass(frozen=True)
class Job:
    """One batch of episodes with one controller."""

    suite: str
    controller: str
    """``policy`` or ``expert``; in suites with tasks also another of its references."""
    episodes: tuple[int, ...]


def plan_jobs(suite: str, controller: str, episodes: int, batch: int, workers: int) -> list[Job]:
    """Batches of even size: at most ``batch``, and at least one for each worker if there are enough episodes."""
    count = max(-(-episodes // batch), min(workers, episodes))
    bounds = [episodes * i // count for i in range(count + 1)]
    return [Job(suite, controller, tuple(range(a, b))) for a, b in itertools.pairwise(bounds)]


class Worker:
    """Loads everything once and runs jobs."""

    def __init__(self, setup: Setup):
        self._setup = setup
        self._policy = load_policy(setup.policy, setup.backend)
        self._driver = ExpertDriver(make_expert(setup.expert))
        self._kinematics = Kinematics()
        self._fleet: Fleet | None = None

    def run(self, job: Job, progress: Callable[[float], object] | None = None) -> list[Any]:
        """Live through a job's episodes and judge them: :data:`Outcome`, in a suite with tasks :data:`TaskOutcome`."""
        if job.suite in TASK_SUITES:
            return [self._run_task(job, index, progress) for index in job.episodes]
        return self._run_batch(job, progress)

    def _run_task(self, job: Job, index: int, progress: Callable[[float], object] | None) -> TaskOutcome:
        setup = self._setup
        spec, goals = setup.task_episode(TASK_SUITES[job.suite], index), None
        if job.controller == "policy":
            goals = self._goals(spec)
            controller: Controller = PolicyController(self._policy, setup.settings, goals, OBSERVERS[setup.state]())
        else:
            controller = PilotedExpert(self._driver, make_pilot(job.controller, spec))
        ended = goals.gave_up if goals is not None else str
        trace = run_task(
            spec,
            controller,
            self._kinematics,
            setup.physics_dt,
            ended,
            progress,
            sensors=self._senses(job),
            conditions=setup.conditions,
        )
        if goals is not None:
            trace = replace(trace, route_xy_w=goals.route_xy_w)
        if isinstance(goals, ClipGoals):
            trace = goals.judged(trace)
        return judge_task(spec, trace, int(controller.starved[0])), trace

    def _senses(self, job: Job) -> bool:
        return job.controller == "policy" and self._setup.state != "truth"

    def _goals(self, spec: TaskSpec) -> TaskGoals | ClipGoals:
        interlude = spec.scenario.interlude
        if interlude is None:
            return TaskGoals(spec, self._setup.tasks)
        clips = ClipLibrary.load(self._setup.policy, g1.JOINT_NAMES, g1.KEY_POINT_NAMES)
        return ClipGoals(spec, clips.named(interlude.clip), self._kinematics)

    def _run_batch(self, job: Job, progress: Callable[[float], object] | None) -> list[Outcome]:
        suite = suite_named(job.suite)
        specs = [self._setup.episode(suite, index) for index in job.episodes]
        if self._fleet is None or self._fleet.capacity < len(specs):
            self._fleet = Fleet(
                len(specs),
                self._setup.physics_dt,
                sensors=self._setup.state != "truth",
                conditions=self._setup.conditions,
            )
        controller: Controller = (
            ExpertController(self._driver)
            if job.controller == "expert"
            else PolicyController(self._policy, self._setup.settings, observer=OBSERVERS[self._setup.state]())
        )
        leads_in = suite.walking_share > 0.0 or job.controller == "expert"
        traces = run_episodes(specs, self._fleet, controller, self._driver if leads_in else None, progress)
        rows = zip(specs, traces, controller.starved, strict=True)
        return [(judge(spec, trace, int(starved)), trace) for spec, trace, starved in rows]


_worker: Worker | None = None
_progress: Any = None


def _start(setup: Setup, progress: Any) -> None:
    global _worker, _progress
    _worker, _progress = Worker(setup), progress


def _run(job: Job) -> list[Any]:
    assert _worker is not None
    return _worker.run(job, _progress.put)


def run_jobs(setup: Setup, jobs: Sequence[Job], workers: int, progress: Callable[[float], object]) -> list[list[Any]]:
    """Outcomes of each job, in order.

    Args:
        setup: What workers need.
        jobs: Batches of episodes.
        workers: Processes; 1 runs in this one.
        progress: Told how much robot time has passed [s] since it was last told.
    """
    if workers <= 1 or len(jobs) <= 1:
        worker = Worker(setup)
        return [worker.run(job, progress) for job in jobs]
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read by the workers' NumPy; each has one core
    context = mp.get_context("spawn")
    told = context.SimpleQueue()
    with context.Pool(min(workers, len(jobs)), _start, (setup, told)) as pool:
        pending = [pool.apply_async(_run, (job,)) for job in jobs]
        for result in pending:
            while not result.ready():
                result.wait(POLL)
                while not told.empty():
                    progress(told.get())
        return [result.get() for result in pending]
