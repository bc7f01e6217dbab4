"""The robot's MJCF: where it is, and how it becomes a MuJoCo model of ours.

The file is read out of the installed pip package ``mjlab`` (nothing of it is imported or copied). It has neither floor,
actuators nor armature; :func:`build_spec` adds them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from ..errors import RobotModelError
from . import g1
from .lazy_mujoco import mujoco

_PACKAGE = "mjlab"
_MJCF_IN_PACKAGE = Path("asset_zoo/robots/unitree_g1/xmls/g1.xml")

PHYSICS_DT = 0.002
"""Default time step of the physics [s]."""
FLOOR_GEOM = "floor"
FLOOR_FRICTION = 0.8
"""Nominal sliding friction between foot and floor."""


def g1_mjcf_path() -> Path:
    """Path of the G1's MJCF; its meshes lie in ``assets`` beside it.

    Raises:
        RobotModelError: The package that ships the file is not installed, or holds no such file.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RobotModelError(
            f"the G1's MJCF comes with the pip package '{_PACKAGE}', which is not installed; "
            f"'pip install --no-deps {_PACKAGE}' is enough"
        )
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    for folder in folders:
        if (folder / _MJCF_IN_PACKAGE).is_file():
            return folder / _MJCF_IN_PACKAGE
    raise RobotModelError(
        f"the pip package '{_PACKAGE}' in {folders} holds no '{_MJCF_IN_PACKAGE}'; version 1.6.0 does"
    )


def build_spec(*, meshes: bool = False, actuators: bool = True, timestep: float = PHYSICS_DT) -> mujoco.MjSpec:
    """The G1 on a floor, ready to be compiled; callers may add obstacles first.

    Args:
        meshes: Keep the visual meshes (for rendering). Collision shapes and inertias do not depend on them.
        actuators: Add one torque-limited PD actuator per joint, see :func:`_add_pd_actuator`.
        timestep: Of the physics [s].
    """
    path = g1_mjcf_path()
    spec = mujoco.MjSpec.from_file(str(path))
    spec.option.timestep = timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    if not meshes:
        _drop_meshes(spec)
    for sensor in list(spec.sensors):
        if sensor.name not in ("imu_ang_vel", "imu_lin_acc"):
            spec.delete(sensor)
    for geom in spec.geoms:
        is_foot = "_foot" in geom.name
        geom.condim = 3 if is_foot else 1  # feet grip; everything else only pushes back
        geom.priority = 1 if is_foot else 0
        if is_foot:
            geom.friction = [FLOOR_FRICTION, 0.005, 0.0001]
    spec.worldbody.add_geom(
        name=FLOOR_GEOM, type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0.0, 0.0, 0.05], rgba=[0.55, 0.6, 0.65, 1.0]
    )
    for name, armature, effort in zip(g1.JOINT_NAMES, g1.ARMATURES, g1.EFFORT_LIMITS, strict=True):
        joint = spec.joint(name)
        if joint is None:
            raise RobotModelError(f"'{path}' has no joint '{name}'; the 29-joint G1 has")
        joint.armature = armature
        if actuators:
            _add_pd_actuator(spec, name, effort)
    return spec


def _drop_meshes(spec: mujoco.MjSpec) -> None:
    for geom in list(spec.geoms):
        if geom.type == mujoco.mjtGeom.mjGEOM_MESH:
            spec.delete(geom)
    for mesh in list(spec.meshes):
        spec.delete(mesh)


def _add_pd_actuator(spec: mujoco.MjSpec, joint_name: str, effort: float) -> None:
    """force = clip(ctrl - kp q - kd dq, +-effort); with ctrl = kp q* + kd dq* + tau_ff it is the motor's PD law.

    The gains sit in ``actuator_biasprm`` columns 1 and 2 (negative) and may change at any step, down to zero.
    """
    actuator = spec.add_actuator(name=joint_name, target=joint_name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.gainprm[0] = 1.0
    actuator.forcelimited = True
    actuator.forcerange = [-effort, effort]


def load_model(*, meshes: bool = False, timestep: float = PHYSICS_DT) -> mujoco.MjModel:
    """Compile :func:`build_spec` and check that its joints come in our order.

    Raises:
        RobotModelError: The MJCF's joints are not the ones :mod:`.g1` knows, in that order.
    """
    model = build_spec(meshes=meshes, timestep=timestep).compile()
    check_joint_order(model)
    return model


def check_joint_order(model: mujoco.MjModel) -> None:
    """Raise :class:`RobotModelError` unless qpos is a free joint followed by the 29 joints in our order."""
    names = tuple(mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_JOINT, i) for i in range(model.njnt))
    if names[1:] != g1.JOINT_NAMES or model.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise RobotModelError(f"the MJCF's joints are {names}; a free joint and then {g1.JOINT_NAMES} were expected")


def foot_geom_ids(model: mujoco.MjModel) -> np.ndarray:
    """Ids of the feet's collision geoms."""
    ids = [i for i in range(model.ngeom) if "_foot" in (mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_GEOM, i) or "")]
    return np.asarray(ids)
