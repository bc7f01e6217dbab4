"""JSON to frozen dataclasses and back, refusing what does not fit and naming it."""

from __future__ import annotations

import difflib
import math
import types
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import ArtifactError

T = TypeVar("T")

_WORDS = {str: "a text", int: "a whole number", float: "a finite number", bool: "true or false", dict: "an object"}


def decode(cls: type[T], data: Any, where: str) -> T:
    """Build dataclass ``cls`` from JSON data.

    Args:
        cls: A dataclass of str, int, float, bool, dict, tuples of these, and dataclasses.
        data: What the JSON parser returned.
        where: What the data is, for messages: ``policy manifest /x/manifest.json``.

    Raises:
        ArtifactError: A field is missing, unknown or of another type.
    """
    return _dataclass(cls, data, where, "")


def _dataclass(cls: Any, data: Any, where: str, path: str) -> Any:
    if not isinstance(data, dict):
        raise ArtifactError(f"{where}: {_name(path)} is {_shown(data)}; it must be an object")
    known = {field.name: field for field in fields(cls)}
    for name in data:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{path}{close[0]}'?" if close else f"known fields: {', '.join(known)}"
            raise ArtifactError(f"{where}: field '{path}{name}' is unknown; {hint}")
    for name, field in known.items():
        if name not in data and not _has_default(field):
            raise ArtifactError(f"{where}: field '{path}{name}' is missing; export the policy again")
    hints = get_type_hints(cls)
    return cls(**{name: _value(hints[name], value, where, path + name) for name, value in data.items()})


def _value(kind: Any, value: Any, where: str, path: str) -> Any:
    """One field's value, checked against its type."""
    if is_dataclass(kind):
        return _dataclass(kind, value, where, f"{path}.")
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value, where, path)
    plain = get_origin(kind) or kind
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    fits = isinstance(value, plain) and not (plain is int and isinstance(value, bool))
    if not fits or (plain is float and not math.isfinite(value)):
        raise ArtifactError(f"{where}: field '{path}' is {_shown(value)}; it must be {_WORDS[plain]}")
    return value


def _tuple(kinds: tuple[Any, ...], value: Any, where: str, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ArtifactError(f"{where}: field '{path}' is {_shown(value)}; it must be a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ArtifactError(f"{where}: field '{path}' has {len(value)} entries; it must have {len(kinds)}")
    return tuple(
        _value(kind, item, where, f"{path}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _name(path: str) -> str:
    return f"field '{path.rstrip('.')}'" if path else "the content"


def _shown(value: Any) -> str:
    """The value and its JSON type, cut short."""
    text = repr(value)
    kind = {dict: "object", list: "list", str: "text", types.NoneType: "null"}.get(type(value), type(value).__name__)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({kind})"
