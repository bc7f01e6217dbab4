"""The tables of results are made of report.json files, and the README shows what those say."""

import json
import re
import shutil
from pathlib import Path

import pytest
from beyondmimic_diffusion.core.engine import PolicyManifest
from beyondmimic_diffusion.core.errors import ArtifactError, ConfigError
from beyondmimic_training.report import END, START, ablation_table, cases_with, insert, pictures, results_table
from beyondmimic_training.report_cases import ABLATIONS, CASES

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


def test_ablations_are_grouped_and_each_row_names_the_command_that_made_it(tmp_path):
    policy = tmp_path / "walk"
    first = ABLATIONS[0]
    other = next(row for row in ABLATIONS if row.condition)
    for row, rate in ((first, 0.9), (other, 0.5)):
        put(policy / "report" / row.case.folder, rate)
    lines = ablation_table(policy).splitlines()
    assert [line[4:] for line in lines if line.startswith("### ")] == [first.varied, other.varied]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "report --only" in line]
    assert rows[0] == [first.case.label, first.case.suite, "40", "90.0 % (80.0 .. 95.0)", "0.051 m/s"] + [
        f"`report --only {first.case.folder}`"
    ]
    assert rows[1][:2] == [other.case.label, other.condition]
    assert ablation_table(tmp_path) == ""


def test_the_page_shows_where_robots_went_and_links_what_is_there(tmp_path):
    assert pictures(tmp_path) == ""
    for case, files in ((CASES[0], ("report.md", "paths.png", "velocity.png", "episode_3.mp4")), (CASES[4], ())):
        (tmp_path / "report" / case.folder).mkdir(parents=True)
        for name in files:
            (tmp_path / "report" / case.folder / name).touch()
    links = re.findall(r"\((.*?)\)", pictures(tmp_path))
    assert links == [f"{CASES[0].folder}/{name}" for name in ("report.md", "episode_3.mp4", "paths.png")]


def test_each_ablation_has_its_own_folder_and_a_training_configuration_or_the_policy_itself():
    folders = [row.case.folder for row in ABLATIONS]
    assert len(set(folders)) == len(folders) and not set(folders) & {case.folder for case in CASES}
    for row in ABLATIONS:
        if row.case.policy:
            config = row.case.policy.split("/")[1]
            assert (ROOT / "training" / "configs" / f"{config}.yaml").is_file(), row.case.folder


def test_the_readmes_table_is_of_what_ships_and_of_nothing_that_was_varied(tmp_path):
    varied = next(case for case in CASES if case.suite == "joystick" and case.folder != "joystick")
    for case in (CASES[0], varied):
        put(tmp_path / "report" / case.folder, 0.9)
    assert varied.label in results_table(tmp_path)
    assert varied.label not in results_table(tmp_path, headlines=True)
    assert "| joystick | policy | 40 |" in results_table(tmp_path, headlines=True)


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
    made = results_table(ROOT / policy, headlines=True).replace(str(ROOT / policy), str(policy))
    assert shown.strip() == made.strip()
