"""The G1 as physics: motors with a PD law and torque limits, IMU, pushes, obstacles, randomised friction, mass, gains.

Stepped by anyone, on nobody's clock: time advances only in :meth:`MujocoG1.step`. The PD law runs at every physics step
inside MuJoCo's own loop (its actuators are set up for it), so that holding one command for n steps is a single call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import mujoco
import numpy as np

from ..core.errors import RobotModelError
from ..core.guidance.sdf import SignedDistance
from ..core.robot import g1
from ..core.robot.kinematics import from_mujoco
from ..core.robot.model import FLOOR_FRICTION, PHYSICS_DT, build_spec, check_joint_order, foot_geom_ids
from ..core.rotations import quat_rotate_inverse
from ..core.types import Array, ImuSample, JointCommand, JointSample, RobotState
from .obstacles import add_obstacles, mocap_velocities, obstacle_geoms

GRAVITY = 9.81
"""[m/s^2]."""


def _ones() -> Array:
    return np.ones(g1.NUM_JOINTS)


def _zeros() -> Array:
    return np.zeros(g1.NUM_JOINTS)


@dataclass(frozen=True)
class Physics:
    """What differs between one real robot and the next, and between floors. The defaults are the nominal robot."""

    friction: float = FLOOR_FRICTION
    """Sliding friction between feet and floor."""
    mass_scale: float = 1.0
    """Of all masses and inertias."""
    payload: float = 0.0
    """Mass added at the torso's centre of mass [kg]; may be negative."""
    kp_scale: Array = field(default_factory=_ones)
    """True stiffness over commanded stiffness, shape (J,)."""
    kd_scale: Array = field(default_factory=_ones)
    """True damping over commanded damping, shape (J,)."""
    joint_damping: Array = field(default_factory=_zeros)
    """Viscous friction in the joints [N m s/rad], shape (J,)."""
    joint_offset: Array = field(default_factory=_zeros)
    """What the encoders read too much [rad], shape (J,); motors and ``joints()`` see it, ``state()`` does not."""


class MujocoG1:
    """One G1 in MuJoCo."""

    def __init__(
        self,
        model: mujoco.MjModel | None = None,
        *,
        timestep: float = PHYSICS_DT,
        meshes: bool = False,
        sensors: bool = True,
        obstacles: Sequence[SignedDistance] = (),
    ):
        """
        Args:
            model: Compiled from :func:`~..core.robot.model.build_spec`; by default one is made, with ``obstacles`` on
                its floor. It is altered by :meth:`set_physics`, so give each robot its own.
            timestep: Of the physics [s], if ``model`` is not given.
            meshes: Load the visual meshes too, if ``model`` is not given.
            sensors: Compute gyro and accelerometer; off is a fifth faster and leaves :meth:`imu` unavailable.
            obstacles: What can be touched, where it is at stamp 0; only if ``model`` is not given.
        """
        self.model = _build(timestep, meshes, obstacles) if model is None else model
        check_joint_order(self.model)
        if not sensors:
            self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_SENSOR
        self._has_sensors = sensors
        self.data = mujoco.MjData(self.model)
        self.dt = float(self.model.opt.timestep)
        self._feet = foot_geom_ids(self.model)
        self._torso = self.model.body(g1.HEAD_BODY).id
        self._head_b = np.asarray(g1.HEAD_POINT_B)
        self._gyro = self.model.sensor("imu_ang_vel").adr[0]
        self._accelerometer = self.model.sensor("imu_lin_acc").adr[0]
        self._is_obstacle = obstacle_geoms(self.model)
        self._travel = mocap_velocities(obstacles)  # (moving, 3)
        self._nominal_mass = self.model.body_mass.copy()
        self._nominal_inertia = self.model.body_inertia.copy()
        self.physics = Physics()
        self.set_physics(self.physics)
        self.reset()

    def set_physics(self, physics: Physics) -> None:
        """Change friction, masses, gains, damping and encoder offsets; takes effect with the next step."""
        model = self.model
        self.physics = physics
        model.geom_friction[self._feet, 0] = physics.friction
        model.body_mass[:] = self._nominal_mass * physics.mass_scale
        model.body_inertia[:] = self._nominal_inertia * physics.mass_scale
        model.body_mass[self._torso] += physics.payload
        model.dof_damping[6:] = physics.joint_damping
        mujoco.mj_setConst(model, mujoco.MjData(model))

    def reset(
        self,
        *,
        root_pos_w: Array | None = None,
        root_quat_w: Array | None = None,
        joint_pos: Array | None = None,
        root_lin_vel_w: Array | None = None,
        root_xy_w: Sequence[float] = (0.0, 0.0),
        stamp: float = 0.0,
    ) -> None:
        """Put the robot down, at rest unless told otherwise, limp until the first command.

        By default in the default pose at ``root_xy_w``, facing +x, with the lower of its feet touching the floor.
        """
        data = self.data
        mujoco.mj_resetData(self.model, data)
        data.qpos[:3] = (*root_xy_w, g1.DEFAULT_ROOT_HEIGHT) if root_pos_w is None else root_pos_w
        data.qpos[3:7] = (1.0, 0.0, 0.0, 0.0) if root_quat_w is None else root_quat_w
        data.qpos[7:] = g1.DEFAULT_JOINT_POS if joint_pos is None else joint_pos
        if root_lin_vel_w is not None:
            data.qvel[:3] = root_lin_vel_w
        if root_pos_w is None:
            data.qpos[2] -= self.sole_height()
        data.time = stamp
        self._lead_obstacles()
        self.model.actuator_biasprm[:, 1:3] = 0.0
        self._kp, self._feed_forward = _zeros(), _zeros()
        self._pushed_w: Array | None = None
        self._jolt_w: Array | None = None
        mujoco.mj_forward(self.model, data)

    def step(self, command: JointCommand, n: int = 1) -> None:
        """Hold a command for ``n`` physics steps: torque = clip(tau_ff + kp (q* - q) + kd (dq* - dq), +-limit)."""
        self.apply(command)
        self.advance(n)

    def apply(self, command: JointCommand) -> None:
        """Hand a command to the motors; it acts from the next step on."""
        self._kp = command.kp * self.physics.kp_scale
        kd = command.kd * self.physics.kd_scale
        self._feed_forward = command.tau_ff + kd * command.velocity - self._kp * self.physics.joint_offset
        self.model.actuator_biasprm[:, 1] = -self._kp
        self.model.actuator_biasprm[:, 2] = -kd
        self.retarget(command.position)

    def retarget(self, position: Array) -> None:
        """Change only the joint positions [rad], shape (J,), of the last command; the quick way when gains stay."""
        self.data.ctrl[:] = self._feed_forward + self._kp * position

    def advance(self, n: int = 1) -> None:
        """Let ``n`` physics steps pass under the last command; obstacles move once, at the beginning."""
        self._lead_obstacles()
        mujoco.mj_step(self.model, self.data, n)
        pushed_w, self._pushed_w = self._pushed_w, None
        self._jolt_w = None if pushed_w is None else pushed_w / (n * self.dt)

    def _lead_obstacles(self) -> None:
        if len(self._travel):
            self.data.mocap_pos[:] = self._travel * self.data.time

    def push(self, delta_v_xy: Array) -> None:
        """Change the whole robot's horizontal velocity at once [m/s], shape (2,).

        The accelerometer feels it in the next :meth:`advance`, spread over its steps: physics knows of no force here.
        """
        self.data.qvel[:2] += delta_v_xy
        self._pushed_w = np.array([*delta_v_xy, 0.0]) + (0.0 if self._pushed_w is None else self._pushed_w)

    @property
    def stamp(self) -> float:
        """Simulated time [s]."""
        return float(self.data.time)

    def state(self) -> RobotState:
        """The truth, free of encoder offsets and noise."""
        return from_mujoco(self.data.qpos, self.data.qvel, self.stamp)

    def imu(self) -> ImuSample:
        """The pelvis IMU. The specific force is that of the last physics step, at the IMU's place.

        Raises:
            RobotModelError: The simulator was made without sensors.
        """
        if not self._has_sensors:
            raise RobotModelError("this simulator was made with sensors=False; the IMU needs sensors=True")
        data = self.data
        quat_w, force_b = data.qpos[3:7].copy(), data.sensordata[self._accelerometer : self._accelerometer + 3].copy()
        if self._jolt_w is not None:
            force_b += quat_rotate_inverse(quat_w, self._jolt_w)
        return ImuSample(stamp=self.stamp, quat_w=quat_w, ang_vel_b=data.qvel[3:6].copy(), lin_acc_b=force_b)

    def joints(self) -> JointSample:
        """What the encoders read, and the torque of the last physics step."""
        data = self.data
        return JointSample(
            stamp=self.stamp,
            position=data.qpos[7:] + self.physics.joint_offset,
            velocity=data.qvel[6:].copy(),
            effort=data.actuator_force.copy(),
        )

    def head_height(self) -> float:
        """Height of the head's centre [m]."""
        mujoco.mj_kinematics(self.model, self.data)
        return float(self.data.xpos[self._torso, 2] + self.data.xmat[self._torso, 6:] @ self._head_b)

    def fallen(self, head_height: float = 0.2) -> bool:
        """Whether the head is below a height [m]; the default is the one the test suite counts as a fall."""
        return self.head_height() < head_height

    def sole_height(self) -> float:
        """Height of the lowest point of either foot above the floor [m]; negative if it is in the floor."""
        mujoco.mj_kinematics(self.model, self.data)
        half_length = self.model.geom_size[self._feet, 1]
        radius = self.model.geom_size[self._feet, 0]
        slope = np.abs(self.data.geom_xmat[self._feet, 8])  # capsules lie along their own z
        return float(np.min(self.data.geom_xpos[self._feet, 2] - half_length * slope - radius))

    def foot_contacts(self) -> tuple[bool, bool]:
        """Whether the left and the right foot touched anything in the last physics step."""
        touched = [False, False]
        bodies = [self.model.body(name).id for name in g1.FOOT_BODIES]
        for contact in self.data.contact:
            for geom in contact.geom:
                body = self.model.geom_bodyid[geom]
                if body in bodies:
                    touched[bodies.index(body)] = True
        return touched[0], touched[1]

    def touches_obstacle(self) -> bool:
        """Whether any part of the robot touched an obstacle in the last physics step."""
        pairs = self.data.contact.geom  # (contacts, 2)
        return bool(self._is_obstacle[pairs].any()) if len(pairs) else False


def _build(timestep: float, meshes: bool, obstacles: Sequence[SignedDistance]) -> mujoco.MjModel:
    spec = build_spec(meshes=meshes, timestep=timestep)
    add_obstacles(spec, obstacles)
    return spec.compile()
