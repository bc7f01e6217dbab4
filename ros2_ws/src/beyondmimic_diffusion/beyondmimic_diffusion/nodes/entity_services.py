"""The part of ``simulation_interfaces`` that is about entities: messages in, :class:`Entities` asked, messages out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.guidance.sdf import Sphere
from ..ros.conversions import assign_pose, assign_vector, quat_from_msg, time_to_msg, vector_from_msg
from ..sim.entities import Category, Entities, EntityState
from ..sim.simulation_control import Answer, Code

WORLD = "world"
"""Frame that an empty one stands for."""


class EntityServices:
    """Handlers, named as their services."""

    def __init__(
        self,
        msg: Any,
        entities: Entities,
        physics: Callable[[Callable[[], Any]], Any],
        tell: Callable[[Any, Answer], None],
        why_not_move: Callable[[], str],
        frame_id: str,
    ):
        """
        Args:
            msg: The package's messages.
            entities: What is in the simulation.
            physics: Calls something on the thread of the physics and gives back what it gave back.
            tell: Writes an answer into a response.
            why_not_move: Why nobody may put the robot elsewhere now; empty if anybody may.
            frame_id: Frame of the ground truth: another name of the world.
        """
        self._msg, self._entities = msg, entities
        self._physics, self._tell, self._why_not_move = physics, tell, why_not_move
        self._frames = ("", WORLD, frame_id)
        self._categories = {getattr(msg.EntityCategory, f"CATEGORY_{c.name}"): c for c in Category}

    def get_entities(self, request: Any, response: Any) -> None:
        """Names."""
        found = self._find(request.filters)
        if isinstance(found, Answer):
            self._tell(response, found)
            return
        response.entities = found
        self._tell(response, Answer(Code.OK))

    def get_entities_states(self, request: Any, response: Any) -> None:
        """Names and states."""
        found = self._find(request.filters)
        if isinstance(found, Answer):
            self._tell(response, found)
            return
        states = self._physics(lambda: [self._entities.state(name) for name in found])
        response.entities = found
        response.states = [self._state_msg(state) for state in states if state is not None]
        self._tell(response, Answer(Code.OK))

    def _find(self, filters: Any) -> list[str] | Answer:
        if filters.tags.tags:
            return Answer(Code.FEATURE_UNSUPPORTED, "entities have no tags here; filter by name, category or sphere")
        sphere = self._sphere(filters.bounds)
        if isinstance(sphere, Answer):
            return sphere
        wanted = {self._categories[c.category] for c in filters.categories if c.category in self._categories}
        categories = wanted if filters.categories else None
        return self._physics(lambda: self._entities.find(filters.filter, categories, sphere))

    def _sphere(self, bounds: Any) -> Sphere | Answer | None:
        kind = self._msg.Bounds
        if bounds.type == kind.TYPE_EMPTY:
            return None
        if bounds.type != kind.TYPE_SPHERE:
            return Answer(
                Code.FEATURE_UNSUPPORTED, f"bounds of type {bounds.type}; {kind.TYPE_SPHERE} (sphere) is known"
            )
        values = np.array([vector_from_msg(point) for point in bounds.points]).reshape(-1, 3)
        if len(values) != 2 or not np.isfinite(values[0]).all() or not 0.0 < values[1, 0] < np.inf:
            text = f"sphere {values.tolist()}; it has two points: its centre, and its radius above 0 as the second's x"
            return Answer(Code.OPERATION_FAILED, text)
        return Sphere(values[0], float(values[1, 0]))

    def get_entity_info(self, request: Any, response: Any) -> None:
        """Category of one."""
        category = self._entities.category(request.entity)
        if category is None:
            self._tell(response, self._entities.unknown(request.entity))
            return
        response.info.category.category = getattr(self._msg.EntityCategory, f"CATEGORY_{category.name}")
        response.info.description = category.value
        self._tell(response, Answer(Code.OK))

    def get_entity_state(self, request: Any, response: Any) -> None:
        """State of one, in the world."""
        state = self._physics(lambda: self._entities.state(request.entity))
        if state is None:
            self._tell(response, self._entities.unknown(request.entity))
            return
        response.state = self._state_msg(state)
        self._tell(response, Answer(Code.OK))

    def set_entity_state(self, request: Any, response: Any) -> None:
        """Put the robot elsewhere. Before 2.1 the request has no flags: pose and twist are both set."""
        frame = request.state.header.frame_id
        if frame not in self._frames:
            text = f"frame '{frame}' is unknown to the simulator; {', '.join(self._frames[1:])} or none are known"
            self._tell(response, Answer(Code.NOT_FOUND, text))
            return
        if getattr(request, "set_acceleration", False):
            text = "an acceleration follows from forces and cannot be set; leave set_acceleration out"
            self._tell(response, Answer(Code.FEATURE_UNSUPPORTED, text))
            return
        name, told = request.entity, request.state
        pose = (vector_from_msg(told.pose.position), quat_from_msg(told.pose.orientation))
        twist = (vector_from_msg(told.twist.linear), vector_from_msg(told.twist.angular))
        chosen = (
            pose if getattr(request, "set_pose", True) else None,
            twist if getattr(request, "set_twist", True) else None,
        )

        def place() -> Answer:
            reason = self._why_not_move() if self._entities.category(name) is Category.ROBOT else ""
            return Answer(Code.OPERATION_FAILED, reason) if reason else self._entities.place(name, *chosen)

        self._tell(response, self._physics(place))

    def _state_msg(self, state: EntityState) -> Any:
        message = self._msg.EntityState()
        message.header.frame_id = WORLD
        message.header.stamp = time_to_msg(state.stamp)
        assign_pose(message.pose, state.position, state.quat)
        assign_vector(message.twist.linear, state.linear)
        assign_vector(message.twist.angular, state.angular)
        return message
