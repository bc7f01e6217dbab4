"""``bench``: milliseconds of what runs on the robot, beside a plain eager-torch loop of the same plan.

The variants take turns, so that whatever else the machine does falls on all of them alike; percentiles, not means.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from beyondmimic_diffusion.core.diffusion.sampler import draw_noise
from beyondmimic_diffusion.core.engine import BACKENDS, LoadedPolicy, load_policy
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.execution import ActionExecutor, ExecutorConfig, ExecutorMode
from beyondmimic_diffusion.core.execution.robot_limits import g1_limits
from beyondmimic_diffusion.core.guidance import (
    Goal,
    JoystickGoal,
    KeyframeGoal,
    ObstacleScene,
    Sphere,
    Union,
    WaypointGoal,
)
from beyondmimic_diffusion.core.guidance.composer import GuidanceComposer
from beyondmimic_diffusion.core.guidance.goal_terms import GoalContext, goal_terms
from beyondmimic_diffusion.core.planner import GuidedPlanner, PlannerConfig
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.state import CharacterFrame
from beyondmimic_diffusion.core.types import Array, Conditioning, Levels, Plan, RobotState, Sample
from tqdm import trange

from .evaluate.report import commit, machine, write_json

_log = logging.getLogger(__name__)
START = 10.0
"""Stamp of the first plan [s]."""
GOAL = JoystickGoal(vel_xy_c=(0.4, 0.0), yaw_rate=0.3)
SPHERES = 20
"""Obstacles beside the composed goal."""
WARM_UP = 5
"""Turns that do not count."""
TICK_DT = 0.005
"""[s]; the executor's 200 Hz."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    milliseconds: Array
    passes: int
    """Network calls in it."""

    @property
    def p50(self) -> float:
        """Median [ms]."""
        return float(np.percentile(self.milliseconds, 50))

    @property
    def p99(self) -> float:
        """[ms]."""
        return float(np.percentile(self.milliseconds, 99))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``bench``."""
    parser.add_argument("--policy", type=Path, default=Path("policies/walk"), help="policy folder")
    parser.add_argument("--backend", choices=BACKENDS, default="auto")
    parser.add_argument("--passes", type=int, help="network calls per plan; by default the policy's own")
    parser.add_argument("--out", type=Path, default=Path("out/bench/bench.json"), help="JSON file to write")
    parser.add_argument("--repeats", type=int, default=200, help="how often each variant is timed")


def main(args: argparse.Namespace) -> int:
    """Run ``bench``; returns the exit status."""
    if args.repeats < 10:
        raise ConfigError(f"--repeats {args.repeats}: percentiles need at least 10")
    policy = load_policy(args.policy, args.backend)
    if args.passes is not None:
        sampling = replace(policy.manifest.sampling, passes=args.passes)
        policy = replace(policy, manifest=replace(policy.manifest, sampling=sampling))
    rows = measure(policy, args.repeats)
    report = {
        "policy": policy.manifest.name,
        "policy_sha256": policy.manifest.onnx_sha256,
        "backend": policy.backend_name,
        "repeats": args.repeats,
        "ms": {row.name: {"p50": row.p50, "p99": row.p99, "passes": row.passes} for row in rows},
        **ratios({row.name: row for row in rows}, policy.manifest.sampling.passes),
        "command": shlex.join(["python", "-m", "beyondmimic_training", *sys.argv[1:]]),
        "machine": machine(),
        "commit": commit(),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(args.out, report)
    _log.info("%s\n\n%s", table(rows, report), args.out)
    return 0


PASS, SCRATCH, GUIDED = "network pass", "plan, from scratch", "plan, from scratch, guided"
ROLLING, WARM, GUIDANCE = "plan, rolling, guided", "plan, warm start, guided", "guidance of one pass"
ALL_COSTS, COMPOSED = f"guidance of one pass, all costs, {SPHERES} spheres", f"plan, all costs, {SPHERES} spheres"
TICK, TORCH = "executor tick", "plan, from scratch, eager torch loop"


def measure(policy: LoadedPolicy, repeats: int) -> list[Row]:
    """All variants in turns, after a few turns that do not count."""
    policy, calls = _counting(policy)
    timed: dict[str, Callable[[int], float]] = {
        PASS: _network_pass(policy),
        GUIDANCE: _guidance_pass(policy, [GOAL]),
        ALL_COSTS: _guidance_pass(policy, all_goals(policy)),
        SCRATCH: _plans(policy, PlannerConfig(mode="scratch"), []),
        GUIDED: _plans(policy, PlannerConfig(mode="scratch"), [GOAL]),
        COMPOSED: _plans(policy, PlannerConfig(mode="scratch"), all_goals(policy)),
        ROLLING: _plans(policy, PlannerConfig(mode="rolling"), [GOAL]),
        WARM: _plans(policy, PlannerConfig(mode="warm_start"), [GOAL]),
        TICK: _ticks(policy),
    }
    if importlib.util.find_spec("torch") is None:
        _log.warning("torch is not installed: no eager loop to compare with")
    else:
        timed[TORCH] = _eager_loop(policy)
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    passes: dict[str, int] = {TORCH: policy.manifest.sampling.passes}
    for turn in trange(repeats + WARM_UP, desc="bench", mininterval=1.0):
        for name, run in timed.items():
            before = len(calls)
            seconds[name].append(run(turn))
            passes[name] = len(calls) - before if name != TORCH else passes[TORCH]
    return [Row(name, 1e3 * np.array(values[WARM_UP:]), passes[name]) for name, values in seconds.items()]


def _counting(policy: LoadedPolicy) -> tuple[LoadedPolicy, list[None]]:
    """The same policy, and a list that grows by one with each network call."""
    calls: list[None] = []

    def denoiser(sample: Sample, conditioning: Conditioning, levels: Levels) -> Sample:
        calls.append(None)
        return policy.denoiser(sample, conditioning, levels)

    return replace(policy, denoiser=denoiser), calls


def ratios(rows: dict[str, Row], passes: int) -> dict[str, float]:
    """Medians set against each other."""
    found = {
        "guidance_share": passes * rows[GUIDANCE].p50 / rows[GUIDED].p50,
        "guidance_share_all_costs": passes * rows[ALL_COSTS].p50 / rows[COMPOSED].p50,
    }
    if TORCH in rows:
        found["torch_over_ours"] = rows[TORCH].p50 / rows[SCRATCH].p50
    return found


def table(rows: list[Row], report: dict[str, Any]) -> str:
    """For people."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  p50 ms   p99 ms  network passes"]
    lines += [f"{row.name:{width}} {row.p50:7.3f}  {row.p99:7.3f}  {row.passes or '':>3}" for row in rows]
    lines.append(f"guidance is {100 * report['guidance_share']:.1f} % of a guided plan")
    share = 100 * report["guidance_share_all_costs"]
    lines.append(f"all costs with {SPHERES} spheres are {share:.1f} % of theirs")
    if "torch_over_ours" in report:
        lines.append(
            f"eager torch takes {report['torch_over_ours']:.2f} times as long for the same plan, on one thread too"
        )
    return "\n".join(lines)


def standing_state(stamp: float) -> RobotState:
    """A robot at rest."""
    zeros = np.zeros(3)
    upright = np.array([1.0, 0.0, 0.0, 0.0])
    height = np.array([0.0, 0.0, g1.DEFAULT_ROOT_HEIGHT])
    return RobotState(stamp, height, upright, zeros, zeros, np.array(g1.DEFAULT_JOINT_POS), np.zeros(g1.NUM_JOINTS))


def _timed(run: Callable[[int], Any]) -> Callable[[int], float]:
    """The same, returning how long it took [s]."""

    def measured(turn: int) -> float:
        began = time.perf_counter()
        run(turn)
        return time.perf_counter() - began

    return measured


def _inputs(policy: LoadedPolicy) -> tuple[Sample, Conditioning]:
    """Noise to denoise, and something to condition on."""
    m, rng = policy.manifest, np.random.default_rng(0)
    history = rng.standard_normal((1, m.history_len, m.state_dim + m.action_dim), np.float32)
    conditioning = Conditioning(history, rng.standard_normal((1, m.state_dim), np.float32))
    return draw_noise([rng], m.horizon, m.state_dim, m.action_horizon, m.action_dim), conditioning


def _network_pass(policy: LoadedPolicy) -> Callable[[int], float]:
    m = policy.manifest
    noise, conditioning = _inputs(policy)
    top = m.num_denoising_steps - 1
    levels = Levels(np.full((1, m.horizon), top), np.full((1, m.action_horizon), top))
    return _timed(lambda turn: policy.denoiser(noise, conditioning, levels))


def _eager_loop(policy: LoadedPolicy) -> Callable[[int], float]:
    import torch
    from beyondmimic_diffusion.core.diffusion.denoiser import StateActionDenoiser
    from beyondmimic_diffusion.core.engine.torch_backend import config_of

    from .eager_plan import EagerPlan

    torch.set_num_threads(1)  # as ONNX Runtime is given
    network = StateActionDenoiser(config_of(policy.manifest))
    loop = EagerPlan(network, policy.manifest, policy.manifest.sampling.passes)
    inputs = _inputs(policy)
    return _timed(lambda turn: loop(*inputs))


def all_goals(policy: LoadedPolicy) -> list[Goal]:
    """A waypoint, a heading, a body pose and obstacles at once: every kind of cost there is for a body-pos policy."""
    rng = np.random.default_rng(1)
    centres = np.column_stack([rng.uniform(-4.0, 4.0, (SPHERES, 2)), rng.uniform(0.2, 1.2, SPHERES)])
    goals: list[Goal] = [WaypointGoal((2.0, 1.0), heading_w=0.5)]
    if policy.manifest.state_kind == "body_pos":
        goals.append(
            ObstacleScene(Union([Sphere(c, r) for c, r in zip(centres, rng.uniform(0.1, 0.3, SPHERES), strict=True)]))
        )
        names = tuple(p.name for p in policy.manifest.key_points[:4])
        hold = 3600.0  # in every plan, whichever its time
        goals.append(KeyframeGoal(names, rng.uniform(-0.3, 0.3, (len(names), 3)), due=START, hold=hold))
    return goals


def _guidance_pass(policy: LoadedPolicy, goals: Sequence[Goal]) -> Callable[[int], float]:
    planner = GuidedPlanner(policy).batch
    m, frame = policy.manifest, CharacterFrame(np.zeros((1, 2)), np.zeros(1))
    points = m.key_points if m.state_kind == "body_pos" else ()
    context = GoalContext(
        frame,
        START,
        m.step_dt,
        m.horizon,
        key_point_names=tuple(p.name for p in points),
        key_point_radii=np.array([p.radius for p in points]),
    )
    terms = goal_terms(goals, context)
    norm = planner.state_norm
    guidance = GuidanceComposer(planner.representation.layout, norm.scale, norm.offset, m.step_dt, terms)
    states = norm.clamp(np.random.default_rng(0).standard_normal((1, m.horizon, m.state_dim), np.float32))
    return _timed(lambda turn: guidance.correction(states, m.num_denoising_steps // 2))


def _plans(policy: LoadedPolicy, config: PlannerConfig, goals: Sequence[Goal]) -> Callable[[int], float]:
    """Everything the planner does for one plan: observe, encode, denoise, decode."""
    planner = GuidedPlanner(policy, config)

    def plan(turn: int) -> None:
        stamp = START + turn * planner.manifest.step_dt
        planner.observe(standing_state(stamp))
        planner.observe_executed(stamp, np.asarray(planner.manifest.default_joint_pos))
        planner.plan(goals)

    return _timed(plan)


def _ticks(policy: LoadedPolicy) -> Callable[[int], float]:
    """An executor that plays plans, with a new state at each tick and a new plan every 40 ms."""
    m = policy.manifest
    executor = ActionExecutor(ExecutorConfig(), g1_limits(), np.array(m.kp), np.array(m.kd), g1.DEFAULT_JOINT_POS)
    still = np.tile(g1.DEFAULT_JOINT_POS, (m.action_horizon * m.setpoints_per_step, 1))
    now = START

    def step() -> float:
        """Advance the clock; returns the time the tick took [s]."""
        nonlocal now
        now += TICK_DT
        number = round((now - START) / TICK_DT)
        if number % 8 == 0:
            executor.accept(
                Plan(number, 1, now, now, m.setpoint_dt, still, len(still), 1, now + len(still) * m.setpoint_dt), now
            )
        state = standing_state(now)
        if executor.mode is ExecutorMode.DISARMED:
            executor.arm(now, state)
        began = time.perf_counter()
        executor.tick(now, now, state)
        return time.perf_counter() - began

    while executor.mode is not ExecutorMode.TRACKING:
        step()
    return lambda turn: step()
