"""The whole way from nothing to a report, as a user goes it, on a tiny setting."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from beyondmimic_training.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    assert main(["smoke", "--out", str(folder)]) == 0
    return folder


def evaluated(out, name, *options):
    folder = out / name
    arguments = ["--policy", str(out / "policy"), "--out", str(folder), "--videos", "0", "--no-expert", "--cut", "1"]
    assert main(["evaluate", "--suite", "joystick", "--episodes", "3", *arguments, *options]) == 0
    return json.loads((folder / "report.json").read_text()), json.loads((folder / "episodes.json").read_text())


def test_collect_train_export_and_evaluate_follow_on_from_each_other(out):
    report = json.loads((out / "evaluation" / "report.json").read_text())
    assert report["suite"] == "joystick"
    assert report["success"]["low"] <= report["success"]["rate"] <= report["success"]["high"]
    assert report["expert"]["falls"] == 0
    provenance = json.loads((out / "policy" / "manifest.json").read_text())["training"]
    assert provenance["steps"] == 40
    assert provenance["data"]["hours"] > 0.05


def test_two_processes_give_the_episodes_that_one_gives(out):
    alone, rows_alone = evaluated(out, "one", "--workers", "1", "--backend", "onnx")
    shared, rows_shared = evaluated(out, "two", "--workers", "2", "--batch", "2", "--backend", "onnx")
    assert rows_alone == rows_shared
    assert alone["success"] == shared["success"]


def test_settings_reach_the_planner_and_are_in_the_report(out):
    report, _ = evaluated(out, "rolling", "--mode", "rolling", "--passes", "3", "--set", "steering.integrator_gain=0.5")
    assert report["settings"]["planner"]["mode"] == "rolling"
    assert report["settings"]["planner"]["passes"] == 3
    assert report["settings"]["steering"]["integrator_gain"] == 0.5


def test_a_parameter_that_does_not_exist_ends_with_one_sentence_and_status_2(out, capsys):
    arguments = ["evaluate", "--policy", str(out / "policy"), "--episodes", "1", "--out", str(out / "never")]
    assert main([*arguments, "--set", "steering.integrator_gian=0.5"]) == 2
    assert "did you mean 'integrator_gain'?" in capsys.readouterr().err
    assert not (out / "never").exists()
