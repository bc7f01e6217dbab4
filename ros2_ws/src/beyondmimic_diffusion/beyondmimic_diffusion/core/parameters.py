"""Parameters an operator may tune: frozen dataclasses whose fields carry unit, bounds and one sentence.

The dataclass is the only place where a parameter is written down. Nodes declare, check and document their ROS
parameters from :func:`describe`, the parameter files in ``config/`` are generated from it (``python -m
scripts.parameters``), and :func:`from_mapping` reads a YAML mapping and refuses what it does not know.

A parameter is read once, at the start, unless it is declared with ``live=True``: only then may it be changed while the
node runs, and then the node applies the change between two of its ticks or refuses it with a reason.

.. code-block:: python

    @dataclass(frozen=True)
    class ExecutorConfig:
        control_rate_hz: float = param(200.0, unit="Hz", lo=50.0, hi=1000.0, doc="Rate of motor commands.")

        def __post_init__(self) -> None:
            validate(self)

A field whose type is such a dataclass itself is a group; its parameters are named ``group.parameter``. Write the
default of a group with ``field(default_factory=Group)``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from numbers import Real
from typing import Any, TypeVar, cast, get_type_hints

from .errors import ConfigError

T = TypeVar("T")
_KEY = "beyondmimic_param"


@dataclass(frozen=True)
class ParamSpec:
    """What is known of one parameter."""

    name: str
    """Dotted name, e.g. ``watchdog.plan_timeout``."""
    default: Any
    unit: str
    """SI unit, or "" for a pure number, a flag or a text."""
    lo: float | None
    """Least allowed value, or None."""
    hi: float | None
    """Greatest allowed value, or None."""
    choices: tuple[Any, ...]
    """Allowed values; empty: any."""
    doc: str
    """One sentence for the operator."""
    live: bool
    """True if a change takes effect while the node runs; False: read at the start."""

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        unit = f" {self.unit}" if self.unit else ""
        if self.lo is not None and self.hi is not None:
            return f"{self.lo} .. {self.hi}{unit}"
        if self.lo is not None:
            return f"at least {self.lo}{unit}"
        if self.hi is not None:
            return f"at most {self.hi}{unit}"
        return f"a {type(self.default).__name__}{' in' + unit if unit else ''}"


def param(
    default: T,
    *,
    doc: str,
    unit: str = "",
    lo: float | None = None,
    hi: float | None = None,
    choices: tuple[Any, ...] = (),
    live: bool = False,
) -> T:
    """Declare one parameter of a frozen dataclass; its default must be immutable (use a tuple for a list).

    Args:
        default: Value if the operator says nothing; its type is the parameter's type.
        doc: One sentence for the operator.
        unit: SI unit.
        lo: Least allowed value (for a tuple: of each entry).
        hi: Greatest allowed value (for a tuple: of each entry).
        choices: Allowed values, if only a few are.
        live: True if the node applies a change while it runs; otherwise the parameter is read at the start.
    """
    spec = ParamSpec("", default, unit, lo, hi, choices, doc, live)
    return cast(T, field(default=default, metadata={_KEY: spec}))


def describe(cls: type) -> tuple[ParamSpec, ...]:
    """Every parameter of a configuration class, groups flattened to dotted names, in the order written."""
    return tuple(_walk(cls, ""))


def validate(config: Any) -> None:
    """Raise :class:`ConfigError` for the first parameter outside its range or of the wrong type.

    Args:
        config: Instance of a dataclass made with :func:`param`.
    """
    for spec in describe(type(config)):
        value = config
        for part in spec.name.split("."):
            value = getattr(value, part)
        _check(spec, value, type(config).__name__)


def from_mapping(cls: type[T], mapping: Mapping[str, Any]) -> T:
    """Build and check a configuration from names to values; a missing name keeps its default.

    Args:
        cls: Configuration class.
        mapping: Nested (``{"watchdog": {"tilt": 0.7}}``) or dotted (``{"watchdog.tilt": 0.7}``) names, or both mixed.

    Raises:
        ConfigError: An unknown name (the nearest valid one is proposed), a wrong type or a value out of range.
    """
    specs = {spec.name: spec for spec in describe(cls)}
    flat = dict(_flatten(mapping, ""))
    for name in flat:
        if name not in specs:
            near = difflib.get_close_matches(name, specs, n=1, cutoff=0.4)
            hint = f"did you mean '{near[0]}'?" if near else f"it knows {', '.join(sorted(specs)) or 'none'}"
            raise ConfigError(f"{cls.__name__} has no parameter '{name}'; {hint}")
    values = {name: _coerce(specs[name], value, cls.__name__) for name, value in flat.items()}
    config = _build(cls, values, "")
    validate(config)
    return config


def _walk(cls: type, prefix: str) -> Iterator[ParamSpec]:
    if not is_dataclass(cls):
        raise TypeError(f"{cls!r} is not a dataclass, so it has no parameters")
    hints = get_type_hints(cls)
    for item in fields(cls):
        if _KEY in item.metadata:
            spec: ParamSpec = item.metadata[_KEY]
            yield replace(spec, name=prefix + item.name)
        elif is_dataclass(hints[item.name]) and item.default_factory is not MISSING:
            yield from _walk(cast(type, hints[item.name]), f"{prefix}{item.name}.")


def _flatten(mapping: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _build(cls: type[T], values: Mapping[str, Any], prefix: str) -> T:
    hints = get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for item in fields(cast(Any, cls)):
        name = prefix + item.name
        if _KEY in item.metadata:
            if name in values:
                arguments[item.name] = values[name]
        elif is_dataclass(hints[item.name]):
            arguments[item.name] = _build(cast(type, hints[item.name]), values, f"{name}.")
    return cls(**arguments)


def _coerce(spec: ParamSpec, value: Any, owner: str) -> Any:
    """YAML writes 1 for 1.0 and a list for a tuple; nothing else is converted."""
    if isinstance(spec.default, tuple) and isinstance(value, list | tuple):
        as_float = bool(spec.default) and all(isinstance(entry, float) for entry in spec.default)
        return tuple(float(entry) if as_float and _is_number(entry) else entry for entry in value)
    if isinstance(spec.default, float) and _is_number(value):
        return float(value)
    _check_type(spec, value, owner)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_type(spec: ParamSpec, value: Any, owner: str) -> None:
    wanted = type(spec.default)
    fits = _is_number(value) if wanted is float else isinstance(value, wanted)
    if wanted is int and isinstance(value, bool):
        fits = False
    if not fits and spec.default is not None:
        raise ConfigError(
            f"{owner}.{spec.name} = {value!r} is a {type(value).__name__}; allowed: a {wanted.__name__}, "
            f"{spec.allowed} ({spec.doc})"
        )


def _check(spec: ParamSpec, value: Any, owner: str) -> None:
    _check_type(spec, value, owner)
    for entry in value if isinstance(value, tuple) else (value,):
        bad = bool(spec.choices) and entry not in spec.choices
        if _is_number(entry):
            bad = bad or not math.isfinite(entry)
            bad = bad or (spec.lo is not None and entry < spec.lo) or (spec.hi is not None and entry > spec.hi)
        if bad:
            raise ConfigError(f"{owner}.{spec.name} = {value!r} is not allowed; allowed: {spec.allowed} ({spec.doc})")
