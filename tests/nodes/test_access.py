"""SROS 2: the shipped policy against the running nodes, and, where the middleware can, an intruder against it."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.access import (  # noqa: E402
    OPERATOR,
    NodeAccess,
    access_of,
    operators_access,
    policy_xml,
    publishers,
)
from beyondmimic_diffusion.graph import ENCLAVES, BringupArguments, make_graph  # noqa: E402
from beyondmimic_diffusion.nodes.action_executor_node import ActionExecutorNode  # noqa: E402
from beyondmimic_diffusion.nodes.simulation_services import ACTION, SERVICES  # noqa: E402
from beyondmimic_diffusion.nodes.supervisor_node import SupervisorNode  # noqa: E402

pytestmark = pytest.mark.ros
POLICY = Path(__file__).resolve().parents[2] / "security" / "policy.xml"


def allowed(node, right):
    """Names under ``<topics publish="ALLOW">`` and the like of one node's profile."""
    profile = next(p for p in ET.parse(POLICY).getroot().iter("profile") if p.attrib["node"] == node)
    return {entry.text for group in profile for entry in group if right in group.attrib}


def test_each_node_of_the_table_has_its_enclave_in_the_shipped_policy():
    enclaves = {enclave.attrib["path"] for enclave in ET.parse(POLICY).getroot().iter("enclave")}
    specs = make_graph(BringupArguments(policy="policies/walk"))
    assert enclaves == {f"{ENCLAVES}/{name}" for name in (*(spec.name for spec in specs), OPERATOR)}


def test_nobody_but_executor_and_supervisor_may_command_motors_and_nobody_but_the_planner_may_send_plans():
    assert publishers(POLICY, "/motor_command") == {"action_executor", "supervisor"}
    assert publishers(POLICY, "/plan") == {"diffusion_planner"}
    assert publishers(POLICY, "/joint_states") == {"mujoco_sim"}
    assert publishers(POLICY, "/robot_state") == {"state_estimator"}


@pytest.mark.parametrize("make", [ActionExecutorNode, SupervisorNode], ids=lambda make: make.__name__)
def test_the_shipped_policy_allows_what_the_nodes_that_command_motors_use_and_no_more(ros, manifest_folder, make):
    parameters = {"realtime_priority": 0}
    if make is ActionExecutorNode:
        parameters["policy"] = str(manifest_folder)
    node = ros.make(make, parameters)
    if make is SupervisorNode:
        node._motors.listen()  # as it does from its first frame of damping on
    name, namespace = node.get_name(), node.get_namespace()
    ros.until(lambda: name in ros.probe.get_node_names())
    ros.until(lambda: "/motor_command" in access_of(ros.probe, name, namespace).publish)
    ros.spin(0.5)
    own = {"/clock"}  # under use_sim_time, which the test leaves out
    for part in (name, f"{name}_sample_inputs"):  # what is fetched belongs to a second node
        used = access_of(ros.probe, part, namespace)
        assert used.publish | {"/rosout", "/parameter_events"} == allowed(part, "publish")
        assert used.subscribe | own | {"/parameter_events"} == allowed(part, "subscribe")
        assert used.reply == allowed(part, "reply")


def test_a_simulator_with_simulation_interfaces_may_offer_them_though_the_policy_was_not_made_here():
    assert {f"/{name}" for name in (*SERVICES, ACTION[0])} <= allowed("mujoco_sim_services", "reply") | allowed(
        "mujoco_sim_services", "execute"
    )


def test_actions_and_services_are_told_apart_and_an_operator_may_ask_but_not_command():
    node = NodeAccess(
        publish=frozenset({"/plan", "/walk/_action/feedback"}),
        subscribe=frozenset({"/robot_state"}),
        reply=frozenset({"/arm", "/walk/_action/send_goal", "/walk/_action/get_result"}),
        request=frozenset(),
    )
    text = policy_xml(
        {"walker": {("/g1", "walker"): node}, OPERATOR: {("/g1", OPERATOR): operators_access("/g1", [node])}}
    )
    root = ET.fromstring(text)
    walker, operator = (next(p for p in root.iter("profile") if p.attrib["node"] == n) for n in ("walker", OPERATOR))
    assert [a.text for a in walker.findall("actions[@execute='ALLOW']/action")] == ["/walk"]
    assert [s.text for s in walker.findall("services[@reply='ALLOW']/service")] == ["/arm"]
    assert [a.text for a in operator.findall("actions[@call='ALLOW']/action")] == ["/walk"]
    published = {t.text for t in operator.findall("topics[@publish='ALLOW']/topic")}
    assert {"/g1/cmd_vel", "/g1/e_stop_request"} <= published
    assert "/plan" not in published


INTRUDER = """
import sys, time, rclpy
from beyondmimic_msgs.msg import JointCommand
from beyondmimic_diffusion.ros import qos
rclpy.init(args=["--ros-args", "--enclave", sys.argv[1]])
node = rclpy.create_node(sys.argv[2], start_parameter_services=False)
publisher = node.create_publisher(JointCommand, "motor_command", qos.NEWEST)
end = time.monotonic() + 5.0
while time.monotonic() < end:
    time.sleep(0.2)
print("matched", publisher.get_subscription_count())
"""


def test_with_a_keystore_a_node_without_the_right_cannot_open_the_motor_topic(tmp_path):
    if shutil.which("ros2") is None or subprocess.run(["ros2", "security", "-h"], capture_output=True).returncode:
        pytest.skip("no `ros2 security` here to make a keystore; PyPI's Fast DDS is built without security besides")
    keystore = tmp_path / "keystore"
    for words in (["create_keystore", str(keystore)], ["generate_artifacts", "-k", str(keystore), "-p", str(POLICY)]):
        subprocess.run(["ros2", "security", *words], check=True)
    secure = {
        **os.environ,
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(keystore),
    }
    intruder = subprocess.run(
        [sys.executable, "-c", INTRUDER, f"{ENCLAVES}/{OPERATOR}", OPERATOR],
        env=secure, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "doesn't have the security libraries" in intruder.stderr:
        pytest.skip("this Fast DDS is built without security")
    assert intruder.returncode != 0 or "matched 0" in intruder.stdout
