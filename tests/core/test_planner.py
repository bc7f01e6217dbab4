"""Plans of a small untrained network: what holds for any weights. What a trained one does is measured elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from beyondmimic_diffusion.core.batch_planner import BatchPlanner, Observation
from beyondmimic_diffusion.core.engine import KeyPointFact, NormalizerStats, PolicyManifest, SamplingDefaults
from beyondmimic_diffusion.core.engine.factory import LoadedPolicy
from beyondmimic_diffusion.core.errors import ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.guidance.goals import HeadingGoal, JoystickGoal, WaypointGoal
from beyondmimic_diffusion.core.guidance.state_keyframe import StateKeyframeGoal
from beyondmimic_diffusion.core.planner import GuidedPlanner, PlannerConfig
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot.kinematics import Kinematics
from beyondmimic_diffusion.core.state import character_frame
from beyondmimic_diffusion.core.types import Plan, RobotState
from scipy.spatial.transform import Rotation

N, H, HA, SETPOINTS, J = 4, 16, 8, 2, g1.NUM_JOINTS
STEP_DT, SETPOINT_DT = 0.04, 0.02
STATE_DIM, ACTION_DIM = 12 + 6 * len(g1.KEY_POINTS), SETPOINTS * J
MODES = ("scratch", "rolling", "warm_start")
FORWARD = JoystickGoal((0.6, 0.0))


def stats(scale: np.ndarray, offset: np.ndarray) -> NormalizerStats:
    reach = np.full(len(scale), 3.0)
    return NormalizerStats(*(tuple(map(float, v)) for v in (scale, offset, -reach, reach)))


def make_manifest() -> PolicyManifest:
    rng = np.random.default_rng(1)
    state_scale = np.concatenate([np.full(12, 0.3), rng.uniform(0.05, 0.4, STATE_DIM - 12)])
    state_offset = np.concatenate([[0.0, 0.0, 0.75], np.zeros(STATE_DIM - 3)])
    return PolicyManifest(
        name="untrained",
        robot=g1.ROBOT_NAME,
        mode_machine=(),
        joint_names=g1.JOINT_NAMES,
        kp=tuple(map(float, g1.KP)),
        kd=tuple(map(float, g1.KD)),
        default_joint_pos=tuple(map(float, g1.DEFAULT_JOINT_POS)),
        action_kind="joint_position",
        setpoints_per_step=SETPOINTS,
        step_dt=STEP_DT,
        history_len=N,
        horizon=H,
        action_horizon=HA,
        num_denoising_steps=20,
        schedule="cosine",
        state_kind="body_pos",
        key_points=tuple(KeyPointFact(p.name, p.body, p.offset_b, p.radius) for p in g1.KEY_POINTS),
        state_normalizer=stats(state_scale, state_offset),
        action_normalizer=stats(np.full(ACTION_DIM, 0.2), np.tile(g1.DEFAULT_JOINT_POS, SETPOINTS)),
        delay_range=(0.0, 0.02),
        sampling=SamplingDefaults(passes=3),
        onnx_sha256="",
        network={
            "state_dim": STATE_DIM, "action_dim": ACTION_DIM, "history_len": N, "horizon": H, "action_horizon": HA,
            "width": 16, "num_layers": 2, "num_heads": 2, "num_levels": 20, "schedule": "cosine",
        },
    )  # fmt: skip


def make_network(manifest: PolicyManifest):
    """Random weights, with heads large enough that plans depend on everything the network sees."""
    torch = pytest.importorskip("torch")
    from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser

    torch.manual_seed(0)
    network = StateActionDenoiser(DenoiserConfig(**manifest.network)).eval()
    for head in (network.head_state, network.head_action):
        head.weight.data.mul_(10.0)
    return network


@pytest.fixture(scope="module")
def policy() -> LoadedPolicy:
    pytest.importorskip("torch")
    from beyondmimic_diffusion.core.engine.torch_backend import TorchDenoiser

    manifest = make_manifest()
    return LoadedPolicy(manifest, TorchDenoiser(make_network(manifest)), "torch", Path(), 0.0)


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics()


def walk(seed: int = 0) -> list[RobotState]:
    """A made-up motion of one second, every 10 ms: drifts, turns, tilts and swings its joints."""
    rng = np.random.default_rng(seed)
    velocity, turn = rng.uniform(-0.5, 0.5, 2), rng.uniform(-1.0, 1.0)
    phase = rng.uniform(0.0, 6.0, J)
    start = rng.uniform(-3.0, 3.0, 2)
    states = []
    for t in 0.01 * np.arange(101):
        rotation = Rotation.from_euler("ZYX", [turn * t + seed, 0.05 * np.sin(9 * t), 0.05 * np.cos(7 * t)])
        states.append(
            RobotState(
                stamp=10.0 + t,
                root_pos_w=np.array([*(start + velocity * t), 0.75 + 0.01 * np.sin(10 * t)]),
                root_quat_w=rotation.as_quat(scalar_first=True),
                root_lin_vel_w=np.array([*velocity, 0.1 * np.cos(10 * t)]),
                root_ang_vel_w=np.array([0.1, -0.1, turn]),
                joint_pos=g1.DEFAULT_JOINT_POS + 0.1 * np.sin(8 * t + phase),
                joint_vel=0.8 * np.cos(8 * t + phase),
            )
        )
    return states


def executed_target(i: int, seed: int = 0) -> np.ndarray:
    """Target in force from ``10 + 0.02 i`` on."""
    return g1.DEFAULT_JOINT_POS + 0.1 * np.sin(0.3 * i + seed + np.arange(J))


def elsewhere(state: RobotState, yaw: float, shift: tuple[float, float]) -> RobotState:
    turn = Rotation.from_euler("z", yaw)
    return replace(
        state,
        root_pos_w=turn.apply(state.root_pos_w) + [*shift, 0.0],
        root_quat_w=(turn * Rotation.from_quat(state.root_quat_w, scalar_first=True)).as_quat(scalar_first=True),
        root_lin_vel_w=turn.apply(state.root_lin_vel_w),
        root_ang_vel_w=turn.apply(state.root_ang_vel_w),
    )


class Run:
    """A planner fed with a made-up motion, asked for a plan every 40 ms."""

    def __init__(self, policy, kinematics, config=None, states=None, seed=0, session=5):
        self.planner = GuidedPlanner(policy, config, session_id=session, kinematics=kinematics)
        self.states = states or walk(seed)
        self.seed = seed
        self._next = 0

    def advance(self, until: float) -> None:
        """Feed states and executed targets up to a time since the start [s]."""
        while self._next < len(self.states) and self._next * 0.01 <= until + 1e-9:
            self.planner.observe(self.states[self._next])
            if self._next % 2 == 0:
                self.planner.observe_executed(10.0 + 0.01 * self._next, executed_target(self._next // 2, self.seed))
            self._next += 1

    def plans(self, count: int, goals=(FORWARD,), start: float = 0.3) -> list[Plan]:
        out = []
        for i in range(count):
            self.advance(start + STEP_DT * i)
            out.append(self.planner.plan(goals, seq=i))
        return out


# ---------------------------------------------------------------- repeatable


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_plans_bit_for_bit(policy, kinematics, mode):
    first, second = (Run(policy, kinematics, PlannerConfig(mode=mode, seed=3)).plans(3) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.joint_targets, b.joint_targets)
        np.testing.assert_array_equal(a.root_pos_w, b.root_pos_w)


def test_onnx_runtime_gives_the_same_plan_bit_for_bit_after_loading_again(policy, kinematics, tmp_path):
    pytest.importorskip("onnxruntime")
    from beyondmimic_diffusion.core.engine import load_policy, make_golden, save_golden
    from beyondmimic_diffusion.core.engine.onnx_backend import sha256_of
    from beyondmimic_training.export_onnx import write_onnx

    write_onnx(policy.denoiser.module, tmp_path / "model.onnx")
    manifest = replace(policy.manifest, onnx_sha256=sha256_of(tmp_path / "model.onnx"))
    manifest.save(tmp_path)
    save_golden(tmp_path, make_golden(manifest, policy.denoiser))
    plans = [Run(load_policy(tmp_path), kinematics).plans(2)[-1] for _ in range(2)]
    np.testing.assert_array_equal(plans[0].joint_targets, plans[1].joint_targets)
    by_torch = Run(policy, kinematics).plans(2)[-1]
    # float32 sums in another order, fed back three times through 20 denoising levels
    np.testing.assert_allclose(plans[0].joint_targets, by_torch.joint_targets, atol=1e-4)


def test_another_seed_session_or_number_gives_another_plan(policy, kinematics):
    reference = Run(policy, kinematics).plans(1)[0].joint_targets
    other_seed = Run(policy, kinematics, PlannerConfig(seed=1)).plans(1)[0].joint_targets
    other_session = Run(policy, kinematics, session=6).plans(1)[0].joint_targets
    run = Run(policy, kinematics)
    run.advance(0.3)
    later = [run.planner.plan((FORWARD,)).joint_targets for _ in range(2)][1]
    for other in (other_seed, other_session, later):
        assert np.abs(other - reference).max() > 1e-3


@pytest.mark.parametrize("mode", MODES)
def test_after_a_reset_a_planner_plans_like_a_new_one_even_if_time_jumped_back(policy, kinematics, mode):
    config = PlannerConfig(mode=mode)
    used, fresh = Run(policy, kinematics, config, seed=4), Run(policy, kinematics, config)
    used.plans(5)
    used.planner.reset()
    used.planner._next_id = 0  # plan ids go on after a reset; the noise follows them
    used.states, used.seed, used._next = fresh.states, 0, 0
    for a, b in zip(used.plans(2, start=0.1), fresh.plans(2, start=0.1), strict=True):
        np.testing.assert_array_equal(a.joint_targets, b.joint_targets)


# ---------------------------------------------------------------- one robot or many


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_of_robots_gets_the_plans_each_would_get_alone(policy, kinematics, mode):
    config = PlannerConfig(mode=mode, latency=0.04)
    runs = [Run(policy, kinematics, config, seed=i, session=i) for i in range(3)]
    together = BatchPlanner(policy, config, rows=3)
    for i in range(3):
        observations = []
        for run in runs:
            run.advance(0.3 + STEP_DT * i)
            observations.append(run.planner.track.observation())
        batch = together.plan(observations, (FORWARD,), [i] * 3)
        for run, plan in zip(runs, batch, strict=True):
            alone = run.planner.plan((FORWARD,))
            # matrix products of 3 rows and of 1 row add up in another order
            np.testing.assert_allclose(plan.joint_targets, alone.joint_targets, atol=1e-4)
            np.testing.assert_allclose(plan.root_pos_w, alone.root_pos_w, atol=1e-4)
            np.testing.assert_allclose(plan.root_quat_w, alone.root_quat_w, atol=1e-4)
            assert (plan.session_id, plan.plan_id) == (alone.session_id, alone.plan_id)


def test_each_robot_of_a_batch_follows_its_own_goal(policy, kinematics):
    observations = []
    for _ in range(2):
        run = Run(policy, kinematics)
        run.advance(0.3)
        observations.append(run.planner.track.observation())
    goals = (JoystickGoal(np.array([[0.6, 0.0], [-0.6, 0.0]]), np.zeros(2)),)
    forward, backward = BatchPlanner(policy, rows=2, sessions=[5, 5]).plan(observations, goals, [0, 0])
    for plan, velocity in ((forward, 0.6), (backward, -0.6)):
        alone = Run(policy, kinematics).plans(1, (JoystickGoal((velocity, 0.0)),))[0]
        np.testing.assert_allclose(plan.joint_targets, alone.joint_targets, atol=1e-4)


# ---------------------------------------------------------------- what was promised


@pytest.mark.parametrize("latency", [0.04, 0.06])
@pytest.mark.parametrize("mode", MODES)
def test_what_was_promised_stands_unchanged_at_the_beginning_of_the_next_plan(policy, kinematics, mode, latency):
    plans = Run(policy, kinematics, PlannerConfig(mode=mode, latency=latency)).plans(4)
    whole = SETPOINTS * int(latency / STEP_DT + 1e-9)
    for before, after in zip(plans[:-1], plans[1:], strict=True):
        shift = round((after.stamp - before.stamp) / SETPOINT_DT)
        promised = before.joint_targets[shift : shift + whole]
        # normalised and back in float32
        np.testing.assert_allclose(after.joint_targets[:whole], promised, atol=1e-6)
        assert after.first_step >= whole
        own = after.joint_targets[whole : whole + 8] - before.joint_targets[shift + whole : shift + whole + 8]
        assert np.abs(own).max() > 1e-3


def test_a_promise_of_less_than_a_token_is_left_to_the_executor(policy, kinematics):
    run = Run(policy, kinematics, PlannerConfig(latency=0.02))
    run.plans(2)
    run.advance(0.5)
    assert run.planner.track.observation().promised.shape == (0, J)


def test_a_plan_that_has_run_out_promises_nothing(policy, kinematics):
    run = Run(policy, kinematics, PlannerConfig(latency=0.04))
    run.plans(1)
    run.advance(0.3 + SETPOINT_DT * 2 * HA)
    assert run.planner.track.observation().promised.shape == (0, J)
    run.planner.plan((FORWARD,))


@pytest.mark.parametrize(
    ("latency", "first"),
    [(0.0, 0), (0.001, 1), (0.02, 1), (0.021, 2), (0.04, 2), (0.06, 3), (0.08, 4), (0.1, 5), (0.16, 8), (0.2, 10)],
)
def test_the_first_own_set_point_is_the_first_that_is_not_due_before_the_plan_arrives(
    policy, kinematics, latency, first
):
    plan = Run(policy, kinematics, PlannerConfig(latency=latency)).plans(1)[0]
    due = [plan.stamp + i * plan.step_dt for i in range(len(plan.joint_targets))]
    own = [t for t in due if t >= plan.observation_stamp + latency - 1e-9][0]
    assert own == pytest.approx(plan.observation_stamp + first * plan.step_dt)
    assert plan.first_step == due.index(own)
    foreseen = first // SETPOINTS if first >= 2 * SETPOINTS else 0  # whole tokens of latency, where it is more than one
    assert plan.stamp == pytest.approx(plan.observation_stamp + foreseen * STEP_DT)


def test_without_foresight_a_plan_starts_at_its_observation_whatever_the_latency(policy, kinematics):
    plan = Run(policy, kinematics, PlannerConfig(latency=0.08, foresight=False)).plans(2)[1]
    assert plan.stamp == plan.observation_stamp and plan.first_step == 4


# ---------------------------------------------------------------- what a plan says


def test_a_plan_carries_the_stamps_of_its_newest_state_and_of_its_end(policy, kinematics):
    for i, plan in enumerate(Run(policy, kinematics).plans(3)):
        assert plan.plan_id == i and plan.guidance_seq == i and plan.session_id == 5
        assert plan.stamp == plan.observation_stamp == pytest.approx(10.3 + STEP_DT * i)
        assert plan.joint_targets.shape == (HA * SETPOINTS, J) and plan.trusted_steps == HA * SETPOINTS
        assert plan.step_dt == pytest.approx(SETPOINT_DT)
        assert plan.valid_until == pytest.approx(plan.stamp + 0.32)
        assert plan.root_pos_w.shape == (H, 3)


def test_targets_stay_within_the_range_of_the_data(policy, kinematics):
    limit = 3.0 * 0.2 + 1e-6
    for plan in Run(policy, kinematics).plans(3):
        assert np.abs(plan.joint_targets - g1.DEFAULT_JOINT_POS).max() <= limit


@pytest.mark.parametrize("count", [1, 7, 40])
def test_the_history_of_actions_is_what_was_in_force_at_each_past_set_point(policy, kinematics, count):
    run = Run(policy, kinematics)
    run.advance(0.02 * count)
    observation = run.planner.track.observation()
    for slot in range(N * SETPOINTS):
        index = count - N * SETPOINTS + slot
        expected = executed_target(index) if index >= 0 else g1.DEFAULT_JOINT_POS
        np.testing.assert_array_equal(observation.executed[slot], expected)


def test_the_history_of_states_ends_at_the_newest_one(policy, kinematics):
    run = Run(policy, kinematics)
    run.advance(0.5)
    states = run.planner.track.observation().states
    for step, index in enumerate((34, 38, 42, 46, 50)):
        np.testing.assert_allclose(states.root_pos_w[step], run.states[index].root_pos_w, atol=1e-12)
        expected = kinematics.key_points(run.states[index])
        np.testing.assert_allclose(states.key_pos_w[step], expected[0], atol=1e-12)
        np.testing.assert_allclose(states.key_vel_w[step], expected[1], atol=1e-12)


def test_a_planner_without_a_state_says_so(policy, kinematics):
    with pytest.raises(ValueError, match="no state"):
        GuidedPlanner(policy, kinematics=kinematics).plan((FORWARD,))


def test_one_state_is_enough_for_a_plan(policy, kinematics):
    planner = GuidedPlanner(policy, kinematics=kinematics)
    planner.observe(walk()[0])
    assert np.all(np.isfinite(planner.plan((FORWARD,)).joint_targets))


# ---------------------------------------------------------------- modes and guidance


def test_rolling_and_warm_start_begin_alike_and_then_differ_from_scratch(policy, kinematics):
    plans = {mode: Run(policy, kinematics, PlannerConfig(mode=mode, passes=5)).plans(3) for mode in MODES}
    for mode in ("rolling", "warm_start"):
        assert np.abs(plans[mode][2].joint_targets - plans["scratch"][2].joint_targets).max() > 1e-3
    first = plans["warm_start"][0].joint_targets
    np.testing.assert_allclose(first, plans["scratch"][0].joint_targets, atol=1e-5)  # both from pure noise


def test_a_rolled_plan_continues_the_one_before_more_closely_than_one_from_scratch(policy, kinematics):
    def jump(mode: str) -> float:
        plans = Run(policy, kinematics, PlannerConfig(mode=mode, passes=5, reopen_level=6)).plans(6)
        shared = [
            np.abs(b.joint_targets[:10] - a.joint_targets[2:12]).mean()
            for a, b in zip(plans[:-1], plans[1:], strict=True)
        ]
        return float(np.mean(shared))

    assert jump("warm_start") < 0.5 * jump("scratch")


def test_guidance_moves_the_predicted_velocity_to_the_goal(policy, kinematics):
    config = PlannerConfig(guidance_scale=1.0)
    free = Run(policy, kinematics, config).plans(1, ())[0]
    for goal in (FORWARD, JoystickGoal((0.0, 0.6))):
        plan = Run(policy, kinematics, config).plans(1, (goal,))[0]
        assert np.abs(plan.joint_targets - free.joint_targets).max() > 1e-4
        velocity = next(s for s in plan.cost_stats if s.name == "velocity")
        # scale 1 moves the predicted mean exactly to the goal (float32)
        assert velocity.value == pytest.approx(0.0, abs=1e-6)


def test_the_goal_statistics_name_the_terms_that_were_served(policy, kinematics):
    plan = Run(policy, kinematics).plans(1, (FORWARD,))[0]
    assert {s.name for s in plan.cost_stats} == {"velocity", "turning"}
    assert Run(policy, kinematics).plans(1, ())[0].cost_stats == ()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "goal",
    [lambda yaw, shift: JoystickGoal((0.4, -0.2), 0.3), lambda yaw, shift: HeadingGoal(0.5 + yaw)],
    ids=["joystick", "heading"],
)
def test_a_world_turned_and_shifted_gives_the_plan_turned_and_shifted(policy, kinematics, mode, goal):
    yaw, shift = 2.4, (5.0, -3.0)
    config = PlannerConfig(mode=mode, latency=0.04)
    here = Run(policy, kinematics, config).plans(3, (goal(0.0, (0.0, 0.0)),))
    there_states = [elsewhere(s, yaw, shift) for s in walk()]
    there = Run(policy, kinematics, config, states=there_states).plans(3, (goal(yaw, shift),))
    turn = Rotation.from_euler("z", yaw)
    for a, b in zip(here, there, strict=True):
        # float32 rounding of the features (1e-6 of a few metres), fed back over three plans
        np.testing.assert_allclose(b.joint_targets, a.joint_targets, atol=2e-4)
        np.testing.assert_allclose(b.root_pos_w, turn.apply(a.root_pos_w) + [*shift, 0.0], atol=2e-4)
        turned = turn * Rotation.from_quat(a.root_quat_w, scalar_first=True)
        angle = (turned.inv() * Rotation.from_quat(b.root_quat_w, scalar_first=True)).magnitude()
        np.testing.assert_allclose(angle, 0.0, atol=2e-3)


def test_a_waypoint_is_a_place_in_the_world(policy, kinematics):
    yaw, shift = -1.1, (2.0, 4.0)
    here_goal = WaypointGoal((1.0, 0.5))
    there_xy = Rotation.from_euler("z", yaw).apply([1.0, 0.5, 0.0])[:2] + shift
    here = Run(policy, kinematics).plans(1, (here_goal,))[0]
    states = [elsewhere(s, yaw, shift) for s in walk()]
    there = Run(policy, kinematics, states=states).plans(1, (WaypointGoal(tuple(there_xy)),))[0]
    np.testing.assert_allclose(there.joint_targets, here.joint_targets, atol=2e-4)


def test_a_robot_told_to_stand_gets_no_correction_of_its_goal(policy, kinematics):
    """However it drifts, each plan is the one of a planner that starts now."""
    config = PlannerConfig(mode="scratch")
    used = Run(policy, kinematics, config)
    last = used.plans(5, (JoystickGoal(),))[-1]
    fresh = Run(policy, kinematics, config)
    fresh.advance(0.3 + 4 * STEP_DT)
    fresh.planner._next_id = 4
    np.testing.assert_array_equal(fresh.planner.plan((JoystickGoal(),)).joint_targets, last.joint_targets)


def test_what_is_kept_of_a_plan_is_expressed_in_the_newest_character_frame(policy, kinematics):
    run = Run(policy, kinematics, PlannerConfig(mode="rolling"))
    run.plans(1)
    batch, old = run.planner.batch, run.planner.track.observation().states
    run.advance(0.9)
    new = run.planner.track.observation().states
    frame = character_frame(new[-1:])
    encode, normalize = batch.representation.encode, batch.state_norm.normalize
    kept = normalize(encode(old, character_frame(old[-1])))[None].astype(np.float32)
    expected = normalize(encode(old, character_frame(new[-1])))[None]
    np.testing.assert_allclose(batch._reframe(frame)(kept), expected, atol=2e-5)  # float32


# ---------------------------------------------------------------- refusals


def test_a_policy_whose_key_points_do_not_make_its_state_is_refused(policy):
    manifest = replace(policy.manifest, key_points=policy.manifest.key_points[:-1])
    with pytest.raises(ArtifactMismatchError, match=f"{STATE_DIM} state features.*{STATE_DIM - 6}"):
        BatchPlanner(replace(policy, manifest=manifest))


def test_an_unknown_mode_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="mode"):
        PlannerConfig(mode="guess")


def test_no_zero_stands_for_the_policys_own_value(policy, kinematics):
    """Scale 0 is unguided; 0 passes cannot be; -1 is the policy's own."""
    unguided = Run(policy, kinematics, PlannerConfig(guidance_scale=0.0)).plans(2)
    free = Run(policy, kinematics).plans(2, ())
    for one, other in zip(unguided, free, strict=True):
        np.testing.assert_array_equal(one.joint_targets, other.joint_targets)
    own = Run(policy, kinematics, PlannerConfig(guidance_scale=policy.manifest.sampling.guidance_scale)).plans(2)
    default = Run(policy, kinematics).plans(2)
    for one, other in zip(own, default, strict=True):
        np.testing.assert_array_equal(one.joint_targets, other.joint_targets)
    assert np.abs(own[0].joint_targets - free[0].joint_targets).max() > 1e-4
    with pytest.raises(ConfigError, match="passes is 0; give at least 1, or -1"):
        PlannerConfig(passes=0)
    with pytest.raises(ConfigError, match="guidance_scale is -0.5; give 0.0"):
        PlannerConfig(guidance_scale=-0.5)


def test_states_that_reopen_at_level_zero_are_kept_as_they_were_but_for_that_levels_noise(policy, kinematics):
    planner = BatchPlanner(policy, PlannerConfig(mode="warm_start", reopen_level=0))
    assert planner._buffer.config.state_level == 0
    assert BatchPlanner(policy, PlannerConfig(mode="warm_start"))._buffer.config.state_level == 14


def test_a_batch_observation_needs_no_more_than_its_arrays(policy, kinematics):
    """Evaluation makes observations itself, without a track."""
    run = Run(policy, kinematics)
    run.advance(0.3)
    o = run.planner.track.observation()
    plan = BatchPlanner(policy, sessions=[5]).plan(
        [Observation(o.stamp, o.states, o.executed, np.zeros((0, J)))], (FORWARD,), [0]
    )[0]
    np.testing.assert_array_equal(plan.joint_targets, run.planner.plan((FORWARD,)).joint_targets)


# ------------------------------------------------------------------ keyframes as facts


def test_a_state_keyframe_is_in_the_plan_exactly_where_and_when_it_is_due(policy, kinematics):
    run = Run(policy, kinematics)
    run.advance(0.4)
    now = run.planner.track.observation()
    state = now.states[-1]
    turned = Rotation.from_euler("z", 0.3) * Rotation.from_quat(state.root_quat_w, scalar_first=True)
    there = replace(
        state, root_pos_w=state.root_pos_w + [0.2, 0.1, 0.02], root_quat_w=turned.as_quat(scalar_first=True)
    )
    keyframe = StateKeyframeGoal(state=there, due=now.stamp + 7 * STEP_DT)
    plan, free = run.planner.plan([FORWARD, keyframe]), run.planner.plan([FORWARD])
    np.testing.assert_allclose(plan.root_pos_w[6], there.root_pos_w, atol=1e-4)  # float32 features
    np.testing.assert_allclose(np.abs(plan.root_quat_w[6] @ there.root_quat_w), 1.0, atol=1e-5)
    assert np.linalg.norm(free.root_pos_w[6] - there.root_pos_w) > 0.01
