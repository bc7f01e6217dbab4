"""Work and messages that a loop hands over without waiting."""

import threading

import pytest
from beyondmimic_diffusion.ros.background import Background

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from beyondmimic_diffusion.ros.background_log import BackgroundLog  # noqa: E402


class Stuck:
    """A background thread that is held up until it is let go."""

    def __init__(self, capacity):
        self.let_go, held = threading.Event(), threading.Event()
        self.background = Background("test", capacity)
        self.background.do(lambda: (held.set(), self.let_go.wait(20.0)))
        assert held.wait(20.0)


class Heard:
    """A logger's stand-in that remembers."""

    def __init__(self):
        self.lines = []

    def info(self, text):
        self.lines.append(("info", text))

    def warning(self, text):
        self.lines.append(("warning", text))

    def error(self, text):
        self.lines.append(("error", text))


def test_work_is_done_in_its_order_and_an_error_does_not_stop_what_follows():
    background, done = Background("test"), []
    background.do(lambda: done.append(1))
    background.do(lambda: 1 / 0)
    background.do(lambda: done.append(2))
    background.close()
    assert done == [1, 2]
    assert background.failed == 1


def test_while_the_thread_is_held_up_so_much_waits_as_fits_and_the_rest_is_dropped_and_counted():
    stuck, done = Stuck(capacity=4), []
    taken = [stuck.background.do(lambda i=i: done.append(i)) for i in range(10)]
    assert taken == [True] * 4 + [False] * 6
    assert stuck.background.dropped == 6
    stuck.let_go.set()
    stuck.background.close()
    assert done == [0, 1, 2, 3]


def test_inline_it_is_done_by_the_caller_before_the_call_returns():
    background, done = Background("test", inline=True), []
    background.do(lambda: done.append(threading.current_thread()))
    assert done == [threading.current_thread()]
    background.do(lambda: 1 / 0)
    assert background.failed == 1
    background.close()


def test_after_its_end_nothing_is_taken_any_more():
    background = Background("test")
    background.close()
    assert not background.do(lambda: None)
    background.close()


def test_dropped_messages_are_counted_and_told_with_the_next_that_is_not():
    stuck, heard = Stuck(capacity=2), Heard()
    log = BackgroundLog(heard, stuck.background)
    for text in ("line 0", "line 1", "line 2", "line 3", "line 4"):
        log.info(text)
    assert log.dropped == 3
    stuck.let_go.set()
    stuck.background.do(lambda: None)
    while len(heard.lines) < 2:
        pass
    log.error("it broke")
    stuck.background.close()
    assert heard.lines == [
        ("info", "line 0"), ("info", "line 1"), ("error", "it broke"),
        ("warning", "3 messages for the log were dropped"),
    ]  # fmt: skip


def test_each_line_of_code_throttles_for_itself():
    background, heard = Background("test"), Heard()
    log = BackgroundLog(heard, background)
    for _ in range(3):
        log.warning("often", throttle_duration_sec=1000.0)
        log.warning("as often", throttle_duration_sec=1000.0)
        log.info("always")
    background.close()
    assert [text for _, text in heard.lines] == ["often", "as often", "always", "always", "always"]
