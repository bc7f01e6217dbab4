"""Every refusal names its remedy; what the remote has to do with arming."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.execution import Reason
from beyondmimic_diffusion.core.execution.arming import REMEDIES, refusal
from beyondmimic_diffusion.core.execution.remote import Remote, RemoteConfig

from .bench import TICK, Bench

PAD = [0.0] * 8
BUTTONS = [0] * 11


def held(button):
    return [int(i == button) for i in range(11)]


def spoil(bench, what):
    """Make one thing wrong; returns the state to arm with."""
    bench.tick()
    state = bench.state
    if what is Reason.NO_STATE:
        return None
    if what is Reason.NON_FINITE_STATE:
        state.joint_pos[1] = math.nan
    elif what is Reason.OLD_STATE:
        bench.sensors = False
        bench.run(0.3)
    elif what is Reason.NOT_UPRIGHT:
        bench.tilt = 1.0
    elif what is Reason.NOT_STILL:
        bench.speed = 4.0
    elif what is Reason.OUT_OF_RANGE:
        bench.pose = np.array([0.0, 101.0, 0.0])
    elif what is Reason.TOO_HOT:
        bench.temperature = 95.0
    elif what is Reason.NOT_DISARMED:
        assert bench.executor.arm(bench.now, bench.state)[0]
    elif what is Reason.CLOCK_STANDS:
        for _ in range(20):
            bench.steady_start += TICK
            bench.executor.tick(bench.now, bench.steady_start + bench.count * TICK, bench.state)
        return bench.state
    if what not in (Reason.OLD_STATE, Reason.NON_FINITE_STATE):
        bench.tick()
        state = bench.state
    return state


@pytest.mark.parametrize(
    "reason",
    [
        Reason.NO_STATE, Reason.NON_FINITE_STATE, Reason.OLD_STATE, Reason.NOT_UPRIGHT, Reason.NOT_STILL,
        Reason.OUT_OF_RANGE, Reason.TOO_HOT, Reason.NOT_DISARMED, Reason.CLOCK_STANDS, Reason.NO_PLAN_STREAM,
    ],
    ids=lambda reason: reason.name,
)  # fmt: skip
def test_each_thing_that_is_wrong_bars_arming_and_is_named_with_its_remedy(reason):
    needs_plans = {"arming.plan_stream_time": 1.0} if reason is Reason.NO_PLAN_STREAM else {}
    bench = Bench(**needs_plans)
    state = spoil(bench, reason)
    ok, text = bench.executor.arm(bench.now, state)
    assert not ok
    assert text.startswith(reason.sentence)
    assert text.endswith("; " + REMEDIES[reason])


def test_a_joint_that_is_wrong_is_called_by_its_name():
    bench = Bench()
    bench.tick()
    bench.state.joint_pos[1] = 101.0
    assert "left_hip_roll_joint at 101.00 rad" in bench.executor.arm(bench.now, bench.state)[1]


def test_a_refusal_without_figures_or_remedy_is_its_sentence_alone():
    assert refusal(Reason.NOT_STOPPED) == "there is no emergency stop to release"


def test_the_remotes_button_stops_each_time_it_is_held_and_bars_arming_until_it_is_let_go():
    remote = Remote(RemoteConfig(e_stop_button=1))
    assert [remote.take(PAD, held(b), 1.0) for b in (0, 1, 1, 2)] == [False, True, True, False]
    remote.take(PAD, held(1), 1.0)
    assert remote.trouble(1.0)[0] is Reason.E_STOP_HELD
    assert remote.trouble(99.0)[0] is Reason.E_STOP_HELD  # nobody has said that it was let go
    remote.take(PAD, BUTTONS, 1.1)
    assert remote.trouble(1.1) == (Reason.OK, "")


def test_no_button_and_a_pad_with_too_few_never_stop():
    assert not Remote(RemoteConfig(e_stop_button=-1)).take(PAD, [1] * 11, 0.0)
    assert not Remote(RemoteConfig(e_stop_button=12)).take(PAD, [1] * 11, 0.0)


def test_sticks_must_be_at_rest_and_triggers_need_not():
    remote = Remote(RemoteConfig(sticks=(0, 1, 3, 4)))
    for axis, value, fine in ((0, 0.05, True), (1, -0.3, False), (3, math.nan, False), (2, 1.0, True), (5, 1.0, True)):
        axes = list(PAD)
        axes[axis] = value
        remote.take(axes, BUTTONS, 1.0)
        assert (remote.trouble(1.0)[0] is Reason.OK) is fine, axis


def test_a_silent_remote_bars_arming_only_where_one_is_required_and_its_last_sticks_do_not_count():
    for required, reason in ((True, Reason.NO_REMOTE), (False, Reason.OK)):
        remote = Remote(RemoteConfig(required=required, timeout=0.5))
        assert remote.trouble(0.0)[0] is reason
        remote.take([1.0] * 8, BUTTONS, 10.0)
        assert remote.trouble(10.5)[0] is Reason.REMOTE_NOT_NEUTRAL
        assert remote.trouble(10.6)[0] is reason
