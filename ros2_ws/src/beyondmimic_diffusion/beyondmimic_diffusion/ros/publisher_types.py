"""Publishers of another type than a topic is read as: they match nothing, and ROS says nothing."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node


def type_name(message_type: Any) -> str:
    """As the graph names it, e.g. ``geometry_msgs/msg/Twist``."""
    package, kind, *_ = message_type.__module__.split(".")
    return f"{package}/{kind}/{message_type.__name__}"


def other_types(node: Node, topic: str, message_type: Any) -> dict[str, str]:
    """Types other than the expected one under which a topic is published, each with the name of one such node.

    Args:
        node: Whose graph is asked.
        topic: As the node would subscribe to it.
        message_type: What the node expects.
    """
    expected = type_name(message_type)
    found: dict[str, str] = {}
    for info in node.get_publishers_info_by_topic(node.resolve_topic_name(topic)):
        if info.topic_type != expected:
            found.setdefault(info.topic_type, f"{info.node_namespace.rstrip('/')}/{info.node_name}")
    return found


def wrong_type(node: Node, topic: str, message_type: Any, remedy: str = "publish the expected type") -> str:
    """A sentence about a publisher whose messages nobody hears; empty if there is none."""
    for kind, name in other_types(node, topic, message_type).items():
        return (
            f"{topic} is published as {kind} by {name}, {type_name(message_type)} is expected: "
            f"its messages are not heard; {remedy}"
        )
    return ""
