"""The tables of results are made of report.json files, and the README shows what those say."""

import json
import shutil
from pathlib import Path

import pytest
from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError
from beyondmimic_training.report import CASES, END, START, cases_with, insert, results_table

ROOT = Path(__file__).parents[2]


def figures(rate, n):
    success = {"rate": rate, "low": rate - 0.1, "high": min(1.0, rate + 0.05), "n": n}
    return {"success": success, "velocity_error": 0.0514, "velocity_rms_1s": None, "yaw_rate_error": 0.2}


def put(folder, rate, expert=None, sha=""):
    folder.mkdir(parents=True)
    report = {**figures(rate, 40), "expert": expert, "machine": {"cpu": "a CPU"}, "policy_sha256": sha}
    (folder / "report.json").write_text(json.dumps(report))


def test_each_case_with_figures_has_a_row_and_its_expert_one_below(tmp_path):
    put(tmp_path / "report" / CASES[0].folder, 0.9, figures(0.5, 40))
    put(tmp_path / "report" / CASES[4].folder, 0.8)
    lines = results_table(tmp_path).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]
    assert [row[1] for row in rows] == [CASES[0].label, "expert (fastsac walker)", CASES[4].label]
    assert rows[0][2:] == ["40", "90.0 % (80.0 .. 95.0)", "0.051 m/s", "-", "0.200 rad/s"]
    assert "a CPU" in lines[-1]


def test_figures_of_earlier_weights_are_marked_and_those_of_another_policy_are_not(tmp_path):
    shutil.copy(ROOT / "policies" / "walk" / "manifest.json", tmp_path)
    shipped = PolicyManifest.load(tmp_path).onnx_sha256
    of_another = next(case for case in CASES if case.policy)
    for case, sha in ((CASES[0], shipped), (CASES[4], "0" * 64), (of_another, "1" * 64)):
        put(tmp_path / "report" / case.folder, 0.9, sha=sha)
    rows = [line.split("|")[2].strip() for line in results_table(tmp_path).splitlines() if line.startswith("|")][2:]
    assert rows == [CASES[0].label, f"{CASES[4].label} (earlier weights)", of_another.label]


def test_without_any_figures_the_remedy_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="report holds no report.json; run `python -m beyondmimic_training report`"):
        results_table(tmp_path)


def test_an_unknown_case_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no case 'joistick'; there are joystick, walk-perturb"):
        cases_with(["joistick"])
    assert [case.folder for case in cases_with(["unguided"])] == ["unguided"]


def test_the_table_goes_between_the_marks_and_nothing_else_changes():
    text = f"before\n{START}\nold\n{END}\nafter {END}"
    assert insert(text, "new") == f"before\n{START}\nnew\n{END}\nafter {END}"
    assert insert("no marks", "new") == "no marks"


def test_the_readme_shows_the_figures_of_the_committed_reports():
    policy = Path("policies/walk")
    if not list((ROOT / policy / "report").glob("*/report.json")):
        pytest.skip("policies/walk/report holds no figures yet")
    shown = (ROOT / "README.md").read_text().partition(START)[2].partition(END)[0]
    made = results_table(ROOT / policy).replace(str(ROOT / policy), str(policy))
    assert shown.strip() == made.strip()
