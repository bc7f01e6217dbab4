"""The robot's own controller is released, or the operator reads why not; every code, and Unitree's own two ends."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.robot_io.motion_switcher import (  # noqa: E402
    BUSY,
    NO_JSON,
    SENTENCES,
    MotionSwitcher,
    sentence,
)

RPC_CODES = (3001, 3102, 3103, 3104, 3105, 3106, 3107, 3201, 3202, 3203, 3204, 3205, 3206, 3207)
SWITCHER_CODES = (7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7009)
"""As Unitree's C++ SDK and its documentation of the motion switcher list them."""
NONE_RUNS = (0, {"form": "0", "name": ""})
AI_RUNS = (0, {"form": "0", "name": "ai"})


class Script:
    """A client that gives the answers of a list, the last of them again and again; and a clock that only it moves."""

    def __init__(self, checks, releases=((0, None),)):
        self._answers = {"check": list(checks), "release": list(releases)}
        self.asked: list[str] = []
        self.now = 0.0

    def _next(self, what: str):
        self.asked.append(what)
        answers = self._answers[what]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def CheckMode(self):
        return self._next("check")

    def ReleaseMode(self):
        return self._next("release")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def release(self):
        return MotionSwitcher(None, lambda: self, lambda: self.now, self.sleep).release()


def test_nothing_is_released_where_nothing_runs():
    script = Script([NONE_RUNS])
    assert script.release() == (True, "no controller of the robot's own runs")
    assert script.asked == ["check"]


def test_it_is_asked_again_until_the_controller_has_really_gone():
    script = Script([AI_RUNS, AI_RUNS, NONE_RUNS])
    assert script.release() == (True, "released: ai")
    assert script.asked == ["check", "release", "check", "release", "check"]


def test_a_controller_that_never_goes_is_named_after_a_while():
    script = Script([AI_RUNS])
    released, text = script.release()
    assert not released
    assert "'ai' still runs after 15 s" in text
    assert "L2 + B" in text


@pytest.mark.parametrize("code", [c for c in RPC_CODES + SWITCHER_CODES if c not in BUSY])
@pytest.mark.parametrize("where", ["check", "release"])
def test_every_code_ends_it_with_its_sentence(code, where):
    script = Script([(code, None)]) if where == "check" else Script([AI_RUNS], [(code, None)])
    assert script.release() == (False, f"{SENTENCES[code]} (code {code})")
    assert script.asked[-1] == where
    assert len(script.asked) == (1 if where == "check" else 2)


@pytest.mark.parametrize("code", BUSY)
def test_busy_and_silent_switchers_are_asked_again_and_given_up_with_their_sentence(code):
    script = Script([(code, None), (code, None), AI_RUNS, NONE_RUNS], [(code, None), (0, None)])
    assert script.release()[0]
    script = Script([(code, None)])
    assert script.release() == (False, f"{SENTENCES[code]} (code {code})")
    assert script.now == pytest.approx(15.0, abs=1.0)


def test_every_code_that_unitree_knows_has_a_sentence_of_its_own():
    assert set(SENTENCES) == set(RPC_CODES) | set(SWITCHER_CODES)
    assert len(set(SENTENCES.values())) == len(SENTENCES)


def test_a_code_that_nobody_knows_is_shown():
    assert Script([(4711, None)]).release() == (False, sentence(4711))
    assert "(code 4711)" in sentence(4711)


@pytest.mark.parametrize("answer", [ValueError("no JSON"), (0, None), (0, {"form": "0"}), (0, [])], ids=str)
def test_an_answer_that_cannot_be_read_is_a_code_and_no_crash(answer):
    assert Script([answer]).release() == (False, sentence(NO_JSON))


# ---------------------------------------------------------------- Unitree's client, over DDS


@pytest.fixture
def participant(domain):
    from beyondmimic_diffusion.robot_io.unitree_dds import Participant

    return Participant(domain, "lo", "/test")


@pytest.mark.unitree
def test_unitrees_client_without_a_robot_says_that_nothing_answers(participant):
    assert MotionSwitcher(participant).release() == (False, sentence(3102))


@pytest.mark.unitree_peer
def test_the_responder_of_unitrees_cpp_sdk_is_released(participant, domain):
    from robot_io.unitree_peer import UnitreePeer

    peer = UnitreePeer(domain)
    try:
        peer.ask("switcher")
        switcher = MotionSwitcher(participant)
        give_up = time.monotonic() + 60.0
        code, name = switcher.check()
        while code == 3102 and time.monotonic() < give_up:  # not discovered yet
            code, name = switcher.check()
        assert code == 0, sentence(code)
        released, text = switcher.release()
        assert released, text
        assert text == ("no controller of the robot's own runs" if not name else f"released: {name}")
        assert switcher.check() == (0, "")
    finally:
        peer.close()
