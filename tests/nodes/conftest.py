"""Real nodes in this process, in a private domain, spun until something has happened."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from beyondmimic_diffusion.core.engine import KeyPointFact, NormalizerStats, PolicyManifest, SamplingDefaults
from beyondmimic_diffusion.core.robot import g1

PATIENCE = 20.0
"""How long we wait for something that must happen; a bound against hanging, not a measurement [s]."""
S, A, N, H, HA = 12 + 6 * len(g1.KEY_POINTS), 2 * g1.NUM_JOINTS, 4, 16, 8


class Ros:
    """A context with nodes of ours, and one of the test's own, on one events executor."""

    def __init__(self):
        import rclpy
        from rclpy.experimental import EventsExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        self.executor = EventsExecutor(context=self.context)
        self.nodes = []
        self.probe = rclpy.create_node("probe", context=self.context)
        self.add(self.probe)

    def add(self, node):
        """Spin a node along."""
        self.executor.add_node(node)
        self.nodes.append(node)
        return node

    def make(self, node_type, parameters: dict | None = None):
        """Construct one of our nodes with parameters and spin it along."""
        from rclpy.parameter import Parameter

        overrides = [Parameter(name, value=value) for name, value in (parameters or {}).items()]
        return self.add(node_type(context=self.context, parameter_overrides=overrides))

    def heard(self, message_type, topic: str, profile=10) -> list:
        """A list that grows with the messages of a topic."""
        messages: list = []
        self.probe.create_subscription(message_type, topic, messages.append, profile)
        return messages

    def spin(self, seconds: float) -> None:
        """Let callbacks run for a while."""
        from rclpy.task import Future

        self.executor.spin_until_future_complete(Future(), timeout_sec=seconds)

    def until(self, happened: Callable[[], object], doing: Callable[[], object] = lambda: None) -> None:
        """Spin until ``happened``, calling ``doing`` before each slice."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "did not happen"
            doing()
            self.spin(0.02)

    def ask(self, service: str, service_type=None, request=None):
        """Call a service, a Trigger if nothing else is said, and give back its response."""
        from std_srvs.srv import Trigger

        client = self.probe.create_client(service_type or Trigger, service)
        self.until(client.service_is_ready)
        future = client.call_async(request or Trigger.Request())
        self.until(future.done)
        return future.result()

    def connected(self, publisher) -> None:
        """Wait until somebody listens; the other side learns of it a moment later, and drops what comes before."""
        self.until(lambda: publisher.get_subscription_count() > 0)
        self.spin(0.1)

    def close(self) -> None:
        """Threads first, then nodes, then the context."""
        for node in reversed(self.nodes):
            if hasattr(node, "close"):
                node.close()
            elif getattr(node, "active", False):
                node.deactivate()
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()  # it holds publishers until then: what they latched would be heard in the next test
        self.context.try_shutdown()
        self.nodes.clear()
        self.probe = node = None
        gc.collect()  # life-cycle nodes hold themselves


@pytest.fixture
def ros():
    """The test's ROS."""
    world = Ros()
    yield world
    world.close()


def _stats(size: int) -> NormalizerStats:
    return NormalizerStats(scale=(0.5,) * size, offset=(0.0,) * size, low=(-4.0,) * size, high=(4.0,) * size)


@pytest.fixture(scope="session")
def g1_manifest() -> PolicyManifest:
    """Facts of a policy for the real robot, with a network far too small to walk."""
    return PolicyManifest(
        name="tiny", robot=g1.ROBOT_NAME, mode_machine=(5,), joint_names=g1.JOINT_NAMES,
        kp=tuple(map(float, g1.KP)), kd=tuple(map(float, g1.KD)),
        default_joint_pos=tuple(map(float, g1.DEFAULT_JOINT_POS)),
        action_kind="joint_position", setpoints_per_step=2, step_dt=0.04, history_len=N, horizon=H, action_horizon=HA,
        num_denoising_steps=20, schedule="cosine", state_kind="body_pos",
        key_points=tuple(KeyPointFact(p.name, p.body, tuple(p.offset_b), p.radius) for p in g1.KEY_POINTS),
        state_normalizer=_stats(S), action_normalizer=_stats(A), delay_range=(0.0, 0.05),
        sampling=SamplingDefaults(passes=2), onnx_sha256="",
        network={
            "state_dim": S, "action_dim": A, "history_len": N, "horizon": H, "action_horizon": HA,
            "width": 16, "num_layers": 1, "num_heads": 2, "num_levels": 20, "schedule": "cosine",
        },
    )  # fmt: skip


@pytest.fixture
def manifest_folder(g1_manifest, tmp_path):
    """A policy folder with a manifest only: what the executor reads."""
    g1_manifest.save(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def policy_folder(g1_manifest, tmp_path_factory):
    """A whole policy folder with an untrained network, exported for real."""
    torch = pytest.importorskip("torch", reason="exporting a network needs torch")
    pytest.importorskip("onnxruntime", reason="running it needs onnxruntime")
    from beyondmimic_diffusion.core.diffusion.denoiser import DenoiserConfig, StateActionDenoiser
    from beyondmimic_diffusion.core.engine import make_golden, save_golden
    from beyondmimic_diffusion.core.engine.onnx_backend import INPUT_NAMES, OUTPUT_NAMES, OnnxDenoiser, sha256_of

    torch.manual_seed(0)
    network = StateActionDenoiser(DenoiserConfig(**g1_manifest.network)).eval()
    inputs = (
        torch.zeros(2, H, S), torch.zeros(2, HA, A), torch.zeros(2, N, S + A), torch.zeros(2, S),
        torch.zeros(2, H, dtype=torch.int64), torch.zeros(2, HA, dtype=torch.int64),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("policy")
    path = folder / "model.onnx"
    axes = {name: {0: "batch"} for name in (*INPUT_NAMES, *OUTPUT_NAMES)}
    torch.onnx.export(
        network, inputs, str(path), input_names=list(INPUT_NAMES), output_names=list(OUTPUT_NAMES),
        dynamic_axes=axes, opset_version=18, dynamo=False,
    )  # fmt: skip
    manifest = replace(g1_manifest, onnx_sha256=sha256_of(path))
    manifest.save(folder)
    save_golden(folder, make_golden(manifest, OnnxDenoiser(path, manifest)))
    return folder


class FakeRobot:
    """Publishes samples of a robot that stands still, as the simulator would, at stamps the test chooses."""

    def __init__(self, ros: Ros, names=g1.JOINT_NAMES):
        from nav_msgs.msg import Odometry
        from sensor_msgs.msg import Imu, JointState

        self.ros = ros
        self.names = list(names)
        self.imu_pub = ros.probe.create_publisher(Imu, "imu/data", 10)
        self.joint_pub = ros.probe.create_publisher(JointState, "joint_states", 10)
        self.truth_pub = ros.probe.create_publisher(Odometry, "ground_truth/odom", 10)
        self.position = dict(zip(g1.JOINT_NAMES, g1.DEFAULT_JOINT_POS, strict=True))

    def imu(self, stamp: float, quat=(1.0, 0.0, 0.0, 0.0)) -> None:
        """One IMU sample at rest."""
        from beyondmimic_diffusion.core.types import ImuSample
        from beyondmimic_diffusion.ros.conversions import ImuWriter

        sample = ImuSample(stamp, np.array(quat), np.zeros(3), np.array([0.0, 0.0, 9.81]))
        self.imu_pub.publish(ImuWriter("imu_in_pelvis").write(sample))

    def joints(self, stamp: float) -> None:
        """One joint sample."""
        from beyondmimic_diffusion.ros.conversions import time_to_msg
        from sensor_msgs.msg import JointState

        zeros = [0.0] * len(self.names)
        msg = JointState(name=self.names, position=[self.position[n] for n in self.names], velocity=zeros, effort=zeros)
        msg.header.stamp = time_to_msg(stamp)
        self.joint_pub.publish(msg)

    def truth(self, stamp: float, x: float = 0.0, speed: float = 0.0) -> None:
        """The simulator's truth: at ``x``, going forward."""
        from beyondmimic_diffusion.ros.conversions import time_to_msg
        from nav_msgs.msg import Odometry

        msg = Odometry()
        msg.header.stamp = time_to_msg(stamp)
        msg.pose.pose.position.x, msg.pose.pose.position.z = x, 0.75
        msg.twist.twist.linear.x = speed
        self.truth_pub.publish(msg)

    def sample_now(self) -> float:
        """IMU and joints at the present time of the test's clock."""
        now = self.ros.probe.get_clock().now().nanoseconds * 1e-9
        self.imu(now)
        self.joints(now)
        return now


@pytest.fixture
def robot(ros) -> FakeRobot:
    """A robot on topics."""
    return FakeRobot(ros)
