"""planner/load_engine: another policy while plans go on, and refusals that leave everything as it was."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.core.engine import PolicyManifest, load_policy, save_golden
from beyondmimic_diffusion.nodes import diffusion_planner_node
from beyondmimic_msgs.srv import LoadEngine

from tests.nodes.test_diffusion_planner_node import Session

pytestmark = pytest.mark.ros
CODES = LoadEngine.Response


class Loader(Session):
    """An active planner that is asked for another policy while it is fed."""

    def load(self, folder):
        client = self.ros.probe.create_client(LoadEngine, "planner/load_engine")
        self.ros.until(client.service_is_ready)
        future = client.call_async(LoadEngine.Request(path=str(folder)))
        self.ros.until(future.done, self.state)
        return future.result()


@pytest.fixture
def session(ros, policy_folder):
    return Loader(ros, policy_folder)


@pytest.fixture
def other(policy_folder, tmp_path):
    """The same network under another name, with another normaliser: its plans differ."""
    folder = shutil.copytree(policy_folder, tmp_path / "other")
    manifest = PolicyManifest.load(folder)
    stats = manifest.action_normalizer
    shifted = replace(stats, offset=tuple(v + 0.125 for v in stats.offset))
    replace(manifest, name="other", action_normalizer=shifted).save(folder)
    return folder


def test_after_a_load_the_session_goes_on_with_plans_of_the_other_policy(session, other):
    session.feed(8)
    session.ros.until(lambda: session.plans)
    session_id = session.plans[-1].session_id
    answer = session.load(other)
    assert (answer.success, answer.error_code, answer.engine_name) == (True, CODES.NONE, "other")
    assert answer.engine_sha256 == PolicyManifest.load(other).onnx_sha256
    seen = len(session.plans)
    session.ros.until(lambda: len(session.plans) >= seen + 3, session.state)
    assert {plan.session_id for plan in session.plans} == {session_id}
    ids = [plan.plan_id for plan in session.plans]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    before, after = (np.mean(session.plans[i].position) for i in (0, -1))
    assert after - before == pytest.approx(0.125, abs=0.1)
    session.ros.until(lambda: session.statuses[-1].engine_name == "other", session.state)


def spoil_golden(folder):
    with np.load(folder / "golden.npz") as stored:
        golden = dict(stored)
    golden["clean_states"] = golden["clean_states"] + np.float32(1.0)
    save_golden(folder, golden)


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (shutil.rmtree, CODES.NOT_FOUND, "does not exist"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"x"), CODES.DAMAGED, "has sha256"),
        (
            lambda folder: replace(PolicyManifest.load(folder), kp=(99.0,) * 29).save(folder),
            CODES.MISMATCH,
            "policy 'other' has kp[0] = 99.0, it is ",
        ),
        (spoil_golden, CODES.GOLDEN_FAILED, "differ by 1"),
    ],
    ids=["missing", "damaged", "other gains", "golden vectors"],
)
def test_a_refused_policy_is_named_and_the_one_before_goes_on(session, other, spoil, code, said):
    session.feed(4)
    spoil(other)
    answer = session.load(other)
    assert (answer.success, answer.error_code, answer.engine_name) == (False, code, "tiny")
    assert said in answer.error_msg
    seen = len(session.plans)
    session.ros.until(lambda: len(session.plans) >= seen + 2, session.state)
    assert {plan.engine_sha256 for plan in session.plans} == {session.plans[0].engine_sha256}


def test_plans_go_on_while_the_other_policy_is_still_loading(session, other, monkeypatch):
    session.feed(6)
    made_meanwhile = []

    def slow(path, backend, current):
        """Loading that lasts until three more plans have come."""
        count = len(session.plans)
        for _ in range(2000):
            if len(session.plans) >= count + 3:
                break
            diffusion_planner_node.time.sleep(0.01)
        made_meanwhile.append(len(session.plans) - count)
        return load_policy(path)

    monkeypatch.setattr(diffusion_planner_node, "load_successor", slow)
    assert session.load(other).success
    assert made_meanwhile[0] >= 3


def test_an_inactive_planner_takes_the_other_policy_for_its_next_activation(session, other):
    session.feed(4)
    session.node.trigger_deactivate()
    assert session.load(other).success
    session.node.trigger_activate()
    session.plans.clear()
    session.feed(4)
    session.ros.until(lambda: session.statuses and session.statuses[-1].engine_name == "other", session.state)
    session.ros.until(lambda: session.plans, session.state)


def test_a_policy_whose_network_fails_in_the_warm_up_is_not_swapped_in(session, other, monkeypatch):
    """Whatever the network raises, the service answers and the old policy plans on."""

    def broken(path, backend, current):
        def denoiser(*_):
            raise RuntimeError("out of memory")

        return replace(load_policy(path), denoiser=denoiser)

    monkeypatch.setattr(diffusion_planner_node, "load_successor", broken)
    session.feed(4)
    answer = session.load(other)
    assert not answer.success and "out of memory" in answer.error_msg
    assert answer.error_code == CODES.DAMAGED
