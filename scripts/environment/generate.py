"""Runs one of rosidl's generators with what another one has already parsed.

Each generator parses every interface again, which takes most of its time; here the result is kept beside the build.
Runs in the virtual environment: ``generate.py CACHE GENERATOR ARGUMENTS...``
"""

from __future__ import annotations

import hashlib
import os
import pickle
import runpy
import sys
from pathlib import Path
from typing import Any, Callable


def remembering(parse: Callable[..., Any], cache: Path) -> Callable[..., Any]:
    """A parser that keeps its results.

    Args:
        parse: ``parse_idl_string`` of rosidl_parser: text to content.
        cache: Folder of the results, named by the hash of the text.

    Returns:
        A function of the text.
    """

    def parsed(text: str, png_file: str | None = None) -> Any:
        del png_file
        path = cache / hashlib.sha256(text.encode()).hexdigest()
        if path.exists():
            return pickle.loads(path.read_bytes())
        content = parse(text)
        draft = path.with_suffix(f".{os.getpid()}")  # generators run side by side: a file is there whole or not at all
        draft.write_bytes(pickle.dumps(content))
        draft.replace(path)
        return content

    return parsed


def main() -> None:
    """Run a generator as a program of its own."""
    from rosidl_parser import parser  # pyright: ignore[reportMissingImports]

    cache, generator = Path(sys.argv[1]), sys.argv[2]
    cache.mkdir(parents=True, exist_ok=True)
    parser.parse_idl_string = remembering(parser.parse_idl_string, cache)
    sys.argv = sys.argv[2:]
    runpy.run_path(generator, run_name="__main__")


if __name__ == "__main__":
    main()
