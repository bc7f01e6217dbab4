"""Obstacles as geoms against the signed distances they come from, by MuJoCo's own distance routine."""

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.errors import RobotModelError  # noqa: E402
from beyondmimic_diffusion.core.guidance.distance_grid import DistanceGrid  # noqa: E402
from beyondmimic_diffusion.core.guidance.sdf import (  # noqa: E402
    Box,
    Capsule,
    Cylinder,
    HalfSpace,
    Moving,
    Sphere,
    Union,
)
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1  # noqa: E402
from beyondmimic_diffusion.sim.obstacles import add_obstacles, mocap_velocities, obstacle_geoms  # noqa: E402

SHAPES = {
    "sphere": Sphere((0.3, -0.2, 1.0), 0.4),
    "capsule": Capsule((0.0, 0.1, 0.2), (0.5, 0.4, 1.5), 0.2),
    "cylinder": Cylinder((0.2, 0.1, 0.8), 0.25, 0.7),
    "box": Box((0.1, -0.3, 0.6), (0.3, 0.5, 0.4), 0.7),
    "half-space": HalfSpace((0.4, 0.2, 0.0), (-0.6, 0.0, 0.8)),
}
PROBE = 0.01
"""Radius of the ball whose distance MuJoCo is asked for [m]."""


@pytest.mark.parametrize("name", SHAPES)
def test_a_geom_is_as_far_from_a_point_as_the_shape_it_stands_for(name):
    shape, spec = SHAPES[name], mujoco.MjSpec()
    ball = spec.worldbody.add_body(name="probe", mocap=True)
    ball.add_geom(name="probe", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[PROBE, 0.0, 0.0])
    add_obstacles(spec, [shape])
    model = spec.compile()
    data, rng = mujoco.MjData(model), np.random.default_rng(3)
    pair = model.geom("probe").id, int(np.flatnonzero(obstacle_geoms(model))[0])
    seen = 0
    for point in rng.uniform((-2.0, -2.0, 0.0), (2.0, 2.0, 2.0), (60, 3)):
        expected = shape.query(point)[0]
        if expected < 0.05:
            continue  # MuJoCo's depth inside a solid is another thing
        data.mocap_pos[0] = point
        mujoco.mj_kinematics(model, data)
        # the general convex routine (cylinder, box) converges to 1e-6
        assert mujoco.mj_geomDistance(model, data, *pair, 10.0, None) == pytest.approx(expected - PROBE, abs=1e-5)
        seen += 1
    assert seen > 20


def test_what_moves_is_where_its_velocity_has_taken_it():
    pillar = Capsule((-1.5, 0.0, 0.0), (-1.5, 0.0, 2.0), 0.2)
    scene = [Union([Moving(pillar, (0.5, 0.25, 0.0)), SHAPES["sphere"]]), Moving(pillar, (0.0, -1.0, 0.0))]
    assert mocap_velocities(scene).tolist() == [[0.5, 0.25, 0.0], [0.0, -1.0, 0.0]]
    sim = MujocoG1(obstacles=scene, sensors=False)
    sim.reset(root_pos_w=np.array([0.0, 5.0, 1.0]), stamp=1.0)
    for _ in range(100):
        sim.advance(2)
    time = sim.stamp - 2 * sim.dt  # obstacles move at the beginning of an advance
    assert time == pytest.approx(1.396)
    by_name = {name: sim.data.body(name).xpos for name in ("obstacle_0", "obstacle_2")}
    assert by_name["obstacle_0"] == pytest.approx(np.array([0.5, 0.25, 0.0]) * time)
    assert by_name["obstacle_2"] == pytest.approx(np.array([0.0, -1.0, 0.0]) * time)


def test_a_robot_that_is_run_into_has_touched_and_one_beside_it_has_not():
    coming = Moving(Capsule((-1.0, 0.0, 0.2), (-1.0, 0.0, 2.0), 0.2), (1.0, 0.0, 0.0))
    passing = Moving(Capsule((-1.0, 0.8, 0.2), (-1.0, 0.8, 2.0), 0.2), (1.0, 0.0, 0.0))
    for obstacle, expected in ((coming, True), (passing, False)):
        sim = MujocoG1(obstacles=[obstacle], sensors=False)
        touched = []
        for _ in range(150):
            sim.advance(2)  # limp: it sinks, and is pushed at
            touched.append(sim.touches_obstacle())
        assert any(touched) is expected
        assert not any(touched[:100])  # at 0.4 s the pillar is still 0.4 m from the pelvis' middle
    assert not MujocoG1(sensors=False).touches_obstacle()


def test_a_shape_without_a_geom_is_refused():
    grid = DistanceGrid(np.zeros((3, 3, 1)), (0.0, 0.0, 0.0), 0.1)
    with pytest.raises(RobotModelError, match="DistanceGrid"):
        add_obstacles(mujoco.MjSpec(), [grid])
