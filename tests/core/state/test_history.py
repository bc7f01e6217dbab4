"""History on the policy's grid against SciPy's interpolation over all samples ever pushed."""

import numpy as np
import pytest
from beyondmimic_diffusion.core.state import ActionHistory, StateHistory, StateSequence
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

N, DT = 4, 0.04
LERPED = ("root_pos_w", "root_lin_vel_w", "root_ang_vel_w", "joint_pos", "joint_vel", "key_pos_w", "key_vel_w")


def random_states(count: int, seed: int) -> list[StateSequence]:
    """Unrelated states, but for rotations that stay within a radian of each other, as neighbours in time do."""
    rng = np.random.default_rng(seed)
    rotation = Rotation.from_rotvec(rng.uniform(-0.5, 0.5, (count, 3))) * Rotation.random(rng=rng)
    quats = rotation.as_quat(scalar_first=True) * rng.choice([-1.0, 1.0], (count, 1))  # q and -q are the same
    return [
        StateSequence(
            rng.normal(size=3),
            quats[i],
            rng.normal(size=3),
            rng.normal(size=3),
            rng.normal(size=5),
            rng.normal(size=5),
            rng.normal(size=(2, 3)),
            rng.normal(size=(2, 3)),
        )
        for i in range(count)
    ]


def interpolated(stamps: np.ndarray, states: list[StateSequence], times: np.ndarray) -> dict[str, np.ndarray]:
    """Linear in each number, along the shortest arc for rotations; the first state before the first stamp."""
    times = np.clip(times, stamps[0], stamps[-1])
    out = {}
    for name in LERPED:
        values = np.stack([getattr(s, name) for s in states])
        flat = values.reshape(len(stamps), -1)
        columns = [np.interp(times, stamps, flat[:, i]) for i in range(flat.shape[1])]
        out[name] = np.stack(columns, axis=-1).reshape(len(times), *values.shape[1:])
    rotations = Rotation.from_quat(np.stack([s.root_quat_w for s in states]), scalar_first=True)
    out["rotation"] = Slerp(stamps, rotations)(times) if len(stamps) > 1 else rotations[[0] * len(times)]
    return out


def assert_window_matches(window: StateSequence, expected: dict[str, np.ndarray]) -> None:
    # stamps are whole milliseconds, so only rounding of the times is left: 1e-15 s of the 1e-3 s between samples
    for name in LERPED:
        np.testing.assert_allclose(getattr(window, name), expected[name], atol=1e-9, err_msg=name)
    angle = (Rotation.from_quat(window.root_quat_w, scalar_first=True).inv() * expected["rotation"]).magnitude()
    np.testing.assert_allclose(angle, 0.0, atol=1e-7)  # acos near 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.integers(0, 99))
def test_a_window_is_the_interpolation_of_all_samples_however_unevenly_they_come(gaps_ms: list[int], seed: int):
    stamps = 7.0 + 1e-3 * np.cumsum(gaps_ms)
    states = random_states(len(stamps), seed)
    history = StateHistory(N, DT)
    for i, (stamp, state) in enumerate(zip(stamps, states, strict=True)):
        assert history.push(float(stamp), state)
        if i % 7 == 0 or i == len(stamps) - 1:  # along the way too: forgetting must not lose what is still needed
            times = stamp + DT * np.arange(-N, 1)
            assert_window_matches(history.window(), interpolated(stamps[: i + 1], states[: i + 1], times))


def test_samples_on_the_grid_come_back_untouched():
    states = random_states(20, 0)
    history = StateHistory(N, DT)
    for i, state in enumerate(states):
        history.push(100.0 + 0.02 * i, state)
    window = history.window()
    for step, index in enumerate(range(11, 20, 2)):
        np.testing.assert_array_equal(window.root_pos_w[step], states[index].root_pos_w)
        np.testing.assert_array_equal(window.root_quat_w[step], states[index].root_quat_w)
        np.testing.assert_array_equal(window.key_vel_w[step], states[index].key_vel_w)


def test_the_oldest_state_stands_for_everything_before_it():
    first, second = random_states(2, 1)
    history = StateHistory(N, DT)
    history.push(1.0, first)
    for step in range(N + 1):
        np.testing.assert_array_equal(history.window().joint_pos[step], first.joint_pos)
    history.push(1.0 + DT, second)
    for step in range(N):
        np.testing.assert_array_equal(history.window().joint_pos[step], first.joint_pos)
    np.testing.assert_array_equal(history.window().joint_pos[N], second.joint_pos)


def test_a_state_that_is_not_newer_is_ignored():
    first, second = random_states(2, 2)
    history = StateHistory(N, DT)
    assert history.push(1.0, first)
    assert not history.push(1.0, second)
    assert not history.push(0.5, second)
    assert history.newest_stamp == 1.0
    np.testing.assert_array_equal(history.window().root_pos_w[-1], first.root_pos_w)


def test_after_a_reset_there_is_no_window_and_time_may_start_again():
    first, second = random_states(2, 3)
    history = StateHistory(N, DT)
    history.push(50.0, first)
    history.reset()
    assert history.newest_stamp is None
    with pytest.raises(ValueError, match="no state"):
        history.window()
    assert history.push(0.0, second)
    np.testing.assert_array_equal(history.window().root_pos_w, np.tile(second.root_pos_w, (N + 1, 1)))


def test_memory_is_bounded_by_the_window_not_by_the_run():
    history = StateHistory(N, DT)
    state = random_states(1, 4)[0]
    for i in range(2000):
        history.push(0.005 * i, state)
    assert len(history._samples) <= (N + 1) * DT / 0.005 + 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=80),
    st.lists(st.integers(1, 2400), min_size=1, max_size=10),
)
def test_actions_are_those_in_force_at_each_time(gaps_ms: list[int], ages_in_tenths: list[int]):
    """Against a list that forgets nothing. Times lie 0.05 ms off the stamps, so that rounding decides nothing."""
    span = 0.24
    stamps = 3.0 + 1e-3 * np.cumsum(gaps_ms)
    targets = np.random.default_rng(len(gaps_ms)).normal(size=(len(stamps), 3))
    default = np.array([9.0, 9.0, 9.0])
    history = ActionHistory(span)
    for stamp, target in zip(stamps, targets, strict=True):
        assert history.push(float(stamp), target)
    times = stamps[-1] + 5e-5 - 1e-4 * np.array(ages_in_tenths)
    times = np.maximum(times, stamps[-1] - span + 5e-5)
    expected = []
    for time in times:
        in_force = [target for stamp, target in zip(stamps, targets, strict=True) if stamp <= time]
        expected.append(in_force[-1] if in_force else default)
    np.testing.assert_array_equal(history.at(times, default), expected)


def test_a_target_is_in_force_from_its_own_stamp_on():
    history = ActionHistory(1.0)
    history.push(1.00, np.array([1.0]))
    history.push(1.02, np.array([2.0]))
    times = np.array([0.98, 1.0, 1.01, 1.02, 5.0])
    np.testing.assert_array_equal(history.at(times, np.array([0.0]))[:, 0], [0.0, 1.0, 1.0, 2.0, 2.0])


def test_an_action_that_is_not_newer_is_ignored_until_a_reset():
    history = ActionHistory(1.0)
    assert history.push(1.0, np.array([1.0]))
    assert not history.push(1.0, np.array([2.0]))
    history.reset()
    assert history.push(0.0, np.array([3.0]))
    np.testing.assert_array_equal(history.at(np.array([-1.0, 0.5]), np.array([7.0]))[:, 0], [7.0, 3.0])


def test_a_target_that_is_changed_after_it_was_pushed_does_not_change_history():
    history = ActionHistory(1.0)
    target = np.array([1.0, 2.0])
    history.push(0.0, target)
    target[:] = 5.0
    np.testing.assert_array_equal(history.at(np.array([0.1]), np.zeros(2))[0], [1.0, 2.0])
