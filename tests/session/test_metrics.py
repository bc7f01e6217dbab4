"""The report's figures on recordings whose answers are known in closed form."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="recordings are made of ROS messages")

from beyondmimic_diffusion.session.metrics import (
    count_falls,
    leg_results,
    legs_of_commands,
    plans_used_after_valid_until,
    window_means,
)
from beyondmimic_diffusion.session.recording import RecordingError, Truth, read_recording
from beyondmimic_diffusion.session.report import as_table, make_report, write_report

pytestmark = pytest.mark.ros


def test_a_robot_that_obeys_has_no_error_although_it_leans_and_has_turned(recorded, script):
    report = make_report(recorded(script()))
    assert report["falls"] == 0
    assert report["velocity_error"] == pytest.approx(0.0, abs=1e-6)
    assert report["velocity_rms_1s"] == pytest.approx(0.0, abs=1e-6)
    assert report["yaw_rate_error"] == pytest.approx(0.0, abs=1e-6)
    assert report["healthy"]


def test_a_constant_velocity_bias_is_the_legs_error_and_is_averaged_over_legs(recorded, script):
    report = make_report(recorded(script(velocity_bias=(-0.06, 0.08))))
    errors = {leg["name"]: leg["velocity_error"] for leg in report["legs"]}
    assert errors == pytest.approx({"stand": 0.0, "forward": 0.1, "turn": 0.1}, abs=1e-6)
    assert report["velocity_error"] == pytest.approx(0.2 / 3, abs=1e-6)
    assert report["velocity_error_moving_legs"] == pytest.approx(0.1, abs=1e-6)
    forward = report["legs"][1]["velocity"]
    assert forward[:2] == pytest.approx((0.44, 0.08), abs=1e-6)


def test_a_leg_without_the_planner_is_judged_by_the_stand_that_is_due(recorded, script):
    told = recorded(script(legs=[("lost", 6.0, (0.5, 0.0, 0.0))]))
    told.session["legs"][0]["planner"] = False
    [lost] = leg_results(told)
    assert lost.command == (0.0, 0.0, 0.0)
    assert lost.velocity_error == pytest.approx(0.5, abs=0.01)  # this robot walks on


def test_a_leg_without_a_steady_second_is_not_judged(recorded, script):
    legs = [("short", 2.5, (0.5, 0.0, 0.0)), ("long", 5.0, (0.5, 0.0, 0.0))]
    short, long = leg_results(recorded(script(legs=legs, velocity_bias=(0.1, 0.0))))
    assert short.velocity is None
    assert short.velocity_error is None
    assert long.velocity_error == pytest.approx(0.1, abs=1e-6)


def test_the_rms_over_one_second_forgets_sway_faster_than_that_but_not_drift():
    t = np.arange(0.0, 10.0, 0.02)
    sway = 0.3 * np.sin(2 * np.pi * t)[:, None]
    assert np.abs(window_means(t, sway, 1.0)).max() < 1e-12
    drift = 0.1 * t[:, None]
    means = window_means(t, drift, 1.0)
    expected = 0.1 * (np.arange(len(means)) * 0.02 + 0.49)  # 50 samples from t: their mean lies 0.49 s later
    np.testing.assert_allclose(means[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize("slowness", [1.0, 1.25, 4.0])
def test_the_real_time_factor_is_simulated_over_wall_time(recorded, script, slowness):
    report = make_report(recorded(script(slowness=slowness)))
    assert report["real_time_factor"] == pytest.approx(1.0 / slowness, rel=1e-6)


def test_compute_and_slack_percentiles_are_those_of_the_plans(recorded, script):
    compute, slack = np.linspace(0.005, 0.025, 400), np.linspace(-0.002, 0.018, 400)
    report = make_report(recorded(script(compute=lambda i: compute[i], slack=lambda i: slack[i])))
    assert report["plans"] == 400
    assert report["plan_compute_ms"] == pytest.approx({"p50": 15.0, "p99": 24.8, "max": 25.0}, abs=1e-3)
    assert report["plan_slack_ms"] == pytest.approx({"p01": -1.8, "p50": 8.0}, abs=1e-3)
    assert report["plans_late"] == int((slack < 0).sum())


def test_slack_is_counted_in_simulated_time_when_the_simulation_is_slow(recorded, script):
    report = make_report(recorded(script(slowness=3.0)))
    assert report["plan_slack_ms"]["p50"] == pytest.approx(15.0, abs=1e-3)


def test_executor_figures_are_those_of_its_last_message_while_steered(recorded, script):
    executor = make_report(recorded(script()))["executor"]
    assert (executor["ticks"], executor["missed"]) == (400 + 20 * 160, 3)
    assert executor["missed_share"] == pytest.approx(3 / 3603)
    assert executor["seconds_in_mode"] == {"TRACKING": pytest.approx(16.0)}


def test_falls_are_counted_once_each(recorded, script):
    report = make_report(recorded(script(down=((5.0, 6.0), (7.0, 8.0)))))
    assert report["falls"] == 2
    assert not report["healthy"]
    assert any("fell 2 time" in problem for problem in report["problems"])


def test_lying_on_the_side_at_any_height_is_a_fall():
    t = np.arange(3.0)
    tilted = [np.cos(0.6), np.sin(0.6), 0.0, 0.0]  # 69 degrees about x
    quat = np.array([[1.0, 0, 0, 0], tilted, [1.0, 0, 0, 0]])
    truth = Truth(t, np.tile([0.0, 0.0, 0.76], (3, 1)), quat, np.zeros((3, 3)), np.zeros((3, 3)))
    assert count_falls(truth) == 1


def test_plans_in_time_are_never_counted_as_used_too_late(recorded, script):
    assert plans_used_after_valid_until(recorded(script())) == 0


def test_an_executor_that_plays_on_after_the_planner_died_is_found_out(recorded, script):
    recording = recorded(script(planner_dies=10.0))
    last_valid = recording.plans.valid_until.max()
    states = int((recording.executor.t > last_valid + 1e-3).sum())
    commands = int((recording.applied_t > last_valid + 1e-3).sum())
    assert states > 50
    assert plans_used_after_valid_until(recording) == states + commands


def test_start_up_is_counted_from_the_command_to_the_first_step_in_wall_time(recorded, script):
    start_up = make_report(recorded(script(slowness=1.5)))["start_up"]
    assert start_up["tracking"] == pytest.approx(1.5 * 10.0 - 2.0, abs=0.02)
    # 0.5 m/s begins 4 s after tracking; half-second means pass 0.1 m/s once a fifth of the window moves
    assert start_up["first_step"] == pytest.approx(1.5 * 13.6 - 2.0, abs=0.06)


def test_the_policy_and_seed_are_named(recorded, script):
    report = make_report(recorded(script()))
    assert report["policy"] == {"name": "made_up", "sha256": "ab" * 32, "backend": "onnx", "folder": "policies/made_up"}
    assert report["seed"] == 3


def test_the_report_is_strict_json_and_its_table_names_every_leg(recorded, script, tmp_path):
    report = make_report(recorded(script(legs=[("short", 2.5, (0.5, 0.0, 0.0))])), "ended early")
    write_report(report, tmp_path / "report.json")
    again = json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda text: pytest.fail(text))
    assert again["velocity_error"] is None
    table = as_table(again)
    assert "short" in table
    assert "PROBLEM: ended early" in table


def test_a_session_steered_by_hand_is_judged_where_the_command_stayed_the_same():
    t = np.arange(0.0, 12.0, 0.05)
    command = np.zeros((len(t), 3))
    command[(t >= 2.0) & (t < 7.0), 0] = 0.4
    command[t >= 7.0, 2] = 0.3
    legs = legs_of_commands(t, command)
    assert [(leg["vx"], leg["yaw_rate"]) for leg in legs] == [(0.4, 0.0), (0.0, 0.3)]
    assert (legs[0]["start"], legs[0]["end"]) == pytest.approx((2.0, 7.0))


def test_joint_states_are_put_into_internal_order_by_name(recorded, script):
    recording = recorded(script())
    for row, t in zip(recording.joint_pos[::200], recording.joint_t[::200], strict=True):
        np.testing.assert_allclose(row, np.arange(1, 30) + (t - 10.0), atol=1e-6)


def test_a_recording_cut_off_in_the_middle_is_refused(recorded, script, tmp_path):
    recorded(script())
    whole = (tmp_path / "session.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="not a complete MCAP recording"):
        read_recording(tmp_path / "cut.mcap")


def test_film_frames_interpolate_the_pose_and_say_what_was_asked(recorded, script):
    from beyondmimic_diffusion.session.film import frames_of

    recording = recorded(script())
    frames = frames_of(recording, 25)
    np.testing.assert_allclose(np.diff(frames.t), 0.04, atol=1e-9)
    i = int(np.searchsorted(frames.t, 10.0 + 12.0))  # two seconds into the turn: heading 0.3 + 2 x 0.4
    w, x, y, z = frames.qpos[i, 3:7]
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    assert yaw == pytest.approx(0.3 + 0.4 * (frames.t[i] - 20.0), abs=1e-3)
    assert frames.qpos[i, 2] == pytest.approx(0.76)
    assert frames.qpos[i, 7] == pytest.approx(1 + frames.t[i] - 10.0, abs=1e-6)
    assert "turn" in frames.captions[i]
    assert "+0.40 rad/s" in frames.captions[i]
