"""config/*.param.yaml against the dataclasses that the nodes declare."""

import ast
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("rclpy", reason="the nodes' configuration classes live beside rclpy")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.parameters import describe, from_mapping  # noqa: E402

from scripts.parameters import CLASSES, config_class, main, parameter_file  # noqa: E402

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).resolve().parents[2] / "config"


def parameters(node):
    content = yaml.safe_load((CONFIG / f"{node}.param.yaml").read_text())
    assert list(content) == [f"/**/{node}"], "the wildcard lets the file fit any namespace"
    return content[f"/**/{node}"]["ros__parameters"]


def flat(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@pytest.mark.parametrize("node", CLASSES)
def test_the_committed_file_is_what_make_params_writes(node):
    assert (CONFIG / f"{node}.param.yaml").read_text() == parameter_file(node), "run `make params`"


def test_checking_the_committed_files_writes_nothing_and_finds_them_right(capsys):
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("node", CLASSES)
def test_the_file_lists_every_parameter_but_the_policys_folder_and_reads_as_the_defaults(node):
    listed = dict(flat(parameters(node)))
    assert set(listed) == {spec.name for spec in describe(config_class(node))} - {"policy"}
    assert from_mapping(config_class(node), parameters(node)) == config_class(node)()


@pytest.mark.parametrize("node", CLASSES)
def test_the_file_says_of_each_parameter_whether_it_is_live(node):
    lines = (CONFIG / f"{node}.param.yaml").read_text().splitlines()
    for spec in describe(config_class(node)):
        said = [line for line in lines if line.lstrip().startswith(f"# {spec.doc}")]
        assert all(line.endswith(("; live)", "(live)")) == spec.live for line in said), spec.name


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
