"""Action goals that are advanced from elsewhere: no thread and no coroutine waits for their end.

rclpy's events executor runs a waiting coroutine over and over again; a goal here is only a handle until its conclusion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node

from .lockstep import LockstepMember

SUCCEEDED, ABORTED, CANCELED = "succeed", "abort", "canceled"
"""How a goal can end: the handle's transitions."""


class DeferredActionServer(ActionServer):
    """Hands accepted goals over and keeps them open until :meth:`conclude`."""

    def __init__(
        self,
        node: Node,
        action_type: Any,
        name: str,
        accepted: Callable[[ServerGoalHandle], None],
        serving: Callable[[], bool],
    ):
        """
        Args:
            node: Owner.
            action_type: Generated action.
            name: Relative name.
            accepted: Takes each new goal. An action can refuse without a reason only, so goals that make no sense are
                accepted and aborted with one.
            serving: Whether goals are taken at all now.
        """
        self._lockstep: LockstepMember | None = getattr(node, "lockstep", None)
        super().__init__(
            node,
            action_type,
            name,
            execute_callback=lambda handle: action_type.Result(),
            goal_callback=lambda goal: GoalResponse.ACCEPT if serving() else GoalResponse.REJECT,
            handle_accepted_callback=lambda handle: self._begin(handle, accepted),
            cancel_callback=lambda handle: CancelResponse.ACCEPT,
        )

    def _begin(self, handle: ServerGoalHandle, accepted: Callable[[ServerGoalHandle], None]) -> None:
        handle.execute()  # the client sees EXECUTING
        accepted(handle)

    def notify_execute(self, goal_handle: ServerGoalHandle, execute_callback: Any) -> None:
        """rclpy's hook: nothing is executed before the conclusion."""
        if execute_callback is not None:
            super().notify_execute(goal_handle, execute_callback)

    def conclude(self, handle: ServerGoalHandle, end: str, result: Any) -> None:
        """End a goal with ``SUCCEEDED``, ``ABORTED`` or ``CANCELED`` and its result."""

        def finish(goal: ServerGoalHandle) -> Any:
            getattr(goal, end)()
            return result

        self.notify_execute(handle, finish)
        if self._lockstep is not None:
            self._lockstep.note_result()
