"""Messages between processes go through sockets, not through shared memory.

Fast DDS moves messages on one machine through shared memory unless told otherwise. There a process that comes or is
killed can hold up every other that publishes: a third of a second per port that is checked (Fast DDS issue 6535), and
a robot does not walk on for so long without plans. With sockets nobody waits for somebody else's process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

PROFILE = Path(__file__).with_name("this_machine.xml")
"""Fast DDS's settings for sockets that reach this machine only."""
PROFILES = "FASTRTPS_DEFAULT_PROFILES_FILE"
_BUILTIN = "FASTDDS_BUILTIN_TRANSPORTS"
_RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
_LOCALHOST_ONLY = "ROS_LOCALHOST_ONLY"


def use_sockets(environment: MutableMapping[str, str] | None = None) -> None:
    """Choose Fast DDS's transports before the first node of a process is made; who is found stays as it is set.

    A profile or transports that the operator has chosen, static peers and other middlewares are left alone.

    Args:
        environment: Is changed; this process's if None.
    """
    env = os.environ if environment is None else environment
    if "fastrtps" not in env.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"):
        return
    ours = env.get(PROFILES) == str(PROFILE)
    if (env.get(PROFILES) and not ours) or env.get(_BUILTIN, "UDPv4") != "UDPv4":
        return
    if stays_on_this_machine(env):
        if not env.get("ROS_STATIC_PEERS") and env.get(_RANGE, "").upper() != "OFF":
            env.update({PROFILES: str(PROFILE), _RANGE: "SYSTEM_DEFAULT"})
            env.pop(_LOCALHOST_ONLY, None)
        return
    if ours:
        del env[PROFILES]
    env[_BUILTIN] = "UDPv4"


def stays_on_this_machine(environment: Mapping[str, str]) -> bool:
    """Whether nodes with this environment find no other machine; without a word they look on the whole network."""
    if environment.get(_LOCALHOST_ONLY, "0") == "1":
        return True
    reach = environment.get(_RANGE, "SUBNET").upper()
    return reach in ("LOCALHOST", "OFF") or (reach == "SYSTEM_DEFAULT" and environment.get(PROFILES) == str(PROFILE))
