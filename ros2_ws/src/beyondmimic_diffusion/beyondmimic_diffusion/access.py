"""Who may do what, for SROS 2: the policy of our nodes, read off the running stack.

    python -m beyondmimic_diffusion.access security/policy.xml

Start the stack first. The file is what ``ros2 security generate_artifacts`` makes a keystore of (docs/security.md):
each node may use the topics, services and actions it uses now, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.errors import ConfigError
from .graph import ENCLAVES, BringupArguments, make_graph

if TYPE_CHECKING:
    from rclpy.node import Node

OPERATOR = "operator"
"""Enclave and node name of the operator's tools: teleop, rqt, a recorder, ``ros2`` on the command line."""
OPERATORS_TOPICS = ("cmd_vel", "joy", "goal_pose", "initialpose", "e_stop_request", "sdf_scene", "map")
"""What they may publish; motor commands, sensors and plans are not among it."""
_DISCOVERY = 3.0
"""Time in which a new node hears of all others [s]."""
_ACTION = "/_action/"
_EVERYBODY = ("/clock", "/parameter_events", "/rosout")
"""Topics that rclpy itself uses in each node."""


@dataclass(frozen=True)
class NodeAccess:
    """Full names of what one node uses."""

    publish: frozenset[str]
    subscribe: frozenset[str]
    reply: frozenset[str]
    request: frozenset[str]

    def without_actions(self, names: Iterable[str]) -> list[str]:
        """Names that are no part of an action, sorted."""
        return sorted(name for name in names if _ACTION not in name)

    def actions(self, names: Iterable[str]) -> list[str]:
        """Actions that some names are parts of, sorted."""
        return sorted({name.partition(_ACTION)[0] for name in names if _ACTION in name})


def access_of(node: Node, name: str, namespace: str) -> NodeAccess:
    """What discovery knows of a node.

    Args:
        node: Who asks.
        name: Node name.
        namespace: Its namespace, e.g. "/".
    """
    asked = (
        node.get_publisher_names_and_types_by_node,
        node.get_subscriber_names_and_types_by_node,
        node.get_service_names_and_types_by_node,
        node.get_client_names_and_types_by_node,
    )
    return NodeAccess(*(frozenset(entry for entry, _ in ask(name, namespace)) for ask in asked))


def policy_xml(table: Mapping[str, Mapping[tuple[str, str], NodeAccess]]) -> str:
    """The SROS 2 policy.

    Args:
        table: Enclave's name -> (namespace, node name) -> what it uses. An enclave is a process; it may have several
            nodes.
    """
    root = ET.Element("policy", version="0.2.0")
    enclaves = ET.SubElement(root, "enclaves")
    for enclave_name, nodes in sorted(table.items()):
        enclave = ET.SubElement(enclaves, "enclave", path=f"{ENCLAVES}/{enclave_name}")
        profiles = ET.SubElement(enclave, "profiles")
        for (namespace, name), access in sorted(nodes.items(), key=lambda item: item[0]):
            _profile(profiles, namespace, name, access)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _profile(profiles: ET.Element, namespace: str, name: str, access: NodeAccess) -> None:
    profile = ET.SubElement(profiles, "profile", ns=namespace, node=name)
    _rows(profile, "action", "execute", access.actions(access.reply))
    _rows(profile, "action", "call", access.actions(access.request))
    _rows(profile, "service", "reply", access.without_actions(access.reply))
    _rows(profile, "service", "request", access.without_actions(access.request))
    _rows(profile, "topic", "publish", access.without_actions({*access.publish, *_EVERYBODY[1:]}))
    _rows(profile, "topic", "subscribe", access.without_actions({*access.subscribe, *_EVERYBODY[:2]}))


def operators_access(namespace: str, nodes: Iterable[NodeAccess]) -> NodeAccess:
    """What an operator's tools may do: send commands, ask for everything that nodes offer, hear everything they tell.

    Args:
        namespace: Of the stack, "/" or "/name".
        nodes: The stack's.
    """
    nodes = tuple(nodes)
    prefix = namespace.rstrip("/")
    return NodeAccess(
        publish=frozenset(f"{prefix}/{topic}" for topic in OPERATORS_TOPICS),
        subscribe=frozenset().union(*(node.publish for node in nodes)),
        reply=frozenset(),
        request=frozenset().union(*(node.reply for node in nodes)),
    )


def publishers(policy: Path, topic: str) -> set[str]:
    """Nodes that a policy allows to publish a topic."""
    root = ET.parse(policy).getroot()
    return {
        profile.attrib["node"]
        for profile in root.iter("profile")
        for topics in profile.findall("topics[@publish='ALLOW']")
        if any(entry.text == topic for entry in topics)
    }


def _rows(profile: ET.Element, kind: str, right: str, names: Sequence[str]) -> None:
    if names:
        group = ET.SubElement(profile, f"{kind}s", {right: "ALLOW"})
        for name in names:
            ET.SubElement(group, kind).text = name


def main(words: Sequence[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m beyondmimic_diffusion.access")
    parser.add_argument("file", type=Path)
    parser.add_argument("--namespace", default="/", help="of the stack (default: %(default)s)")
    arguments = parser.parse_args(words)
    import rclpy

    rclpy.init()
    listener: Any = rclpy.create_node("access", start_parameter_services=False, enable_rosout=False)
    try:
        time.sleep(_DISCOVERY)
        known = {
            name for name, namespace in listener.get_node_names_and_namespaces() if namespace == arguments.namespace
        }
        wanted = [spec.name for spec in make_graph(BringupArguments())]
        missing = sorted(set(wanted) - known)
        if missing:
            raise ConfigError(f"access: {', '.join(missing)} not heard in {arguments.namespace}; start the stack first")
        table = {
            name: {
                (arguments.namespace, own): access_of(listener, own, arguments.namespace)
                for own in known
                if own == name or own.startswith(f"{name}_")  # a second node of the same process
            }
            for name in wanted
        }
        everybody = [access for nodes in table.values() for access in nodes.values()]
        table[OPERATOR] = {(arguments.namespace, OPERATOR): operators_access(arguments.namespace, everybody)}
        arguments.file.parent.mkdir(parents=True, exist_ok=True)
        arguments.file.write_text(policy_xml(table), encoding="utf-8")
    except ConfigError as error:
        sys.exit(str(error))
    finally:
        listener.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
