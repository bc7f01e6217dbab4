"""Who may command: two sides of one page, in one process and across a death."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.robot_io import ExecutorLease, LeaseError, SupervisorLease, lease_path  # noqa: E402
from beyondmimic_diffusion.robot_io.command_lease import robot_is_armed  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lease"


@pytest.fixture
def pair(path):
    supervisor, executor = SupervisorLease(path), ExecutorLease(path)
    yield executor, supervisor
    executor.close()
    supervisor.close()


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_at_first_the_executor_commands_and_is_not_watched(pair):
    executor, supervisor = pair
    assert executor.mine
    assert executor.supervised
    assert not supervisor.watched
    assert not supervisor.damping


def test_what_one_side_counts_and_asks_for_is_what_the_other_reads(pair):
    executor, supervisor = pair
    executor.watch(True)
    for _ in range(3):
        executor.count()
    assert supervisor.watched
    assert supervisor.progress == 3


def test_once_taken_the_motors_are_never_both_sides_and_come_back_only_when_asked_for_and_given(pair):
    executor, supervisor = pair
    executor.watch(True)
    supervisor.take()
    assert (executor.mine, supervisor.damping) == (False, True)
    assert not supervisor.asked_back
    assert executor.ask() is False  # asked, and not given yet
    assert (executor.mine, supervisor.damping, supervisor.asked_back) == (False, True, True)
    supervisor.give_back()
    assert (executor.mine, supervisor.damping, supervisor.asked_back) == (True, False, False)
    assert not supervisor.watched  # until it is armed again
    assert executor.ask() is True


def test_an_executor_without_the_motors_cannot_have_itself_watched(pair):
    executor, supervisor = pair
    supervisor.take()
    executor.watch(True)
    supervisor.give_back()
    executor.watch(False)
    assert not supervisor.watched


def test_a_request_from_before_the_takeover_does_not_give_the_motors_back_by_itself(pair):
    executor, supervisor = pair
    supervisor.take()
    executor.ask()
    supervisor.give_back()
    executor.watch(True)
    supervisor.take()
    assert not supervisor.asked_back


def test_a_new_executor_finds_the_motors_taken_and_stays_without_them(path, pair):
    executor, supervisor = pair
    executor.watch(True)
    supervisor.take()
    newcomer = ExecutorLease(path)
    assert not newcomer.mine
    assert supervisor.damping
    newcomer.close()


def test_from_a_dead_supervisor_the_motors_are_taken_back(pair, monkeypatch):
    executor, supervisor = pair
    supervisor.take()
    supervisor._words[6] = dead_process()
    assert not executor.supervised
    assert executor.ask() is True
    assert executor.mine


def test_a_supervisor_of_a_new_run_forgets_what_a_dead_executor_has_left(path, pair):
    executor, supervisor = pair
    executor.watch(True)
    supervisor.take()
    executor._words[5] = dead_process()
    again = SupervisorLease(path)
    assert not again.damping
    assert not again.watched
    again.close()


def test_a_supervisor_that_is_restarted_beside_a_living_executor_goes_on_where_the_last_one_ended(path, pair):
    executor, supervisor = pair
    executor.watch(True)
    supervisor.take()
    supervisor._words[6] = dead_process()
    again = SupervisorLease(path)
    assert again.damping
    again.close()


def test_a_second_living_supervisor_is_refused(path, pair):
    _, supervisor = pair
    supervisor._words[6] = os.getppid()
    with pytest.raises(LeaseError, match="there can be only one"):
        SupervisorLease(path)


def test_a_robot_is_armed_from_arming_to_disarming_of_an_executor_that_lives(path, pair):
    executor, _ = pair
    assert not robot_is_armed(path)
    executor.watch(True)
    assert robot_is_armed(path)
    executor._words[5] = dead_process()
    assert not robot_is_armed(path)
    executor._words[5] = os.getpid()
    executor.watch(False)
    assert not robot_is_armed(path)


def test_where_no_executor_ever_was_no_robot_is_armed_and_no_page_is_made(tmp_path):
    assert not robot_is_armed(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "other").write_text("no lease, but long enough to be taken for one: " + 64 * "x")
    assert not robot_is_armed(tmp_path / "other")


def test_a_file_that_is_no_lease_is_refused_and_left_alone(path):
    path.write_bytes(b"precious" * 10)
    with pytest.raises(LeaseError, match="not a command lease"):
        ExecutorLease(path)
    assert path.read_bytes() == b"precious" * 10


def test_a_link_in_the_place_of_the_page_is_refused(path, tmp_path):
    (tmp_path / "elsewhere").write_bytes(bytes(64))
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LeaseError, match="cannot be opened"):
        ExecutorLease(path)


def test_robots_of_other_domains_and_namespaces_have_pages_of_their_own(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    here = {lease_path(), lease_path("/"), lease_path("/left/arm"), lease_path("left_leg")}
    assert len(here) == 3
    monkeypatch.setenv("ROS_DOMAIN_ID", "8")
    assert lease_path() not in here
