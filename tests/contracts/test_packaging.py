"""One version, entry points that exist, pinned requirements, and a robot stack that starts without torch."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "ros2_ws" / "src"
PACKAGE = SOURCES / "beyondmimic_diffusion"
NODES = {"mujoco_sim", "state_estimator", "diffusion_planner", "guidance_task_server", "action_executor", "supervisor"}
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
ISAACLAB = ROOT / "requirements" / "isaaclab.txt"
"""Of an environment of its own."""


def version_of(package: Path) -> str:
    version = ElementTree.parse(package / "package.xml").getroot().findtext("version")
    assert version
    return version


@pytest.mark.parametrize("distribution", ["beyondmimic-diffusion", "beyondmimic-training"])
def test_installed_packages_have_the_version_of_package_xml(distribution):
    assert importlib.metadata.version(distribution) == version_of(PACKAGE)


def test_messages_have_the_version_of_the_stack():
    assert version_of(SOURCES / "beyondmimic_msgs") == version_of(PACKAGE)


def test_changelog_starts_with_the_current_version():
    headings = re.findall(r"^## \[?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert version_of(PACKAGE) in headings[:2]


@pytest.mark.ros
def test_every_entry_point_is_a_function_that_exists():
    points = importlib.metadata.distribution("beyondmimic-diffusion").entry_points
    assert {point.name for point in points} == NODES | {"bringup"}
    for point in points:
        assert callable(point.load()), point.value


def test_a_copy_of_the_workspace_without_its_repository_is_refused(tmp_path):
    copy = tmp_path / "some_ws" / "src" / "beyondmimic_diffusion"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    result = subprocess.run([sys.executable, "setup.py", "--version"], cwd=copy, capture_output=True, text=True)
    assert result.returncode != 0
    assert "build beyondmimic_diffusion inside its repository" in result.stderr


def test_package_xml_names_every_ros_package_that_is_imported():
    manifest = ElementTree.parse(PACKAGE / "package.xml").getroot()
    declared = {element.text for element in manifest.findall("exec_depend")}
    pattern = re.compile(r"^\s*(?:from|import) (rclpy|ament_index_python|\w+_(?:msgs|srvs|interfaces))\b", re.MULTILINE)
    texts = [file.read_text(encoding="utf-8") for file in (PACKAGE / "beyondmimic_diffusion").rglob("*.py")]
    imported = {name for text in texts for name in pattern.findall(text)}
    assert imported <= declared


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda path: path.name)
def test_requirements_are_pinned_exactly(file):
    lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    packages = [line for line in lines if line and not line.startswith("-c ")]
    assert packages
    assert [line for line in packages if not re.fullmatch(r"[\w.-]+==[\w.]+(; python_version .*)?", line)] == []


def pins(files) -> list[tuple[str, str]]:
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return [(re.sub(r"[-_.]+", "-", n).lower(), v) for n, v in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)]


def test_no_package_is_pinned_in_two_files_of_one_environment():
    names = [name for name, _ in pins(file for file in REQUIREMENTS if file != ISAACLAB)]
    assert sorted(names) == sorted(set(names))


def test_isaac_labs_environment_has_our_versions_but_for_the_mujoco_that_newton_wants():
    ours, theirs = dict(pins(file for file in REQUIREMENTS if file != ISAACLAB)), dict(pins([ISAACLAB]))
    assert {name for name in set(ours) & set(theirs) if ours[name] != theirs[name]} == {"mujoco"}
    assert len(theirs) == len(pins([ISAACLAB]))


@pytest.mark.ros
def test_the_robot_stack_and_the_simulation_session_import_no_torch():
    modules = [f"beyondmimic_diffusion.nodes.{node}_node" for node in sorted(NODES)]
    modules += ["beyondmimic_diffusion.bringup", "beyondmimic_diffusion.sim_session"]
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr or "torch was imported"
