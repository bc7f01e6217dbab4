"""What a process writes while nobody reads it, and afterwards."""

import os
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("rclpy", reason="the package of the module needs ROS 2")

from beyondmimic_diffusion.ros.output import GuardedOutput  # noqa: E402

_LINES = 60_000
"""More than pipe and queue hold."""
_TALKER = f"""
import os, sys
from beyondmimic_diffusion.ros.output import GuardedOutput
with GuardedOutput():
    sys.stdin.readline()
    for i in range({_LINES}):
        try:
            os.write(1 + i % 2, b"line %d of a text that fills the pipe, the queue and whatever else there is\\n" % i)
        except BlockingIOError:
            pass
    os.write(int(sys.argv[1]), b"written\\n")
    sys.stdin.readline()
    print("last")
    print("words", file=sys.stderr)
"""


@pytest.fixture
def talker():
    told, tell = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _TALKER, str(tell)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[tell],
    )  # fmt: skip
    os.close(tell)
    process.told = told
    yield process
    process.kill()
    process.wait()
    os.close(told)


def read_all(process):
    """Its output from now to its end."""
    return process.stdout.read().decode().splitlines()


def test_a_process_whose_output_nobody_reads_writes_on_and_what_was_dropped_is_told_once_it_is_read(talker):
    talker.stdin.write(b"\n")
    talker.stdin.flush()
    assert os.read(talker.told, 100) == b"written\n"  # would wait for ever
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(read_all(talker)))
    reader.start()
    time.sleep(0.1)
    talker.stdin.write(b"\n")
    talker.stdin.close()
    reader.join()
    assert talker.wait() == 0
    assert lines[0] == "line 0 of a text that fills the pipe, the queue and whatever else there is"
    assert any("lines of output were dropped" in line for line in lines)
    assert {"last", "words"} <= set(lines)


def test_a_process_that_ends_while_nobody_reads_does_end(talker):
    talker.stdin.write(b"\n\n")
    talker.stdin.close()
    assert talker.wait(60.0) == 0


def test_what_is_read_comes_whole_and_in_its_order():
    code = (
        "import sys\nfrom beyondmimic_diffusion.ros.output import GuardedOutput\n"
        "with GuardedOutput():\n"
        "    for i in range(500):\n"
        "        print(i, file=sys.stderr if i % 2 else sys.stdout, flush=True)\n"
        "print('after', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.stdout.split() == [*map(str, range(500)), "after"]


def test_a_file_is_written_as_it_is(tmp_path):
    with (tmp_path / "log").open("w") as file, GuardedOutput((file.fileno(),)):
        file.write("straight")
        file.flush()
        assert (tmp_path / "log").read_text() == "straight"
