"""What this machine's settings must be before anything is started: who could hear us, and whom we could reach."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .arguments import BringupArguments
from .core.errors import ConfigError
from .graph import ENCLAVES, make_graph
from .ros.transport import stays_on_this_machine

_INTERFACES = Path("/sys/class/net")


def check_machine(arguments: BringupArguments, environment: Mapping[str, str], interfaces: Path = _INTERFACES) -> None:
    """Refuse to start where a simulation could reach a robot, or a robot could not be reached.

    Args:
        arguments: What is to be started.
        environment: Of the processes.
        interfaces: Folder with one entry per network interface, as Linux has it.

    Raises:
        ConfigError: The text says what to change.
    """
    _check_ros(arguments, environment)
    _check_keystore(arguments)
    if not arguments.unitree:
        return
    rmw = environment.get("RMW_IMPLEMENTATION", "")
    if "cyclonedds" in rmw:
        raise ConfigError(
            f"bringup: RMW_IMPLEMENTATION={rmw} would load a second CycloneDDS into the processes that speak to the "
            "robot; unset it, or set it to rmw_fastrtps_cpp"
        )
    if arguments.real:
        _check_interface(arguments.interface, interfaces)


def operator_notes(arguments: BringupArguments) -> tuple[str, ...]:
    """What somebody beside a real robot must have read once it starts; nothing in simulation."""
    if not arguments.real:
        return ()
    notes = ["A REAL ROBOT: let it hang in a gantry. L2 + B on its own remote damps it, whatever this computer does."]
    if arguments.dry:
        notes.append(
            "Dry run: commands go to rt/lowcmd_dryrun, which no motor hears; the robot's own controller keeps it. "
            "dry_run:=false for the motors."
        )
    else:
        notes.append(
            "Commands go to the motors once you call executor/take_motors (its own controller lets go: limp); it "
            "moves once you call executor/arm. docs/robot.md has every step."
        )
    if not arguments.starts_by_itself:
        notes.append(
            "autostart is false: configure and activate state_estimator, diffusion_planner and guidance_task_server."
        )
    return tuple(notes)


def _check_ros(arguments: BringupArguments, environment: Mapping[str, str]) -> None:
    domain = environment.get("ROS_DOMAIN_ID", "0").strip() or "0"
    if not domain.isdigit():
        raise ConfigError(f"bringup: ROS_DOMAIN_ID={domain} is not a number; set it to e.g. 42")
    if arguments.unitree and int(domain) == arguments.domain:
        raise ConfigError(
            f"bringup: ROS_DOMAIN_ID={domain} is the domain of the robot's own DDS: our topics have no business there, "
            "and there are too few ports for both; unset it (42), or set another"
        )
    if not arguments.real and int(domain) == 0 and not stays_on_this_machine(environment):
        raise ConfigError(
            "bringup: ROS_DOMAIN_ID=0 on an open network is where a Unitree robot listens, and this is a simulation; "
            "unset ROS_DOMAIN_ID (42), or set ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST"
        )


def _check_keystore(arguments: BringupArguments) -> None:
    if not arguments.keystore:
        return
    folder = Path(arguments.keystore).expanduser() / "enclaves" / ENCLAVES.strip("/")
    missing = [spec.name for spec in make_graph(arguments) if not (folder / spec.name / "key.pem").is_file()]
    if missing:
        raise ConfigError(
            f"bringup: keystore:={arguments.keystore} holds no key of {', '.join(missing)} in {folder}; make them with "
            "`ros2 security generate_artifacts`, as docs/security.md says"
        )


def _check_interface(name: str, interfaces: Path) -> None:
    entry = interfaces / name
    if not entry.exists():
        known = ", ".join(sorted(path.name for path in interfaces.iterdir() if path.name != "lo")) or "none but lo"
        raise ConfigError(f"bringup: there is no network interface '{name}'; this machine has {known}")
    state = (entry / "operstate").read_text().strip()
    if state == "down":
        raise ConfigError(
            f"bringup: network interface '{name}' is down; plug in the robot's cable and give this machine an address "
            f"in its network, e.g. `sudo ip address add 192.168.123.222/24 dev {name} && sudo ip link set {name} up`"
        )
