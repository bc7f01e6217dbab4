"""Positions and velocities of the key points, from joints and root (MuJoCo's kinematics on a model without meshes)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..types import Array, RobotState
from . import g1
from .lazy_mujoco import mujoco
from .model import load_model


class Kinematics:
    """Forward kinematics of chosen points; holds a scratch ``MjData``, so one object per thread."""

    def __init__(self, model: mujoco.MjModel | None = None, key_points: Sequence[g1.KeyPoint] = g1.KEY_POINTS):
        """
        Args:
            model: A compiled G1 whose qpos is (free joint, 29 joints); by default the MJCF of the installed package.
            key_points: Which points, M of them.
        """
        self.model = load_model() if model is None else model
        self.key_points_list = tuple(key_points)
        self._data = mujoco.MjData(self.model)
        self._bodies = np.array([self.model.body(p.body).id for p in self.key_points_list])
        self._offsets_b = np.array([p.offset_b for p in self.key_points_list])  # (M, 3)
        self._root = self.model.body(g1.ROOT_BODY).id

    def key_points(self, state: RobotState) -> tuple[Array, Array]:
        """Positions [m] and velocities [m/s] of the key points in world axes, each shape (M, 3)."""
        qpos, qvel = to_mujoco(state)
        pos, vel = self.key_points_batch(qpos[None], qvel[None])
        return pos[0], vel[0]

    def key_points_batch(self, qpos: Array, qvel: Array) -> tuple[Array, Array]:
        """The same for T states in MuJoCo's form, qpos (T, 36) and qvel (T, 35); results have shape (T, M, 3)."""
        steps, points = len(qpos), len(self._bodies)
        origin, frame = np.empty((steps, points, 3)), np.empty((steps, points, 9))
        twist, centre = np.empty((steps, points, 6)), np.empty((steps, 1, 3))
        model, data = self.model, self._data
        for t in range(steps):
            data.qpos[:] = qpos[t]
            data.qvel[:] = qvel[t]
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_comVel(model, data)
            origin[t] = data.xpos[self._bodies]
            frame[t] = data.xmat[self._bodies]
            twist[t] = data.cvel[self._bodies]
            centre[t, 0] = data.subtree_com[self._root]
        pos = origin + np.einsum("tmij,mj->tmi", frame.reshape(steps, points, 3, 3), self._offsets_b)
        # cvel is (angular, linear) at the whole robot's centre of mass: v(p) = v_com + w x (p - com)
        vel = twist[..., 3:]
        wx, wy, wz = twist[..., 0], twist[..., 1], twist[..., 2]
        arm = pos - centre
        x, y, z = arm[..., 0], arm[..., 1], arm[..., 2]
        vel[..., 0] += wy * z - wz * y
        vel[..., 1] += wz * x - wx * z
        vel[..., 2] += wx * y - wy * x
        return pos, vel

    def key_point_heights(self, quat_w: Array, joint_pos: Array) -> Array:
        """Heights of the key points above the pelvis origin [m], shape (M,): a third of the work of all their motion.

        Args:
            quat_w: Pelvis orientation wxyz, shape (4,).
            joint_pos: [rad], shape (J,).
        """
        data = self._data
        data.qpos[:3], data.qpos[3:7], data.qpos[7:] = 0.0, quat_w, joint_pos
        mujoco.mj_kinematics(self.model, data)
        return data.xpos[self._bodies, 2] + np.einsum("mj,mj->m", data.xmat[self._bodies, 6:], self._offsets_b)

    def head_height(self, state: RobotState) -> float:
        """Height of the head's centre above the floor [m]; a robot with its head below 0.2 m has fallen."""
        self._data.qpos[:], self._data.qvel[:] = to_mujoco(state)
        mujoco.mj_kinematics(self.model, self._data)
        body = self.model.body(g1.HEAD_BODY).id
        return float(self._data.xpos[body, 2] + self._data.xmat[body, 6:] @ np.asarray(g1.HEAD_POINT_B))


def to_mujoco(state: RobotState) -> tuple[Array, Array]:
    """qpos (36,) and qvel (35,) of a state; MuJoCo keeps a free joint's angular velocity in body axes, we in world."""
    ang_vel_b = np.empty(3)
    inverse = np.empty(4)
    mujoco.mju_negQuat(inverse, np.asarray(state.root_quat_w, dtype=np.float64))
    mujoco.mju_rotVecQuat(ang_vel_b, np.asarray(state.root_ang_vel_w, dtype=np.float64), inverse)
    qpos = np.concatenate([state.root_pos_w, state.root_quat_w, state.joint_pos])
    qvel = np.concatenate([state.root_lin_vel_w, ang_vel_b, state.joint_vel])
    return qpos, qvel


def from_mujoco(qpos: Array, qvel: Array, stamp: float) -> RobotState:
    """The inverse of :func:`to_mujoco`; arrays are copied."""
    ang_vel_w = np.empty(3)
    mujoco.mju_rotVecQuat(ang_vel_w, np.asarray(qvel[3:6], dtype=np.float64), np.asarray(qpos[3:7], dtype=np.float64))
    return RobotState(
        stamp=stamp,
        root_pos_w=qpos[:3].copy(),
        root_quat_w=qpos[3:7].copy(),
        root_lin_vel_w=qvel[:3].copy(),
        root_ang_vel_w=ang_vel_w,
        joint_pos=qpos[7:].copy(),
        joint_vel=qvel[6:].copy(),
    )
