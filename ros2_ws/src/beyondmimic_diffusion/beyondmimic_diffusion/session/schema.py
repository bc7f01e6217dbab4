"""Message definitions as MCAP files carry them: the text of a type and of all it is made of, one after the other."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path

from ..core.errors import ConfigError

_SEPARATOR = "=" * 80
_BUILTIN = frozenset(
    "bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 string wstring".split()
)
_FIELD = re.compile(r"^([A-Za-z][\w/]*)(<=\d+)?(\[[<=\d]*\])?\s+[A-Za-z]\w*")


def full_definition(type_name: str) -> str:
    """Definition of ``package/msg/Name`` with every nested type appended, each under its own ``MSG:`` line.

    Raises:
        ConfigError: The definition of one of the types is installed nowhere.
    """
    parts = [definition_text(type_name)]
    seen, waiting = {type_name}, nested_types(type_name)
    while waiting:
        nested = waiting.pop(0)
        if nested in seen:
            continue
        seen.add(nested)
        package, _, name = nested.split("/")
        parts.append(f"{_SEPARATOR}\nMSG: {package}/{name}\n{definition_text(nested)}")
        waiting += nested_types(nested)
    return "\n".join(parts)


def nested_types(type_name: str) -> list[str]:
    """Message types that the fields of a type have, as ``package/msg/Name``, in order, with repetitions."""
    package = type_name.split("/")[0]
    found = []
    for line in definition_text(type_name).splitlines():
        match = _FIELD.match(line.split("#")[0].strip())
        if match and match.group(1) not in _BUILTIN:
            *owner, name = match.group(1).split("/")
            found.append(f"{owner[0] if owner else package}/msg/{name}")
    return found


@cache
def definition_text(type_name: str) -> str:
    """Text of one type's ``.msg`` file.

    Raises:
        ConfigError: It is installed nowhere.
    """
    package, kind, name = type_name.split("/")
    folders = [Path(entry) for entry in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry]
    folders.append(Path(sys.prefix))
    for folder in folders:
        path = folder / "share" / package / kind / f"{name}.msg"
        if path.is_file():
            return path.read_text()
    raise ConfigError(
        f"no definition of {type_name} (share/{package}/{kind}/{name}.msg) in {[str(f) for f in folders]}"
    )
