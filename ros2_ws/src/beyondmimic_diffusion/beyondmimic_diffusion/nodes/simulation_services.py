"""The standard ``simulation_interfaces``, named as Isaac Sim names them: state, steps, reset, entities.

The package is optional; where it is not installed the node offers ``sim/pause`` and ``sim/reset`` alone. Requests are
served on a thread of their own, so that the robot's commands are heard while somebody waits for steps; what touches the
physics is handed to its thread.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TimedOutError
from typing import Any, TypeVar

from rclpy.node import Node

from ..ros.deferred_action import ABORTED, CANCELED, SUCCEEDED, DeferredActionServer
from ..ros.side_node import SideNode
from ..sim.entities import Entities
from ..sim.simulation_control import Answer, Code, Phase, SimulationControl, Stepping
from .entity_services import EntityServices

PACKAGE = "simulation_interfaces"
SERVICES = {
    "get_simulator_features": ("GetSimulatorFeatures", ()),
    "get_simulation_state": ("GetSimulationState", ("SIMULATION_STATE_GETTING",)),
    "set_simulation_state": ("SetSimulationState", ("SIMULATION_STATE_SETTING", "SIMULATION_STATE_PAUSE")),
    "step_simulation": ("StepSimulation", ("STEP_SIMULATION_SINGLE", "STEP_SIMULATION_MULTIPLE")),
    "reset_simulation": (
        "ResetSimulation",
        ("SIMULATION_RESET", "SIMULATION_RESET_TIME", "SIMULATION_RESET_STATE"),
    ),
    "get_entities": ("GetEntities", ("ENTITY_CATEGORIES",)),
    "get_entity_info": ("GetEntityInfo", ("ENTITY_INFO_GETTING",)),
    "get_entity_state": ("GetEntityState", ("ENTITY_STATE_GETTING",)),
    "get_entities_states": ("GetEntitiesStates", ("ENTITY_STATE_GETTING",)),
    "set_entity_state": ("SetEntityState", ("ENTITY_STATE_SETTING",)),
}
"""Service -> its type, and the features that are reported because it is offered."""
ACTION = ("simulate_steps", "SimulateSteps", "STEP_SIMULATION_ACTION")
_MOST_STEPS = 30_000
"""A service is waited for: this is a minute; the action takes any number."""
_ANSWER_TIME = 2.0
"""How long a request waits for the physics [s]."""
_NO_ANSWER = Answer(Code.OPERATION_FAILED, "the physics does not answer")

T = TypeVar("T")


def offer_services(
    owner: Node,
    control: SimulationControl,
    entities: Callable[[], Entities],
    submit: Callable[[Callable[[], None]], None],
    why_not_move: Callable[[], str],
    frame_id: str,
) -> SimulationServices | None:
    """Offer the services where their package is installed, and say in the log which is the case.

    Args:
        owner: The simulator's node.
        control: Of its physics.
        entities: Makes what is in its simulation.
        submit: Has the thread of the physics do something.
        why_not_move: Why nobody may put the robot elsewhere now; empty if anybody may.
        frame_id: Frame of the ground truth: another name of the world.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        owner.get_logger().info(f"{PACKAGE} is not installed: its services are not offered, only sim/pause, sim/reset")
        return None
    services = SimulationServices(owner, control, entities(), submit, why_not_move, frame_id)
    owner.get_logger().info(f"{PACKAGE}: {', '.join((*SERVICES, ACTION[0]))} are offered")
    return services


class SimulationServices:
    """Requests in, calls of :class:`SimulationControl` and :class:`Entities`, answers out."""

    def __init__(
        self,
        owner: Node,
        control: SimulationControl,
        entities: Entities,
        submit: Callable[[Callable[[], None]], None],
        why_not_move: Callable[[], str],
        frame_id: str,
    ):
        """See :func:`offer_services`."""
        self._msg = importlib.import_module(f"{PACKAGE}.msg")
        self._control, self._submit = control, submit
        self._phases = {getattr(self._msg.SimulationState, f"STATE_{p.name}"): p for p in Phase}
        self._closing = threading.Event()
        self._side = SideNode(owner, "services")
        types = importlib.import_module(f"{PACKAGE}.srv")
        of_entities = EntityServices(self._msg, entities, self._physics, self._tell, why_not_move, frame_id)
        for name, (kind, _) in SERVICES.items():
            handler = getattr(self, name, None) or getattr(of_entities, name)
            self._side.serve(getattr(types, kind), name, self._guarded(handler))
        name, kind, _ = ACTION
        self._steps_type = getattr(importlib.import_module(f"{PACKAGE}.action"), kind)
        self._action = DeferredActionServer(
            self._side.node, self._steps_type, name, self._simulate_steps, lambda: not self._closing.is_set()
        )
        self._side.start()

    def close(self) -> None:
        """Leave; to be called after the physics has ended, and all that was submitted to it was done."""
        self._closing.set()
        self._side.close()

    # ------------------------------------------------------------ helpers

    def _guarded(self, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def serve(request: Any, response: Any) -> Any:
            try:
                handler(request, response)
            except TimedOutError:
                self._tell(response, _NO_ANSWER)
            except Exception as error:  # who asked hears of it; the others are served on
                self._tell(response, Answer(Code.OPERATION_FAILED, f"internal error: {error!r}"))
            return response

        return serve

    def _physics(self, work: Callable[[], T]) -> T:
        """What ``work`` gives back on the thread of the physics."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except Exception as error:  # it belongs to who asked: the physics goes on
                done.set_exception(error)

        self._submit(run)
        return done.result(_ANSWER_TIME)

    def _tell(self, response: Any, answer: Answer) -> None:
        """Fill in a result; numbers that only one service has are constants of its response."""
        name = answer.code.name
        general = getattr(self._msg.Result, f"RESULT_{name}", self._msg.Result.RESULT_OPERATION_FAILED)
        response.result.result = getattr(type(response), name, general)
        response.result.error_message = answer.text

    # ------------------------------------------------------------ requests

    def get_simulator_features(self, request: Any, response: Any) -> None:
        """What is offered."""
        names = [feature for _, features in SERVICES.values() for feature in features] + [ACTION[2]]
        numbers = self._msg.SimulatorFeatures
        response.features.features = sorted({getattr(numbers, name) for name in names})
        response.features.custom_info = (
            "Nothing can be spawned or deleted: obstacles come from the scene that the node was started with. "
            "Filters by name, category and sphere; no tags."
        )

    def get_simulation_state(self, request: Any, response: Any) -> None:
        """Playing, paused or stopped; playing while steps are made."""
        phase = self._physics(lambda: self._control.phase)
        response.state.state = getattr(self._msg.SimulationState, f"STATE_{phase.name}")
        self._tell(response, Answer(Code.OK))

    def set_simulation_state(self, request: Any, response: Any) -> None:
        """Play, pause or stop."""
        phase = self._phases.get(request.state.state)
        if phase is not None:
            self._tell(response, self._physics(lambda: self._control.set_phase(phase)))
            return
        known = ", ".join(f"{number} ({p.name.lower()})" for number, p in self._phases.items())
        text = f"state {request.state.state} cannot be set; {known} can; the process ends with its start-up (Ctrl-C)"
        self._tell(response, Answer(Code.FEATURE_UNSUPPORTED, text))

    def step_simulation(self, request: Any, response: Any) -> None:
        """Physics steps while paused; answered when they are made."""
        if request.steps > _MOST_STEPS:
            text = (
                f"{request.steps} steps; a call may ask for {_MOST_STEPS}: use the action {ACTION[0]}, or several calls"
            )
            self._tell(response, Answer(Code.OPERATION_FAILED, text))
            return
        done: Future[Answer] = Future()
        stepping = Stepping(request.steps, lambda made, left: not self._closing.is_set(), done.set_result)
        answer = self._physics(lambda: self._control.begin(stepping))
        self._tell(response, done.result() if answer.code is Code.OK else answer)

    def _simulate_steps(self, handle: Any) -> None:
        """Begin the action; its feedback and its end come from the thread of the physics."""

        def on_step(made: int, left: int) -> bool:
            handle.publish_feedback(self._steps_type.Feedback(completed_steps=made, remaining_steps=left))
            return not handle.is_cancel_requested and not self._closing.is_set()

        def on_end(answer: Answer) -> None:
            result = self._steps_type.Result()
            self._tell(result, answer)
            failed = CANCELED if handle.is_cancel_requested else ABORTED
            self._action.conclude(handle, SUCCEEDED if answer.code is Code.OK else failed, result)

        try:
            answer = self._physics(lambda: self._control.begin(Stepping(handle.request.steps, on_step, on_end)))
        except TimedOutError:
            answer = _NO_ANSWER
        if answer.code is not Code.OK:
            on_end(answer)

    def reset_simulation(self, request: Any, response: Any) -> None:
        """Time, state or both to the start."""
        kind, scope = type(request), request.scope
        if scope in (kind.SCOPE_DEFAULT, kind.SCOPE_ALL):
            scope = kind.SCOPE_TIME | kind.SCOPE_STATE
        if scope & ~(kind.SCOPE_TIME | kind.SCOPE_STATE):
            text = (
                f"scope {scope}; time ({kind.SCOPE_TIME}), state ({kind.SCOPE_STATE}), both or all; nothing is spawned"
            )
            self._tell(response, Answer(Code.FEATURE_UNSUPPORTED, text))
            return
        time, state = bool(scope & kind.SCOPE_TIME), bool(scope & kind.SCOPE_STATE)
        self._tell(response, self._physics(lambda: self._control.reset(time=time, state=state)))
