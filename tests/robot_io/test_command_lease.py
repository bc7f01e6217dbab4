"""Who may command: two sides of one page, in one process, across deaths, and across containers."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.robot_io import ExecutorLease, LeaseError, SupervisorLease, lease_path  # noqa: E402
from beyondmimic_diffusion.robot_io.command_lease import robot_is_armed  # noqa: E402

pytestmark = pytest.mark.ros
_SIDE = """
import sys
from pathlib import Path
from beyondmimic_diffusion.robot_io import ExecutorLease, SupervisorLease
side = {"executor": ExecutorLease, "supervisor": SupervisorLease}[sys.argv[1]](Path(sys.argv[2]))
print("joined", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lease"


@pytest.fixture
def pair(path):
    supervisor, executor = SupervisorLease(path), ExecutorLease(path)
    yield executor, supervisor
    executor.close()
    supervisor.close()


class Process:
    """One side in a process of its own, which does what it is told."""

    def __init__(self, side, path, *before):
        self._process = subprocess.Popen(
            [*before, sys.executable, "-c", _SIDE, side, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout.readline() == "joined\n"

    def do(self, statement):
        self._process.stdin.write(statement + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def process(path):
    made = []

    def make(side, *before):
        made.append(Process(side, path, *before))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def container():
    """What starts a process in a PID name space of its own."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1)")
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this user may not make PID name spaces: {tried.stderr.strip()}")
    return UNSHARE


def test_at_first_the_executor_commands_and_is_not_watched(pair):
    executor, supervisor = pair
    assert executor.mine
    assert executor.supervised
    assert not supervisor.watched
    assert not supervisor.damping


def test_what_one_side_counts_and_asks_for_is_what_the_other_reads(pair):
    executor, supervisor = pair
    executor.watch(True)
    before = supervisor.progress
    for _ in range(3):
        executor.count()
    assert supervisor.watched
    assert supervisor.progress == before + 3


def test_each_count_is_dated_by_the_clock_that_all_processes_share(pair):
    executor, supervisor = pair
    before = time.monotonic()
    executor.count()
    assert before <= supervisor.progress_at <= time.monotonic()


def test_an_executor_that_asks_and_does_not_write_is_a_while_alive_and_then_no_more(pair):
    """As long as one that ends in order needs for its last twenty frames; a command makes it as alive as before."""
    executor, supervisor = pair

    def seen_alive(asked):
        before = supervisor.progress
        assert all(executor.mine for _ in range(asked))
        return supervisor.progress - before

    executor.count()
    assert [seen_alive(10), seen_alive(10), seen_alive(10)] == [10, 10, 0]
    executor.count()
    assert seen_alive(10) == 10


def test_an_executor_that_cannot_write_says_so_only_while_it_is_watched(pair):
    executor, supervisor = pair
    executor.give_up()
    assert not supervisor.watched and not supervisor.given_up
    executor.watch(True)
    executor.give_up()
    assert supervisor.watched and supervisor.given_up
    supervisor.take()
    supervisor.give_back()
    assert not supervisor.given_up


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
    executor.close()
    newcomer = ExecutorLease(path)
    assert not newcomer.mine
    assert supervisor.damping
    newcomer.close()


def test_from_a_killed_supervisor_the_motors_are_taken_back_and_from_a_frozen_one_not(path, process):
    supervisor, executor = process("supervisor"), ExecutorLease(path)
    supervisor.do("side.take()")
    supervisor.freeze()
    assert executor.supervised
    assert executor.ask() is False
    supervisor.kill()
    assert not executor.supervised
    assert executor.ask() is True
    assert executor.mine
    executor.close()


def test_after_a_session_that_was_killed_the_next_one_starts_and_forgets_what_is_left(path, process):
    """Its ids may be those of living processes by then: here of this one."""
    executor, supervisor = process("executor"), process("supervisor")
    executor.do("side.watch(True)")
    supervisor.do("side.take()")
    pretend = f"side._words[5] = side._words[6] = {os.getpid()}"
    executor.do(pretend)
    executor.kill()
    supervisor.kill()
    assert not robot_is_armed(path)
    again, newcomer = SupervisorLease(path, patience=0.0), ExecutorLease(path, patience=0.0)
    assert not again.damping
    assert not again.watched
    assert newcomer.mine
    newcomer.close()
    again.close()


def test_a_supervisor_that_is_restarted_beside_a_living_executor_goes_on_where_the_last_one_ended(path, process):
    supervisor, executor = process("supervisor"), ExecutorLease(path)
    executor.watch(True)
    supervisor.do("side.take()")
    supervisor.kill()
    again = SupervisorLease(path)
    assert again.damping
    again.close()
    executor.close()


@pytest.mark.parametrize(("side", "lease"), [("executor", ExecutorLease), ("supervisor", SupervisorLease)])
def test_a_second_of_one_side_is_refused_while_the_first_lives_even_frozen(path, process, side, lease):
    first = process(side)
    first.freeze()
    with pytest.raises(LeaseError, match=rf"its {side} already \(process \d+\); there can be only one"):
        lease(path, patience=0.0)
    first.kill()
    lease(path, patience=0.0).close()


def test_a_second_waits_for_a_first_that_is_about_to_end(path, process):
    first = process("executor")
    first.do("import threading; threading.Timer(0.3, lambda: __import__('os')._exit(0)).start()")
    ExecutorLease(path).close()


def test_sides_in_different_pid_name_spaces_know_of_each_others_life(path, process, container):
    executor = process("executor", *container)
    executor.do("side.watch(True)")
    executor.do("assert not side.supervised")
    supervisor = SupervisorLease(path, patience=0.0)
    executor.do("assert side.supervised")
    assert supervisor.watched and supervisor.executor_lives
    with pytest.raises(LeaseError, match="there can be only one"):
        ExecutorLease(path, patience=0.0)
    executor.kill()  # unshare, whose child follows it a moment later
    end = time.monotonic() + 20.0
    while supervisor.executor_lives:
        assert time.monotonic() < end, "the executor's lock outlives it"
        time.sleep(0.01)
    supervisor.close()


def test_a_child_that_outlives_its_parent_does_not_keep_its_side(path, process):
    executor = process("executor")
    executor.do("import os, time; os.fork() == 0 and (time.sleep(10), os._exit(0))")
    executor.do("import subprocess; subprocess.Popen(['sleep', '10'], close_fds=False)")
    executor.kill()
    newcomer = ExecutorLease(path, patience=0.0)
    newcomer.close()


def test_a_robot_is_armed_from_arming_to_disarming_of_an_executor_that_lives(path, process):
    assert not robot_is_armed(path)
    executor = process("executor")
    assert not robot_is_armed(path)
    executor.do("side.watch(True)")
    assert robot_is_armed(path)
    executor.do("side.watch(False)")
    assert not robot_is_armed(path)
    executor.do("side.watch(True)")
    executor.kill()
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
