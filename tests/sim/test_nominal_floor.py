"""There is one nominal floor: evaluation without ROS and the simulator's node walk on the same friction."""

from pathlib import Path

import pytest
from beyondmimic_diffusion.core.robot.model import FLOOR_FRICTION, foot_geom_ids
from beyondmimic_diffusion.sim.mujoco_g1 import MujocoG1, Physics

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_the_file_of_the_simulators_node_names_the_friction_that_evaluation_uses():
    yaml = pytest.importorskip("yaml")
    values = yaml.safe_load((CONFIG / "mujoco_sim.param.yaml").read_text())["/**/mujoco_sim"]["ros__parameters"]
    assert values["friction"] == FLOOR_FRICTION == Physics().friction


@pytest.mark.ros
def test_the_simulators_node_walks_on_the_same_floor_without_a_file():
    pytest.importorskip("rclpy", reason="the node's configuration lives beside rclpy")
    pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
    from beyondmimic_diffusion.nodes.mujoco_sim_node import SimConfig

    assert SimConfig().friction == FLOOR_FRICTION


def test_between_foot_and_floor_mujoco_uses_exactly_that_friction():
    for friction in (0.3, FLOOR_FRICTION):
        sim = MujocoG1(sensors=False)
        sim.set_physics(Physics(friction=friction))
        sim.reset()
        for _ in range(200):
            sim.advance(1)
            if sim.data.ncon:
                break
        feet = set(foot_geom_ids(sim.model))
        found = [c.friction[0] for c in sim.data.contact if feet & {int(c.geom1), int(c.geom2)}]
        assert found
        assert found == pytest.approx([friction] * len(found))
