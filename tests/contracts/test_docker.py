"""The images against the repository they are made of: nothing here needs an engine for containers."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from beyondmimic_diffusion.graph import make_graph, parse_arguments

from scripts.environment.host import BUILD_TOOLS
from scripts.environment.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
IMAGES = sorted(DOCKER.glob("*.Dockerfile"))
COMPOSE = sorted(DOCKER.glob("*.compose.yaml"))
README = (DOCKER / "README.md").read_text(encoding="utf-8")
COMMON = {  # in ROS's core, with the metapackage common_interfaces and what rclpy needs
    *("rclpy", "std_msgs", "std_srvs", "sensor_msgs", "geometry_msgs", "shape_msgs", "trajectory_msgs"),
    *("rosgraph_msgs", "builtin_interfaces", "lifecycle_msgs", "action_msgs", "rcl_interfaces", "ament_index_python"),
    *("launch", "launch_ros", "ros2launch", "unique_identifier_msgs"),
}
HADOLINT = shutil.which(
    "hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
)


def instructions(image):
    """(keyword, rest) of a Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in image.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(line.split(maxsplit=1) + [""])[:2] for line in joined.splitlines() if line.strip()]


def copied(image):
    """Sources of the COPY instructions that take files from the repository."""
    rests = [rest for keyword, rest in instructions(image) if keyword == "COPY" and "--from" not in rest]
    return [word for rest in rests for word in rest.split()[:-1]]


def packages(name):
    return set((DOCKER / "apt" / name).read_text(encoding="utf-8").split())


def installed_by_apt(image):
    return set().union(
        *(packages(Path(name).name) for name in re.findall(r"docker/apt/[\w.]+\.txt", image.read_text()))
    )


by_name = pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
by_compose = pytest.mark.parametrize("file", COMPOSE, ids=lambda path: path.name)


def test_there_is_an_image_and_a_compose_file_for_each_machine():
    assert [path.name.split(".")[0] for path in IMAGES] == ["robot", "training", "workstation"]
    assert [path.name.split(".")[0] for path in COMPOSE] == ["robot", "training", "workstation"]


@by_name
def test_hadolint_has_nothing_to_say(image):
    if HADOLINT is None:
        pytest.skip("hadolint is not installed (requirements/test.txt)")
    result = subprocess.run([HADOLINT, "-c", ROOT / ".hadolint.yaml", image], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


@by_name
def test_everything_that_is_copied_is_in_the_repository_and_not_kept_out_of_the_build(image):
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert copied(image)
    for source in copied(image):
        assert any(name == source or name.startswith(source + "/") for name in tracked), source
        assert source not in ignored


@by_name
def test_all_that_the_package_is_built_from_is_copied_before_it_is_built(image):
    words = [keyword + " " + rest for keyword, rest in instructions(image)]
    build = next(i for i, word in enumerate(words) if "scripts.environment" in word)
    for needed in ("requirements", "scripts", "launch", "config", "ros2_ws/src"):
        assert any(word.startswith(f"COPY {needed} ") for word in words[:build]), needed


@by_name
def test_the_set_up_is_that_of_the_repository_and_its_build_tools_are_there(image):
    text = image.read_text(encoding="utf-8")
    profiles = re.findall(r"-m scripts\.environment (\w+)", text)
    assert len(profiles) == 1 and profiles[0] in PROFILES
    for name in re.findall(r"requirements/[\w.]+", text):
        assert (ROOT / name).is_file(), name
    wanted = {"python3-venv", "python3-dev", *BUILD_TOOLS} - {"gcc"}  # g++ brings it
    assert wanted <= installed_by_apt(image)
    joined = "\n".join(rest for _, rest in instructions(image))
    commands = re.findall(r"pip install [^\n&]*", joined)
    pinned = [word for command in commands for word in command.split()[2:] if not word.startswith("-")]
    assert set(pinned) <= {"requirements/gpu.txt", "onnx", "training"}  # onnx: pinned by gpu.txt's constraints
    assert re.search(r"^-c train\.txt$", (ROOT / "requirements/gpu.txt").read_text(), re.MULTILINE)


@by_name
def test_each_command_is_sound_shell(image):
    for keyword, rest in instructions(image):
        if keyword == "RUN":
            script = re.sub(r"^(--mount=\S+\s+)+", "", rest)
            result = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True)
            assert result.returncode == 0, result.stderr


def test_packages_of_ros_that_the_stack_needs_are_installed():
    manifest = ElementTree.parse(ROOT / "ros2_ws/src/beyondmimic_diffusion/package.xml").getroot()
    depends = {element.text for element in manifest.findall("exec_depend")}
    ours = {path.name for path in (ROOT / "ros2_ws/src").iterdir()}
    needed = {f"ros-jazzy-{name.replace('_', '-')}" for name in depends - COMMON - ours if "python3" not in name}
    assert needed <= packages("ros.txt")


def test_what_the_launch_files_start_of_others_is_installed():
    tree = ast.parse((ROOT / "launch/monitor.launch.py").read_text(encoding="utf-8"))
    needed = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NEEDED"
    )
    wanted = {f"ros-jazzy-{name.replace('_', '-')}" for name in (*needed.values(), "joy")}
    assert wanted <= packages("ros.txt") | packages("workstation.txt")


def substituted(text):
    """A compose file's value with its variables' defaults; one without a default becomes 'lo'."""
    return re.sub(r"\$\{\w+(?::(-|\?)([^}]*))?\}", lambda m: m.group(2) if m.group(1) == "-" else "lo", text)


def service_of(file):
    services = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    assert len(services) == 1
    return next(iter(services.values()))


@by_compose
def test_a_compose_file_builds_its_image_and_never_restarts_it(file):
    service = service_of(file)
    assert (file.parent / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert service["restart"] == "no"
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2]
        assert source.startswith("/") or (target == f"/opt/beyondmimic/{source.removeprefix('../')}")


@by_compose
def test_each_variable_of_a_compose_file_is_on_the_page(file):
    for name in re.findall(r"\$\{(\w+)", file.read_text(encoding="utf-8")):
        assert f"`{name}`" in README, name


@pytest.mark.parametrize("name", ["workstation", "robot"])
def test_the_command_of_a_compose_file_is_accepted_by_the_bring_up(name):
    command = [substituted(word) for word in service_of(DOCKER / f"{name}.compose.yaml")["command"]]
    assert command[:3] == ["python", "-m", "beyondmimic_diffusion.bringup"]
    arguments = parse_arguments(command[3:])
    if name == "workstation":
        assert make_graph(arguments)
    else:
        assert arguments.sim == "real"
        assert str(arguments.dry_run).lower() == "true"


def test_the_unit_starts_the_robots_compose_file_by_hand_only():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(DOCKER / "systemd" / "beyondmimic-robot.service")
    assert "Install" not in unit
    service = unit["Service"]
    assert service["Restart"] == "no"
    assert (ROOT / re.search(r"-f (\S+)", service["ExecStart"]).group(1)).is_file()
    assert service["EnvironmentFile"] == unit["Unit"]["ConditionPathExists"]
    assert Path(service["WorkingDirectory"], "docker/README.md") == Path(unit["Unit"]["Documentation"][5:])
    grace = int(service_of(DOCKER / "robot.compose.yaml")["stop_grace_period"].rstrip("s"))
    assert int(service["TimeoutStopSec"]) > grace


def test_the_entry_point_runs_a_command_in_the_repositorys_environment():
    if not (ROOT / ".venv/bin/python").exists():
        pytest.skip("the environment is not in .venv")
    script = DOCKER / "entrypoint.sh"
    assert os.access(script, os.X_OK)
    code = "import sys; print(sys.prefix); sys.exit(7)"
    result = subprocess.run([script, "python", "-c", code], capture_output=True, text=True)
    assert (result.returncode, Path(result.stdout.strip())) == (7, ROOT / ".venv")


def test_the_page_names_each_image_and_none_is_said_to_have_been_built():
    for image in IMAGES:
        assert f"`{image.name}`" in README
    assert "None of them has been built" in README
