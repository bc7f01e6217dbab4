"""Which CycloneDDS may meet a robot, and over which network interface."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

pytest.importorskip("rclpy", reason="robot_io speaks ROS 2")

from beyondmimic_diffusion.core.errors import ConfigError  # noqa: E402
from beyondmimic_diffusion.robot_io.cyclonedds_library import DdsError, check_cyclonedds  # noqa: E402
from beyondmimic_diffusion.robot_io.network_interface import Interface, check_interface, interfaces  # noqa: E402

KNOWN = {
    "lo": Interface(True, ("127.0.0.1",)),
    "eth0": Interface(True, ("192.168.123.222", "10.0.0.7")),
    "eth1": Interface(False, ("192.168.1.4",)),
    "wlan0": Interface(True, ()),
}


@pytest.mark.parametrize("version", ["11.0.1", "11.2.0"])
def test_cyclonedds_11_is_refused_by_name_because_it_crashes_the_robot(version):
    with pytest.raises(DdsError, match=rf"cyclonedds {version} is installed: its discovery crashes every") as refusal:
        check_cyclonedds(version)
    assert "pip uninstall cyclonedds" in str(refusal.value)


@pytest.mark.parametrize("version", ["0.9.1", "1.0", "0.11.0"])
def test_another_series_is_refused_with_the_robots(version):
    with pytest.raises(DdsError, match=rf"cyclonedds {version} is installed, the robot speaks 0\.10\.x"):
        check_cyclonedds(version)


def test_missing_packages_are_named_with_what_installs_them(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "unitree_sdk2py" else found(name))
    with pytest.raises(DdsError, match=r"unitree_sdk2py is not installed; .*scripts\.environment unitree"):
        check_cyclonedds("0.10.2")

    def nothing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", nothing)
    with pytest.raises(DdsError, match=r"cyclonedds is not installed; .*scripts\.environment unitree"):
        check_cyclonedds()


def test_an_interface_that_is_up_and_has_an_address_is_taken():
    check_interface("eth0", KNOWN)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "network_interface is empty; name the one that the robot is connected to"),
        ("enp3s0", "network_interface 'enp3s0' does not exist"),
        ("eth1", "network_interface 'eth1' is down: plug the cable in, or: sudo ip link set eth1 up"),
        ("wlan0", "network_interface 'wlan0' has no IPv4 address; .* sudo ip address add .* dev wlan0"),
    ],
)
def test_an_unusable_interface_is_refused_with_those_there_are(name, sentence):
    with pytest.raises(ConfigError, match=sentence) as refusal:
        check_interface(name, KNOWN)
    assert "eth0 (up, 192.168.123.222, 10.0.0.7)" in str(refusal.value)
    assert "eth1 (down, 192.168.1.4)" in str(refusal.value)


def test_this_machines_own_loopback_is_among_its_interfaces():
    assert "127.0.0.1" in interfaces()["lo"].addresses
    check_interface("lo")
