"""The one table of nodes, parameters and remaps for each ``sim``; read by ``launch/`` and by ``bringup.py``. No ROS.

The two start-ups hold no knowledge of their own, so they cannot drift apart.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .core.errors import ConfigError
from .core.parameters import describe, from_mapping, param, validate

PACKAGE = "beyondmimic_diffusion"
DEFAULT_POLICY = "policies/walk"
"""Shipped with the repository."""
ALIASES = {"hardware_type": "sim", "policy_path": "policy", "engine_path": "policy"}
"""Names under which users of other stacks know our arguments."""
SIM_ALIASES = {"isaacsim": "isaac"}


@dataclass(frozen=True)
class BringupArguments:
    """The arguments of ``bringup``, written ``name:=value``."""

    sim: str = param("mujoco", choices=("mujoco", "isaac"), doc="What the robot is.")
    namespace: str = param("", doc="Put before all names of nodes and topics.")
    use_sim_time: str = param(
        "auto", choices=("auto", "true", "false"), doc="Take time from /clock; auto: where there is one."
    )
    policy: str = param(DEFAULT_POLICY, doc="Folder of the policy.")
    params_file: str = param("", doc="A parameter file that is read after the package's own.")
    autostart: bool = param(True, doc="Configure and activate the managed nodes.")
    scene: str = param("", doc="YAML file with the simulator's obstacles, e.g. in config/scenes; empty: a bare floor.")
    root_source: str = param(
        "auto", choices=("auto", "truth", "proprioception"), doc="Root of robot_state; auto: the simulator's truth."
    )
    log_level: str = param("info", choices=("debug", "info", "warn", "error", "fatal"), doc="Of all nodes.")
    headless: bool = param(True, doc="No window.")
    supervisor: bool = param(True, doc="Start the process that damps the robot if the executor stops.")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class NodeSpec:
    """One process."""

    name: str
    """Node name, and name of its entry point."""
    managed: bool
    """Whether it has ROS 2's life cycle."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Set after the files."""
    parameter_files: tuple[str, ...] = ()
    remaps: tuple[tuple[str, str], ...] = ()

    @property
    def module(self) -> str:
        """Python module whose ``main`` is the entry point."""
        return f"{PACKAGE}.nodes.{self.name}_node"

    def ros_arguments(self, namespace: str, log_level: str) -> list[str]:
        """Everything after the program's name on its command line."""
        arguments = ["--ros-args", "--log-level", log_level]
        if namespace:
            arguments += ["-r", f"__ns:=/{namespace.strip('/')}"]
        for source, target in self.remaps:
            arguments += ["-r", f"{source}:={target}"]
        for path in self.parameter_files:
            arguments += ["--params-file", path]
        for name, value in self.parameters.items():
            arguments += ["-p", f"{name}:={_as_yaml(value)}"]
        return arguments


def parse_arguments(words: Sequence[str]) -> BringupArguments:
    """``name:=value`` words to arguments.

    Raises:
        ConfigError: An unknown name, a value that is not allowed, or a combination that cannot work.
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
        values[name] = _as_bool(name, text) if isinstance(specs[name].default, bool) else text
    if "sim" in values:
        values["sim"] = SIM_ALIASES.get(values["sim"], values["sim"])
    return from_mapping(BringupArguments, values)


def make_graph(arguments: BringupArguments) -> tuple[NodeSpec, ...]:
    """The nodes to start, in this order.

    Raises:
        ConfigError: A combination that cannot work; the text says what to change.
    """
    in_simulation = arguments.sim in ("mujoco", "isaac")
    sim_time = in_simulation if arguments.use_sim_time == "auto" else arguments.use_sim_time == "true"
    policy = find_policy(arguments.policy)
    if in_simulation and not sim_time:
        raise ConfigError(f"bringup: sim:={arguments.sim} publishes /clock; use_sim_time must be true (or auto)")
    if arguments.params_file and not Path(arguments.params_file).is_file():
        raise ConfigError(f"bringup: params_file '{arguments.params_file}' does not exist")
    if arguments.scene and arguments.sim != "mujoco":
        raise ConfigError(
            f"bringup: scene:={arguments.scene} needs sim:=mujoco; sim:={arguments.sim} has its own stage"
        )
    root = "truth" if arguments.root_source == "auto" else arguments.root_source
    managed = {"autostart": arguments.autostart}
    command = {"command_type": _command_type(arguments.sim)}
    scene = {"scene": find_scene(arguments.scene)} if arguments.scene else {}
    table = [
        NodeSpec("mujoco_sim", False, {"viewer": not arguments.headless, **scene}),
        NodeSpec("state_estimator", True, {**managed, "root_source": root}),
        NodeSpec("diffusion_planner", True, {**managed, "policy": policy}),
        NodeSpec("guidance_task_server", True, {**managed, "policy": policy}),
        NodeSpec("action_executor", False, {"policy": policy, **command, "supervised": arguments.supervisor}),
    ]
    if arguments.supervisor:
        table.append(NodeSpec("supervisor", False, command))
    if arguments.sim == "isaac":
        table = [_for_isaac(spec) for spec in table if spec.name != "mujoco_sim"]
    return tuple(_completed(spec, sim_time, arguments) for spec in table)


def _completed(spec: NodeSpec, sim_time: bool, arguments: BringupArguments) -> NodeSpec:
    files = [str(config_folder() / f"{spec.name}.param.yaml")]
    if arguments.params_file:
        files.append(arguments.params_file)
    return replace(spec, parameters={"use_sim_time": sim_time, **spec.parameters}, parameter_files=tuple(files))


def _command_type(sim: str) -> str:
    """Isaac Sim's bridge knows no gains in a command: they are set in its stage."""
    return "joint_state" if sim == "isaac" else "gains"


def _for_isaac(spec: NodeSpec) -> NodeSpec:
    """Isaac Sim's bridge names the IMU's topic without its kind, and the odometry without its origin."""
    remaps = {
        "state_estimator": (("imu/data", "imu"), ("ground_truth/odom", "odom_truth")),
        "action_executor": (("imu/data", "imu"),),
    }
    return replace(spec, remaps=remaps.get(spec.name, ()))


def repository() -> Path | None:
    """Root of the repository this package was imported from; None if it was installed away from it."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "config").is_dir() and (root / "ros2_ws").is_dir() else None


def config_folder() -> Path:
    """Where the parameter files are: in the repository, or where colcon installed them.

    Raises:
        ConfigError: Neither is there.
    """
    root = repository()
    if root is not None:
        return root / "config"
    if importlib.util.find_spec("ament_index_python") is not None:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

        try:
            return Path(get_package_share_directory(PACKAGE)) / "config"
        except PackageNotFoundError:
            pass
    raise ConfigError(
        f"the parameter files of {PACKAGE} are nowhere: install it with colcon, or run it from its repository"
    )


def find_policy(policy: str) -> str:
    """Absolute folder of a policy, given relative to here or to the repository.

    Raises:
        ConfigError: There is none.
    """
    candidates = [Path(policy).expanduser()]
    root = repository()
    if root is not None:
        candidates += [root / policy, root / "policies" / policy]
    for folder in candidates:
        if (folder / "manifest.json").is_file():
            return str(folder.resolve())
    looked = ", ".join(str(folder) for folder in candidates)
    raise ConfigError(f"bringup: no policy at '{policy}' (looked for manifest.json in {looked}); give policy:=FOLDER")


def find_scene(scene: str) -> str:
    """Absolute path of a scene, given relative to here, to the repository or by its name in ``config/scenes``.

    Raises:
        ConfigError: There is no such file.
    """
    if not scene:
        return ""
    candidates = [
        Path(scene).expanduser(),
        config_folder() / "scenes" / scene,
        config_folder() / "scenes" / f"{scene}.yaml",
    ]
    root = repository()
    if root is not None:
        candidates.append(root / scene)
    for path in candidates:
        if path.is_file():
            return str(path.resolve())
    known = ", ".join(sorted(path.stem for path in (config_folder() / "scenes").glob("*.yaml")))
    raise ConfigError(f"bringup: no scene file '{scene}'; give scene:=FILE, or one of config/scenes: {known}")


def _as_bool(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ConfigError(f"bringup: {name}:={text} is neither true nor false")
    return text.lower() == "true"


def _as_yaml(value: Any) -> str:
    """A parameter's value on a command line; text is quoted, or YAML would turn '1' or 'on' into something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
