"""Configuration dataclasses as ROS 2 parameters: declared, described, checked and refused from one table.

rclpy ignores parameters it was not told of, and takes an integer for a missing decimal point as an error. Here an
unknown name in a YAML file stops the node with the nearest valid name in the text, and ``1`` is read as ``1.0``.

Only parameters declared with ``live=True`` can be set while the node runs. The node's callback applies such a change
before it is acknowledged, or refuses it with a reason; all others, ROS's own included, are refused with the remedy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..core.errors import ConfigError
from ..core.parameters import ParamSpec, describe, from_mapping

T = TypeVar("T")
_ROS_OWN = ("use_sim_time", "start_type_description_service")
"""Parameters that rclpy declares itself."""
READ_AT_START = "is read at start; set it in the parameter file or launch argument and restart"
"""Why a parameter that is not live cannot be set."""
_INT64_MAX = 2**63 - 1


class NodeParameters(Generic[T]):
    """The parameters of one node as one frozen dataclass."""

    def __init__(self, node: Node, config_type: type[T]):
        """
        Args:
            node: Node on which they are declared; its overrides (YAML files, command line) are the values.
            config_type: Dataclass made with :func:`..core.parameters.param`.

        Raises:
            ConfigError: An override is unknown, of the wrong type or out of range.
        """
        self._type = config_type
        self._specs = {spec.name: spec for spec in describe(config_type)}
        self._on_change: Callable[[T], str | None] | None = None
        self._config = self._from(self._overrides(node), node.get_name())
        for spec in self._specs.values():
            node.declare_parameter(
                spec.name, _to_ros(value_of(self._config, spec.name)), descriptor(spec), ignore_override=True
            )
        node.add_on_set_parameters_callback(self._on_set)
        # rclpy refuses a read-only parameter before it asks any callback, and does not say what to do instead.
        self._set_atomically = node.set_parameters_atomically
        node.set_parameters_atomically = self._set_live_ones

    @property
    def config(self) -> T:
        """The values in force."""
        return self._config

    def on_change(self, callback: Callable[[T], str | None]) -> None:
        """Let ``callback`` apply changes of live parameters.

        Args:
            callback: Gets the configuration with the change in it; a text that it returns is the reason why the change
                is refused. It is called by the thread that serves the node's callbacks.
        """
        self._on_change = callback

    def _from(self, values: Mapping[str, Any], who: str) -> T:
        try:
            return from_mapping(self._type, values)
        except ConfigError as error:
            raise ConfigError(f"{who}: {error}") from error

    def _overrides(self, node: Node) -> dict[str, Any]:
        overrides: dict[str, Parameter] = node._parameter_overrides  # rclpy offers no public way to list them
        return {
            name: parameter.value
            for name, parameter in overrides.items()
            if name not in _ROS_OWN and not name.startswith("qos_overrides.")
        }

    def _set_live_ones(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """In place of rclpy's method, through which both services go that set parameters."""
        for name in (parameter.name for parameter in parameter_list):
            fixed = name in _ROS_OWN or name.startswith("qos_overrides.")
            if fixed or (name in self._specs and not self._specs[name].live):
                return SetParametersResult(successful=False, reason=f"{name} {READ_AT_START}")
        return self._set_atomically(parameter_list)

    def _on_set(self, parameters: Iterable[Parameter]) -> SetParametersResult:
        mine = {p.name: p.value for p in parameters if p.name in self._specs}
        if not mine:
            return SetParametersResult(successful=True)
        values = {name: value_of(self._config, name) for name in self._specs} | mine
        try:
            config = from_mapping(self._type, values)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        refusal = self._on_change(config) if self._on_change is not None else ""
        if refusal:
            return SetParametersResult(successful=False, reason=refusal)
        self._config = config
        return SetParametersResult(successful=True)


def value_of(config: Any, name: str) -> Any:
    """The value behind a dotted name."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def descriptor(spec: ParamSpec) -> ParameterDescriptor:
    """What ROS tools show of a parameter: sentence, unit, range (a slider in rqt), choices, whether it is read-only."""
    unit = f" [{spec.unit}]" if spec.unit else ""
    result = ParameterDescriptor(
        name=spec.name,
        description=f"{spec.doc}{unit}",
        read_only=not spec.live,
        type=Parameter.Type.from_parameter_value(_to_ros(spec.default)).value,
        additional_constraints=spec.allowed if spec.choices else "",
    )
    if spec.lo is None and spec.hi is None:
        return result
    sample = spec.default[0] if isinstance(spec.default, tuple) and spec.default else spec.default
    if isinstance(sample, float):
        low = -sys.float_info.max if spec.lo is None else float(spec.lo)
        high = sys.float_info.max if spec.hi is None else float(spec.hi)
        result.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif isinstance(sample, int):
        low = -_INT64_MAX if spec.lo is None else int(spec.lo)
        high = _INT64_MAX if spec.hi is None else int(spec.hi)
        result.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return result


def _to_ros(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
