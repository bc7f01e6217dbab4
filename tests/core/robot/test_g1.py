"""The robot's facts against the MJCF they describe."""

from collections import deque
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import RobotModelError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.core.robot import model as robot_model


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return robot_model.load_model()


def test_joints_and_their_limits_are_those_of_the_mjcf(model: mujoco.MjModel):
    names = [model.joint(i).name for i in range(1, model.njnt)]
    assert names == list(g1.JOINT_NAMES)
    np.testing.assert_allclose(model.jnt_range[1:], g1.JOINT_POS_LIMITS, atol=1e-12)


def test_isaac_lab_order_is_breadth_first_along_the_tree():
    queue = deque(ElementTree.parse(robot_model.g1_mjcf_path()).getroot().findall("worldbody/body"))
    order = []
    while queue:
        body = queue.popleft()
        order += [joint.get("name") for joint in body.findall("joint")]
        queue += body.findall("body")
    assert tuple(order) == g1.ISAACLAB_JOINT_NAMES


def test_gains_are_those_beyondmimic_publishes():
    # written in the metadata of the policies that were trained with them
    by_name = dict(zip(g1.JOINT_NAMES, g1.KP, strict=True))
    assert by_name["left_knee_joint"] == pytest.approx(99.098427777, rel=1e-6)
    assert by_name["right_hip_pitch_joint"] == pytest.approx(40.179238471, rel=1e-6)
    assert by_name["waist_roll_joint"] == pytest.approx(28.501246196, rel=1e-6)
    assert by_name["left_elbow_joint"] == pytest.approx(14.250623098, rel=1e-6)
    assert by_name["left_wrist_yaw_joint"] == pytest.approx(16.778327481, rel=1e-6)


def test_key_points_on_the_feet_lie_on_the_foots_collision_capsules(model: mujoco.MjModel):
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        points = {p.name: p for p in g1.KEY_POINTS}
        ends = _capsule_ends(model, f"{side}_foot4_collision")
        front = ends[np.argmax(ends[:, 0])]
        np.testing.assert_allclose(points[f"{side}_toe"].offset_b, front, atol=1e-9)
        outer = "left_foot7_collision" if side == "left" else "right_foot1_collision"
        middle = _capsule_ends(model, outer).mean(axis=0)
        np.testing.assert_allclose(points[f"{side}_foot_side"].offset_b, middle, atol=1e-9)
        assert np.sign(middle[1]) == sign


def test_each_sphere_is_at_least_as_thick_as_the_bodys_collision_shapes(model: mujoco.MjModel):
    for point in g1.KEY_POINTS:
        geoms = [g for g in range(model.ngeom) if model.geom_bodyid[g] == model.body(point.body).id]
        assert all(point.radius >= model.geom_size[g, 0] for g in geoms), point.name


def test_mirroring_joints_twice_changes_nothing():
    q = np.random.default_rng(0).normal(size=g1.NUM_JOINTS)
    index, sign = list(g1.MIRROR_JOINT_INDEX), g1.MIRROR_JOINT_SIGN
    np.testing.assert_array_equal((sign * (sign * q[index])[index]), q)


def test_mirrored_limits_and_default_pose_are_the_same_robot():
    index, sign = list(g1.MIRROR_JOINT_INDEX), g1.MIRROR_JOINT_SIGN[:, None]
    np.testing.assert_allclose(np.sort(sign * g1.JOINT_POS_LIMITS[index], axis=1), g1.JOINT_POS_LIMITS)
    np.testing.assert_allclose(g1.MIRROR_JOINT_SIGN * g1.DEFAULT_JOINT_POS[index], g1.DEFAULT_JOINT_POS)


def test_missing_package_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(robot_model.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RobotModelError, match="mjlab"):
        robot_model.g1_mjcf_path()


def test_a_model_without_meshes_moves_like_one_with_them(model: mujoco.MjModel):
    full = robot_model.load_model(meshes=True)
    assert full.nmesh > 0 and model.nmesh == 0
    np.testing.assert_allclose(full.body_mass, model.body_mass)
    np.testing.assert_allclose(full.body_inertia, model.body_inertia)


def _capsule_ends(model: mujoco.MjModel, name: str) -> np.ndarray:
    """Both ends of a capsule's axis in its body's frame, shape (2, 3)."""
    geom = model.geom(name).id
    axis = np.zeros(3)
    mujoco.mju_rotVecQuat(axis, np.array([0.0, 0.0, 1.0]), model.geom_quat[geom])
    half = model.geom_size[geom, 1] * axis
    return np.array([model.geom_pos[geom] - half, model.geom_pos[geom] + half])
