"""Plans, and how the planner is doing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from beyondmimic_msgs import msg as bm
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path

from ...core.plan_worker import PlanWorker
from ...core.types import CostStats, Plan
from .geometry import assign_pose, floats
from .joints import JointMap, MessageError
from .time import duration_from_msg, duration_to_msg, set_stamp, time_from_msg, time_to_msg

MAX_SETPOINTS = 1000
"""A plan of 20 s; ours have 16 set-points."""


def plan_to_msg(plan: Plan, joint_names: Sequence[str], frame_id: str = "odom") -> bm.ActionPlan:
    """Plan -> message."""
    msg = bm.ActionPlan(
        plan_id=plan.plan_id,
        session_id=plan.session_id,
        observation_stamp=time_to_msg(plan.observation_stamp),
        valid_until=time_to_msg(plan.valid_until),
        successor_due=time_to_msg(plan.successor_due or 0.0),
        step_dt=duration_to_msg(plan.step_dt),
        state_dt=duration_to_msg(plan.state_dt),
        compute_time=duration_to_msg(plan.compute_time),
        first_step=plan.first_step,
        trusted_steps=plan.trusted_steps,
        action_kind=bm.ActionPlan.ACTION_JOINT_POSITION,
        horizon=len(plan.joint_targets),
        joint_names=list(joint_names),
        engine_sha256=plan.policy_sha256,
        guidance_seq=plan.guidance_seq,
    )
    set_stamp(msg.header, plan.stamp)
    msg.header.frame_id = frame_id
    msg.position = floats(plan.joint_targets)
    xyzw = plan.root_quat_w[:, [1, 2, 3, 0]]
    msg.root_poses = floats(np.concatenate([plan.root_pos_w, xyzw], axis=1))
    msg.cost_stats = cost_stats_to_msg(plan.cost_stats)
    msg.guidance_cost = sum(c.value for c in plan.cost_stats) if plan.cost_stats else math.nan
    return msg


def plan_from_msg(msg: bm.ActionPlan, joints: JointMap) -> Plan:
    """Message -> Plan, joints in internal order.

    Raises:
        MessageError: Wrong action kind, unknown joints, or arrays whose lengths do not fit.
    """
    if msg.action_kind != bm.ActionPlan.ACTION_JOINT_POSITION:
        raise MessageError(f"plan {msg.plan_id}: action kind {msg.action_kind}; only joint positions (0) can be played")
    if not 0 < msg.horizon <= MAX_SETPOINTS or len(msg.root_poses) > 7 * MAX_SETPOINTS:
        raise MessageError(
            f"plan {msg.plan_id} has {msg.horizon} set-points and {len(msg.root_poses) // 7} root poses; 1 to "
            f"{MAX_SETPOINTS} can be played"
        )
    count = len(msg.joint_names)
    if len(msg.position) != msg.horizon * count or len(msg.root_poses) % 7:
        raise MessageError(
            f"plan {msg.plan_id}: {len(msg.position)} positions for {msg.horizon} set-points of {count} joints, "
            f"{len(msg.root_poses)} numbers of root poses (7 each)"
        )
    columns = joints.order(msg.joint_names, range(count), f"plan {msg.plan_id}").astype(int)
    targets = np.asarray(msg.position, dtype=np.float64).reshape(msg.horizon, count)[:, columns]
    root = np.asarray(msg.root_poses, dtype=np.float64).reshape(-1, 7)
    return Plan(
        plan_id=msg.plan_id,
        session_id=msg.session_id,
        stamp=time_from_msg(msg.header.stamp),
        observation_stamp=time_from_msg(msg.observation_stamp),
        step_dt=duration_from_msg(msg.step_dt),
        joint_targets=targets,
        trusted_steps=msg.trusted_steps,
        first_step=msg.first_step,
        valid_until=time_from_msg(msg.valid_until),
        state_dt=duration_from_msg(msg.state_dt),
        root_pos_w=root[:, :3],
        root_quat_w=root[:, [6, 3, 4, 5]],
        compute_time=duration_from_msg(msg.compute_time),
        guidance_seq=msg.guidance_seq,
        cost_stats=tuple(CostStats(c.name, c.value, c.gradient_norm) for c in msg.cost_stats),
        policy_sha256=msg.engine_sha256,
        successor_due=time_from_msg(msg.successor_due) or None,
    )


def cost_stats_to_msg(stats: Sequence[CostStats]) -> list[bm.CostStats]:
    """Cost statistics -> messages."""
    return [bm.CostStats(name=c.name, value=float(c.value), gradient_norm=float(c.gradient_norm)) for c in stats]


def path_to_msg(plan: Plan, frame_id: str = "odom") -> Path:
    """The pelvis's predicted way, for displays."""
    path = Path()
    set_stamp(path.header, plan.observation_stamp)
    path.header.frame_id = frame_id
    poses = []
    for i, (position, quat) in enumerate(zip(plan.root_pos_w, plan.root_quat_w, strict=True)):
        pose = PoseStamped()
        set_stamp(pose.header, plan.stamp + (i + 1) * plan.state_dt)
        pose.header.frame_id = frame_id
        assign_pose(pose.pose, position, quat)
        poses.append(pose)
    path.poses = poses
    return path


def stats_to_msg(plan: Plan, frame_id: str = "odom") -> bm.GuidanceStats:
    """Which cost pulled how hard on a plan."""
    msg = bm.GuidanceStats(session_id=plan.session_id, plan_id=plan.plan_id, guidance_seq=plan.guidance_seq)
    set_stamp(msg.header, plan.observation_stamp)
    msg.header.frame_id = frame_id
    msg.costs = cost_stats_to_msg(plan.cost_stats)
    return msg


def planner_status_to_msg(worker: PlanWorker | None) -> bm.PlannerStatus:
    """How the planner is doing; INACTIVE without a worker. Stamp, session, seed and engine are left to the caller."""
    status = bm.PlannerStatus(ood_score=math.nan)
    if worker is None:
        status.message = "not active"
        return status
    state, code, text = worker.condition.value
    statistics = worker.statistics
    status.state, status.code = getattr(status, state), getattr(status, code)
    status.message = f"{text}: {worker.detail}" if worker.detail and code not in ("OK", "HISTORY_SHORT") else text
    if worker.dropped and worker.dropped not in status.message:
        status.message = f"{status.message}; {worker.dropped}"
    status.plans, status.late_plans = statistics.plans, statistics.late_plans
    status.dropped_states = statistics.dropped_states
    status.rate_hz = statistics.rate()
    for name, window in (("state_age", statistics.state_age), ("compute", statistics.compute)):
        summary = window.summary()
        setattr(status, f"{name}_p50_ms", 1e3 * summary.p50)
        setattr(status, f"{name}_p99_ms", 1e3 * summary.p99)
        setattr(status, f"{name}_max_ms", 1e3 * summary.max)
    status.plan_period_ms, status.plan_latency_ms = 1e3 * worker.period, 1e3 * worker.latency
    status.publish_to_due_p01_ms = 1e3 * statistics.slack.percentile(1.0)
    return status
