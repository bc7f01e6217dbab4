"""The quickest of the faults, once each, over ROS 2; all of them, many times: ``make test-faults``.

What is asserted is the reaction. Its time depends on the machine and is only reported.
"""

import os
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")
pytest.importorskip("onnxruntime", reason="the policy needs onnxruntime")

from beyondmimic_diffusion.ros.conversions import time_to_msg  # noqa: E402
from beyondmimic_msgs.msg import RobotState  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from tests.faults import reactions  # noqa: E402
from tests.faults.catalogue import CATALOGUE  # noqa: E402
from tests.faults.fault import Fault, Outcome  # noqa: E402
from tests.faults.heard import Moment  # noqa: E402
from tests.faults.reactions import goes_on  # noqa: E402
from tests.faults.results import Journal, Row, as_table, replace_table, write  # noqa: E402
from tests.faults.runner import run_faults  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.slow]
QUICK = ("plan_nan", "planner_frozen", "executor_frozen")
REAL_TIME_FACTOR = 0.5
"""So that a busy machine walks, too."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    faults = [fault for fault in CATALOGUE if fault.name in QUICK]
    folder = tmp_path_factory.mktemp("faults")
    policy = os.environ.get("POLICY") or "policies/walk"
    done = run_faults(faults, 1, folder, REAL_TIME_FACTOR, policy, sys.stderr.write)
    sys.stderr.write("\n" + as_table(done) + "\n")
    return {row.fault.name: row for row in done}


@pytest.mark.parametrize("name", QUICK)
def test_the_reaction_to_the_fault_comes_and_nothing_else_goes_wrong(rows, name):
    row = rows[name]
    assert row.not_run == []
    assert row.reacted, row.outcomes


@pytest.mark.parametrize(
    ("last", "seconds"),
    [(10.08, 0.17), (9.99, 0.25), (11.08, 0.25)],
    ids=["the last state", "none since the request", "one that is stamped ahead itself"],
)
def test_wrong_stamps_are_timed_from_the_last_state_that_was_told_not_from_the_request(last, seconds, monkeypatch):
    rig = SimpleNamespace(ears=SimpleNamespace(state=RobotState(header=Header(stamp=time_to_msg(last)))))
    monkeypatch.setattr(reactions, "steps_to_a_stand", lambda rig, since: Outcome(0.25, (), "at rest"))
    outcome = reactions.steps_after_last_state(rig, Moment(0.0, 10.0, 0.0))
    assert outcome.seconds == pytest.approx(seconds)
    assert outcome.note == "at rest"


def fault(deadline: float | None = 0.1, name: str = "f"):
    return Fault(name, "a fault", "damps", deadline, "sim", lambda rig: None, goes_on())


@pytest.mark.parametrize(
    ("outcomes", "reacted", "passed"),
    [
        ([Outcome(0.05), Outcome(0.1)], True, True),
        ([Outcome(0.05), Outcome(0.11)], True, False),
        ([Outcome(0.05), Outcome(None)], False, False),
        ([Outcome(0.05), Outcome(0.05, ("stiff commands afterwards",))], False, False),
        ([], False, False),
    ],
    ids=["in time", "once late", "once missing", "with a problem", "never tried"],
)
def test_a_row_passes_only_if_each_reaction_came_in_time_and_clean(outcomes, reacted, passed):
    row = Row(fault(), outcomes)
    assert (row.reacted, row.passed) == (reacted, passed)


def test_a_fault_that_could_not_be_injected_is_no_success():
    assert not Row(fault(), [Outcome(0.01)], ["the robot does not walk"]).passed


def test_what_only_has_to_go_on_has_no_time_to_miss_and_shows_none():
    row = Row(fault(deadline=None), [Outcome(0.0), Outcome(0.0)])
    assert row.passed
    assert as_table([row]).splitlines()[-1] == "| a fault | damps | - | - | 2 | 2 of 2 | - |"


def test_the_journal_gives_back_what_was_written_and_forgets_single_faults(tmp_path):
    first, second = fault(name="first"), fault(name="second")
    journal = Journal(tmp_path)
    journal.add(first, Outcome(0.05, (), "walks on"))
    journal.add(second, Outcome(None, ("no damping",)))
    journal.not_run(second, "the robot does not walk")
    again = Journal(tmp_path).rows([second, first])
    assert [row.fault.name for row in again] == ["second", "first"]
    assert again[0].outcomes == [Outcome(None, ("no damping",))]
    assert again[0].not_run == ["the robot does not walk"]
    assert again[1].outcomes == [Outcome(0.05, (), "walks on")]
    Journal(tmp_path).forget(["second"])
    assert [row.tries for row in Journal(tmp_path).rows([second, first])] == [0, 1]


def test_the_table_of_the_page_is_the_one_that_was_written(tmp_path):
    page = tmp_path / "report.md"
    page.write_text("before\n<!-- faults -->\nold\n<!-- /faults -->\nafter\n")
    write([Row(fault(), [Outcome(0.05)])], tmp_path, 1.0)
    replace_table(page, tmp_path)
    text = page.read_text()
    assert text.startswith("before\n<!-- faults -->") and text.endswith("<!-- /faults -->\nafter\n")
    assert "| a fault | damps | 100 ms sim | 50 ms | 1 | 1 of 1 | 1 of 1 |" in text
    assert "old" not in text
