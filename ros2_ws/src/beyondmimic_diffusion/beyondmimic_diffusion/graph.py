"""The one table of nodes, parameters and remaps for each ``sim``; read by ``launch/`` and by ``bringup.py``. No ROS.

The two start-ups hold no knowledge of their own, so they cannot drift apart.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .arguments import (
    DEFAULT_POLICY,
    MANIFEST,
    BringupArguments,
    arguments_from_launch,
    check_combination,
    parse_arguments,
)
from .core.errors import ConfigError
from .parameter_files import value_in_files

__all__ = [
    "DEFAULT_POLICY",
    "PACKAGE",
    "BringupArguments",
    "NodeSpec",
    "arguments_from_launch",
    "make_graph",
    "parse_arguments",
]
PACKAGE = "beyondmimic_diffusion"
ENCLAVES = "/beyondmimic"
"""Where our nodes' enclaves are in an SROS 2 keystore."""
LOCKSTEP_FREQUENCY = 250.0
"""Steps a second in lockstep: rate of sensors and motor commands [Hz]. A policy's step is a multiple of 4 ms."""
_MODULES = "steering.goals.custom.modules"
LOW_STATE_FREQUENCY = 500.0
"""Rate at which a G1 sends its LowState [Hz]."""


@dataclass(frozen=True)
class NodeSpec:
    """One process."""

    name: str
    """Node name, and name of its entry point."""
    managed: bool
    """Whether it has ROS 2's life cycle. The executor can keep an armed robot on its feet without those that have."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Set after the files."""
    parameter_files: tuple[str, ...] = ()
    remaps: tuple[tuple[str, str], ...] = ()
    enclave: str = ""
    """Of SROS 2; empty: none."""
    respawn: bool = False
    """Whether it is started again when it has ended."""

    @property
    def module(self) -> str:
        """Python module whose ``main`` is the entry point."""
        return f"{PACKAGE}.nodes.{self.name}_node"

    @property
    def security_arguments(self) -> list[str]:
        """Those of the ROS arguments that have to do with SROS 2."""
        return ["--enclave", self.enclave] if self.enclave else []

    def ros_arguments(self, namespace: str, log_level: str) -> list[str]:
        """Everything after the program's name on its command line."""
        arguments = ["--ros-args", "--log-level", log_level, *self.security_arguments]
        if namespace:
            arguments += ["-r", f"__ns:=/{namespace.strip('/')}"]
        for source, target in self.remaps:
            arguments += ["-r", f"{source}:={target}"]
        for path in self.parameter_files:
            arguments += ["--params-file", path]
        for name, value in self.parameters.items():
            arguments += ["-p", f"{name}:={_as_yaml(value)}"]
        return arguments


def make_graph(arguments: BringupArguments) -> tuple[NodeSpec, ...]:
    """The nodes to start, in this order.

    Raises:
        ConfigError: A combination that cannot work; the text says what to change.
    """
    check_combination(arguments)
    policy = find_policy(arguments.policy_folder or DEFAULT_POLICY)
    if arguments.params_file and not Path(arguments.params_file).is_file():
        raise ConfigError(f"bringup: params_file '{arguments.params_file}' does not exist")
    managed = {"autostart": arguments.starts_by_itself}
    robot = _robot(arguments)
    command = {"command_type": _command_type(arguments.sim), **robot}
    blend = {} if arguments.blend is None else {"blend_time": arguments.blend}
    scene = {"scene": find_scene(arguments.scene)} if arguments.scene else {}
    watched = arguments.supervisor and not arguments.lockstep  # its watch is by the steady clock: a step may take long
    ticks = {"control_rate_hz": LOCKSTEP_FREQUENCY} if arguments.lockstep else {}
    table = [
        NodeSpec("mujoco_sim", False, {"viewer": not arguments.headless, **scene, **_simulated(arguments)}),
        NodeSpec("state_estimator", True, {**managed, "root_source": arguments.root, **robot}),
        NodeSpec("diffusion_planner", True, {**managed, "policy": policy}),
        NodeSpec("guidance_task_server", True, {**managed, "policy": policy}),
        NodeSpec("action_executor", False, {"policy": policy, **command, "supervised": watched, **blend, **ticks}),
    ]
    if watched:
        table.append(NodeSpec("supervisor", False, command))
    if arguments.sim in ("isaac", "real"):
        table = [spec for spec in table if spec.name != "mujoco_sim"]
    if arguments.sim == "isaac":
        table = [_for_isaac(spec) for spec in table]
    return _with_shared_modules([_completed(spec, arguments) for spec in table])


def _with_shared_modules(specs: list[NodeSpec]) -> tuple[NodeSpec, ...]:
    """The task server knows the users' costs that the planner knows, unless a file tells it otherwise."""
    by_name = {spec.name: spec for spec in specs}
    modules = value_in_files("diffusion_planner", by_name["diffusion_planner"].parameter_files, _MODULES)
    own = value_in_files("guidance_task_server", by_name["guidance_task_server"].parameter_files, "custom_modules")
    if not modules or own:
        return tuple(specs)
    share = {"custom_modules": modules}
    return tuple(
        replace(spec, parameters={**spec.parameters, **share}) if spec.name == "guidance_task_server" else spec
        for spec in specs
    )


def _robot(arguments: BringupArguments) -> dict[str, Any]:
    """The way to motors and sensors, for all that have one."""
    if not arguments.unitree:
        return {}
    return {
        "robot_interface": "unitree",
        "unitree.network_interface": arguments.interface,
        "unitree.domain": arguments.domain,
        "unitree.dry_run": arguments.dry,
    }


def _simulated(arguments: BringupArguments) -> dict[str, Any]:
    """The other end of that way, and its time."""
    if arguments.lockstep:
        return {**arguments.pacing, **dict.fromkeys(("sensor_frequency", "clock_frequency"), LOCKSTEP_FREQUENCY)}
    if not arguments.unitree:
        return {**arguments.pacing}
    return {
        **arguments.pacing,
        "robot_interface": "unitree",
        "unitree_domain": arguments.domain,
        "sensor_frequency": LOW_STATE_FREQUENCY,
    }


def _completed(spec: NodeSpec, arguments: BringupArguments) -> NodeSpec:
    files = [str(config_folder() / f"{spec.name}.param.yaml")]
    if spec.name == "guidance_task_server":
        files.append(find_joy_config(arguments.joy_config))
    if arguments.params_file:
        files.append(arguments.params_file)
    follows_clock = arguments.sim_time and not arguments.lockstep  # in lockstep the steps tell the time
    parameters = {"use_sim_time": follows_clock, **spec.parameters}
    enclave = f"{ENCLAVES}/{spec.name}" if arguments.keystore else ""
    respawn = arguments.use_respawn and spec.managed  # the others' death is for somebody to look at
    return replace(spec, parameters=parameters, parameter_files=tuple(files), enclave=enclave, respawn=respawn)


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
        if (folder / MANIFEST).is_file():
            return str(folder.resolve())
    looked = ", ".join(str(folder) for folder in candidates)
    raise ConfigError(f"bringup: no policy at '{policy}' (looked for {MANIFEST} in {looked}); give policy:=FOLDER")


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


def find_joy_config(joy_config: str) -> str:
    """Absolute path of a joystick's parameters, given by a name in ``config/joy`` or as a file.

    Raises:
        ConfigError: There is no such file.
    """
    folder = config_folder() / "joy"
    for path in (folder / f"{joy_config}.param.yaml", Path(joy_config).expanduser()):
        if path.is_file():
            return str(path.resolve())
    known = ", ".join(sorted(path.name.removesuffix(".param.yaml") for path in folder.glob("*.param.yaml")))
    raise ConfigError(f"bringup: no joystick '{joy_config}'; give joy_config:=FILE, or one of config/joy: {known}")


def _as_yaml(value: Any) -> str:
    """A parameter's value on a command line; text is quoted, or YAML would turn '1' or 'on' into something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
