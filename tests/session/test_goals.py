"""What is said of goals and obstacles, on recordings whose answers are known in closed form."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="recordings are made of ROS messages")

from beyondmimic_diffusion.core.tasks import Obstacle, Scene
from beyondmimic_diffusion.session.marker import Marker
from beyondmimic_diffusion.session.report import as_table, make_report

pytestmark = pytest.mark.ros
AHEAD = [("ahead", 10.0, (0.5, 0.0, 0.0))]
"""Ten seconds at 0.5 m/s with a heading of 0.3 rad: to (4.777, 1.478)."""


def place(t: float) -> tuple[float, float]:
    """Where the scripted robot is ``t`` [s] after it began to walk."""
    return 0.5 * t * math.cos(0.3), 0.5 * t * math.sin(0.3)


def goal(target, start=0.0, end=10.0, code=0, heading=None, message=""):
    return {
        "name": "there", "target": list(target), "heading": heading, "timeout": 20.0,
        "start": start, "end": end, "error_code": code, "message": message, "asked": 1,
    }  # fmt: skip


def report_of(recorded, script, **changes):
    return make_report(recorded(script(legs=AHEAD, **changes)))


def test_a_goal_is_reached_when_the_action_says_so_and_the_truth_agrees(recorded, script):
    x, y = place(9.0)
    report = report_of(recorded, script, goals=[goal((x + 0.2, y), end=9.0)])
    [entry] = report["goals"]
    assert entry["reached"]
    assert entry["distance"] == pytest.approx(0.2, abs=0.012)  # the truth is sampled each 10 mm of way
    assert entry["time"] == pytest.approx(9.0)
    assert entry["error_code"] == 0
    assert report["healthy"]
    assert "reached" in as_table(report)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (goal(place(9.0), end=9.0, code=107, message="too slow"), "code 107: too slow"),
        (goal((9.0, 9.0)), "was called reached at a distance of"),
        (goal(place(9.0), end=9.0, code=None), "ended before it was reached"),
    ],
)
def test_a_goal_that_was_not_reached_makes_the_session_a_failure_that_says_why(recorded, script, entry, said):
    report = report_of(recorded, script, goals=[goal(place(2.0), end=2.0), entry])
    assert [g["reached"] for g in report["goals"]] == [True, False]
    assert not report["healthy"]
    [problem] = report["problems"]
    assert said in problem
    assert "NOT reached" in as_table(report)


def test_the_error_of_a_heading_is_taken_the_short_way_round(recorded, script):
    report = report_of(recorded, script, goals=[goal(place(9.0), end=9.0, heading=0.1 - 2 * math.pi)])
    assert report["goals"][0]["heading_error"] == pytest.approx(0.2, abs=1e-6)


def test_where_no_velocities_are_commanded_none_are_judged(recorded, script):
    report = report_of(recorded, script, goals=[goal(place(9.0), end=9.0)])
    assert report["legs"] == []
    assert report["velocity_error"] is None
    assert report["plan_compute_ms"]["p50"] == pytest.approx(10.0)


def test_touches_are_counted_only_while_the_robot_is_on_its_own(recorded, script):
    report = report_of(recorded, script, touches=(-1.0, 3.0, 7.0))
    assert report["contacts"] == 2
    assert "the robot touched obstacles 2 time(s)" in report["problems"]
    assert report_of(recorded, script)["contacts"] == 0


def test_the_narrowest_gap_is_that_of_all_moments(recorded, script):
    report = report_of(recorded, script, clearance=lambda t: 0.25 + abs(t - 6.0))
    assert report["min_clearance"] == pytest.approx(0.25, abs=1e-6)
    assert report_of(recorded, script)["min_clearance"] is None


def test_the_film_shows_goal_route_and_plan_of_its_moment_and_obstacles_where_they_are(recorded, script):
    cart = Obstacle("cart", "box", (3.0, 0.0, 0.5), (0.4, 0.6, 1.0), velocity=(0.0, 0.5, 0.0))
    recording = recorded(
        script(
            legs=AHEAD,
            goals=[goal((1.0, 2.0), 0.0, 4.0), goal((0.0, 9.0), 4.0, 4.1), goal((3.0, 4.0), 5.0, 9.0, heading=0.5)],
            scene=Scene("one", (cart,)).to_dict(),
            routes=((0.5, ((0.0, 0.0), (1.0, 0.0), (1.0, 2.0))), (3.0, ())),
        )
    )
    marker = Marker(recording)
    begin, middle, late = (marker.at(10.0 + t) for t in (1.0, 3.5, 6.0))
    assert (begin.goal_xy, begin.goal_heading) == ((1.0, 2.0), None)
    assert (late.goal_xy, late.goal_heading) == ((3.0, 4.0), 0.5)
    np.testing.assert_allclose(begin.route_xy, [(0.0, 0.0), (1.0, 0.0), (1.0, 2.0)])
    assert middle.route_xy is None
    assert late.solids[0].pos_w == pytest.approx((3.0, 8.0, 0.5))  # 16 s of 0.5 m/s
    newest = int(np.flatnonzero(recording.plans.published <= 16.0)[-1])
    np.testing.assert_allclose(late.plan_w[[0, 15], 0], [0.01 * newest, 0.01 * newest + 1.5], atol=1e-6)
    assert marker.at(10.0 + 4.2).goal_xy == (0.0, 9.0)  # the newest one, though the one before lingers, too
    assert marker.at(10.0 + 4.7).goal_xy is None
    assert Marker(recorded(script(legs=AHEAD))).at(12.0).solids == ()


def test_the_map_shows_each_obstacle_at_its_place_and_each_goal(recorded, script, tmp_path):
    from beyondmimic_diffusion.session.map_plot import draw_path
    from matplotlib.patches import Circle, Polygon

    obstacles = (
        Obstacle("pillar", "cylinder", (2.0, 1.0, 0.9), (0.2, 1.8)),
        Obstacle("wall", "box", (3.0, -1.0, 0.9), (2.0, 0.2, 1.8), math.pi / 2),
    )
    recording = recorded(script(legs=AHEAD, goals=[goal((4.5, 1.4), end=9.5)], scene=Scene("two", obstacles).to_dict()))
    figure = draw_path(recording, make_report(recording), 10.0, 20.0)
    patches = figure.axes[0].patches
    outlines = [patch.get_xy() for patch in patches if isinstance(patch, Polygon)]
    boxes = [(*outline.min(axis=0), *outline.max(axis=0)) for outline in outlines]
    assert boxes[0] == pytest.approx((1.8, 0.8, 2.2, 1.2), abs=1e-3)
    assert boxes[1] == pytest.approx((2.9, -2.0, 3.1, 0.0), abs=1e-9)
    assert [patch.center for patch in patches if isinstance(patch, Circle)] == [(4.5, 1.4)]
