"""Files of a policy folder."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
