"""The table of nodes against what is installed, and the arguments against each other."""

import ast
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from beyondmimic_diffusion import graph
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.graph import BringupArguments, make_graph, parse_arguments

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def policy(tmp_path):
    """A folder that looks like a policy to the table, which reads no more than its name."""
    (tmp_path / "manifest.json").write_text("{}")
    return str(tmp_path)


def entry_points():
    """Names in setup.py's tuple of nodes."""
    tree = ast.parse((REPOSITORY / "ros2_ws/src/beyondmimic_diffusion/setup.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NODES":
            return set(ast.literal_eval(node.value))
    raise AssertionError("setup.py has no NODES")


def names(specs):
    return [spec.name for spec in specs]


def test_each_node_of_each_simulation_is_an_installed_entry_point_and_a_module(policy):
    for sim in ("mujoco", "isaac"):
        for spec in make_graph(BringupArguments(sim=sim, policy=policy)):
            assert spec.name in entry_points()
            assert importlib.util.find_spec(spec.module) is not None


def test_each_node_has_its_parameter_file(policy):
    for spec in make_graph(BringupArguments(policy=policy)):
        assert Path(spec.parameter_files[0]).name == f"{spec.name}.param.yaml"
        assert Path(spec.parameter_files[0]).is_file()


def test_with_isaac_the_simulator_is_not_ours_and_commands_carry_no_gains(policy):
    specs = make_graph(BringupArguments(sim="isaac", policy=policy))
    assert "mujoco_sim" not in names(specs)
    executor = next(spec for spec in specs if spec.name == "action_executor")
    assert executor.parameters["command_type"] == "joint_state"
    assert ("imu/data", "imu") in executor.remaps


def test_planner_and_executor_read_the_same_policy(policy):
    folders = {
        spec.parameters["policy"] for spec in make_graph(BringupArguments(policy=policy)) if "policy" in spec.parameters
    }
    assert folders == {str(Path(policy).resolve())}


@pytest.mark.parametrize("sim", ["mujoco", "isaac"])
def test_the_supervisor_commands_the_same_motors_as_the_executor_which_asks_for_it(policy, sim):
    specs = {spec.name: spec for spec in make_graph(BringupArguments(sim=sim, policy=policy))}
    executor, supervisor = specs["action_executor"], specs["supervisor"]
    assert supervisor.parameters["command_type"] == executor.parameters["command_type"]
    assert executor.parameters["supervised"] is True


def test_without_the_supervisor_the_executor_does_not_ask_for_one(policy):
    specs = {spec.name: spec for spec in make_graph(BringupArguments(policy=policy, supervisor=False))}
    assert "supervisor" not in specs
    assert specs["action_executor"].parameters["supervised"] is False


def test_all_nodes_agree_on_simulated_time(policy):
    assert {spec.parameters["use_sim_time"] for spec in make_graph(BringupArguments(policy=policy))} == {True}


def test_the_users_file_is_read_after_the_packages_own(policy, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("")
    for spec in make_graph(BringupArguments(policy=policy, params_file=str(mine))):
        assert spec.parameter_files[-1] == str(mine)


@pytest.mark.parametrize("given", ["forest", "forest.yaml", "config/scenes/forest.yaml"])
def test_a_scene_reaches_the_simulator_by_its_name_or_its_path(policy, given):
    simulator = make_graph(BringupArguments(policy=policy, scene=given))[0]
    assert simulator.parameters["scene"] == str(REPOSITORY / "config/scenes/forest.yaml")
    assert "scene" not in make_graph(BringupArguments(policy=policy))[0].parameters


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config/scenes").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_scene_that_is_shipped_has_room_for_the_robot_where_it_starts_and_where_it_shall_go(path):
    from beyondmimic_diffusion.core.tasks import load_scene

    scene = load_scene(path)
    assert scene.obstacles
    for x, y in (scene.start[:2], scene.goal):
        assert scene.clearance([[x, y, z] for z in (0.1, 0.7, 1.3)]) > 0.35


def test_arguments_are_read_from_words_and_known_under_the_names_of_other_stacks():
    arguments = parse_arguments(["hardware_type:=isaacsim", "policy_path:=here", "autostart:=false", "namespace:=g1"])
    assert arguments == BringupArguments(sim="isaac", policy="here", autostart=False, namespace="g1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["simm:=mujoco"], r"did you mean 'sim:=mujoco'"),
        (["sim=mujoco"], "write name:=value"),
        (["sim:=gazebo"], "one of 'mujoco', 'isaac'"),
        (["autostart:=perhaps"], "neither true nor false"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_remedy(words, said):
    with pytest.raises(ConfigError, match=said):
        parse_arguments(words)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"use_sim_time": "false"}, "use_sim_time must be true"),
        ({"policy": "nowhere/at/all"}, r"no policy at 'nowhere/at/all'.*give policy:=FOLDER"),
        ({"params_file": "not/there.yaml"}, "does not exist"),
        ({"scene": "jungle"}, "no scene file 'jungle'.*composed, corridor, forest"),
        ({"scene": "forest", "sim": "isaac"}, "needs sim:=mujoco"),
    ],
)
def test_a_combination_that_cannot_work_is_refused_with_the_remedy(policy, change, said):
    with pytest.raises(ConfigError, match=said):
        make_graph(replace(BringupArguments(policy=policy), **change))


def test_values_on_a_command_line_keep_their_type_in_yaml():
    yaml = pytest.importorskip("yaml")
    for value in (True, 0.25, 7, "1", "on", "C:/x y", "policies/walk"):
        assert yaml.safe_load(graph._as_yaml(value)) == value


def test_namespace_remaps_and_files_appear_on_the_command_line(policy):
    spec = make_graph(BringupArguments(sim="isaac", policy=policy))[0]
    words = spec.ros_arguments("/g1/", "warn")
    assert words[:3] == ["--ros-args", "--log-level", "warn"]
    assert "__ns:=/g1" in words
    assert "imu/data:=imu" in words
    assert words[words.index("--params-file") + 1] == spec.parameter_files[0]
