"""What ``report`` runs: each case is one call of ``evaluate``; data only."""

from __future__ import annotations

from dataclasses import dataclass

_ALONE = ("--no-expert", "--videos", "0")
_SEED = ("--seed", "3")
"""Of suites with tasks: no setting was chosen on it."""
_ESTIMATED = "on the estimator, without truth"
_ESTIMATOR = (*_ALONE, "--state", "estimator")
_BODY, _JOINT = "runs/ablation_body_pos/policy", "runs/ablation_joint_rot/policy"


@dataclass(frozen=True)
class Case:
    """One row (and the expert's, where it is run)."""

    folder: str
    suite: str
    label: str
    arguments: tuple[str, ...] = ()
    episodes: int = 100
    policy: str = ""
    """Another policy than the one that is reported on; its row needs that policy's folder."""

    @property
    def headline(self) -> bool:
        """What the policy does, as it ships: in the repository's README, and kept with its pictures and films."""
        return self.folder == self.suite and self.suite in HEADLINES

    @property
    def words(self) -> list[str]:
        """Arguments of ``evaluate``, without policy and output folder."""
        words = ["--suite", self.suite, "--episodes", str(self.episodes), "--label", self.label]
        return [*words, *(() if "--seed" in self.arguments else ("--seed", "1")), *self.arguments]


HEADLINES = ("joystick", "walk-perturb", "waypoint", "forest", "moving-obstacle", "composed", "in-between", "clip")
CASES = (
    Case("joystick", "joystick", "policy", episodes=200),
    Case("walk-perturb", "walk-perturb", "policy", episodes=200),
    Case("joystick-estimator", "joystick", f"{_ESTIMATED}, seed 5", (*_ESTIMATOR, "--seed", "5"), 100),
    Case("joystick-omni", "joystick-omni", "policy", ("--videos", "0"), episodes=50),
    Case("turn", "turn", "policy", _ALONE, 30),
    Case("turn-no-gain", "turn", "heading not gone after", (*_ALONE, "--set", "steering.turn_gain=0"), 30),
    Case("stand", "stand", "policy", ("--videos", "0"), episodes=30),
    Case("unguided", "unguided", "policy", ("--videos", "0"), episodes=30),
    Case("joystick-guidance-off", "joystick", "guidance off", (*_ALONE, "--guidance", "off"), 30),
    Case("joystick-rolling", "joystick", "rolling, 15 passes", (*_ALONE, "--mode", "rolling", "--passes", "15"), 30),
    Case("joystick-warm", "joystick", "warm start, 4 passes", (*_ALONE, "--mode", "warm_start", "--passes", "4",
                                                             "--set", "planner.reopen_level=16"), 30),
    Case("joystick-float", "joystick", "32-bit weights", (*_ALONE, "--backend", "onnx"), 30),
    Case("perturb-estimator", "walk-perturb", _ESTIMATED, _ESTIMATOR, 30),
    Case("perturb-guidance-off", "walk-perturb", "guidance off", (*_ALONE, "--guidance", "off"), 30),
    Case("perturb-rolling", "walk-perturb", "rolling, 15 passes", (*_ALONE, "--mode", "rolling", "--passes", "15"), 30),
    Case("joystick-short", "joystick", "Body-Pos, 2000 steps", _ALONE, 30, _BODY),
    Case("joystick-joint-rot", "joystick", "Joint-Rot, 2000 steps", _ALONE, 30, _JOINT),
    Case("perturb-short", "walk-perturb", "Body-Pos, 2000 steps", _ALONE, 30, _BODY),
    Case("perturb-joint-rot", "walk-perturb", "Joint-Rot, 2000 steps", _ALONE, 30, _JOINT),
    Case("waypoint", "waypoint", "policy", _SEED),
    Case("waypoint-estimator", "waypoint", _ESTIMATED, (*_SEED, *_ESTIMATOR), 30),
    Case("forest", "forest", "route and barrier", _SEED),
    Case("forest-estimator", "forest", _ESTIMATED, (*_SEED, *_ESTIMATOR), 20),
    Case("forest-barrier", "forest", "barrier alone", (*_SEED, *_ALONE, "--variant", "barrier"), 30),
    Case("forest-route", "forest", "route alone", (*_SEED, *_ALONE, "--variant", "route"), 30),
    Case("forest-none", "forest", "neither", (*_SEED, *_ALONE, "--variant", "none"), 30),
    Case("moving-obstacle", "moving-obstacle", "barrier", _SEED, 50),
    Case("moving-obstacle-estimator", "moving-obstacle", _ESTIMATED, (*_SEED, *_ESTIMATOR), 30),
    Case("moving-obstacle-none", "moving-obstacle", "no barrier", (*_SEED, *_ALONE, "--variant", "none"), 30),
    Case("composed", "composed", "route and barrier", _SEED, 50),
    Case("composed-estimator", "composed", _ESTIMATED, (*_SEED, *_ESTIMATOR), 30),
    Case("composed-none", "composed", "neither", (*_SEED, *_ALONE, "--variant", "none"), 30),
    Case("in-between", "in-between", "clean tokens and velocity to the next", _SEED, 50),
    Case("in-between-estimator", "in-between", _ESTIMATED, (*_SEED, *_ESTIMATOR), 30),
    Case("in-between-tokens", "in-between", "clean tokens alone", (*_SEED, *_ALONE, "--variant", "tokens"), 30),
    Case("in-between-chase", "in-between", "velocity alone", (*_SEED, *_ALONE, "--variant", "chase"), 30),
    Case("in-between-cost", "in-between", "keyframe cost", (*_SEED, *_ALONE, "--variant", "cost"), 30),
    Case("in-between-command", "in-between", "command alone", (*_SEED, *_ALONE, "--variant", "command"), 30),
    Case("clip", "clip", "the clip's states as facts", _SEED, 50),
    Case("clip-estimator", "clip", _ESTIMATED, (*_SEED, *_ESTIMATOR), 30),
)  # fmt: skip
"""What is reported. Guidance, sampling, state representation and helps are compared on the same episodes."""


@dataclass(frozen=True)
class Ablation:
    """One row of the ablations."""

    varied: str
    """Heading of the group."""
    case: Case
    condition: str = ""
    """What the second column says; empty: the suite."""


def _trained(name: str, setting: str, suite: str, *extra: str, episodes: int = 20, tag: str = "") -> Case:
    """A policy of ``training/configs/ablation_NAME.yaml``, played on a suite."""
    folder = f"ablation/{name}-{tag or suite}"
    return Case(folder, suite, setting, (*_ALONE, *extra), episodes, f"runs/ablation_{name}/policy")


def _pair(varied: str, name: str, setting: str) -> list[Ablation]:
    return [Ablation(varied, _trained(name, setting, suite)) for suite in ("joystick", "walk-perturb")]


def _delays(name: str, setting: str) -> list[Ablation]:
    varied = "Action delays in the data, under latency that the planner does not know of"
    rows = []
    for late in (20, 40, 60):
        extra = ("--added-delay", f"{late / 1000:g}")
        case = _trained(name, setting, "joystick", *extra, tag=f"late-{late}")
        rows.append(Ablation(varied, case, f"joystick, {late} ms late"))
    return rows


def _horizon(name: str, setting: str) -> list[Ablation]:
    varied = "Horizon, 40 ms a step: steering, and a forest with the barrier alone"
    barrier = _trained(name, setting, "forest", *_SEED, "--variant", "barrier", episodes=20, tag="forest-barrier")
    rows = [Ablation(varied, barrier, "forest, barrier alone")]
    if name != "control":
        rows.append(Ablation(varied, _trained(name, setting, "joystick")))
    return rows


def _settings(varied: str, name: str, option: str, values: tuple[str, ...], unit: str) -> list[Ablation]:
    """The policy itself, one option of its sampling varied."""
    return [
        Ablation(
            varied,
            Case(f"ablation/{name}-{v}", "joystick", f"{v}{unit}", (*_ALONE, option, v), 20),
        )
        for v in values
    ]


_SCALES = ("0.25", "0.5", "1", "4", "8", "16", "32")
ABLATIONS = (
    *_pair("Fine-tuned for 600 steps, as the rows below were, with nothing changed", "control", "as published"),
    *_pair("Attention", "full_attention", "every token sees every token"),
    *_pair("Noise levels", "shared_levels", "one level for states and actions"),
    *_pair("Loss on actions", "all_actions", "at all 16 steps, not at 8"),
    *_pair("Action delays in the data, known latency alone", "no_delay", "at most 10 ms"),
    *_delays("control", "0 to 55 ms"),
    *_delays("no_delay", "at most 10 ms"),
    *_horizon("control", "16 steps"),
    *_horizon("horizon_24", "24 steps"),
    *_horizon("horizon_32", "32 steps"),
    *_settings("Denoising passes per plan (the policy's own: 4)", "passes", "--passes", ("2", "3", "6", "10"), ""),
    *_settings(
        "Guidance scale (the policy's own: 2)",
        "scale",
        "--guidance-scale",
        ("0.25", "0.5", "1", "4", "8", "16", "32"),
        "",
    ),
)
"""What the papers vary, one thing at a time, on the episodes of the rows above."""
