"""Which transports of the middleware a process chooses, by its environment."""

import xml.etree.ElementTree as ET

import pytest
from beyondmimic_diffusion.ros.transport import PROFILE, PROFILES, stays_on_this_machine, use_sockets

RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
LOOPBACK = {PROFILES: str(PROFILE), RANGE: "SYSTEM_DEFAULT"}
FAST_DDS = {"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}
SOCKETS = {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({RANGE: "LOCALHOST"}, LOOPBACK),
        ({RANGE: "localhost"} | FAST_DDS, LOOPBACK | FAST_DDS),
        ({"ROS_LOCALHOST_ONLY": "1"}, LOOPBACK),
        (LOOPBACK, LOOPBACK),
        (LOOPBACK | {RANGE: "LOCALHOST"}, LOOPBACK),
        (LOOPBACK | {RANGE: "SUBNET"}, SOCKETS | {RANGE: "SUBNET"}),
        ({}, SOCKETS),
        ({RANGE: "SUBNET"}, SOCKETS | {RANGE: "SUBNET"}),
    ],
    ids=str,
)  # fmt: skip
def test_sockets_are_chosen_and_who_is_found_stays(given, chosen):
    environment = dict(given)
    use_sockets(environment)
    assert environment == chosen
    assert stays_on_this_machine(environment) == stays_on_this_machine(given)


@pytest.mark.parametrize(
    "given",
    [
        {RANGE: "LOCALHOST", PROFILES: "/home/me/own.xml"},
        {RANGE: "LOCALHOST", "FASTDDS_BUILTIN_TRANSPORTS": "SHM"},
        {RANGE: "LOCALHOST", "RMW_IMPLEMENTATION": "rmw_zenoh_cpp"},
        {RANGE: "LOCALHOST", "ROS_STATIC_PEERS": "10.0.0.7"},
        {RANGE: "OFF"},
    ],
    ids=str,
)
def test_what_an_operator_has_chosen_is_left_alone(given):
    environment = dict(given)
    use_sockets(environment)
    assert environment == given


def test_the_profile_opens_the_loopback_interface_alone():
    words = [(element.tag.rpartition("}")[2], (element.text or "").strip()) for element in ET.parse(PROFILE).iter()]
    assert [text for tag, text in words if tag == "address"] == ["127.0.0.1", "127.0.0.1"]
    assert [text for tag, text in words if tag == "type"] == ["UDPv4"]
    assert ("useBuiltinTransports", "false") in words
    assert ("TTL", "0") in words
