"""config/*.param.yaml against the dataclasses that the nodes declare."""

import ast
import importlib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("rclpy", reason="the nodes' configuration classes live beside rclpy")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.parameters import describe, from_mapping  # noqa: E402
from beyondmimic_diffusion.ros.parameters import value_of  # noqa: E402

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).resolve().parents[2] / "config"
CLASSES = {
    "mujoco_sim": "SimConfig",
    "state_estimator": "StateEstimatorConfig",
    "diffusion_planner": "DiffusionPlannerConfig",
    "guidance_task_server": "GuidanceTaskServerConfig",
    "action_executor": "ActionExecutorParameters",
    "supervisor": "SupervisorParameters",
}
DELIBERATE: dict[tuple[str, str], object] = {}
"""Where the files differ from the library's defaults; each says why at its line."""
SET_BY_START_UP = {"policy"}
"""Needs a folder, which only the start-up knows."""


def config_class(node):
    return getattr(importlib.import_module(f"beyondmimic_diffusion.nodes.{node}_node"), CLASSES[node])


def parameters(node):
    content = yaml.safe_load((CONFIG / f"{node}.param.yaml").read_text())
    assert list(content) == [f"/**/{node}"], "the wildcard lets the file fit any namespace"
    return content[f"/**/{node}"]["ros__parameters"]


@pytest.mark.parametrize("node", CLASSES)
def test_the_file_has_valid_values_for_known_names_only(node):
    from_mapping(config_class(node), parameters(node))


@pytest.mark.parametrize("node", CLASSES)
def test_the_file_lists_every_parameter_with_its_default_or_a_deliberate_other_value(node):
    config = from_mapping(config_class(node), parameters(node))
    text = (CONFIG / f"{node}.param.yaml").read_text()
    for spec in describe(config_class(node)):
        if spec.name in SET_BY_START_UP:
            continue
        assert f"{spec.name.rsplit('.', 1)[-1]}:" in text, spec.name
        default = DELIBERATE.get((node, spec.name), spec.default)
        expected = pytest.approx(default, abs=1e-6) if isinstance(default, float) else default
        assert value_of(config, spec.name) == expected, spec.name


@pytest.mark.parametrize("node", CLASSES)
def test_every_parameter_has_a_sentence(node):
    for spec in describe(config_class(node)):
        assert len(spec.doc.split()) >= 2, spec.name
        assert spec.doc.endswith("."), spec.name


def test_every_node_of_the_package_is_compared():
    setup = CONFIG.parent / "ros2_ws/src/beyondmimic_diffusion/setup.py"
    nodes = next(
        ast.literal_eval(node.value)
        for node in ast.parse(setup.read_text()).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NODES"
    )
    assert set(nodes) == set(CLASSES)


@pytest.mark.parametrize("path", sorted((CONFIG / "joy").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_joysticks_file_has_valid_values_for_known_names_only_and_the_drivers_beside_them(path):
    content = yaml.safe_load(path.read_text())
    assert set(content) == {"/**/joy_node", "/**/guidance_task_server"}
    from_mapping(config_class("guidance_task_server"), content["/**/guidance_task_server"]["ros__parameters"])


def test_the_shipped_joystick_is_the_one_that_the_node_knows_without_a_file():
    layout = yaml.safe_load((CONFIG / "joy" / "xbox.param.yaml").read_text())["/**/guidance_task_server"]
    config_of = config_class("guidance_task_server")
    assert from_mapping(config_of, layout["ros__parameters"]) == config_of()
