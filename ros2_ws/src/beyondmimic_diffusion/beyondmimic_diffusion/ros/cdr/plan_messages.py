"""Writer and reader of ``beyondmimic_msgs/ActionPlan`` as arrays over its bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from beyondmimic_msgs import msg as bm

from ...core.types import CostStats, Plan
from ..conversions.joints import JointMap
from ..conversions.plan import plan_from_msg, plan_to_msg
from .layout import FixedLayout
from .readers import Reader
from .writers import STAMP, STAMP_AT, pack_stamp

_TIMES = ("observation_stamp", "valid_until", "successor_due", "step_dt", "state_dt", "compute_time")
_COUNTS = ("plan_id", "session_id", "first_step", "trusted_steps", "guidance_seq")
_CHANGING = ("header.stamp", *_TIMES, *_COUNTS, "position", "root_poses", "guidance_cost")
_MOST_LAYOUTS = 20
"""So many layouts are kept; a plan has one for each set of costs."""
_COST = struct.Struct("<2f")
"""Value and gradient's norm."""
_CODES = {"u1": "<B", "<u4": "<I", "<u8": "<Q"}


def _changing(costs: int) -> tuple[str, ...]:
    """Fields in which plans with so many costs differ."""
    return *_CHANGING, *(f"cost_stats.{i}.{name}" for i in range(costs) for name in ("value", "gradient_norm"))


class _Places:
    """Where the fields of plans of one layout are."""

    def __init__(self, layout: FixedLayout, costs: int):
        places = layout.places
        self.times = tuple(places[f"{name}.sec"].offset for name in _TIMES)
        self.counts = tuple((struct.Struct(_CODES[places[name].dtype]), places[name].offset) for name in _COUNTS)
        self.position, self.root = places["position"], places["root_poses"]
        self.guidance_cost = places["guidance_cost"].offset
        self.costs = tuple(places[f"cost_stats.{i}.value"].offset for i in range(costs))

    def targets(self, raw: bytes | bytearray) -> np.ndarray:
        """View of the set-points, float32, shape (P * J,)."""
        return np.ndarray(self.position.size, self.position.dtype, raw, self.position.offset)

    def poses(self, raw: bytes | bytearray) -> np.ndarray:
        """View of the predicted pelvis poses, position and quaternion xyzw, float32, shape (H, 7)."""
        return np.ndarray((self.root.size // 7, 7), self.root.dtype, raw, self.root.offset)


class PlanWriter:
    """Plans as rclpy would have sent :func:`~..conversions.plan.plan_to_msg` of them."""

    def __init__(self, joint_names: Sequence[str], frame_id: str):
        """
        Args:
            joint_names: The robot's joints in internal order.
            frame_id: Frame of the predicted poses.
        """
        self._joint_names, self._frame_id = joint_names, frame_id
        self._known: dict[tuple[Any, ...], tuple[bytearray, _Places]] = {}

    def write(self, plan: Plan) -> bytes:
        """The serialised message."""
        names = tuple(cost.name for cost in plan.cost_stats)
        key = (plan.joint_targets.shape, plan.root_pos_w.shape, names, plan.policy_sha256)
        if key not in self._known:
            if len(self._known) >= _MOST_LAYOUTS:
                self._known.clear()
            message = plan_to_msg(plan, self._joint_names, self._frame_id)
            layout = FixedLayout(message, _changing(len(names)))
            self._known[key] = bytearray(layout.template), _Places(layout, len(names))
        buffer, places = self._known[key]
        self._fill(buffer, places, plan)
        return bytes(buffer)

    def _fill(self, buffer: bytearray, places: _Places, plan: Plan) -> None:
        pack_stamp(buffer, STAMP_AT, plan.stamp)
        times = (plan.observation_stamp, plan.valid_until, plan.successor_due or 0.0)
        for offset, value in zip(places.times, (*times, plan.step_dt, plan.state_dt, plan.compute_time), strict=True):
            pack_stamp(buffer, offset, value)
        counts = (plan.plan_id, plan.session_id, plan.first_step, plan.trusted_steps, plan.guidance_seq)
        for (code, offset), count in zip(places.counts, counts, strict=True):
            code.pack_into(buffer, offset, count)
        places.targets(buffer)[:] = plan.joint_targets.reshape(-1)
        poses = places.poses(buffer)
        poses[:, :3], poses[:, 3:6], poses[:, 6] = plan.root_pos_w, plan.root_quat_w[:, 1:], plan.root_quat_w[:, 0]
        total = sum(cost.value for cost in plan.cost_stats) if plan.cost_stats else math.nan
        struct.pack_into("<f", buffer, places.guidance_cost, total)
        for offset, cost in zip(places.costs, plan.cost_stats, strict=True):
            _COST.pack_into(buffer, offset, cost.value, cost.gradient_norm)


class PlanReader(Reader[Plan]):
    """``plan``; see :func:`~..conversions.plan.plan_from_msg`."""

    def __init__(self, joints: JointMap):
        super().__init__(bm.ActionPlan, "plan", _CHANGING)
        self._joints = joints

    def _changing_of(self, message: bm.ActionPlan) -> tuple[str, ...]:
        return _changing(len(message.cost_stats))

    def _general(self, message: bm.ActionPlan) -> Plan:
        return plan_from_msg(message, self._joints)

    def _prepare(self, layout: FixedLayout, message: bm.ActionPlan) -> None:
        self._names = tuple(cost.name for cost in message.cost_stats)
        self._sha256 = message.engine_sha256
        self._places = _Places(layout, len(self._names))
        self._shape = (message.horizon, len(message.joint_names))
        self._index = self._joints.index(message.joint_names, "plan")

    def _fast(self, raw: bytes) -> Plan:
        places = self._places
        sec, nanosec = STAMP.unpack_from(raw, STAMP_AT)
        observed, until, due, step_dt, state_dt, compute = (_seconds(raw, offset) for offset in places.times)
        plan_id, session_id, first, trusted, seq = (code.unpack_from(raw, at)[0] for code, at in places.counts)
        targets = places.targets(raw).reshape(self._shape).astype(np.float64)
        root = places.poses(raw).astype(np.float64)
        costs = (_COST.unpack_from(raw, offset) for offset in places.costs)
        return Plan(
            plan_id=plan_id,
            session_id=session_id,
            stamp=sec + nanosec * 1e-9,
            observation_stamp=observed,
            step_dt=step_dt,
            joint_targets=targets if self._index is None else targets[:, self._index],
            trusted_steps=trusted,
            first_step=first,
            valid_until=until,
            state_dt=state_dt,
            root_pos_w=root[:, :3],
            root_quat_w=root[:, [6, 3, 4, 5]],
            compute_time=compute,
            guidance_seq=seq,
            cost_stats=tuple(CostStats(name, *cost) for name, cost in zip(self._names, costs, strict=True)),
            policy_sha256=self._sha256,
            successor_due=due or None,
        )


def _seconds(raw: bytes, offset: int) -> float:
    sec, nanosec = STAMP.unpack_from(raw, offset)
    return sec + nanosec * 1e-9
