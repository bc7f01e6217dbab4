"""The machine's network interfaces, and whether one can carry the robot's messages."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from ..core.errors import ConfigError


@dataclass(frozen=True)
class Interface:
    """One network interface as the kernel sees it now."""

    up: bool
    """Switched on, and its cable (or radio) connected."""
    addresses: tuple[str, ...]
    """IPv4."""

    @property
    def text(self) -> str:
        """For a list of them."""
        return ", ".join(("up" if self.up else "down", *self.addresses))


def interfaces() -> dict[str, Interface]:
    """All interfaces of this machine by name."""
    states, addresses = psutil.net_if_stats(), psutil.net_if_addrs()
    return {
        name: Interface(
            state.isup, tuple(a.address for a in addresses.get(name, ()) if a.family is socket.AddressFamily.AF_INET)
        )
        for name, state in sorted(states.items())
    }


def check_interface(name: str, known: Mapping[str, Interface] | None = None) -> None:
    """Refuse an interface over which nothing can be said to the robot.

    Args:
        name: What the operator gave.
        known: The interfaces there are; asked of the kernel if None.

    Raises:
        ConfigError: None was given, there is no such interface, it is down or has no IPv4 address.
    """
    known = interfaces() if known is None else known
    there = "; ".join(f"{other} ({interface.text})" for other, interface in known.items()) or "none"
    if not name:
        raise ConfigError(
            f"network_interface is empty; name the one that the robot is connected to. There are: {there}"
        )
    interface = known.get(name)
    if interface is None:
        raise ConfigError(f"network_interface '{name}' does not exist. There are: {there}")
    if not interface.up:
        raise ConfigError(
            f"network_interface '{name}' is down: plug the cable in, or: sudo ip link set {name} up. There are: {there}"
        )
    if not interface.addresses:
        raise ConfigError(
            f"network_interface '{name}' has no IPv4 address; the robot's network is 192.168.123.0/24, so for example: "
            f"sudo ip address add 192.168.123.222/24 dev {name}. There are: {there}"
        )
