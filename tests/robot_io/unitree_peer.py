"""Starts Unitree's C++ SDK in another process and talks to it by lines of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_XML = (
    '<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface name="lo"/></Interfaces></General>'
    "<Discovery><ExternalDomainId>{domain}</ExternalDomainId></Discovery></Domain></CycloneDDS>"
)
"""The SDK knows domain 0 only; on the wire it shall be the test's own."""


class UnitreePeer:
    """The process; its output besides the answers is in ``text``."""

    def __init__(self, domain: int):
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("cpp_peer.py")), _XML.format(domain=domain)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.text = ""
        self._answer()

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """Let it do something, and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> str:
        """End it; returns all that it said besides answers."""
        if not self._log.closed:
            try:
                self.text += self._process.communicate(timeout=30.0)[0]
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._log.seek(0)
            self.text += self._log.read().decode(errors="replace")
            self._log.close()
        return self.text

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
            self.text += line
        raise AssertionError(f"the C++ peer ended: {self.close()}")
