"""A stranger with nothing but this repository can follow what its code refers to."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("ros2_ws/src", "training", "scripts", "launch", "config", "tests")
KINDS = {".py", ".yaml", ".toml", ".msg", ".srv", ".action", ".xml", ".cfg", ".txt"}
WRITTEN = {"report.md", "faults.md", "soak.md", "ticks.md"}
"""Files that commands write."""


def sources() -> list[Path]:
    found = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.suffix in KINDS]
    built = ("build", "install", "log", "__pycache__")
    return [p for p in found if p != Path(__file__) and not set(p.relative_to(ROOT).parts) & set(built)]


def test_pages_that_the_code_names_are_in_the_repository():
    pages = {p.name for folder in (ROOT, ROOT / "docs", ROOT / "config") for p in folder.glob("*.md")} | WRITTEN
    for file in sources():
        named = re.findall(r"\b([\w-]+\.md)\b", file.read_text(encoding="utf-8"))
        assert set(named) <= pages, f"{file.relative_to(ROOT)} names {sorted(set(named) - pages)}"
