"""The table of nodes against what is installed, and the arguments against each other."""

import ast
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from beyondmimic_diffusion import graph
from beyondmimic_diffusion.arguments import check_without_launch
from beyondmimic_diffusion.core.errors import ConfigError
from beyondmimic_diffusion.graph import BringupArguments, make_graph, parse_arguments

REPOSITORY = Path(__file__).resolve().parents[2]
REAL = ["sim:=real", "network_interface:=eth7"]
SIMS = {
    "mujoco": ["sim:=mujoco"],
    "isaac": ["sim:=isaac"],
    "unitree_mujoco": ["sim:=unitree_mujoco"],
    "real": REAL,
}
"""The words without which each does not start, but for the policy."""
MOVES = ("action_executor", "supervisor")
"""Who writes to the motors."""
OWN = ("policy", "supervised", "blend_time")
"""Parameters that the executor alone has."""


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
    for words in SIMS.values():
        for spec in make_graph(parse_arguments([*words, f"policy:={policy}"])):
            assert spec.name in entry_points()
            assert importlib.util.find_spec(spec.module) is not None


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        (
            "/**/diffusion_planner:\n  ros__parameters:\n    steering: {goals: {custom: {modules: my.costs}}}\n",
            "my.costs",
        ),
        ("diffusion_planner:\n  ros__parameters:\n    steering.goals.custom.modules: my.costs\n", "my.costs"),
        ("/**:\n  ros__parameters:\n    custom_modules: own\n    steering.goals.custom: {modules: my.costs}\n", None),
        ("/**/state_estimator:\n  ros__parameters:\n    steering.goals.custom.modules: my.costs\n", None),
    ],
)
def test_the_task_server_is_told_of_the_users_costs_that_the_planner_knows(policy, tmp_path, text, shared):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    specs = make_graph(BringupArguments(policy=policy, params_file=str(file)))
    told = {spec.name: spec.parameters.get("custom_modules") for spec in specs}
    assert told.pop("guidance_task_server") == shared
    assert set(told.values()) == {None}


def test_a_parameter_file_that_is_no_yaml_is_named(policy, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("a: [b")
    with pytest.raises(ConfigError, match="mine.yaml.*cannot be read"):
        make_graph(BringupArguments(policy=policy, params_file=str(file)))


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


def by_name(policy, *words):
    return {spec.name: spec for spec in make_graph(parse_arguments([*words, f"policy:={policy}"]))}


@pytest.mark.parametrize("sim", SIMS)
def test_the_supervisor_commands_the_same_motors_as_the_executor_which_asks_for_it(policy, sim):
    specs = by_name(policy, *SIMS[sim])
    executor, supervisor = specs["action_executor"].parameters, specs["supervisor"].parameters
    assert supervisor == {key: value for key, value in executor.items() if key not in OWN}
    assert executor["supervised"] is True


@pytest.mark.parametrize("sim", SIMS)
def test_all_nodes_agree_on_simulated_time_which_unitrees_robots_do_not_have(policy, sim):
    times = {spec.parameters["use_sim_time"] for spec in by_name(policy, *SIMS[sim]).values()}
    assert times == {sim in ("mujoco", "isaac")}


def test_a_real_robot_is_met_on_the_interface_that_was_named_in_its_own_domain_and_dry_unless_told_otherwise(policy):
    specs = by_name(policy, *REAL)
    assert "mujoco_sim" not in specs
    for name in ("state_estimator", *MOVES):
        parameters = specs[name].parameters
        assert parameters["robot_interface"] == "unitree"
        assert parameters["unitree.network_interface"] == "eth7"
        assert parameters["unitree.domain"] == 0
        assert parameters["unitree.dry_run"] is True
    wet = by_name(policy, *REAL, "dry_run:=false")
    assert all(wet[name].parameters["unitree.dry_run"] is False for name in MOVES)


def test_on_a_real_robot_managed_nodes_wait_for_the_operator_and_the_root_is_estimated(policy):
    specs = by_name(policy, *REAL)
    managed = [spec for spec in specs.values() if spec.managed]
    assert len(managed) == 3
    assert not any(spec.parameters["autostart"] for spec in managed)
    assert specs["state_estimator"].parameters["root_source"] == "proprioception"


def test_a_simulated_unitree_robot_is_on_lo_away_from_real_ones_and_both_ends_meet_in_one_domain(policy):
    specs = by_name(policy, "sim:=unitree_mujoco")
    ends = [specs[name].parameters for name in ("state_estimator", *MOVES)]
    assert {end["unitree.network_interface"] for end in ends} == {"lo"}
    assert {end["unitree.domain"] for end in ends} == {specs["mujoco_sim"].parameters["unitree_domain"]} == {1}
    assert not any(end["unitree.dry_run"] for end in ends)
    assert specs["mujoco_sim"].parameters["robot_interface"] == "unitree"
    assert specs["state_estimator"].parameters["root_source"] == "proprioception"


def test_without_the_supervisor_the_executor_does_not_ask_for_one(policy):
    specs = {spec.name: spec for spec in make_graph(BringupArguments(policy=policy, supervisor=False))}
    assert "supervisor" not in specs
    assert specs["action_executor"].parameters["supervised"] is False


def test_the_users_file_is_read_after_the_packages_own(policy, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("")
    for spec in make_graph(BringupArguments(policy=policy, params_file=str(mine))):
        assert spec.parameter_files[-1] == str(mine)


def test_only_managed_nodes_are_started_again_and_only_if_asked(policy):
    assert not any(spec.respawn for spec in make_graph(BringupArguments(policy=policy)))
    again = {spec.name for spec in make_graph(BringupArguments(policy=policy, use_respawn=True)) if spec.respawn}
    assert again == {"state_estimator", "diffusion_planner", "guidance_task_server"}


def test_a_policy_may_be_named_by_its_manifest(policy):
    by_manifest = make_graph(BringupArguments(engine_manifest=f"{policy}/manifest.json"))
    assert by_manifest == make_graph(BringupArguments(policy=policy))


@pytest.mark.parametrize("given", ["xbox", "config/joy/xbox.param.yaml"])
def test_a_joysticks_layout_reaches_the_task_server_before_the_users_file(policy, given, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("")
    arguments = BringupArguments(policy=policy, joy_config=given, params_file=str(mine))
    for spec in make_graph(arguments):
        has_it = str(REPOSITORY / "config/joy/xbox.param.yaml") in spec.parameter_files
        assert has_it == (spec.name == "guidance_task_server")
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
    assert arguments == BringupArguments(sim="isaac", policy="here", autostart="false", namespace="g1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["simm:=mujoco"], r"did you mean 'sim:=mujoco'"),
        (["sim=mujoco"], "write name:=value"),
        (["sim:=gazebo"], "one of 'mujoco', 'isaac', 'unitree_mujoco', 'real'"),
        (["autostart:=perhaps"], "one of 'auto', 'true', 'false'"),
        (["headless:=perhaps"], "neither true nor false"),
        (["unitree_domain:=one"], "not a whole number"),
        (["blend_time:=slowly"], "not a number"),
        (["blend_time:=60"], r"0.02 .. 20.0 s, or auto"),
        (["blend_time:=0"], r"0.02 .. 20.0 s, or auto"),
        (["blend_time:=nan"], r"0.02 .. 20.0 s, or auto"),
        (["start_posture:=crouch"], "one of 'stand'"),
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
        ({"joy_config": "wheel"}, "no joystick 'wheel'; give joy_config:=FILE, or one of config/joy: auto, f710_d"),
        ({"engine_manifest": "there/policy.onnx"}, "not a manifest.json"),
        ({"engine_manifest": "there/manifest.json"}, "one folder: leave one of them out"),
        ({"dry_run": "true"}, "no meaning with sim:=mujoco.*leave it out"),
        ({"network_interface": "eth0"}, "no meaning with sim:=mujoco.*sim:=real"),
        ({"unitree_domain": 1, "sim": "isaac"}, "no meaning with sim:=isaac"),
        ({"sim": "unitree_mujoco", "root_source": "truth"}, "root_source:=proprioception"),
        ({"sim": "unitree_mujoco", "network_interface": "eth0"}, "could reach a real robot"),
        ({"sim": "unitree_mujoco", "unitree_domain": 0}, "domain of real robots; leave it out"),
    ],
)
def test_a_combination_that_cannot_work_is_refused_with_the_remedy(policy, change, said):
    with pytest.raises(ConfigError, match=said):
        make_graph(replace(BringupArguments(policy=policy), **change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network_interface": ""}, r"needs network_interface:=NAME.*not guessed"),
        ({"network_interface": "lo"}, "lo reaches no robot.*sim:=unitree_mujoco"),
        ({"use_sim_time": "true"}, "a robot has no /clock"),
        ({"policy": ""}, "needs policy:=FOLDER"),
        ({"root_source": "truth"}, "root_source:=proprioception"),
        ({"supervisor": False, "dry_run": "false"}, "leave supervisor out"),
        ({"scene": "forest"}, "its own surroundings"),
        ({"headless": False}, "has none; leave it out"),
    ],
)
def test_a_real_robot_is_not_started_with(policy, change, said):
    arguments = BringupArguments(sim="real", network_interface="eth7", policy=policy)
    assert make_graph(arguments)
    with pytest.raises(ConfigError, match=said):
        make_graph(replace(arguments, **change))


@pytest.mark.parametrize(
    ("word", "range_"), [(None, "SUBNET"), ("discovery:=machine", "LOCALHOST"), ("discovery:=subnet", "SUBNET")]
)
def test_the_argument_says_who_may_find_the_nodes_and_without_it_the_environment_does(policy, word, range_):
    from beyondmimic_diffusion.bringup import Bringup

    arguments = parse_arguments([f"policy:={policy}", *([word] if word else [])])
    given = {"ROS_DOMAIN_ID": "77", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    assert Bringup(arguments, given)._environment == {**given, "ROS_AUTOMATIC_DISCOVERY_RANGE": range_}


def test_without_a_word_from_anybody_nodes_are_found_on_this_machine_only_and_not_in_a_robots_domain(monkeypatch):
    from beyondmimic_diffusion.bringup import ros_environment

    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.delenv(name, raising=False)
    environment = ros_environment()
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert environment["ROS_DOMAIN_ID"] != "0"


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


@pytest.mark.parametrize(
    ("words", "blend"),
    [
        ([], None),
        (["blend_time:=1.5"], 1.5),
        (REAL, 3.0),
        ([*REAL, "blend_time:=5"], 5.0),
        ([*REAL, "blend_time:=auto"], 3.0),
    ],
    ids=str,
)
def test_a_real_robot_is_brought_to_its_stand_pose_slowly_unless_told_otherwise(policy, words, blend):
    assert by_name(policy, *words)["action_executor"].parameters.get("blend_time") == blend


@pytest.mark.parametrize("word", ["rviz", "foxglove", "joy", "record", "use_rviz"])
def test_what_needs_a_ros_install_is_refused_where_there_is_none_but_not_recording_by_default(word):
    with pytest.raises(ConfigError, match=r"needs a ROS 2 install: ros2 launch .*leave it out"):
        check_without_launch(parse_arguments([f"{word}:=true"]))
    check_without_launch(parse_arguments(REAL))  # recorded under ros2 launch, and not elsewhere


def test_a_real_robot_is_recorded_unless_told_otherwise():
    assert parse_arguments(REAL).records
    assert not parse_arguments([*REAL, "record:=false"]).records
    assert not parse_arguments([]).records


def parameters_of(name, words):
    return {spec.name: spec.parameters for spec in make_graph(parse_arguments(words))}[name]


def test_the_pace_of_simulated_time_is_the_files_unless_a_factor_is_given(policy):
    words = ["sim:=mujoco", f"policy:={policy}"]
    assert "pacing" not in parameters_of("mujoco_sim", words)
    fixed = parameters_of("mujoco_sim", [*words, "real_time_factor:=0.5"])
    assert (fixed["pacing"], fixed["real_time_factor"]) == ("fixed", 0.5)


def test_in_lockstep_steps_sensors_and_ticks_are_one_nobody_follows_the_clock_and_no_supervisor_watches(policy):
    arguments = parse_arguments(["lockstep:=true", f"policy:={policy}"])
    table = {spec.name: spec.parameters for spec in make_graph(arguments)}
    assert arguments.environment["BEYONDMIMIC_LOCKSTEP"] == "1"
    assert "supervisor" not in table
    assert table["action_executor"]["supervised"] is False
    assert table["mujoco_sim"]["pacing"] == "lockstep"
    rates = (table["mujoco_sim"][name] for name in ("sensor_frequency", "clock_frequency"))
    assert {*rates, table["action_executor"]["control_rate_hz"]} == {250.0}
    assert not any(parameters["use_sim_time"] for parameters in table.values())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["real_time_factor:=quick"], "allowed are auto and numbers from 0.05 to 20"),
        (["real_time_factor:=nan"], "allowed are auto and numbers from 0.05 to 20"),
        (["real_time_factor:=0.5", "lockstep:=true"], "leave real_time_factor:=0.5 out"),
        (["sim:=unitree_mujoco", "lockstep:=true"], "needs sim:=mujoco"),
        ([*REAL, "real_time_factor:=0.5"], "keeps its own time"),
    ],
)
def test_a_pace_that_cannot_be_kept_is_refused(words, told, policy):
    with pytest.raises(ConfigError, match=told):
        make_graph(parse_arguments([*words, f"policy:={policy}"]))
