"""Where soles and leg joints are, seen from the IMU: what the encoders alone tell, with its Jacobians."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..robot import g1
from ..robot.lazy_mujoco import mujoco
from ..robot.model import load_model
from ..types import Array
from .contact import POINTS_PER_FOOT, SOLE_POINTS

FEET = len(g1.FOOT_BODIES)
LEG_JOINTS = 6
"""Of each leg; joints 0-5 are the left leg's, 6-11 the right one's."""


@dataclass(frozen=True)
class FootGeometry:
    """Of one sample of the encoders; everything in pelvis axes, from the IMU. ``P`` sole points per foot."""

    points_b: Array
    """Sole points [m], shape (2, P, 3)."""
    rotation_b: Array
    """Axes of the feet as columns, shape (2, 3, 3)."""
    joint_axes_b: Array
    """Axes of the legs' joints, shape (2, 6, 3)."""
    joint_anchors_b: Array
    """Points on them [m], shape (2, 6, 3)."""

    def contact(self, weights: Array) -> Array:
        """Weighted means of the sole points [m], shape (2, 3).

        Args:
            weights: Of each foot's points, of sum 1, shape (2, P).
        """
        return np.matmul(weights[:, None, :], self.points_b)[:, 0]

    def jacobian(self, point_b: Array) -> Array:
        """Derivative of a point fixed to each foot by its leg's joints [m/rad], shape (2, 3, 6).

        Args:
            point_b: One point per foot [m], shape (2, 3).
        """
        arm = point_b[:, None, :] - self.joint_anchors_b
        return cross(self.joint_axes_b, arm).swapaxes(1, 2)


def leg_values(values: Array) -> Array:
    """The legs' share of joint values (J,), shape (2, 6)."""
    return np.asarray(values[: FEET * LEG_JOINTS]).reshape(FEET, LEG_JOINTS)


def cross(a: Array, b: Array) -> Array:
    """Cross products of vectors (..., 3); a few times as fast as ``np.cross`` for few of them."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    out = np.empty(shape)
    a0, a1, a2 = a[..., 0], a[..., 1], a[..., 2]
    b0, b1, b2 = b[..., 0], b[..., 1], b[..., 2]
    out[..., 0] = a1 * b2 - a2 * b1
    out[..., 1] = a2 * b0 - a0 * b2
    out[..., 2] = a0 * b1 - a1 * b0
    return out


class FootKinematics:
    """MuJoCo's kinematics with the pelvis at the origin; holds a scratch model, so one object per thread."""

    def __init__(self) -> None:
        model = load_model()
        self._model, self._data = model, mujoco.MjData(model)
        self._data.qpos[:7] = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
        self.imu_offset_b: Array = np.array(model.site(g1.IMU_SITE).pos)
        """Where the IMU sits in the pelvis frame [m], shape (3,)."""
        self._feet = np.array([model.body(name).id for name in g1.FOOT_BODIES])
        self._legs = np.arange(1, 1 + FEET * LEG_JOINTS)  # MuJoCo's joint 0 is the free one
        self._points_f = np.array([point.offset_b for point in SOLE_POINTS]).reshape(FEET, POINTS_PER_FOOT, 3)

    def see(self, joint_pos: Array) -> FootGeometry:
        """Geometry at joint angles [rad], shape (J,)."""
        data = self._data
        data.qpos[7:] = joint_pos
        mujoco.mj_kinematics(self._model, data)
        rotation = data.xmat[self._feet].reshape(FEET, 3, 3)
        origin = data.xpos[self._feet] - self.imu_offset_b
        points = origin[:, None, :] + np.matmul(self._points_f, rotation.swapaxes(1, 2))
        axes = data.xaxis[self._legs].reshape(FEET, LEG_JOINTS, 3)
        anchors = (data.xanchor[self._legs] - self.imu_offset_b).reshape(FEET, LEG_JOINTS, 3)
        return FootGeometry(points, rotation, axes, anchors)
