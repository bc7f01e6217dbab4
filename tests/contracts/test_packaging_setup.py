"""The set-up does what is missing, only that, and says what to do when it cannot."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scripts.environment import host
from scripts.environment.console import SetupError, run_logged
from scripts.environment.packages import relocate_cmake_files
from scripts.environment.steps import Runner, Step


class Recorder:
    """Steps that note their runs."""

    def __init__(self, folder: Path):
        self.runs: list[str] = []
        self.failing = ""
        self.files = {name: folder / f"{name}.txt" for name in ("first", "second")}
        for file in self.files.values():
            file.write_text("pins")

    def steps(self, background: bool = False) -> list[Step]:
        return [Step(name, name, self._action(name), [file], background) for name, file in self.files.items()]

    def _action(self, name: str):
        def action(log: Path) -> None:
            self.runs.append(name)
            if name == self.failing:
                raise SetupError("no such package")

        return action


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path)


@pytest.mark.parametrize("background", [False, True])
def test_a_second_set_up_does_nothing(recorder, tmp_path, background):
    assert Runner(tmp_path / "state", recorder.steps(background)).run() == 2
    assert Runner(tmp_path / "state", recorder.steps(background)).run() == 0
    assert sorted(recorder.runs) == ["first", "second"]


def test_only_the_step_whose_input_changed_is_done_again(recorder, tmp_path):
    Runner(tmp_path / "state", recorder.steps()).run()
    recorder.files["second"].write_text("newer pins")
    Runner(tmp_path / "state", recorder.steps()).run()
    assert recorder.runs == ["first", "second", "second"]


@pytest.mark.parametrize("background", [False, True])
def test_a_failed_step_is_named_and_done_again_while_finished_ones_are_kept(recorder, tmp_path, background):
    recorder.failing = "second"
    with pytest.raises(SetupError, match="second: no such package"):
        Runner(tmp_path / "state", recorder.steps(background)).run()
    recorder.failing = ""
    Runner(tmp_path / "state", recorder.steps(background)).run()
    assert sorted(recorder.runs) == ["first", "second", "second"]


def test_a_file_added_to_an_input_folder_counts_as_a_change(tmp_path):
    folder = tmp_path / "messages"
    folder.mkdir()
    (folder / "A.msg").write_text("")
    before = Step("messages", "", print, [folder]).key()
    (folder / "B.msg").write_text("")
    assert Step("messages", "", print, [folder]).key() != before


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("WARNING: Retrying after connection broken by NewConnectionError", "Check the network"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("fatal error: Python.h: no such file", "python3-dev"),
    ],
)
def test_a_failed_command_ends_with_its_output_and_the_remedy(tmp_path, output, remedy):
    with pytest.raises(SetupError) as failure:
        run_logged(["sh", "-c", f"echo '{output}'; exit 3"], tmp_path / "log", remedy="Install python3-dev.")
    text = str(failure.value)
    assert output in text
    assert "exit status 3" in text
    assert remedy in text.splitlines()[-1]


def test_an_old_python_is_refused_with_what_is_needed(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text(f"#!/bin/sh\necho '[[3, 9, 18], \"{old}\", []]'\n")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(SetupError, match=r"Python 3\.11 or 3\.12 is needed; PYTHON=.* offers: 3\.9\.18"):
        host.find_python(str(old))


def test_a_python_without_headers_names_the_debian_package(tmp_path):
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\necho \'[[3, 12, 3], "{bare}", ["dev", "venv"]]\'\n')
    bare.chmod(bare.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(SetupError, match=r"sudo apt install python3\.12-dev python3\.12-venv"):
        host.find_python(str(bare))


def test_missing_build_tools_are_named_together(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"sudo apt install cmake g\+\+ gcc make"):
        host.check_build_tools()


def test_a_full_disk_is_noticed_before_the_download(tmp_path):
    with pytest.raises(SetupError, match=r"1000000 GB of free disk space are needed"):
        host.check_disk(tmp_path, 1e6)


def test_a_sourced_jazzy_is_used_and_another_distribution_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    assert host.sourced_ros() == [tmp_path]
    monkeypatch.setenv("ROS_DISTRO", "humble")
    with pytest.raises(SetupError, match="humble is sourced"):
        host.sourced_ros()
    monkeypatch.delenv("ROS_DISTRO")
    assert host.sourced_ros() == []


def test_cmake_files_of_the_wheels_point_into_the_environment(tmp_path):
    file = tmp_path / "share" / "std_msgs" / "cmake" / "export.cmake"
    file.parent.mkdir(parents=True)
    built = "/opt/python/cp312-cp312"
    file.write_text(f'"{built}/include/python3.12;{built}/lib/python3.12/site-packages/numpy/_core/include;/usr/lib"')
    paths = {"include": Path("/usr/include/python3.12"), "purelib": tmp_path / "site-packages"}
    assert relocate_cmake_files(tmp_path / "share", paths) == 1
    assert file.read_text() == f'"/usr/include/python3.12;{tmp_path}/site-packages/numpy/_core/include;/usr/lib"'
    assert relocate_cmake_files(tmp_path / "share", paths) == 0
