"""Touches and gaps against what is known without them: where obstacles are, and points along the robot's capsules."""

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco", reason="the simulator needs mujoco")

from beyondmimic_diffusion.core.guidance.sdf import Box, Capsule, Cylinder, Moving, Sphere  # noqa: E402
from beyondmimic_diffusion.sim.gap import GapMeter  # noqa: E402
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1  # noqa: E402
from beyondmimic_diffusion.sim.witness import Witness  # noqa: E402


def pillar(x: float, y: float, radius: float = 0.2) -> Capsule:
    return Capsule((x, y, 0.0), (x, y, 2.0), radius)


def test_without_obstacles_there_is_nothing_to_watch():
    witness = Witness(MujocoG1(sensors=False))
    assert not witness.needed
    assert not witness.look()


@pytest.mark.parametrize(
    "shape", [pillar(1.0, 0.0), Cylinder((1.0, 0.0, 1.0), 0.2, 1.0), Box((1.0, 0, 1), (0.2, 3, 1))]
)
def test_the_gap_shrinks_by_as_much_as_the_robot_comes_nearer(shape):
    gaps = []
    for x in (0.0, 0.25):
        sim = MujocoG1(obstacles=[shape], sensors=False)
        sim.reset(root_pos_w=np.array([x, 0.0, 0.9]))
        gaps.append(GapMeter(sim, shape).measure())
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
    assert GapMeter(sim, shape).measure() == pytest.approx(min(gaps), abs=2e-3)  # its points are 20 mm apart


def test_a_moving_obstacle_is_measured_where_it_is_by_now():
    wall = Moving(Box((5.0, 0.0, 1.0), (0.5, 9.0, 1.0)), (-1.0, 0.0, 0.0))
    sim = MujocoG1(obstacles=[wall], sensors=False)
    gaps = []
    for stamp in (0.0, 1.5):
        sim.reset(stamp=stamp)
        gaps.append(GapMeter(sim, wall).measure())
    assert gaps[0] - gaps[1] == pytest.approx(1.5, abs=1e-9)


def test_mujocos_own_distance_agrees_for_balls():
    """Sphere against sphere or capsule is closed form in MuJoCo, too."""
    ball = Sphere((0.6, 0.25, 0.9), 0.2)
    sim = MujocoG1(obstacles=[ball], sensors=False)
    other = sim.model.geom("obstacle_0").id
    parts = [g for g in range(sim.model.ngeom) if sim.model.geom(g).name.endswith("_collision")]
    nearest = min(mujoco.mj_geomDistance(sim.model, sim.data, part, other, 5.0, None) for part in parts)
    assert GapMeter(sim, ball).measure() == pytest.approx(nearest, abs=2e-3)


def test_leaning_on_an_obstacle_is_one_touch_and_names_both_sides():
    sim = MujocoG1(obstacles=[Moving(pillar(-1.0, 0.0), (1.0, 0.0, 0.0))], sensors=False)
    witness = Witness(sim)
    begun = [sim.stamp for _ in range(300) if (sim.advance(2), witness.look())[1]]
    assert witness.touches == len(begun) >= 1
    assert 0.4 < begun[0] < 1.0  # the pillar's skin reaches the pelvis' middle at 0.8 s
    assert witness.last.endswith("and obstacle_0")
