"""``make test`` runs both halves, shows both, and fails with either."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

@pytest.mark.ros
def test_over_ros():
    assert {over_ros}

def test_without():
    assert {without}
"""


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """The program on one file of tests, away from the configuration of this repository."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = ros: over ROS\n")
    (folder / "test_made_up.py").write_text(text)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}  # others take seconds to load
    environment = {**inherited, **alone, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "scripts.run_tests", "test_made_up.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("over_ros", "without", "code"), [(True, True, 0), (False, True, 1), (True, False, 1)])
def test_it_fails_if_one_of_the_halves_does(tmp_path, over_ros, without, code):
    result = run(tmp_path, TESTS.format(over_ros=over_ros, without=without))
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stdout.count(" passed in ") == over_ros + without
    assert result.stdout.count(" failed in ") == (not over_ros) + (not without)


def test_a_half_in_which_nothing_was_selected_is_no_failure(tmp_path):
    result = run(tmp_path, "def test_without():\n    pass\n")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_file_that_does_not_load_fails_both(tmp_path):
    assert run(tmp_path, "import nothing_of_the_kind\n").returncode == 1
