"""The arguments of ``bringup``, written ``name:=value``, and which of them go together. No ROS, nothing is started."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .core.errors import ConfigError
from .core.parameters import describe, from_mapping, param, validate

SIMS = ("mujoco", "isaac", "unitree_mujoco", "real")
DEFAULT_POLICY = "policies/walk"
"""Shipped with the repository."""
ALIASES = {
    **{"hardware_type": "sim", "policy_path": "policy", "engine_path": "policy"},
    **{"use_rviz": "rviz", "use_foxglove": "foxglove"},
}
"""Names under which users of other stacks know our arguments."""
SIM_ALIASES = {"isaacsim": "isaac"}
MANIFEST = "manifest.json"
"""File of a policy's folder that says what it is."""
_TRISTATE = ("auto", "true", "false")
LOCKSTEP = "BEYONDMIMIC_LOCKSTEP"
"""Environment variable that puts all nodes into lockstep, before they import anything that keeps time."""
DISCOVERY = "ROS_AUTOMATIC_DISCOVERY_RANGE"
"""Environment variable that says how far nodes look for others."""
_ALMOST = 0.8
"""How alike a name must be to ours to be taken for a slip (0: not at all, 1: the same)."""
_CAREFUL_BLEND = 3.0
"""Time to the stand pose of a real robot [s]."""
_SLOWEST, _FASTEST = 0.05, 20.0
"""Real-time factors that the simulator allows."""
_ROBOT_DOMAIN = 0
"""Where a G1's own computer speaks DDS."""
_SIMULATED_DOMAIN = 1
"""Where a simulated one does; unitree_mujoco's default, too."""


@dataclass(frozen=True)
class BringupArguments:
    """Everything that may be chosen at start-up."""

    sim: str = param("mujoco", choices=SIMS, doc="What the robot is.")
    namespace: str = param("", doc="Put before all names of nodes and topics.")
    use_sim_time: str = param("auto", choices=_TRISTATE, doc="Take time from /clock; auto: where there is one.")
    policy: str = param("", doc="Folder of the policy; empty: the shipped one, but on a real robot.")
    engine_manifest: str = param("", doc="The policy's manifest.json, for those who name it; empty: the folder's.")
    params_file: str = param("", doc="A parameter file that is read after the package's own.")
    autostart: str = param(
        "auto", choices=_TRISTATE, doc="Configure and activate the managed nodes; auto: not on a real robot."
    )
    use_respawn: bool = param(
        False, doc="Start a managed node again that has ended; never the executor, its supervisor or the simulator."
    )
    scene: str = param("", doc="YAML file with the simulator's obstacles, e.g. in config/scenes; empty: a bare floor.")
    root_source: str = param(
        "auto",
        choices=("auto", "truth", "proprioception"),
        doc="Root of robot_state; auto: the simulator's truth if it has topics, else the robot's own sensors.",
    )
    network_interface: str = param(
        "", doc="Network interface of Unitree's DDS, e.g. eth0; required on a real robot, 'lo' on a simulated one."
    )
    unitree_domain: int = param(
        -1, lo=-1, hi=232, doc="Domain of Unitree's DDS; -1: 0 on a real robot, 1 on a simulated one."
    )
    dry_run: str = param(
        "auto", choices=_TRISTATE, doc="Command a topic that no motor listens to; auto: on a real robot."
    )
    discovery: str = param(
        "auto",
        choices=("auto", "machine", "subnet"),
        doc="Who may find these nodes: this machine, or its whole network; auto: the environment's, else this machine.",
    )
    keystore: str = param("", doc="Folder of an SROS 2 keystore with our enclaves; empty: nobody is authenticated.")
    log_level: str = param("info", choices=("debug", "info", "warn", "error", "fatal"), doc="Of all nodes.")
    real_time_factor: str = param(
        "auto",
        doc="Simulated seconds per second (0.05 to 20); auto: 1, or as much less as plans need to come in time.",
    )
    lockstep: bool = param(
        False, doc="Simulated time waits for each node in each step: same seed, same run; with sim:=mujoco only."
    )
    headless: bool = param(True, doc="No window.")
    supervisor: bool = param(True, doc="Start the process that damps the robot if the executor stops.")
    start_posture: str = param(
        "stand",
        choices=("stand",),
        doc="Where arming leads: the policy's own stand pose, from which it has learnt to walk.",
    )
    blend_time: str = param(
        "auto",
        doc="Time [s] from the measured pose to the stand pose after arming; auto: 3 on a real robot, else the files'.",
    )
    rviz: bool = param(False, doc="Show rviz; with ros2 launch only.")
    foxglove: bool = param(False, doc="Serve Foxglove; with ros2 launch only.")
    record: str = param(
        "auto", choices=_TRISTATE, doc="Record a bag; with ros2 launch only; auto: of a real robot, there."
    )
    joy: bool = param(False, doc="Start the joystick's driver; with ros2 launch only.")
    joy_dev: int = param(0, lo=0, hi=15, doc="Number of the joystick.")
    joy_config: str = param(
        "auto", doc="Which button does what: a name in config/joy, or a parameter file; auto: by what is heard."
    )

    def __post_init__(self) -> None:
        validate(self)
        if self.blend_time != "auto" and not 0.02 <= _number("blend_time", self.blend_time) <= 20.0:
            raise ConfigError(
                f"bringup: blend_time:={self.blend_time} is not allowed; allowed: 0.02 .. 20.0 s, or auto"
            )

    @property
    def policy_folder(self) -> str:
        """Of ``policy``, else that of ``engine_manifest``; empty: not given."""
        return self.policy or (str(Path(self.engine_manifest).parent) if self.engine_manifest else "")

    @property
    def environment(self) -> dict[str, str]:
        """Variables that these arguments set for all nodes."""
        variables = {}
        if self.discovery != "auto":
            variables[DISCOVERY] = "LOCALHOST" if self.discovery == "machine" else "SUBNET"
        if self.keystore:
            variables |= {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"}
            variables["ROS_SECURITY_KEYSTORE"] = str(Path(self.keystore).expanduser().resolve())
        if self.lockstep:
            variables[LOCKSTEP] = "1"
        return variables

    @property
    def unitree(self) -> bool:
        """Whether motors and sensors are behind Unitree's DDS topics."""
        return self.sim in ("unitree_mujoco", "real")

    @property
    def real(self) -> bool:
        """Whether somebody may be hurt."""
        return self.sim == "real"

    @property
    def sim_time(self) -> bool:
        """Whether all nodes take time from ``/clock``."""
        return not self.unitree if self.use_sim_time == "auto" else self.use_sim_time == "true"

    @property
    def pacing(self) -> dict[str, float | str]:
        """Parameters of the simulator that say how fast its time runs; none: as the parameter files say."""
        if self.lockstep:
            return {"pacing": "lockstep"}
        if self.real_time_factor == "auto":
            return {}
        return {"pacing": "fixed", "real_time_factor": float(self.real_time_factor)}

    @property
    def starts_by_itself(self) -> bool:
        """Whether managed nodes configure and activate themselves."""
        return not self.real if self.autostart == "auto" else self.autostart == "true"

    @property
    def dry(self) -> bool:
        """Whether commands go where no motor listens."""
        return self.real if self.dry_run == "auto" else self.dry_run == "true"

    @property
    def blend(self) -> float | None:
        """Time from the measured to the stand pose [s]; None: as the parameter files say."""
        if self.blend_time == "auto":
            return _CAREFUL_BLEND if self.real else None
        return _number("blend_time", self.blend_time)

    @property
    def records(self) -> bool:
        """Whether a bag is recorded where that is possible."""
        return self.real if self.record == "auto" else self.record == "true"

    @property
    def root(self) -> str:
        """``truth`` or ``proprioception``."""
        if self.root_source == "auto":
            return "proprioception" if self.unitree else "truth"
        return self.root_source

    @property
    def interface(self) -> str:
        """Network interface of Unitree's DDS; a simulated robot is nowhere but on this machine."""
        return self.network_interface or ("lo" if self.sim == "unitree_mujoco" else "")

    @property
    def domain(self) -> int:
        """Domain of Unitree's DDS."""
        if self.unitree_domain >= 0:
            return self.unitree_domain
        return _ROBOT_DOMAIN if self.real else _SIMULATED_DOMAIN


def parse_arguments(words: Sequence[str]) -> BringupArguments:
    """``name:=value`` words to arguments.

    Raises:
        ConfigError: An unknown name, or a value that is not allowed.
    """
    specs = {spec.name: spec for spec in describe(BringupArguments)}
    values: dict[str, Any] = {}
    for word in words:
        name, separator, text = word.partition(":=")
        name = ALIASES.get(name, name)
        if not separator or name not in specs:
            known = sorted(specs)
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}:={text or '...'}'?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"bringup: '{word}' is not an argument; write name:=value; {hint}")
        values[name] = _read(name, text, specs[name].default)
    if "sim" in values:
        values["sim"] = SIM_ALIASES.get(values["sim"], values["sim"])
    return from_mapping(BringupArguments, values)


def arguments_from_launch(configurations: Mapping[str, str]) -> BringupArguments:
    """What ``ros2 launch`` was given; it takes any name without a word, and hands over those of an including file, too.

    Aliases count where the name itself was left at its default. Names that are almost ours are refused, others are not
    meant for us.

    Raises:
        ConfigError: A name close to one of ours, or a value that is not allowed.
    """
    specs = {spec.name: spec for spec in describe(BringupArguments)}
    words = [f"{name}:={configurations[name]}" for name in specs if name in configurations]
    for name, text in configurations.items():
        if name in specs:
            continue
        target = ALIASES.get(name)
        if target is not None:
            _refuse_contradiction(name, target, text, configurations, specs[target].default)
            words.append(f"{target}:={text}")
        elif difflib.get_close_matches(name, [*specs, *ALIASES], n=1, cutoff=_ALMOST):
            parse_arguments([f"{name}:={text}"])  # which refuses it, with the right name
    return parse_arguments(words)


def _refuse_contradiction(alias: str, name: str, text: str, configurations: Mapping[str, str], default: Any) -> None:
    given = configurations.get(name, "")
    untouched = given.lower() == str(default).lower()
    if not untouched and SIM_ALIASES.get(given, given) != SIM_ALIASES.get(text, text):
        raise ConfigError(f"bringup: {alias}:={text} is another name for {name}, which is {given}; give one of them")


def check_combination(arguments: BringupArguments) -> None:
    """Arguments against each other.

    Raises:
        ConfigError: A combination that cannot work, or must not; the text says what to change.
    """
    if arguments.sim in ("mujoco", "isaac") and not arguments.sim_time:
        raise ConfigError(f"bringup: sim:={arguments.sim} publishes /clock; use_sim_time must be true (or auto)")
    if arguments.scene and arguments.sim not in ("mujoco", "unitree_mujoco"):
        raise ConfigError(
            f"bringup: scene:={arguments.scene} needs sim:=mujoco or unitree_mujoco; "
            f"sim:={arguments.sim} has its own surroundings"
        )
    _of_one_policy(arguments)
    _of_one_pace(arguments)
    if not arguments.unitree:
        _without_unitree(arguments)
        return
    if arguments.root == "truth":
        raise ConfigError(
            f"bringup: root_source:=truth with sim:={arguments.sim}: Unitree's messages hold no truth; "
            "leave root_source out, or give root_source:=proprioception"
        )
    (_on_the_robot if arguments.real else _on_lo)(arguments)


def _of_one_pace(arguments: BringupArguments) -> None:
    """How fast time runs, for those whose time can be told to."""
    factor = arguments.real_time_factor
    given = "lockstep:=true" if arguments.lockstep else f"real_time_factor:={factor}"
    if factor != "auto":
        try:
            allowed = _SLOWEST <= float(factor) <= _FASTEST
        except ValueError:
            allowed = False
        if not allowed:
            raise ConfigError(f"bringup: {given}; allowed are auto and numbers from {_SLOWEST:g} to {_FASTEST:g}")
    if arguments.lockstep and factor != "auto":
        raise ConfigError(f"bringup: lockstep:=true runs as fast as it can; leave real_time_factor:={factor} out")
    if arguments.lockstep and arguments.sim != "mujoco":
        raise ConfigError(f"bringup: lockstep:=true needs sim:=mujoco; sim:={arguments.sim} keeps its own time")
    if factor != "auto" and arguments.sim in ("isaac", "real"):
        raise ConfigError(f"bringup: {given} has no meaning with sim:={arguments.sim}, which keeps its own time")


def _of_one_policy(arguments: BringupArguments) -> None:
    """A manifest is read from the policy's folder, and from nowhere else."""
    if not arguments.engine_manifest:
        return
    manifest = Path(arguments.engine_manifest).expanduser()
    if manifest.name != MANIFEST:
        raise ConfigError(
            f"bringup: engine_manifest:={manifest} is not a {MANIFEST}; give the one in the policy's folder, or leave "
            "it out"
        )
    if arguments.policy and manifest.parent.resolve() != Path(arguments.policy).expanduser().resolve():
        raise ConfigError(
            f"bringup: engine_manifest:={manifest} is not in policy:={arguments.policy}; a policy and its manifest are "
            "one folder: leave one of them out"
        )


def check_without_launch(arguments: BringupArguments) -> None:
    """What only ``ros2 launch`` can start: other people's programs.

    Raises:
        ConfigError: One was asked for.
    """
    wanted = {name: getattr(arguments, name) for name in ("rviz", "foxglove", "joy")}
    wanted["record"] = arguments.record == "true"
    for name, is_wanted in wanted.items():
        if is_wanted:
            raise ConfigError(
                f"bringup: {name}:=true needs a ROS 2 install: ros2 launch beyondmimic_diffusion bringup.launch.py "
                f"{name}:=true ...; leave it out here"
            )


def _without_unitree(arguments: BringupArguments) -> None:
    """Arguments of Unitree's DDS where there is none."""
    given = {
        "network_interface": bool(arguments.network_interface),
        "unitree_domain": arguments.unitree_domain >= 0,
        "dry_run": arguments.dry,
    }
    for name, is_given in given.items():
        if is_given:
            raise ConfigError(
                f"bringup: {name}:={getattr(arguments, name)} has no meaning with sim:={arguments.sim}, whose motors "
                "are behind ROS topics; leave it out, or give sim:=unitree_mujoco or sim:=real"
            )


def _on_lo(arguments: BringupArguments) -> None:
    """A simulated robot must not be able to meet a real one."""
    if arguments.interface != "lo":
        raise ConfigError(
            f"bringup: network_interface:={arguments.interface} with sim:=unitree_mujoco could reach a real robot's "
            "motors; leave it out (lo), or give sim:=real"
        )
    if arguments.domain == _ROBOT_DOMAIN:
        raise ConfigError(
            "bringup: unitree_domain:=0 with sim:=unitree_mujoco is the domain of real robots; leave it out (1)"
        )


def _on_the_robot(arguments: BringupArguments) -> None:
    """What must be said, and what must not, before a real robot is spoken to."""
    if not arguments.interface:
        raise ConfigError(
            "bringup: sim:=real needs network_interface:=NAME, the interface the robot is plugged into, or of the "
            "robot's own computer (`ip -br address` lists them; the robot's network is 192.168.123.0/24); it is not "
            "guessed"
        )
    if arguments.interface == "lo":
        raise ConfigError(
            "bringup: network_interface:=lo reaches no robot; give the interface it is plugged into, or "
            "sim:=unitree_mujoco for a simulated one"
        )
    if arguments.sim_time:
        raise ConfigError(
            "bringup: use_sim_time:=true with sim:=real: a robot has no /clock, and all watchdogs would stand still; "
            "leave it out (false)"
        )
    if not arguments.policy_folder:
        raise ConfigError("bringup: sim:=real needs policy:=FOLDER; which policy moves a robot is not guessed")
    if not arguments.supervisor and not arguments.dry:
        raise ConfigError(
            "bringup: supervisor:=false with sim:=real and dry_run:=false: a G1 goes on with its last command if the "
            "executor dies; leave supervisor out (true)"
        )
    if not arguments.headless:
        raise ConfigError("bringup: headless:=false opens the simulator's window, and sim:=real has none; leave it out")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"bringup: {name}:={text} is not a number, nor auto") from error


def _read(name: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"bringup: {name}:={text} is neither true nor false")
        return text.lower() == "true"
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError as error:
            kind = "whole number" if isinstance(default, int) else "number"
            raise ConfigError(f"bringup: {name}:={text} is not a {kind}") from error
    # as launch and YAML have it: True, TRUE and true are the same
    return text.lower() if text.lower() in _TRISTATE else text
