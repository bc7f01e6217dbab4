"""Requests of other threads: done by a tick and answered, or never done."""

import random
import threading
import time

import pytest
from beyondmimic_diffusion.nodes.tick_requests import TickRequests


@pytest.fixture
def ticking():
    """Requests that a thread serves all the time."""
    requests, stop = TickRequests(), threading.Event()

    def run():
        while not stop.is_set():
            requests.serve()
            time.sleep(0.001)

    thread = threading.Thread(target=run)
    thread.start()
    yield requests
    stop.set()
    thread.join()


def test_the_answer_is_that_of_the_tick(ticking):
    assert ticking.ask(lambda: (True, threading.current_thread().name != "MainThread"), 20.0) == (True, True)


def test_what_no_tick_has_begun_in_time_is_never_done():
    requests, done = TickRequests(), []
    assert requests.ask(lambda: (done.append(1) is None, ""), patience=0.01) is None
    requests.serve()
    assert done == []


def test_what_was_begun_in_time_is_waited_for_beyond_it(ticking):
    begun = threading.Event()

    def slowly():
        begun.set()
        time.sleep(0.6)
        return True, "at last"

    assert ticking.ask(slowly, patience=0.5) == (True, "at last")
    assert begun.is_set()


def test_whoever_comes_first_it_is_never_both_done_and_given_up():
    requests, rng = TickRequests(), random.Random(0)
    for _ in range(300):
        done = []
        server = threading.Timer(rng.uniform(0.0, 0.002), requests.serve)
        server.start()
        answer = requests.ask(lambda done=done: (True, str(done.append(1))), patience=0.001)
        server.join()
        requests.serve()
        assert (answer is None) == (done == [])
        assert len(done) <= 1


def test_one_that_breaks_is_answered_and_the_tick_hears_of_it():
    requests, answers = TickRequests(), []
    waiting = threading.Thread(target=lambda: answers.append(requests.ask(lambda: 1 / 0, 20.0)))
    waiting.start()
    while waiting.is_alive():
        try:
            requests.serve()
        except ZeroDivisionError:
            waiting.join()
            break
    assert answers == [(False, "internal error: ZeroDivisionError: division by zero")]


def test_what_stops_the_robot_is_done_however_late():
    requests, done = TickRequests(), []
    requests.put(lambda: done.append(1))
    requests.serve()
    assert done == [1]
