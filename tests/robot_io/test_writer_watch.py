"""Who counts as a second writer, look by look."""

import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")
pytest.importorskip("beyondmimic_msgs.msg", reason="beyondmimic_msgs is not built")

from beyondmimic_diffusion.robot_io import WriterWatch  # noqa: E402

pytestmark = pytest.mark.ros
NAMELESS = "/_NODE_NAMESPACE_UNKNOWN_/_NODE_NAME_UNKNOWN_"


def test_a_named_stranger_counts_at_the_second_look_in_a_row_and_no_longer_once_it_is_gone():
    watch = WriterWatch()
    assert watch.look(["/other"]) == []
    assert watch.look(["/other"]) == ["/other"]
    assert watch.look([]) == []
    assert watch.look(["/other"]) == []


def test_a_publisher_whose_node_is_not_known_yet_is_given_five_seconds_of_looks_to_be_named():
    watch = WriterWatch()
    looks = [watch.look([NAMELESS]) for _ in range(30)]
    assert looks.index([NAMELESS]) == 24
    assert all(looks[24:])
