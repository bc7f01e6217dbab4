"""Entities against the scene they come from and MuJoCo's own velocities."""

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402
from beyondmimic_diffusion.core.guidance.sdf import Sphere  # noqa: E402
from beyondmimic_diffusion.core.robot import g1  # noqa: E402
from beyondmimic_diffusion.core.tasks import Obstacle, Scene  # noqa: E402
from beyondmimic_diffusion.sim.entities import ROBOT, Category, Entities  # noqa: E402
from beyondmimic_diffusion.sim.gantry import Gantry  # noqa: E402
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1  # noqa: E402
from beyondmimic_diffusion.sim.simulation_control import Answer, Code  # noqa: E402

POST = Obstacle("post", "cylinder", (2.0, 0.0, 0.9), (0.2, 1.8))
CRATE = Obstacle("crate", "box", (0.0, 3.0, 0.25), (0.5, 0.5, 0.5), yaw=0.5)
CART = Obstacle("cart", "box", (-3.0, 0.0, 0.5), (0.4, 0.6, 1.0), velocity=(0.0, 0.5, 0.0))
SCENE = Scene("some", (POST, CRATE, CART))
LEVEL = np.array([1.0, 0.0, 0.0, 0.0])
TURNED = np.array([np.cos(0.4), 0.0, 0.0, np.sin(0.4)])
"""0.8 rad to the left."""


class Rig:
    def __init__(self):
        self.sim = MujocoG1(obstacles=[obstacle.sdf() for obstacle in SCENE.obstacles])
        self.gantry = Gantry(self.sim)
        self.entities = Entities(self.sim, SCENE, self.gantry)
        self.height = float(self.sim.state().root_pos_w[2])

    def put(self, *position, quat=LEVEL):
        return self.entities.place(ROBOT, (np.array(position), np.array(quat)), None)


@pytest.fixture
def rig():
    return Rig()


def test_robot_and_obstacles_are_found_by_name_category_and_place(rig):
    find = rig.entities.find
    assert find() == [ROBOT, "post", "crate", "cart"]
    assert find("^c") == ["crate", "cart"]
    assert find("ost$") == ["post"]
    assert find(categories=[Category.ROBOT]) == [ROBOT]
    assert find(categories=[Category.STATIC_OBJECT]) == ["post", "crate"]
    assert find("a", categories=[Category.DYNAMIC_OBJECT]) == ["cart"]
    assert find(categories=[]) == []
    # the post's skin is 1.8 m from the origin, the crate's nearest edge more than 2.5 m
    assert find("p|c", sphere=Sphere((0.0, 0.0, 0.9), 1.79)) == []
    assert find("p|c", sphere=Sphere((0.0, 0.0, 0.9), 1.81)) == ["post"]
    assert find(sphere=Sphere((0.0, 0.0, rig.height), 0.05)) == [ROBOT]
    assert find(sphere=Sphere((0.0, 0.0, 3.0), 0.5)) == []


def test_a_filter_that_is_no_regular_expression_is_refused(rig):
    answer = rig.entities.find("(")
    assert isinstance(answer, Answer)
    assert answer.code is Code.OPERATION_FAILED
    assert "'(' is no regular expression" in answer.text


def test_obstacles_are_where_the_scene_has_them_at_the_simulated_time(rig):
    rig.sim.reset(stamp=4.0)
    cart, crate = rig.entities.state("cart"), rig.entities.state("crate")
    assert cart.stamp == 4.0
    assert cart.position == pytest.approx([-3.0, 2.0, 0.5])
    assert cart.linear == pytest.approx([0.0, 0.5, 0.0])
    assert crate.position == pytest.approx(CRATE.center)
    assert crate.quat == pytest.approx([np.cos(0.25), 0.0, 0.0, np.sin(0.25)])
    assert rig.entities.state("nobody") is None
    assert rig.entities.category("nobody") is None


def test_the_robot_is_put_where_it_was_told_with_its_joints_as_they_were(rig):
    rig.sim.data.qpos[7:] += 0.1
    joints = rig.sim.state().joint_pos
    assert rig.put(1.0, -2.0, rig.height + 0.2, quat=TURNED) == Answer(Code.OK)
    state = rig.entities.state(ROBOT)
    assert state.position == pytest.approx([1.0, -2.0, rig.height + 0.2])
    assert state.quat == pytest.approx(TURNED)
    assert rig.sim.state().joint_pos == pytest.approx(joints)


def test_velocities_are_set_in_world_axes(rig):
    twist = (np.array([0.3, -0.2, 0.1]), np.array([0.5, 1.0, -0.7]))
    tilted = np.array([np.cos(0.3), np.sin(0.3), 0.0, 0.0])
    answer = rig.entities.place(ROBOT, (np.array([0.0, 0.0, 1.5]), tilted), twist)
    assert answer == Answer(Code.OK)
    told = np.zeros(6)
    body = rig.sim.model.body(g1.ROOT_BODY).id
    mujoco.mj_objectVelocity(rig.sim.model, rig.sim.data, mujoco.mjtObj.mjOBJ_XBODY, body, told, 0)
    assert told[3:] == pytest.approx(twist[0])
    assert told[:3] == pytest.approx(twist[1])
    state = rig.entities.state(ROBOT)
    assert (state.linear, state.angular) == (pytest.approx(twist[0]), pytest.approx(twist[1]))


def test_a_robot_that_is_only_turned_keeps_its_velocity_in_the_world(rig):
    rig.entities.place(ROBOT, None, (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.4, 0.0])))
    rig.put(0.0, 0.0, rig.height, quat=TURNED)
    state = rig.entities.state(ROBOT)
    assert state.linear == pytest.approx([1.0, 0.0, 0.0])
    assert state.angular == pytest.approx([0.0, 0.4, 0.0])


def test_the_gantry_comes_along_so_that_the_robot_stays_where_it_was_put(rig):
    rig.put(1.0, 1.0, rig.height)
    for _ in range(500):
        rig.gantry.apply(rig.sim.dt)
        rig.sim.advance()
    assert rig.sim.state().root_pos_w[:2] == pytest.approx([1.0, 1.0], abs=0.05)  # limp, it sways in the gantry


@pytest.mark.parametrize(
    ("position", "quat", "text"),
    [
        ((np.nan, 0.0, 0.8), LEVEL, "not finite"),
        ((0.0, 0.0, 0.8), (np.nan, 0.0, 0.0, 0.0), "not finite"),
        ((np.inf, 0.0, 0.8), LEVEL, "not finite"),
        ((0.0, 0.0, 0.8), (0.0, 0.0, 0.0, 0.0), "no unit quaternion"),
        ((0.0, 0.0, 0.8), (2.0, 0.0, 0.0, 0.0), "no unit quaternion"),
        ((0.0, 2e3, 0.8), LEVEL, "the world ends at 1000 m"),
        ((0.0, 0.0, 0.3), LEVEL, "deep in the floor or an obstacle"),
        ((0.0, 0.0, -50.0), LEVEL, "deep in the floor or an obstacle"),
        ((2.0, 0.0, 0.9), LEVEL, "deep in the floor or an obstacle"),
    ],
)
def test_a_pose_that_cannot_be_is_refused_and_the_robot_stays_as_it_was(rig, position, quat, text):
    before = rig.sim.data.qpos.copy(), rig.sim.data.qvel.copy()
    answer = rig.put(*position, quat=quat)
    assert answer.code is Code.INVALID_POSE
    assert text in answer.text
    assert np.array_equal(rig.sim.data.qpos, before[0])
    assert np.array_equal(rig.sim.data.qvel, before[1])


@pytest.mark.parametrize("twist", [(np.nan, 0.0), (0.0, np.inf), (101.0, 0.0), (0.0, -101.0)])
def test_a_velocity_that_no_body_has_is_refused(rig, twist):
    answer = rig.entities.place(ROBOT, None, (np.full(3, twist[0]), np.full(3, twist[1])))
    assert answer.code is Code.OPERATION_FAILED
    assert "up to 100 m/s" in answer.text
    assert np.array_equal(rig.sim.data.qvel, np.zeros(rig.sim.model.nv))


def test_obstacles_unknown_names_and_nothing_to_set_are_each_refused_in_their_own_way(rig):
    pose = (np.array([5.0, 5.0, 1.0]), LEVEL)
    answers = [rig.entities.place("post", pose, None), rig.entities.place("nobody", pose, None)]
    answers.append(rig.entities.place(ROBOT, None, None))
    assert [a.code for a in answers] == [Code.FEATURE_UNSUPPORTED, Code.NOT_FOUND, Code.OPERATION_FAILED]
    assert "it is where its scene has it" in answers[0].text
    assert f"no entity 'nobody'; there are {ROBOT}, post, crate, cart" in answers[1].text


def test_an_obstacle_with_the_robots_name_is_refused(rig):
    scene = Scene("twins", (Obstacle(ROBOT, "sphere", (3.0, 0.0, 0.5), (0.3,)),))
    with pytest.raises(ConfigError, match="rename it"):
        Entities(rig.sim, scene, rig.gantry)
