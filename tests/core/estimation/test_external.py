"""Poses from outside: late is as good as in time, and what cannot be true is left out."""

import math

import numpy as np
import pytest
from beyondmimic_diffusion.core.estimation import (
    EstimatorConfig,
    ExternalPose,
    OdometrySource,
    PoseStatus,
    StateEstimator,
)
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.rotations import quat_rotate_inverse, yaw_of
from beyondmimic_diffusion.core.types import ImuSample, JointSample

DT = 0.004


@pytest.fixture(scope="module")
def two():
    """Two estimators; making one takes a while."""
    return StateEstimator(), StateEstimator()


def samples(i, rng_seed=0):
    """A noisy robot that stands; sample number ``i`` is the same whoever asks."""
    rng = np.random.default_rng([rng_seed, i])
    gyro, acc = rng.normal(0, 0.03, 3), np.array([0, 0, 9.81]) + rng.normal(0, 0.5, 3)
    pose = g1.DEFAULT_JOINT_POS + rng.normal(0, 0.01, 29)
    imu = ImuSample(10 + i * DT, np.array([1.0, 0, 0, 0]), gyro, acc)
    return imu, JointSample(10 + i * DT, pose, rng.normal(0, 0.1, 29), np.zeros(29))


def run(estimator, begin, end):
    state = None
    for i in range(begin, end):
        state = estimator.update(*samples(i))
    return state


def pose_at(i, x=0.0, y=0.0, heading=0.0, z=0.75):
    return ExternalPose(10 + i * DT, np.array([x, y, z]), heading)


def test_a_pose_that_comes_late_has_the_same_effect_as_one_in_time(two):
    prompt, late = two
    for estimator in two:
        estimator.reset()
    for estimator in two:
        run(estimator, 0, 100)
        assert estimator.fuse(pose_at(99)) is PoseStatus.ALIGNED
        run(estimator, 100, 150)
    assert prompt.fuse(pose_at(149, x=0.05, heading=0.03)) is PoseStatus.FUSED
    a = run(prompt, 150, 180)
    run(late, 150, 175)
    assert late.fuse(pose_at(149, x=0.05, heading=0.03)) is PoseStatus.FUSED
    b = run(late, 175, 180)
    for name in ("root_pos_w", "root_quat_w", "root_lin_vel_w"):
        # not to the last digit: which sole points touch is not judged anew with the corrected tilt
        np.testing.assert_allclose(getattr(b, name), getattr(a, name), atol=2e-3)
    np.testing.assert_allclose(late.uncertainty.pose, prompt.uncertainty.pose, atol=1e-6)


def test_two_late_poses_in_any_order_both_count(two):
    one, other = two
    poses = [pose_at(120, x=0.03), pose_at(140, x=0.06)]
    for estimator, order in ((one, poses), (other, poses[::-1])):
        estimator.reset()
        run(estimator, 0, 100)
        estimator.fuse(pose_at(99))
        run(estimator, 100, 150)
        assert [estimator.fuse(pose) for pose in order] == [PoseStatus.FUSED] * 2
    np.testing.assert_allclose(one.update(*samples(150)).root_pos_w, other.update(*samples(150)).root_pos_w, atol=5e-4)


def test_the_first_pose_only_tells_where_the_others_frame_lies_and_later_ones_pull(two):
    estimator = two[0]
    estimator.reset(np.array([1.0, 2.0]), 0.5)
    before = run(estimator, 0, 100)
    assert estimator.source is OdometrySource.LEG
    there = ExternalPose(10 + 99 * DT, np.array([-30.0, 4.0, 1.0]), 2.0)  # some mapper's frame
    assert estimator.fuse(there) is PoseStatus.ALIGNED
    np.testing.assert_allclose(run(estimator, 100, 101).root_pos_w, before.root_pos_w, atol=2e-3)
    forward = np.array([math.cos(2.0), math.sin(2.0), 0.0])  # the robot's heading in their frame
    for i in range(101, 500):
        estimator.update(*samples(i))
        if i % 25 == 0:
            moved = ExternalPose(10 + i * DT, there.position + 0.05 * forward, 2.0)
            assert estimator.fuse(moved) is PoseStatus.FUSED
    after = estimator.update(*samples(500))
    pulled = after.root_pos_w - before.root_pos_w
    np.testing.assert_allclose(pulled[:2], 0.05 * np.array([math.cos(0.5), math.sin(0.5)]), atol=0.015)
    assert estimator.source is OdometrySource.EXTERNAL
    assert estimator.position_std < 0.02
    run(estimator, 501, 760)
    assert estimator.source is OdometrySource.LEG  # a second without poses


def test_poses_that_cannot_be_used_are_named_and_leave_the_estimate_alone(two):
    estimator, other = two
    for each in two:
        each.reset()
    assert estimator.fuse(pose_at(0)) is PoseStatus.NO_ESTIMATE
    for each in two:
        run(each, 0, 200)
    estimator.fuse(pose_at(199))
    other.fuse(pose_at(199))
    assert estimator.fuse(pose_at(50)) is PoseStatus.TOO_OLD
    assert estimator.fuse(pose_at(250)) is PoseStatus.FROM_THE_FUTURE
    assert estimator.fuse(pose_at(199, x=math.nan)) is PoseStatus.NOT_FINITE
    assert estimator.fuse(pose_at(199, x=3.0)) is PoseStatus.IMPLAUSIBLE
    np.testing.assert_array_equal(run(estimator, 200, 210).root_pos_w, run(other, 200, 210).root_pos_w)


def test_after_several_implausible_poses_their_frame_is_found_anew(two):
    estimator = two[0]
    estimator.reset()
    run(estimator, 0, 100)
    estimator.fuse(pose_at(99))
    place = run(estimator, 100, 101).root_pos_w
    told = [estimator.fuse(pose_at(100, x=3.0)) for _ in range(EstimatorConfig().external.realign + 1)]
    assert told == [PoseStatus.IMPLAUSIBLE] * EstimatorConfig().external.realign + [PoseStatus.ALIGNED]
    assert estimator.fuse(pose_at(100, x=3.0)) is PoseStatus.FUSED
    np.testing.assert_allclose(run(estimator, 101, 102).root_pos_w, place, atol=5e-3)


def test_an_initial_pose_moves_place_and_heading_keeps_the_motion_and_sets_their_covariance(two):
    estimator, untouched = two
    for each in two:
        each.reset()
        before = run(each, 0, 150)
    told = np.diag([0.04, 0.09, 0.01])
    assert estimator.refer(np.array([5.0, -3.0]), 1.2, told)
    uncertainty = estimator.uncertainty
    np.testing.assert_allclose(uncertainty.pose[np.ix_((0, 1, 5), (0, 1, 5))], told, atol=1e-9)
    after, same = estimator.update(*samples(150)), untouched.update(*samples(150))
    np.testing.assert_allclose(after.root_pos_w[:2], [5.0, -3.0], atol=5e-3)
    assert after.root_pos_w[2] == pytest.approx(same.root_pos_w[2], abs=1e-3)
    assert float(yaw_of(after.root_quat_w)) - float(yaw_of(same.root_quat_w)) == pytest.approx(
        1.2 - float(yaw_of(before.root_quat_w)),
        abs=2e-3,  # the next sample counts otherwise: place is now told anew
    )
    a, b = (quat_rotate_inverse(s.root_quat_w, s.root_lin_vel_w) for s in (after, same))
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_poses_from_outside_go_on_fitting_after_an_initial_pose(two):
    estimator = two[0]
    estimator.reset()
    run(estimator, 0, 100)
    estimator.fuse(pose_at(99))
    estimator.refer(np.array([5.0, 5.0]), 2.0, np.zeros((3, 3)))
    run(estimator, 100, 150)
    assert estimator.fuse(pose_at(149)) is PoseStatus.FUSED
    np.testing.assert_allclose(estimator.update(*samples(150)).root_pos_w[:2], [5.0, 5.0], atol=0.02)
