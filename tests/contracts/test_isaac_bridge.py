"""Isaac Sim's side as a table: its wires fit the node types of each release, and it runs with the physics."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from beyondmimic_diffusion.core.errors import ArtifactMismatchError, ConfigError
from beyondmimic_diffusion.core.robot import g1
from beyondmimic_diffusion.sim import isaac_graph as bridge
from beyondmimic_diffusion.sim.isaac_drives import drives
from beyondmimic_diffusion.sim.isaac_stage import main

from tests.reference.isaac_ports import ports

PRIMS = bridge.Prims(robot="/World/G1/root", pelvis="/World/G1/pelvis", imu="/World/G1/pelvis/imu")
RELEASES = {
    "5.x": ports("isaacsim.ros2.bridge.", joint_reader=False),
    "6.0": ports("isaacsim.ros2.bridge.", joint_reader=True),
    "later": ports("isaacsim.ros2.nodes.", joint_reader=True),
}


@pytest.fixture(params=RELEASES)
def release(request):
    known = RELEASES[request.param]
    return known, bridge.make_table(PRIMS, known, "robot_7")


def test_each_wire_and_value_ends_at_a_port_that_the_nodes_type_has(release):
    known, table = release
    kinds = dict(table.nodes)
    assert len(kinds) == len(table.nodes)
    for source, sink in table.wires:
        name, port = source.split(".outputs:")
        assert port in known[kinds[name]][1], source
        name, port = sink.split(".inputs:")
        assert port in known[kinds[name]][0], sink
    for sink, _ in (*table.values, *table.targets):
        name, port = sink.split(".inputs:")
        assert port in known[kinds[name]][0], sink


def test_no_input_is_driven_twice(release):
    _, table = release
    driven = [sink for _, sink in table.wires] + [sink for sink, _ in (*table.values, *table.targets)]
    assert len(driven) == len(set(driven))


def test_everything_with_an_execution_input_is_reached_from_the_physics_step_alone(release):
    known, table = release
    kinds = dict(table.nodes)
    pulls = {name for name, kind in kinds.items() if "execIn" in known[kind][0]}
    source_of = {sink.split(".inputs:")[0]: source for source, sink in table.wires if sink.endswith(":execIn")}
    for name in pulls:
        at, seen = name, set()
        while at != "PhysicsStep":
            assert at not in seen
            seen.add(at)
            at = source_of[at].split(".outputs:")[0]
    assert not any("Playback" in kind for kind in kinds.values())


def test_each_message_carries_simulated_time_and_each_ros_node_its_context_and_quality(release):
    _, table = release
    wires = set(table.wires)
    for name, kind in table.nodes:
        if "ROS2Publish" in kind:
            assert ("Time.outputs:simulationTime", f"{name}.inputs:timeStamp") in wires
        if "ROS2Publish" in kind or "ROS2Subscribe" in kind:
            assert ("Context.outputs:context", f"{name}.inputs:context") in wires
            assert any(sink == f"{name}.inputs:qosProfile" for _, sink in wires)


def test_the_namespace_is_before_the_robots_topics_but_not_before_the_clock(release):
    _, table = release
    spaces = {sink.split(".")[0]: value for sink, value in table.values if sink.endswith(":nodeNamespace")}
    assert spaces.pop("PublishClock") == ""
    assert set(spaces.values()) == {"robot_7"}
    assert len(spaces) == len(bridge.PUBLISHED)  # without the clock, with the command


def test_the_bridge_is_taken_from_where_the_release_has_it_and_a_release_without_one_is_refused():
    for name, prefix in (("5.x", "isaacsim.ros2.bridge."), ("later", "isaacsim.ros2.nodes.")):
        kinds = {kind for _, kind in bridge.make_table(PRIMS, RELEASES[name]).nodes if "ROS2" in kind}
        assert {kind[: len(prefix)] for kind in kinds} == {prefix}
    without = {kind: sides for kind, sides in RELEASES["6.0"].items() if "ROS2" not in kind}
    with pytest.raises(ConfigError, match=r"isaacsim\.ros2\.nodes\.ROS2Context or isaacsim\.ros2\.bridge"):
        bridge.make_table(PRIMS, without)
    blind = {kind: sides for kind, sides in RELEASES["6.0"].items() if "ReadIMU" not in kind}
    with pytest.raises(ConfigError, match="IsaacReadIMU"):
        bridge.make_table(PRIMS, blind)


def test_before_the_joint_reader_existed_the_publisher_reads_the_robot_itself():
    old, new = (bridge.make_table(PRIMS, RELEASES[name]) for name in ("5.x", "6.0"))
    assert ("PublishJoints.inputs:targetPrim", PRIMS.robot) in old.targets
    assert ("ReadJoints.inputs:prim", PRIMS.robot) in new.targets
    assert not any(sink.startswith("PublishJoints") for sink, _ in new.targets)


def test_gates_let_through_what_makes_each_topics_rate():
    table = bridge.make_table(PRIMS, RELEASES["6.0"])
    steps = {sink.split(".")[0]: value for sink, value in table.values if sink.endswith(":step")}
    for channel in bridge.PUBLISHED:
        assert bridge.PHYSICS_RATE / steps[f"Gate_{channel.topic}"] == channel.rate


def test_a_drive_in_degrees_gives_the_torque_of_the_gains_in_radians():
    rng = np.random.default_rng(0)
    error, speed = rng.normal(0.0, 0.3, g1.NUM_JOINTS), rng.normal(0.0, 2.0, g1.NUM_JOINTS)
    made = drives(g1.JOINT_NAMES, g1.KP, g1.KD)
    in_degrees = [
        d.stiffness * np.degrees(e) - d.damping * np.degrees(v) for d, e, v in zip(made, error, speed, strict=True)
    ]
    np.testing.assert_allclose(in_degrees, g1.KP * error - g1.KD * speed, rtol=1e-12)
    np.testing.assert_allclose(np.radians([d.target for d in made]), g1.DEFAULT_JOINT_POS, atol=1e-15)
    np.testing.assert_allclose(np.radians([d.max_velocity for d in made]), g1.VELOCITY_LIMITS, rtol=1e-12)
    assert [d.max_force for d in made] == list(g1.EFFORT_LIMITS)
    with pytest.raises(ArtifactMismatchError, match="the G1 has"):
        drives(g1.JOINT_NAMES[::-1], g1.KP, g1.KD)


def test_without_isaac_sim_the_stage_says_which_python_to_use(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    monkeypatch.setitem(sys.modules, "isaacsim", None)
    usd = tmp_path / "g1.usdc"
    usd.write_bytes(b"")
    assert main(["--usd", str(usd), "--policy", "policies/walk"]) == 2
    assert "python.sh" in capsys.readouterr().err
    assert main(["--usd", str(tmp_path / "none.usd"), "--policy", "policies/walk"]) == 2
    assert "no USD file" in capsys.readouterr().err
    assert main(["--usd", str(usd), "--policy", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_the_stage_needs_nothing_that_isaac_sims_python_lacks():
    code = """
        import sys
        for name in ("rclpy", "mujoco", "torch", "onnxruntime", "onnx", "mjlab"):
            sys.modules[name] = None
        import beyondmimic_diffusion.sim.isaac_stage
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
