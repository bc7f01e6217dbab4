"""A second node in the same process, served on a thread of its own: for requests that take long to answer.

While the owner's own callbacks wait for nothing, a request here may load files and run the network. rclpy's events
executor cannot answer a service later, and it must not be kept waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node


class SideNode:
    """Owns the node and its thread. Its services have the owner's namespace."""

    def __init__(self, owner: Node, suffix: str):
        """
        Args:
            owner: The node beside it.
            suffix: Of its name: ``<owner>_<suffix>``.
        """
        self.node = rclpy.create_node(
            f"{owner.get_name()}_{suffix}",
            context=owner.context,
            namespace=owner.get_namespace(),
            use_global_arguments=False,  # a start-up's `__node:=` would give both nodes one name
            start_parameter_services=False,
        )
        self._ros_executor = SingleThreadedExecutor(context=owner.context)
        self._ros_executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=suffix, daemon=True)

    def serve(self, service_type: Any, name: str, callback: Callable[[Any, Any], Any]) -> None:
        """Add a service; call :meth:`start` after the last."""
        self.node.create_service(service_type, name, callback)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Finish the request at hand, then go."""
        self._ros_executor.shutdown()
        if self._thread.is_alive():
            self._thread.join()
        self.node.destroy_node()

    def _spin(self) -> None:
        try:
            self._ros_executor.spin()
        except ExternalShutdownException:
            return
