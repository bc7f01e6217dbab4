"""Touches and gaps against what is known without a simulator: a robot that falls over beside a wall."""

import math

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.guidance.sdf import Box, Capsule, Cylinder, Moving, Sphere  # noqa: E402
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1  # noqa: E402
from beyondmimic_diffusion.sim.witness import REACH, Witness  # noqa: E402


def pillar(x: float, y: float, radius: float = 0.2) -> Capsule:
    return Capsule((x, y, 0.0), (x, y, 2.0), radius)


def test_without_obstacles_there_is_nothing_to_watch():
    witness = Witness(MujocoG1(sensors=False))
    assert not witness.needed
    assert not witness.look()
    assert witness.clearance() == math.inf


@pytest.mark.parametrize(
    "shape", [pillar(1.0, 0.0), Cylinder((1.0, 0.0, 1.0), 0.2, 1.0), Box((1.0, 0, 1), (0.2, 3, 1))]
)
def test_the_gap_shrinks_by_as_much_as_the_robot_comes_nearer(shape):
    gaps = []
    for x in (0.0, 0.25):
        sim = MujocoG1(obstacles=[shape], sensors=False)
        sim.reset(root_pos_w=np.array([x, 0.0, 0.9]))
        gaps.append(Witness(sim).clearance())
    if isinstance(shape, Box):  # a wall across the way: the gap is along x alone
        assert gaps[0] - gaps[1] == pytest.approx(0.25, abs=1e-4)
    assert gaps[0] > gaps[1] > 0.0


@pytest.mark.parametrize("shape", [pillar(0.7, 0.3), Box((0.1, -0.9, 0.8), (0.2, 0.3, 0.4), 0.5)])
def test_the_gap_is_that_of_points_along_the_axes_of_the_robots_capsules(shape):
    sim = MujocoG1(obstacles=[shape], sensors=False)
    gaps, along = [], np.linspace(-1.0, 1.0, 2001)[:, None]
    for geom in range(sim.model.ngeom):
        name = sim.model.geom(geom).name
        if name.endswith("_collision"):  # spheres (their second size is 0) and capsules along their own z
            radius, half_length, _ = sim.model.geom_size[geom]
            axis = sim.data.geom_xmat[geom].reshape(3, 3)[:, 2]
            points = sim.data.geom_xpos[geom] + half_length * along * axis
            gaps.append(float(np.min(shape.query(points)[0])) - radius)
    assert len(gaps) == 33
    assert Witness(sim).clearance() == pytest.approx(min(gaps), abs=2e-4)  # points are up to 0.1 mm apart


def test_beyond_its_reach_it_sees_nothing():
    assert Witness(MujocoG1(obstacles=[Sphere((REACH + 1.0, 0.0, 0.8), 0.2)], sensors=False)).clearance() == math.inf


def test_leaning_on_an_obstacle_is_one_touch_and_names_both_sides():
    sim = MujocoG1(obstacles=[Moving(pillar(-1.0, 0.0), (1.0, 0.0, 0.0))], sensors=False)
    witness = Witness(sim)
    begun = [sim.stamp for _ in range(300) if (sim.advance(2), witness.look())[1]]
    assert witness.touches == len(begun) >= 1
    assert 0.4 < begun[0] < 1.0  # the pillar's skin reaches the pelvis' middle at 0.8 s
    assert witness.last.endswith("and obstacle_0")
    assert witness.clearance() < 0.05
