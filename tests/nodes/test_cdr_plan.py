"""Plans written and read as arrays over their bytes, against rclpy and the general conversions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.types import CostStats, Plan  # noqa: E402
from beyondmimic_diffusion.ros import cdr  # noqa: E402
from beyondmimic_diffusion.ros import conversions as c  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402

NAMES = list(g1.JOINT_NAMES)
COSTS = ((), ("velocity",), ("velocity", "sdf"), ("sdf",))


def random_plan(rng, costs=(), poses=8):
    stamp = float(rng.uniform(0.0, 2e9))
    quat = rng.normal(size=(poses, 4))
    return Plan(
        plan_id=int(rng.integers(2**40)),
        session_id=int(rng.integers(2**32)),
        stamp=stamp,
        observation_stamp=stamp - 0.02,
        step_dt=0.02,
        joint_targets=rng.normal(size=(16, len(NAMES))),
        trusted_steps=int(rng.integers(17)),
        first_step=int(rng.integers(4)),
        valid_until=stamp + 0.32,
        root_pos_w=rng.normal(size=(poses, 3)),
        root_quat_w=quat / np.linalg.norm(quat, axis=1, keepdims=True),
        compute_time=float(rng.uniform(0.0, 0.2)),
        guidance_seq=int(rng.integers(2**32)),
        cost_stats=tuple(CostStats(name, float(rng.normal()), float(rng.normal())) for name in costs),
        policy_sha256="ab" * 32,
        successor_due=stamp + 0.06 if rng.random() < 0.5 else None,
    )


def assert_same_plan(found, expected):
    for name, value in vars(expected).items():
        if isinstance(value, str | tuple):
            assert getattr(found, name) == value
            continue
        np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)


def test_a_plan_is_what_rclpy_would_have_sent_whichever_costs_it_has(rng):
    writer = cdr.PlanWriter(NAMES, "odom")
    for number in range(40):
        plan = random_plan(rng, COSTS[number % len(COSTS)], poses=(8, 0)[number % 3 == 0])
        found = deserialize_message(writer.write(plan), bm.ActionPlan)
        expected = deserialize_message(serialize_message(c.plan_to_msg(plan, NAMES, "odom")), bm.ActionPlan)
        assert repr(found) == repr(expected)  # NaN is written alike, and every digit is there


def test_a_plan_is_read_as_the_general_conversion_reads_it_whichever_costs_it_has(rng):
    joints, reader = c.JointMap(NAMES), cdr.PlanReader(c.JointMap(NAMES))
    for number in range(40):
        raw = serialize_message(c.plan_to_msg(random_plan(rng, COSTS[number // 3 % len(COSTS)]), NAMES))
        assert_same_plan(reader.read(raw), c.plan_from_msg(deserialize_message(raw, bm.ActionPlan), joints))


def test_another_order_of_joints_is_put_right(rng):
    plan, order = random_plan(rng), rng.permutation(len(NAMES))
    shuffled = replace(plan, joint_targets=plan.joint_targets[:, order])
    raw = cdr.PlanWriter([NAMES[i] for i in order], "odom").write(shuffled)
    reader = cdr.PlanReader(c.JointMap(NAMES))
    for _ in range(2):  # the second is read as arrays
        np.testing.assert_array_equal(reader.read(raw).joint_targets, plan.joint_targets.astype(np.float32))


def test_what_cannot_be_played_is_refused_also_after_plans_that_can(rng):
    reader, plan = cdr.PlanReader(c.JointMap(NAMES)), random_plan(rng)
    reader.read(serialize_message(c.plan_to_msg(plan, NAMES)))
    latent = c.plan_to_msg(plan, NAMES)
    latent.action_kind = bm.ActionPlan.ACTION_LATENT
    with pytest.raises(c.MessageError, match="action kind 1"):
        reader.read(serialize_message(latent))
    longer = c.plan_to_msg(plan, NAMES)
    longer.horizon = 17
    with pytest.raises(c.MessageError, match="17 set-points"):
        reader.read(serialize_message(longer))
    with pytest.raises(c.MessageError, match="no ActionPlan"):
        reader.read(b"\0\1\0\0short")
