"""What set-up compiles of the messages is enough for rclpy, and a generator gets what another one has parsed."""

import importlib
from pathlib import Path

import pytest

from scripts.environment.generate import remembering

PACKAGE = Path(__file__).resolve().parents[2] / "ros2_ws" / "src" / "beyondmimic_msgs"


def types_of(kind: str) -> list:
    module = importlib.import_module(f"beyondmimic_msgs.{kind}")
    return [getattr(module, path.stem) for path in sorted((PACKAGE / kind).iterdir())]


@pytest.mark.ros
def test_each_message_service_and_action_can_be_sent_and_heard():
    """The middleware wants more of a type than serialisation does, and says so only when a topic is made."""
    import rclpy
    from rclpy.action import ActionClient

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("types", context=context)
    for message in types_of("msg"):
        node.create_publisher(message, message.__name__, 1)
        node.create_subscription(message, message.__name__, lambda message: None, 1)
    for service in types_of("srv"):
        node.create_client(service, service.__name__)
        node.create_service(service, service.__name__, lambda request, response: response)
    actions = [ActionClient(node, action, action.__name__) for action in types_of("action")]
    made = len(list(node.publishers)) + len(list(node.clients)) + len(actions)
    assert made >= sum(1 for kind in ("msg", "srv", "action") for _ in (PACKAGE / kind).iterdir())
    for action in actions:
        action.destroy()
    node.destroy_node()
    context.try_shutdown()


def test_an_interface_is_parsed_once_and_given_back_equal(tmp_path):
    asked = []

    def parse(text):
        asked.append(text)
        return {"members": text.split()}

    first, second = remembering(parse, tmp_path), remembering(parse, tmp_path)  # two generators, one folder
    assert first("float64 x") == second("float64 x") == {"members": ["float64", "x"]}
    assert second("float64 y") == {"members": ["float64", "y"]}
    assert asked == ["float64 x", "float64 y"]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ""]  # no drafts are left


def test_a_file_that_could_not_be_parsed_leaves_nothing_behind(tmp_path):
    def parse(text):
        raise ValueError(text)

    with pytest.raises(ValueError, match="not an interface"):
        remembering(parse, tmp_path)("not an interface")
    assert list(tmp_path.iterdir()) == []
