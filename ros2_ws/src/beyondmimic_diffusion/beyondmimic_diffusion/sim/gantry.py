"""The support a robot hangs in until its controller has taken over."""

from __future__ import annotations

import numpy as np

from ..core.robot import g1
from ..core.rotations import quat_conjugate, quat_multiply, quat_to_rotvec
from .mujoco_g1 import MujocoG1


class Gantry:
    r"""A spring and a damper between the pelvis and the place where it was when caught.

    .. math:: f = s\,(k_p (p_0 - p) - k_d v), \qquad \tau = s\,(k_r\,\log(q_0 q^{-1}) - k_w \omega)

    It carries no weight where it holds: the legs stand, and the gantry only keeps them from falling over. After
    :meth:`release` the strength s falls from 1 to 0 in ``fade`` seconds, so that nothing snaps.
    """

    STIFFNESS = 6000.0
    """[N/m]."""
    DAMPING = 600.0
    """[N s/m]; about 0.7 of critical for 33 kg."""
    ROT_STIFFNESS = 600.0
    """[N m/rad]."""
    ROT_DAMPING = 30.0
    """[N m s/rad]."""

    def __init__(self, sim: MujocoG1, fade: float = 0.3):
        """
        Args:
            sim: Robot to hold.
            fade: Time in which a release lets go [s].
        """
        self._sim = sim
        self._fade = fade
        self._body = sim.model.body(g1.ROOT_BODY).id
        self._strength = 0.0
        self._releasing = False
        self.catch()

    @property
    def strength(self) -> float:
        """1 while it holds, falling to 0 after a release."""
        return self._strength

    def catch(self) -> None:
        """Hold the pelvis where it is now."""
        self.follow()
        self._strength, self._releasing = 1.0, False

    def follow(self) -> None:
        """The pelvis was put elsewhere: go on there, as strongly as before."""
        state = self._sim.state()
        self._pos, self._quat = state.root_pos_w.copy(), state.root_quat_w.copy()

    def release(self) -> None:
        """Begin to let go."""
        self._releasing = True

    def apply(self, dt: float) -> None:
        """Set the force for the coming physics step, ``dt`` [s] after the last call; call before each step."""
        if self._releasing and self._strength > 0.0:
            self._strength = max(0.0, self._strength - dt / self._fade)
        wrench = self._sim.data.xfrc_applied[self._body]
        if self._strength == 0.0:
            wrench[:] = 0.0
            return
        state = self._sim.state()
        turn = quat_to_rotvec(quat_multiply(self._quat, quat_conjugate(state.root_quat_w)))
        force = self.STIFFNESS * (self._pos - state.root_pos_w) - self.DAMPING * state.root_lin_vel_w
        torque = self.ROT_STIFFNESS * turn - self.ROT_DAMPING * state.root_ang_vel_w
        wrench[:3] = self._strength * force
        wrench[3:] = self._strength * torque
        np.clip(wrench, -3000.0, 3000.0, out=wrench)
