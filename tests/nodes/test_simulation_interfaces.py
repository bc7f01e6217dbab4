"""The standard services of a simulator, over ROS; where their package is not built this is skipped."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
bm = pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")
pytest.importorskip("mujoco", reason="the simulator needs mujoco")
si = pytest.importorskip("simulation_interfaces.msg", reason="simulation_interfaces is not built (docs/simulator.md)")

from beyondmimic_diffusion.core.rotations import quat_from_yaw  # noqa: E402
from beyondmimic_diffusion.core.tasks import Obstacle, Scene, save_scene  # noqa: E402
from beyondmimic_diffusion.nodes.mujoco_sim_node import MujocoSimNode  # noqa: E402
from beyondmimic_diffusion.nodes.simulation_services import ACTION, SERVICES  # noqa: E402
from beyondmimic_diffusion.ros import qos  # noqa: E402
from beyondmimic_diffusion.ros.conversions import quat_to_msg, time_from_msg  # noqa: E402
from beyondmimic_diffusion.sim.entities import ROBOT  # noqa: E402
from rclpy.qos import QoSProfile  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from simulation_interfaces import srv  # noqa: E402
from simulation_interfaces.action import SimulateSteps  # noqa: E402

pytestmark = pytest.mark.ros
PLAYING, PAUSED, STOPPED = (
    si.SimulationState.STATE_PLAYING,
    si.SimulationState.STATE_PAUSED,
    si.SimulationState.STATE_STOPPED,
)
OK = si.Result.RESULT_OK
EVERY_CLOCK = QoSProfile(depth=100, reliability=qos.NEWEST.reliability)
CART = Obstacle("cart", "box", (3.0, 0.0, 0.5), (0.4, 0.6, 1.0), velocity=(0.0, 0.5, 0.0))
POST = Obstacle("post", "cylinder", (0.0, 2.0, 0.9), (0.2, 1.8))


class Client:
    """Calls the services as anybody would."""

    def __init__(self, ros, node):
        self.ros, self.node, self.sim = ros, node, node.sim

    def call(self, kind, name, **fields):
        client = self.ros.probe.create_client(kind, name)
        self.ros.until(client.service_is_ready)
        future = client.call_async(kind.Request(**fields))
        self.ros.until(future.done)
        self.ros.probe.destroy_client(client)
        return future.result()

    def set_state(self, state):
        return self.call(srv.SetSimulationState, "set_simulation_state", state=si.SimulationState(state=state)).result

    def state(self):
        answer = self.call(srv.GetSimulationState, "get_simulation_state")
        assert answer.result.result == OK
        return answer.state.state

    def step(self, steps):
        return self.call(srv.StepSimulation, "step_simulation", steps=steps).result

    def reset(self, scope):
        return self.call(srv.ResetSimulation, "reset_simulation", scope=scope).result

    def entities(self, **filters):
        return self.call(srv.GetEntities, "get_entities", filters=si.EntityFilters(**filters))

    def put(self, state, entity=ROBOT, **flags):
        flags = flags or {"set_pose": True}
        return self.call(srv.SetEntityState, "set_entity_state", entity=entity, state=state, **flags).result


@pytest.fixture
def client(ros, tmp_path):
    save_scene(Scene("traffic", (CART, POST)), tmp_path / "scene.yaml")
    return Client(ros, ros.make(MujocoSimNode, {"scene": str(tmp_path / "scene.yaml")}))


def standing(x, y, z=0.85, yaw=0.0):
    state = si.EntityState()
    state.pose.position.x, state.pose.position.y, state.pose.position.z = x, y, z
    state.pose.orientation = quat_to_msg(quat_from_yaw(yaw))
    return state


def test_each_reported_feature_has_its_service_and_nothing_else_is_offered(ros, client):
    told = client.call(srv.GetSimulatorFeatures, "get_simulator_features").features
    by_interface = {  # from the comments of the interface's own files
        "get_simulation_state": {"SIMULATION_STATE_GETTING"},
        "set_simulation_state": {"SIMULATION_STATE_SETTING", "SIMULATION_STATE_PAUSE"},
        "step_simulation": {"STEP_SIMULATION_SINGLE", "STEP_SIMULATION_MULTIPLE"},
        "reset_simulation": {"SIMULATION_RESET", "SIMULATION_RESET_TIME", "SIMULATION_RESET_STATE"},
        "get_entity_info": {"ENTITY_INFO_GETTING", "ENTITY_CATEGORIES"},
        "get_entity_state": {"ENTITY_STATE_GETTING"},
        "get_entities_states": {"ENTITY_STATE_GETTING"},
        "set_entity_state": {"ENTITY_STATE_SETTING"},
        "simulate_steps": {"STEP_SIMULATION_ACTION"},
        "get_simulator_features": set(),
        "get_entities": set(),
    }
    expected = {getattr(si.SimulatorFeatures, name) for names in by_interface.values() for name in names}
    assert set(told.features) == expected
    assert len(told.features) == len(expected)
    assert "Nothing can be spawned" in told.custom_info
    ros.until(lambda: len(offered(ros)) == len(by_interface))
    assert offered(ros) == set(by_interface) == {*SERVICES, ACTION[0]}


def offered(ros):
    """Endpoints of types of the package."""
    found = set()
    for name, types in ros.probe.get_service_names_and_types():
        if types[0].startswith("simulation_interfaces/"):
            found.add(name.strip("/").partition("/_action/")[0])
    return found


def test_paused_it_makes_exactly_the_steps_that_are_asked_for_and_publishes_on_its_grid(ros, client):
    assert client.state() == PLAYING
    assert client.set_state(PAUSED).result == OK
    assert client.state() == PAUSED
    assert client.set_state(PAUSED).result == srv.SetSimulationState.Response.ALREADY_IN_TARGET_STATE
    ros.spin(0.2)
    clock = ros.heard(Clock, "/clock", EVERY_CLOCK)
    ros.until(lambda: ros.probe.count_publishers("/clock"))
    ros.spin(0.3)
    start = client.sim.stamp
    for steps in (1, 7, 41):
        before = client.sim.stamp
        assert client.step(steps).result == OK
        assert client.sim.stamp - before == pytest.approx(steps * client.sim.dt, abs=1e-9)
        assert client.state() == PAUSED
    ros.until(lambda: clock)
    ros.spin(0.2)
    stamps = [time_from_msg(message.clock) for message in clock]
    assert all(start < stamp <= client.sim.stamp + 1e-9 for stamp in stamps)
    assert stamps == sorted(set(stamps))
    seen = len(clock)
    assert client.set_state(PLAYING).result == OK  # an odd number of steps was made; messages come all the same
    ros.until(lambda: len(clock) > seen + 5)
    assert np.diff([time_from_msg(m.clock) for m in clock[seen + 1 :]]).min() >= 0.008 - 1e-9


def test_steps_are_refused_while_it_plays_and_a_number_that_makes_no_sense_at_any_time(client):
    answer = client.step(5)
    assert answer.result == si.Result.RESULT_OPERATION_FAILED  # as StepSimulation.srv has it
    assert "the simulation is playing; steps need it paused" in answer.error_message
    client.set_state(PAUSED)
    before = client.sim.stamp
    for steps, text in ((0, "give one or more"), (2**63, "use the action simulate_steps")):
        answer = client.step(steps)
        assert answer.result == si.Result.RESULT_OPERATION_FAILED
        assert text in answer.error_message
    assert client.sim.stamp == before


def test_stopping_goes_back_to_the_start_and_waits_there_until_played(ros, client):
    ros.until(lambda: client.sim.stamp > 0.3)
    client.put(standing(-1.0, -1.0))
    assert client.set_state(STOPPED).result == OK
    assert client.state() == STOPPED
    ros.spin(0.2)
    assert client.sim.stamp == 0.0
    assert client.sim.state().root_pos_w[:2] == pytest.approx([0.0, 0.0])
    answer = client.step(3)
    assert "the simulation is stopped" in answer.error_message
    assert client.set_state(PLAYING).result == OK
    ros.until(lambda: 0.05 < client.sim.stamp < 5.0)


@pytest.mark.parametrize("state", [si.SimulationState.STATE_QUITTING, si.SimulationState.STATE_NO_WORLD, 77])
def test_a_state_that_cannot_be_set_is_refused_and_it_plays_on(client, state):
    answer = client.set_state(state)
    assert answer.result == si.Result.RESULT_FEATURE_UNSUPPORTED
    assert f"state {state} cannot be set" in answer.error_message
    assert client.state() == PLAYING


def test_a_reset_takes_back_what_its_scope_says(ros, client):
    scopes = srv.ResetSimulation.Request
    client.set_state(PAUSED)
    client.step(100)
    client.put(standing(-1.0, -1.0))
    assert client.reset(scopes.SCOPE_TIME).result == OK
    assert client.sim.stamp == 0.0
    assert client.sim.state().root_pos_w[0] == pytest.approx(-1.0, abs=0.05)
    client.step(100)
    assert client.reset(scopes.SCOPE_STATE).result == OK
    assert client.sim.stamp == pytest.approx(100 * client.sim.dt)
    assert client.sim.state().root_pos_w[:2] == pytest.approx([0.0, 0.0])
    client.put(standing(-1.0, -1.0))
    for scope in (scopes.SCOPE_DEFAULT, scopes.SCOPE_ALL):
        client.step(10)
        assert client.reset(scope).result == OK
        assert client.sim.stamp == 0.0
        assert client.sim.state().root_pos_w[:2] == pytest.approx([0.0, 0.0])
    answer = client.reset(scopes.SCOPE_SPAWNED)
    assert answer.result == si.Result.RESULT_FEATURE_UNSUPPORTED
    assert "nothing is spawned" in answer.error_message
    assert client.state() == PAUSED


def test_entities_are_found_described_and_told_where_they_are(client):
    kinds = si.EntityCategory
    assert client.entities().entities == [ROBOT, "cart", "post"]
    assert client.entities(filter="^c").entities == ["cart"]
    robots = [kinds(category=kinds.CATEGORY_ROBOT), kinds(category=kinds.CATEGORY_HUMAN)]
    assert client.entities(categories=robots).entities == [ROBOT]
    expected = {
        ROBOT: kinds.CATEGORY_ROBOT,
        "cart": kinds.CATEGORY_DYNAMIC_OBJECT,
        "post": kinds.CATEGORY_STATIC_OBJECT,
    }
    for name, category in expected.items():
        info = client.call(srv.GetEntityInfo, "get_entity_info", entity=name)
        assert (info.result.result, info.info.category.category) == (OK, category)
    client.set_state(PAUSED)
    all_states = client.call(srv.GetEntitiesStates, "get_entities_states", filters=si.EntityFilters(filter="cart|post"))
    assert all_states.entities == ["cart", "post"]
    cart = client.call(srv.GetEntityState, "get_entity_state", entity="cart").state
    assert cart == all_states.states[0]
    assert cart.header.frame_id == "world"
    assert time_from_msg(cart.header.stamp) == pytest.approx(client.sim.stamp, abs=1e-9)
    assert cart.pose.position.y == pytest.approx(0.5 * client.sim.stamp)
    assert cart.twist.linear.y == 0.5
    for kind, name in ((srv.GetEntityState, "get_entity_state"), (srv.GetEntityInfo, "get_entity_info")):
        answer = client.call(kind, name, entity="nobody").result
        assert answer.result == si.Result.RESULT_NOT_FOUND
        assert f"there are {ROBOT}, cart, post" in answer.error_message


def test_filters_take_spheres_and_refuse_what_they_do_not_know(client):
    bounds = si.Bounds(type=si.Bounds.TYPE_SPHERE, points=[vector(0.0, 2.0, 1.0), vector(0.5, 0.0, 0.0)])
    assert client.entities(bounds=bounds).entities == ["post"]
    bounds.points[1].x = math.nan
    assert client.entities(bounds=bounds).result.result == si.Result.RESULT_OPERATION_FAILED
    box = si.Bounds(type=si.Bounds.TYPE_BOX, points=[vector(1.0, 1.0, 1.0), vector(-1.0, -1.0, -1.0)])
    assert client.entities(bounds=box).result.result == si.Result.RESULT_FEATURE_UNSUPPORTED
    tags = si.TagsFilter(tags=["red"])
    assert client.entities(tags=tags).result.result == si.Result.RESULT_FEATURE_UNSUPPORTED
    assert client.entities(filter="(").result.result == si.Result.RESULT_OPERATION_FAILED


def vector(x, y, z):
    from geometry_msgs.msg import Vector3

    return Vector3(x=x, y=y, z=z)


def test_the_robot_is_put_elsewhere_and_given_a_velocity(client):
    client.set_state(PAUSED)
    state = standing(-1.0, 1.0, 1.2, yaw=0.8)
    state.twist.linear.x, state.twist.angular.z = 0.4, -0.3
    for frame in ("", "world", "odom"):
        state.header.frame_id = frame
        assert client.put(state, set_pose=True, set_twist=True).result == OK
    told = client.call(srv.GetEntityState, "get_entity_state", entity=ROBOT).state
    assert (told.pose.position.x, told.pose.position.y, told.pose.position.z) == pytest.approx((-1.0, 1.0, 1.2))
    assert told.pose.orientation.z == pytest.approx(math.sin(0.4))
    assert (told.twist.linear.x, told.twist.angular.z) == pytest.approx((0.4, -0.3))


def test_what_cannot_be_put_there_is_refused_with_the_interfaces_own_code(client):
    client.set_state(PAUSED)
    before = client.sim.data.qpos.copy()
    invalid, failed = srv.SetEntityState.Response.INVALID_POSE, si.Result.RESULT_OPERATION_FAILED
    unsupported, nothing = si.Result.RESULT_FEATURE_UNSUPPORTED, si.Result.RESULT_NOT_FOUND
    elsewhere, fast = standing(0.0, 0.0), standing(0.0, 0.0)
    elsewhere.header.frame_id, fast.twist.linear.x = "the_moon", math.nan
    cases = [
        (client.put(standing(math.nan, 0.0)), invalid, "not finite"),
        (client.put(standing(0.0, 2.0)), invalid, "deep in the floor or an obstacle"),
        (client.put(elsewhere), nothing, "frame 'the_moon' is unknown"),
        (client.put(standing(0.0, 0.0), entity="nobody"), nothing, "there is no entity 'nobody'"),
        (client.put(standing(9.0, 9.0), entity="post"), unsupported, "it is where its scene has it"),
        (client.put(fast, set_twist=True), failed, "finite numbers up to 100 m/s"),
        (client.put(standing(0.0, 0.0), set_acceleration=True), unsupported, "acceleration follows from forces"),
        (client.put(standing(0.0, 0.0), set_pose=False), failed, "nothing to set"),
    ]
    for answer, code, text in cases:
        assert (answer.result, text in answer.error_message) == (code, True), answer
    assert np.array_equal(client.sim.data.qpos, before)


def test_while_an_armed_executor_is_there_the_robot_is_not_put_elsewhere(ros, client):
    states = ros.probe.create_publisher(bm.ExecutorState, "executor/state", qos.LATCHED)
    ros.connected(states)
    states.publish(bm.ExecutorState(state=bm.ExecutorState.HOLD))
    ros.spin(0.3)
    answer = client.put(standing(-1.0, -1.0))
    assert answer.result == si.Result.RESULT_OPERATION_FAILED
    assert "disarm it first: executor/disarm" in answer.error_message
    states.publish(bm.ExecutorState(state=bm.ExecutorState.DISARMED))
    ros.until(lambda: client.put(standing(-1.0, -1.0)).result == OK)


class Steps:
    """A goal of the action."""

    def __init__(self, ros, steps):
        from rclpy.action import ActionClient

        self.ros, self.feedback = ros, []
        self.client = ActionClient(ros.probe, SimulateSteps, "simulate_steps")
        ros.until(self.client.server_is_ready)
        sent = self.client.send_goal_async(SimulateSteps.Goal(steps=steps), lambda m: self.feedback.append(m.feedback))
        ros.until(sent.done)
        self.handle = sent.result()
        assert self.handle.accepted
        self.future = self.handle.get_result_async()

    def end(self):
        self.ros.until(self.future.done)
        self.client.destroy()
        return self.future.result()


def test_the_action_tells_each_step_and_ends_paused(ros, client):
    from action_msgs.msg import GoalStatus

    client.set_state(PAUSED)
    before = client.sim.stamp
    goal = Steps(ros, 25)
    end = goal.end()
    assert (end.status, end.result.result.result) == (GoalStatus.STATUS_SUCCEEDED, OK)
    assert client.sim.stamp - before == pytest.approx(25 * client.sim.dt, abs=1e-9)
    ros.until(lambda: goal.feedback and goal.feedback[-1].completed_steps == 25)
    told = [(f.completed_steps, f.remaining_steps) for f in goal.feedback]
    assert all(made + left == 25 for made, left in told)
    assert [made for made, _ in told] == sorted({made for made, _ in told})
    assert client.state() == PAUSED


def test_the_action_can_be_cancelled_and_a_second_one_has_to_wait(ros, client):
    from action_msgs.msg import GoalStatus

    client.set_state(PAUSED)
    goal = Steps(ros, 10_000_000)
    ros.until(lambda: goal.feedback)
    assert client.state() == PLAYING  # time passes
    refused = Steps(ros, 5).end()
    assert (refused.status, refused.result.result.result) == (
        GoalStatus.STATUS_ABORTED,
        si.Result.RESULT_OPERATION_FAILED,
    )
    assert "are being made already" in refused.result.result.error_message
    ros.until(goal.handle.cancel_goal_async().done)
    end = goal.end()
    assert end.status == GoalStatus.STATUS_CANCELED
    assert "called off after" in end.result.result.error_message
    assert client.state() == PAUSED
    stopped = client.sim.stamp
    ros.spin(0.2)
    assert client.sim.stamp == stopped


def test_the_action_is_aborted_with_a_reason_while_it_plays(ros, client):
    from action_msgs.msg import GoalStatus

    end = Steps(ros, 5).end()
    assert (end.status, end.result.result.result) == (GoalStatus.STATUS_ABORTED, si.Result.RESULT_OPERATION_FAILED)
    assert "the simulation is playing" in end.result.result.error_message


def test_who_waits_for_steps_is_answered_when_the_simulator_ends(ros, client):
    client.set_state(PAUSED)
    caller = ros.probe.create_client(srv.StepSimulation, "step_simulation")
    ros.until(caller.service_is_ready)
    future = caller.call_async(srv.StepSimulation.Request(steps=30_000))
    start = client.sim.stamp
    ros.until(lambda: client.sim.stamp > start)
    client.node.close()
    ros.until(future.done)
    result = future.result().result
    assert result.result == si.Result.RESULT_OPERATION_FAILED
    assert "the simulator ends after" in result.error_message
    client.node.close = lambda: None  # the fixture would close it again
