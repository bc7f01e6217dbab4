"""The quickest of the faults, once each, over ROS 2; all of them, many times: ``make test-faults``.

What is asserted is the reaction. Its time depends on the machine and is only reported.
"""

import os
import sys

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")
pytest.importorskip("onnxruntime", reason="the policy needs onnxruntime")

from tests.faults.catalogue import CATALOGUE, Fault, Outcome, forged_plan, goes_on  # noqa: E402
from tests.faults.runner import Row, as_table, run_faults  # noqa: E402

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


def fault(deadline=0.1):
    return Fault("f", "a fault", "damps", deadline, "sim", forged_plan(lambda plan: None), goes_on())


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
