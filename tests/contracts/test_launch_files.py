"""launch/ against the table of nodes; run for real where ``launch`` is installed."""

import ast
import importlib.util
from pathlib import Path

import pytest
from beyondmimic_diffusion.core.parameters import describe
from beyondmimic_diffusion.graph import BringupArguments

FOLDER = Path(__file__).resolve().parents[2] / "launch"
FILES = sorted(FOLDER.glob("*.launch.py"))


def module(path):
    pytest.importorskip("launch_ros", reason="ROS 2's launch and launch_ros are not installed (they are not on PyPI)")
    spec = importlib.util.spec_from_file_location(path.name.replace(".", "_"), path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_launch_file_has_its_entry_function_and_names_no_node_module_itself(path):
    tree = ast.parse(path.read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert "generate_launch_description" in functions
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(name and name.startswith("beyondmimic_diffusion.nodes") for name in imported)


def test_bringup_declares_exactly_the_arguments_of_the_table_with_their_defaults():
    description = module(FOLDER / "bringup.launch.py").generate_launch_description()
    declared = {a.name: a for a in description.get_launch_arguments()}
    assert set(declared) == {spec.name for spec in describe(BringupArguments)}
    for spec in describe(BringupArguments):
        assert declared[spec.name].description == spec.doc


def test_bringup_makes_the_nodes_of_the_table_with_their_files_and_names(tmp_path):
    loaded = module(FOLDER / "bringup.launch.py")
    (tmp_path / "manifest.json").write_text("{}")
    context = loaded.LaunchContext()
    for spec in describe(BringupArguments):
        value = spec.default if spec.name != "policy" else str(tmp_path)
        context.launch_configurations[spec.name] = str(value).lower() if isinstance(value, bool) else str(value)
    nodes = [action for action in loaded.start_nodes(context) if isinstance(action, loaded.Node)]
    from beyondmimic_diffusion.graph import make_graph

    table = make_graph(BringupArguments(policy=str(tmp_path)))
    assert [node.node_executable for node in nodes] == [spec.name for spec in table]
    assert {node.node_package for node in nodes} == {"beyondmimic_diffusion"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_argument_has_a_description(path):
    for argument in module(path).generate_launch_description().get_launch_arguments():
        assert argument.description.endswith(".")


@pytest.mark.parametrize(
    ("words", "files"),
    [({}, []), ({"joy": "true"}, ["teleop"]), ({"rviz": "true"}, ["monitor"]), ({"record": "true"}, ["monitor"])],
    ids=str,
)
def test_bringup_includes_the_tools_that_were_asked_for(tmp_path, words, files):
    loaded = module(FOLDER / "bringup.launch.py")
    context = loaded.LaunchContext()
    for spec in describe(BringupArguments):
        default = str(spec.default).lower() if isinstance(spec.default, bool) else str(spec.default)
        context.launch_configurations[spec.name] = words.get(spec.name, default)
    sources = [included.launch_description_source for included in loaded.include_tools(context)]
    assert all(source.get_launch_description(context).entities for source in sources)
    assert [Path(source.location).name for source in sources] == [f"{name}.launch.py" for name in files]
