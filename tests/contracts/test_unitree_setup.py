"""CycloneDDS is found, unpacked and refused without root and without the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.environment import unitree
from scripts.environment.console import SetupError
from scripts.environment.virtualenv import VirtualEnv

TREE = """cyclonedds-dev
  Depends: libddsc0debian
cyclonedds-tools
libddsc0debian
libcycloneddsidl0
libiceoryx-binding-c2
libiceoryx-binding-c-dev
libiceoryx-posh-roudi2
libc6
libssl3
"""


def fake_apt(monkeypatch, candidate: str, tree: str = TREE) -> None:
    answers = {"policy": f"cyclonedds-dev:\n  Installed: (none)\n  Candidate: {candidate}\n", "depends": tree}
    monkeypatch.setattr(
        unitree, "_output", lambda command: next(text for word, text in answers.items() if word in command)
    )


@pytest.mark.parametrize("candidate", ["0.10.2-2", "0.10.4+ds-1"])
def test_what_is_not_on_every_machine_is_downloaded_and_nothing_else(monkeypatch, candidate):
    fake_apt(monkeypatch, candidate)
    assert unitree.package_names([]) == [
        "cyclonedds-dev",
        "cyclonedds-tools",
        "libcycloneddsidl0",
        "libddsc0debian",
        "libiceoryx-binding-c2",
        "libiceoryx-posh-roudi2",
    ]


@pytest.mark.parametrize("candidate", ["11.0.1-1", "0.9.0-1", "(none)"])
def test_another_series_than_the_robots_counts_as_none(monkeypatch, candidate):
    fake_apt(monkeypatch, candidate)
    assert unitree.package_names([]) == []


def test_debians_folders_become_one_prefix(tmp_path):
    root, home = tmp_path / "root" / "usr", tmp_path / "home"
    for name in (
        "include/dds/dds.h",
        "include/x86_64-linux-gnu/dds/features.h",
        "lib/x86_64-linux-gnu/libddsc.so.0debian",
        "bin/idlc",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "lib/x86_64-linux-gnu/libddsc.so").symlink_to("libddsc.so.0debian")
    home.mkdir()
    (home / "stale").write_text("")
    unitree.lay_out(tmp_path / "root", home)
    found = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert found == {
        "include/dds/dds.h",
        "include/dds/features.h",
        "lib/libddsc.so",
        "lib/libddsc.so.0debian",
        "bin/idlc",
    }
    assert (home / "lib/libddsc.so").is_symlink()


def venv(tmp_path: Path) -> VirtualEnv:
    environment = VirtualEnv(tmp_path, with_ros=False)
    environment.state_dir.mkdir(parents=True)
    return environment


def test_without_debians_tools_the_operator_reads_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("CYCLONEDDS_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"apt-get not found\. .* build it from source and set CYCLONEDDS_HOME"):
        unitree.install_unitree(venv(tmp_path), tmp_path / "pins.txt", tmp_path / "log")


def test_a_prefix_that_the_user_named_must_hold_the_library(monkeypatch, tmp_path):
    monkeypatch.setenv("CYCLONEDDS_HOME", str(tmp_path / "nothing"))
    with pytest.raises(SetupError, match=r"CYCLONEDDS_HOME=.*nothing holds no lib/libddsc\.so"):
        unitree.install_unitree(venv(tmp_path), tmp_path / "pins.txt", tmp_path / "log")


def test_tests_go_on_without_it_and_say_why(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("CYCLONEDDS_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    unitree.try_unitree(venv(tmp_path), tmp_path / "pins.txt", tmp_path / "log")
    assert "its tests are skipped: apt-get not found" in capsys.readouterr().out
