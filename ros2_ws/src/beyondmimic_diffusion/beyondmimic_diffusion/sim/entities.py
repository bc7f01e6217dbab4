"""What is in the simulation, by name: the robot and the obstacles of its scene; where they are.

The robot can be put elsewhere by request. Obstacles cannot: what the policy is told of them and what the robot can
touch come from one scene.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

import mujoco
import numpy as np

from ..core.errors import ConfigError
from ..core.guidance.sdf import Sphere
from ..core.robot import g1
from ..core.rotations import quat_from_yaw, quat_rotate_inverse
from ..core.tasks import Scene
from ..core.types import Array
from .gantry import Gantry
from .gap import GapMeter, robot_geoms
from .mujoco_g1 import MujocoG1
from .simulation_control import Answer, Code

ROBOT = g1.ROBOT_NAME
"""The robot's name among the entities."""
_FAR = 1000.0
"""The world ends here [m]: farther out a float32 of a message resolves less than 0.1 mm."""
_FAST = 100.0
"""No body moves at more [m/s] or turns at more [rad/s]; the physics would not survive much more."""
_DEEP = 0.02
"""The robot may be put so deep into floor or obstacles; more would throw it out like a spring [m]."""
_UNIT = 1e-2
"""Deviation from length 1 that a quaternion may have; it is normalised."""


class Category(Enum):
    """Kind of an entity, named as the interface names it."""

    ROBOT = "the G1"
    STATIC_OBJECT = "an obstacle that stays"
    DYNAMIC_OBJECT = "an obstacle that moves on its own, at constant velocity"


@dataclass(frozen=True)
class EntityState:
    """Where an entity is; all in the world."""

    stamp: float
    """Simulated time [s]."""
    position: Array
    """[m], (3,)."""
    quat: Array
    """wxyz, (4,)."""
    linear: Array
    """[m/s], (3,)."""
    angular: Array
    """[rad/s], (3,)."""


class Entities:
    """Used by the thread of the physics."""

    def __init__(self, sim: MujocoG1, scene: Scene, gantry: Gantry):
        """
        Args:
            sim: The robot among the scene's obstacles.
            scene: What stands around.
            gantry: Follows the robot when it is put elsewhere.

        Raises:
            ConfigError: An obstacle has the robot's name.
        """
        self._sim, self._gantry = sim, gantry
        self._obstacles = {obstacle.name: obstacle for obstacle in scene.obstacles}
        if ROBOT in self._obstacles:
            raise ConfigError(f"scene '{scene.name}': an obstacle is named '{ROBOT}', as the robot is; rename it")
        self._is_robot = robot_geoms(sim.model)

    def category(self, name: str) -> Category | None:
        """Kind of an entity; None if there is none of that name."""
        if name == ROBOT:
            return Category.ROBOT
        obstacle = self._obstacles.get(name)
        if obstacle is None:
            return None
        return Category.DYNAMIC_OBJECT if obstacle.moves else Category.STATIC_OBJECT

    def find(
        self, pattern: str = "", categories: Collection[Category] | None = None, sphere: Sphere | None = None
    ) -> list[str] | Answer:
        """Names of the entities that pass all filters.

        Args:
            pattern: Regular expression that is found in the name; empty: any name.
            categories: One of these; None: any.
            sphere: Overlaps with it; None: anywhere.
        """
        try:
            expression = re.compile(pattern)
        except re.error as error:
            return Answer(Code.OPERATION_FAILED, f"filter '{pattern}' is no regular expression: {error}")
        return [
            name
            for name in (ROBOT, *self._obstacles)
            if expression.search(name)
            and (categories is None or self.category(name) in categories)
            and (sphere is None or self._overlaps(name, sphere))
        ]

    def state(self, name: str) -> EntityState | None:
        """Where an entity is now; None if there is none of that name."""
        if name == ROBOT:
            state = self._sim.state()
            motion = (state.root_lin_vel_w, state.root_ang_vel_w)
            return EntityState(state.stamp, state.root_pos_w, state.root_quat_w, *motion)
        obstacle = self._obstacles.get(name)
        if obstacle is None:
            return None
        now = obstacle.at(self._sim.stamp)
        place = (np.array(now.center), quat_from_yaw(now.yaw))
        return EntityState(self._sim.stamp, *place, np.array(now.velocity), np.zeros(3))

    def place(self, name: str, pose: tuple[Array, Array] | None, twist: tuple[Array, Array] | None) -> Answer:
        """Put the robot's pelvis elsewhere, or set its velocity; its joints stay as they are.

        Args:
            name: Of the entity.
            pose: Position [m], (3,), and quaternion wxyz, (4,); None: stay.
            twist: Linear [m/s], (3,), and angular velocity [rad/s], (3,); None: keep what it has in the world.
        """
        if self.category(name) is None:
            return self.unknown(name)
        if name != ROBOT:
            return Answer(
                Code.FEATURE_UNSUPPORTED,
                f"'{name}' is an obstacle: it is where its scene has it; only '{ROBOT}' can be put elsewhere",
            )
        if pose is None and twist is None:
            return Answer(Code.OPERATION_FAILED, "nothing to set; give set_pose or set_twist")
        refusal = _refuse_pose(pose) or _refuse_twist(twist)
        return refusal or self._put(pose, twist)

    def unknown(self, name: str) -> Answer:
        """The answer to a name that nothing has."""
        known = ", ".join((ROBOT, *self._obstacles))
        return Answer(Code.NOT_FOUND, f"there is no entity '{name}'; there are {known}")

    def _overlaps(self, name: str, sphere: Sphere) -> bool:
        if name == ROBOT:
            return bool(GapMeter(self._sim, sphere).measure() <= 0.0)
        distance = self._obstacles[name].sdf().query(np.asarray(sphere.center), self._sim.stamp)[0]
        return bool(float(distance) <= sphere.radius)

    def _put(self, pose: tuple[Array, Array] | None, twist: tuple[Array, Array] | None) -> Answer:
        data, before = self._sim.data, self._sim.state()
        qpos, qvel = data.qpos.copy(), data.qvel.copy()
        if pose is not None:
            data.qpos[:3], data.qpos[3:7] = pose[0], pose[1] / np.linalg.norm(pose[1])
        linear, angular = (before.root_lin_vel_w, before.root_ang_vel_w) if twist is None else twist
        data.qvel[:3] = linear
        data.qvel[3:6] = quat_rotate_inverse(data.qpos[3:7], angular)  # MuJoCo: in the pelvis' axes
        mujoco.mj_forward(self._sim.model, data)
        depth = self._depth() if pose is not None else 0.0
        if depth > _DEEP:
            data.qpos[:], data.qvel[:] = qpos, qvel
            mujoco.mj_forward(self._sim.model, data)
            return Answer(Code.INVALID_POSE, f"the robot would be {depth:.3f} m deep in the floor or an obstacle")
        self._gantry.follow()
        return Answer(Code.OK)

    def _depth(self) -> float:
        """How deep the robot is in something else [m]; 0 if nothing touches it."""
        contact = self._sim.data.contact
        foreign = ~self._is_robot[contact.geom].all(axis=1) if len(contact.dist) else np.zeros(0, dtype=bool)
        return max(0.0, -float(np.min(contact.dist[foreign], initial=0.0)))


def _refuse_pose(pose: tuple[Array, Array] | None) -> Answer | None:
    if pose is None:
        return None
    position, quat = pose
    if not (np.isfinite(position).all() and np.isfinite(quat).all()):
        return Answer(Code.INVALID_POSE, f"position {position.tolist()}, orientation {quat.tolist()} are not finite")
    if np.max(np.abs(position)) > _FAR:
        return Answer(Code.INVALID_POSE, f"position {position.tolist()} m; the world ends at {_FAR:g} m")
    if abs(np.linalg.norm(quat) - 1.0) > _UNIT:
        return Answer(Code.INVALID_POSE, f"orientation {quat.tolist()} (wxyz) is no unit quaternion")
    return None


def _refuse_twist(twist: tuple[Array, Array] | None) -> Answer | None:
    if twist is None:
        return None
    values = np.concatenate(twist)
    if not np.isfinite(values).all() or np.max(np.abs(values)) > _FAST:
        return Answer(
            Code.OPERATION_FAILED, f"twist {values.tolist()}; finite numbers up to {_FAST:g} m/s and rad/s are possible"
        )
    return None
