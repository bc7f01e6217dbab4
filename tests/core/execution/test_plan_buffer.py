"""Plans are judged on arrival and sampled by time."""

from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import PlanBuffer, PlanBufferConfig, PlanVerdict, SampleStatus
from beyondmimic_diffusion.core.types import Plan
from hypothesis import given, settings
from hypothesis import strategies as st

DT = 0.02
POINTS = 16
JOINTS = 3


def make_plan(stamp=1.0, plan_id=0, session_id=7, first_step=0, trusted_steps=POINTS, **changes):
    """Set-point i of plan p is 100 p + i on every joint, so that a target tells where it came from."""
    targets = np.repeat(100.0 * plan_id + np.arange(POINTS)[:, None], JOINTS, axis=1)
    plan = Plan(
        plan_id=plan_id,
        session_id=session_id,
        stamp=stamp,
        observation_stamp=stamp,
        step_dt=DT,
        joint_targets=targets,
        trusted_steps=trusted_steps,
        first_step=first_step,
        valid_until=stamp + trusted_steps * DT,
    )
    return replace(plan, **changes)


def buffer_with(*plans, now=1.0, **config):
    buffer = PlanBuffer(JOINTS, PlanBufferConfig(**config))
    for plan in plans:
        assert buffer.accept(plan, now) is PlanVerdict.ACCEPTED
    return buffer


def test_without_a_plan_there_is_no_target_and_the_status_says_so():
    sample = PlanBuffer(JOINTS).sample(1.0)
    assert (sample.status, sample.joint_target, sample.plan_id) == (SampleStatus.NO_PLAN, None, -1)


def test_before_its_start_a_plan_gives_no_target():
    assert buffer_with(make_plan(stamp=1.1)).sample(1.0999).status is SampleStatus.BEFORE_START


@pytest.mark.parametrize("index", range(POINTS))
@pytest.mark.parametrize("epoch", [1.0, 1.7e9])
def test_a_set_point_is_played_from_its_due_time_until_the_next_one(index, epoch):
    buffer = buffer_with(make_plan(stamp=epoch), now=epoch)
    for offset in (0.0, 0.5 * DT, 0.999 * DT):
        sample = buffer.sample(epoch + index * DT + offset)
        assert (sample.status, sample.index) == (SampleStatus.OK, index)
        np.testing.assert_array_equal(sample.joint_target, index)


def test_linear_interpolation_meets_the_set_points_and_holds_the_last_trusted_one():
    buffer = buffer_with(make_plan(trusted_steps=4), interpolation="linear")
    got = [buffer.sample(1.0 + phase * DT).joint_target[0] for phase in (0.0, 0.25, 1.0, 2.5, 3.0, 3.5)]
    assert got == pytest.approx([0.0, 0.25, 1.0, 2.5, 3.0, 3.0], abs=1e-9)


@pytest.mark.parametrize("delay_ms", range(0, 101, 5))
def test_a_late_plan_loses_exactly_the_set_points_whose_time_has_passed(delay_ms):
    arrival = 1.0 + delay_ms / 1000.0
    buffer = buffer_with(make_plan(stamp=1.0), now=arrival)
    assert buffer.sample(arrival).index == delay_ms // 20


def test_the_previous_plan_plays_until_the_new_one_takes_over_at_its_first_step():
    buffer = buffer_with(make_plan(stamp=1.0), make_plan(stamp=1.04, plan_id=1, first_step=2))
    assert [buffer.sample(t).joint_target[0] for t in (1.00, 1.02, 1.04, 1.06)] == [0.0, 1.0, 2.0, 3.0]
    assert [buffer.sample(t).joint_target[0] for t in (1.08, 1.10)] == [102.0, 103.0]


def test_of_two_waiting_plans_the_newer_drops_an_older_one_that_would_take_over_no_earlier():
    buffer = buffer_with(
        make_plan(stamp=1.0), make_plan(stamp=1.10, plan_id=1), make_plan(stamp=1.08, plan_id=2, first_step=1)
    )
    assert buffer.sample(1.09).plan_id == 0
    assert buffer.sample(1.10).plan_id == 2


def test_two_waiting_plans_take_over_one_after_the_other():
    buffer = buffer_with(make_plan(stamp=1.0), make_plan(stamp=1.04, plan_id=1), make_plan(stamp=1.08, plan_id=2))
    assert [buffer.sample(t).plan_id for t in (1.02, 1.04, 1.06, 1.08)] == [0, 1, 1, 2]


def test_set_points_beyond_the_trusted_ones_are_never_played():
    buffer = buffer_with(make_plan(trusted_steps=8))
    assert buffer.sample(1.0 + 7.9 * DT).index == 7
    assert buffer.sample(1.0 + 8.0 * DT).status is SampleStatus.EXHAUSTED
    assert buffer.sample(1.0 + 8.0 * DT).joint_target is None


def test_nothing_is_played_after_valid_until():
    buffer = buffer_with(make_plan(valid_until=1.05))
    assert buffer.sample(1.05).status is SampleStatus.OK
    assert buffer.sample(1.0501).status is SampleStatus.EXHAUSTED


BAD = {
    PlanVerdict.NON_FINITE: make_plan(joint_targets=np.full((POINTS, JOINTS), np.nan)),
    PlanVerdict.WRONG_JOINTS: make_plan(joint_targets=np.zeros((POINTS, JOINTS + 1))),
    PlanVerdict.MALFORMED: make_plan(trusted_steps=POINTS + 1),
    PlanVerdict.ZERO_STAMP: make_plan(stamp=0.0),
    PlanVerdict.FUTURE_STAMP: make_plan(stamp=1.0 + POINTS * DT + 0.01),
    PlanVerdict.OLD_OBSERVATION: make_plan(observation_stamp=0.69),
    PlanVerdict.EXPIRED: make_plan(valid_until=0.99),
    PlanVerdict.PLAYED_OUT: make_plan(stamp=0.8, trusted_steps=8, valid_until=2.0),
}


def test_an_id_that_leaps_while_plans_are_played_is_a_second_planners_and_after_a_gap_it_is_not():
    buffer = buffer_with(make_plan(stamp=1.0, plan_id=3))
    assert buffer.accept(make_plan(stamp=1.0, plan_id=29), 1.0) is PlanVerdict.FOREIGN_SESSION
    assert buffer.accept(make_plan(stamp=1.0, plan_id=28), 1.0) is PlanVerdict.ACCEPTED
    assert buffer.accept(make_plan(stamp=9.0, plan_id=900), 9.0) is PlanVerdict.ACCEPTED


@pytest.mark.parametrize("verdict", BAD, ids=lambda verdict: verdict.name)
def test_each_kind_of_bad_plan_has_its_own_verdict_and_count_and_does_not_disturb_the_playing_one(verdict):
    buffer = buffer_with(make_plan(stamp=0.95, plan_id=0), now=0.95)
    bad = replace(BAD[verdict], plan_id=5)
    assert buffer.accept(bad, 1.0) is verdict
    assert buffer.verdicts[verdict] == 1
    assert buffer.sample(1.0).plan_id == 0


@pytest.mark.parametrize("field", ["stamp", "observation_stamp", "step_dt", "valid_until", "successor_due"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_is_not_finite_is_refused_as_such(field, value):
    assert PlanBuffer(JOINTS).accept(make_plan(**{field: value}), 1.0) is PlanVerdict.NON_FINITE


def test_a_plan_id_must_increase_within_a_session():
    buffer = buffer_with(make_plan(plan_id=3))
    assert buffer.accept(make_plan(plan_id=3), 1.0) is PlanVerdict.REPEATED_ID
    assert buffer.accept(make_plan(plan_id=2), 1.0) is PlanVerdict.REPEATED_ID
    assert buffer.accept(make_plan(plan_id=4), 1.0) is PlanVerdict.ACCEPTED


def test_a_new_session_replaces_one_that_has_fallen_silent_and_is_refused_from_then_on():
    buffer = buffer_with(make_plan(plan_id=9, session_id=7))
    assert buffer.accept(make_plan(stamp=1.14, plan_id=0, session_id=8), 1.14) is PlanVerdict.FOREIGN_SESSION
    assert buffer.accept(make_plan(stamp=1.16, plan_id=0, session_id=8), 1.16) is PlanVerdict.ACCEPTED
    assert buffer.accept(make_plan(stamp=1.16, plan_id=10, session_id=7), 1.16) is PlanVerdict.OLD_SESSION
    assert buffer.accept(make_plan(stamp=1.2, plan_id=1, session_id=8), 1.2) is PlanVerdict.ACCEPTED


def test_a_second_planner_beside_a_living_one_is_refused_and_does_not_outlaw_it():
    buffer = buffer_with(make_plan(plan_id=0, session_id=7))
    for number in range(1, 20):
        now = 1.0 + 0.04 * number
        assert buffer.accept(make_plan(stamp=now, plan_id=number, session_id=8), now) is PlanVerdict.FOREIGN_SESSION
        assert buffer.accept(make_plan(stamp=now, plan_id=number, session_id=7), now) is PlanVerdict.ACCEPTED
        assert buffer.sample(now).plan_id == number
    assert buffer.verdicts[PlanVerdict.FOREIGN_SESSION] == 19


def test_after_a_reset_a_planner_with_a_new_session_is_taken_at_once():
    buffer = buffer_with(make_plan(plan_id=9, session_id=7))
    buffer.reset()
    assert buffer.accept(make_plan(plan_id=0, session_id=8), 1.0) is PlanVerdict.ACCEPTED


@pytest.mark.parametrize(
    "changes",
    [{"joint_targets": np.full((POINTS, JOINTS), 1e200)}, {"stamp": 1e300}, {"valid_until": 1e12}, {"step_dt": 1e300}],
    ids=["angles", "stamp", "end", "step"],
)
def test_numbers_that_nothing_real_has_are_refused_like_nan(changes):
    assert PlanBuffer(JOINTS).accept(make_plan(**changes), 1.0) is PlanVerdict.NON_FINITE


def test_a_step_so_short_that_indices_overflow_is_refused():
    assert PlanBuffer(JOINTS).accept(make_plan(step_dt=1e-300), 1.0) is PlanVerdict.MALFORMED


def test_a_bad_plan_of_a_new_session_does_not_end_the_running_one():
    buffer = buffer_with(make_plan(plan_id=0, session_id=7))
    buffer.accept(make_plan(session_id=8, stamp=0.0), 1.0)
    assert buffer.accept(make_plan(plan_id=1, session_id=7), 1.0) is PlanVerdict.ACCEPTED


def test_after_a_jump_of_the_clock_and_a_reset_older_stamps_are_played_again():
    buffer = buffer_with(make_plan(stamp=100.0, plan_id=0), now=100.0)
    buffer.reset()
    assert buffer.sample(1.0).status is SampleStatus.NO_PLAN
    assert buffer.accept(make_plan(stamp=1.0, plan_id=1), 1.0) is PlanVerdict.ACCEPTED
    assert buffer.sample(1.02).joint_target[0] == 101.0


def test_the_stream_counts_as_steady_from_the_first_plan_after_a_gap():
    buffer = PlanBuffer(JOINTS)
    for number, arrival in enumerate([1.0, 1.25, 1.29, 1.33]):
        buffer.accept(make_plan(stamp=arrival, plan_id=number), arrival)
    assert buffer.stream.steady_for(1.35) == pytest.approx(0.10)
    assert buffer.stream.steady_for(1.65) == 0.0  # set-points of the last plan have been used up


class ListModel:
    """The rules of the buffer over a plain list of every accepted plan, oldest first."""

    def __init__(self):
        self.plans = []

    def sample(self, now):
        due = [p for p in self.plans if p.stamp + p.first_step * DT <= now + 1e-9]
        if not due:
            return None
        plan = due[-1]
        index = int((now - plan.stamp) / DT + 1e-6)
        usable = index < plan.trusted_steps and now <= plan.valid_until + 1e-9
        return plan.joint_targets[index, 0] if usable else None


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(1, 16), st.integers(0, 8)), min_size=1, max_size=12
    )
)
def test_the_buffer_agrees_with_a_list_of_all_plans(events):
    """Times are multiples of 5 ms; plans arrive with any stamps, transport delays, first steps and trusted lengths."""
    buffer, model, tick = PlanBuffer(JOINTS, PlanBufferConfig(max_observation_age=5.0)), ListModel(), 200
    for number, (pause, first_step, extra, delay) in enumerate(events):
        for _ in range(pause):
            tick += 1
            got, want = buffer.sample(tick * 0.005).joint_target, model.sample(tick * 0.005)
            assert (got is None) == (want is None)
            assert got is None or got[0] == want
        stamp = (tick - delay) * 0.005
        plan = make_plan(stamp, number, first_step=first_step, trusted_steps=min(POINTS, first_step + extra))
        if buffer.accept(plan, tick * 0.005) is PlanVerdict.ACCEPTED:
            model.plans.append(plan)
