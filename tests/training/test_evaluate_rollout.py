"""What is played, when, and that episodes do not know of each other; compared with the simulator driven by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.core.parameters import from_mapping
from beyondmimic_diffusion.core.planner import PlannerConfig
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_from_yaw
from beyondmimic_diffusion.core.types import JointCommand
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1
from beyondmimic_training.evaluate import Kick, Leg, suite_named
from beyondmimic_training.evaluate.controllers import ExpertController, ExpertDriver, PolicyController, PolicySettings
from beyondmimic_training.evaluate.fleet import CONTROL_DT, Fleet
from beyondmimic_training.evaluate.report import table, write_json
from beyondmimic_training.evaluate.rollout import run_episodes
from beyondmimic_training.experts import make_expert
from reference.scripted_policy import scripted_policy

PHYSICS_DT = 0.004
STAND = np.tile(g1.DEFAULT_JOINT_POS, (16, 1))


def lifted_arm():
    """Set-points that lift the left arm step by step: each one can be told from the others."""
    set_points = STAND.copy()
    set_points[:, g1.JOINT_NAMES.index("left_shoulder_pitch_joint")] -= 0.02 * np.arange(16)
    return set_points


def short(name, index, duration=0.4, **changes):
    """The beginning of an episode of a suite."""
    spec = suite_named(name).episode(5, index)
    return replace(spec, legs=(Leg("only", spec.legs[0].command, duration, settle=0.0),), **changes)


def played(set_points, spec, **settings):
    controller = PolicyController(scripted_policy(set_points), PolicySettings(**settings))
    (trace,) = run_episodes([spec], Fleet(1, PHYSICS_DT), controller, None)
    return trace, controller


def by_hand(spec, target_at, kicks=()):
    """The same robot stepped with targets (J,) chosen by time."""
    sim, zeros, frames = MujocoG1(timestep=PHYSICS_DT, sensors=False), np.zeros(g1.NUM_JOINTS), []
    sim.reset(joint_pos=spec.joint_pos, root_quat_w=quat_from_yaw(spec.yaw))
    for tick in range(round(spec.duration / CONTROL_DT)):
        for time, delta in kicks:
            if tick == round(time / CONTROL_DT):
                sim.push(np.array(delta))
        if tick % 5 == 0:
            frames.append(sim.data.qpos.copy())
        sim.step(JointCommand(0.0, target_at(tick), zeros, g1.KP, g1.KD, zeros))
    return np.array(frames)


@pytest.mark.parametrize(
    ("delay", "late"), [(0.0, 0.0), (0.02, 0.0), (0.04, 0.0), (0.02, 0.04)], ids=["none", "20ms", "40ms", "20+40ms"]
)
def test_each_set_point_is_played_when_it_is_due_and_a_late_plan_loses_those_whose_time_has_passed(delay, late):
    spec, set_points = short("joystick", 0), lifted_arm()
    trace, _ = played(set_points, spec, planner=PlannerConfig(latency=delay), added_delay=late)

    def target(tick):
        """Plans are made at 0, 40, 80 ms ...; each is played from its arrival to the arrival of the next."""
        arrivals = [p for p in range(0, tick + 1, 10) if p + round((delay + late) / CONTROL_DT) <= tick]
        return set_points[(tick - arrivals[-1]) // 5] if arrivals else g1.DEFAULT_JOINT_POS

    np.testing.assert_allclose(trace.qpos, by_hand(spec, target), atol=2e-6)  # float32 traces and plans


def test_where_plans_come_too_late_to_be_played_the_robot_holds_and_the_time_is_counted():
    spec = short("joystick", 0, duration=1.2)
    _, controller = played(lifted_arm(), spec, plan_period=0.6)
    # a plan lasts 16 set-points of 20 ms from its observation; the next one arrives 20 ms after the next observation
    assert controller.starved.tolist() == [round((0.6 + 0.02 - 0.32) / CONTROL_DT) + round((0.6 - 0.32) / CONTROL_DT)]


def test_a_kick_changes_the_velocity_at_its_second():
    kicks = ((0.2, (0.3, -0.1)),)
    spec = short("walk-perturb", 0, kicks=tuple(Kick(*k) for k in kicks))
    trace, _ = played(STAND, spec)
    np.testing.assert_allclose(trace.qpos, by_hand(spec, lambda tick: g1.DEFAULT_JOINT_POS, kicks), atol=2e-6)
    step = np.linalg.norm(np.diff(trace.lin_vel_w[:, :2], axis=0), axis=1)
    assert int(np.argmax(step)) == 9  # between the frames at 0.18 s and 0.20 s


def test_a_robot_that_falls_is_taken_out_and_its_neighbour_does_not_notice():
    struck = replace(short("joystick", 0, duration=1.2), kicks=(Kick(0.1, (4.0, 0.0)),))
    steady = short("joystick", 2, duration=1.2)
    controller = PolicyController(scripted_policy(STAND), PolicySettings())
    fallen, kept = run_episodes([struck, steady], Fleet(2, PHYSICS_DT), controller, None)
    alone, _ = played(STAND, steady)
    assert fallen.fell
    assert 0.4 < fallen.times[-1] < 1.0  # a free fall of the head to 0.2 m takes 0.45 s
    assert not kept.fell
    np.testing.assert_array_equal(kept.qpos, alone.qpos)


def test_the_experts_episodes_are_the_same_alone_and_together_and_start_walking_where_the_suite_says():
    suite, fleet = suite_named("joystick"), Fleet(2, PHYSICS_DT)
    specs = [short("joystick", index) for index in (0, 1)]
    driver = ExpertDriver(make_expert("fastsac_walker"))
    together = run_episodes(specs, fleet, ExpertController(driver), driver)
    for spec, trace in zip(specs, together, strict=True):
        (alone,) = run_episodes([spec], fleet, ExpertController(driver), driver)
        np.testing.assert_allclose(trace.qpos, alone.qpos, atol=1e-6)
    standing, walking = (trace.lin_vel_w[0] for trace in together)
    assert np.linalg.norm(standing) < 1e-9
    assert np.linalg.norm(walking) > 0.1
    assert suite.episode(5, 1).start == "walking"


def test_a_policy_that_takes_over_from_the_expert_is_given_the_history_of_its_walk():
    spec = short("joystick", 1, duration=0.04)
    driver, seen = ExpertDriver(make_expert("fastsac_walker")), []
    policy = scripted_policy(STAND)

    def spy(sample, conditioning, levels):
        seen.append(conditioning)
        return policy.denoiser(sample, conditioning, levels)

    controller = PolicyController(replace(policy, denoiser=spy), PolicySettings())
    run_episodes([spec], Fleet(1, PHYSICS_DT), controller, driver)
    history = seen[0].history[0]  # (N, S + A)
    state_dim = policy.manifest.state_dim
    forward = history[:, 6]  # root_lin_vel_c, x
    assert np.all(np.abs(forward - spec.lead_in[0]) < 0.3)
    targets = history[:, state_dim:].reshape(8, -1)  # what the expert commanded, 20 ms apart
    assert np.abs(np.diff(targets, axis=0)).max(axis=1).min() > 1e-3


def test_a_step_that_does_not_fit_the_control_rate_is_refused():
    with pytest.raises(ConfigError, match=r"0\.003"):
        Fleet(1, 0.003)
    with pytest.raises(ConfigError, match="plan period"):
        PolicyController(scripted_policy(STAND), PolicySettings(plan_period=0.03))
    with pytest.raises(ConfigError, match="guidance_scale"):
        from_mapping(PlannerConfig, {"guidance_scales": 1.0})


def test_report_files_hold_no_nan_and_the_table_has_the_experts_row(tmp_path):
    figures = {
        "success": {"rate": 0.5, "low": 0.1, "high": 0.9, "n": 2}, "falls": 1, "velocity_error": 0.0412,
        "success_by_start": {"standing": {"rate": 1.0, "low": 0.2, "high": 1.0, "n": 1}},
        "yaw_rate_error": None, "velocity_rms_1s": None,
    }  # fmt: skip
    text = table([{"suite": "joystick", "label": "rolling", **figures, "expert": figures}])
    assert [line.split(" | ")[1].strip() for line in text.splitlines()[2:]] == ["rolling", "expert"]
    assert "0.041 m/s" in text
    with pytest.raises(ValueError):
        write_json(tmp_path / "report.json", {"velocity_error": float("nan")})
    write_json(tmp_path / "report.json", figures)
    assert json.loads((tmp_path / "report.json").read_text()) == figures
