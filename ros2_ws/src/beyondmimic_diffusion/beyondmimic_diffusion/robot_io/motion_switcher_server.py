"""The motion switcher of a simulated robot: answers which of the robot's own controllers runs, and releases it.

Requests and answers are Unitree's own, on ``rt/api/motion_switcher/request`` and ``.../response``.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from .unitree_dds import Participant

_REQUEST, _RESPONSE = "rt/api/motion_switcher/request", "rt/api/motion_switcher/response"
_API_VERSION, _CHECK_MODE, _SELECT_MODE, _RELEASE_MODE = 1, 1001, 1002, 1003
_VERSION = "1.0.0.1"
_NOT_IMPLEMENTED, _BAD_PARAMETER = 3203, 3204
"""Codes of Unitree's RPC servers."""
_POLL = 100_000_000
"""How often it is looked whether to end [ns]."""


class MotionSwitcherServer:
    """One answering thread."""

    def __init__(self, participant: Participant, mode: str):
        """
        Args:
            participant: Of the simulated robot.
            mode: Controller that runs at first; empty: none.
        """
        from cyclonedds.core import InstanceState, ReadCondition, SampleState, ViewState, WaitSet
        from cyclonedds.pub import DataWriter
        from cyclonedds.sub import DataReader
        from cyclonedds.topic import Topic
        from unitree_sdk2py.idl.unitree_api.msg.dds_ import Request_, Response_

        self.mode = self._first = mode
        """Controller that runs now; empty: none."""
        self.force_code = 0
        """Answer with this error whatever is asked; for tests."""
        entity = participant.entity
        self._reader = DataReader(entity, Topic(entity, _REQUEST, Request_))
        self._writer = DataWriter(entity, Topic(entity, _RESPONSE, Response_))
        self._wait = WaitSet(entity)
        self._fresh = ReadCondition(self._reader, ViewState.Any | InstanceState.Any | SampleState.NotRead)
        self._wait.attach(self._fresh)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="motion switcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def restart(self) -> None:
        """As after switching the robot off and on."""
        self.mode = self._first

    def answer(self, api_id: int, parameter: str) -> tuple[int, str]:
        """Code and data for one request."""
        if self.force_code:
            return self.force_code, ""
        if api_id == _API_VERSION:
            return 0, _VERSION
        if api_id == _CHECK_MODE:
            return 0, json.dumps({"form": "0", "name": self.mode})
        if api_id == _RELEASE_MODE:
            self.mode = ""
            return 0, ""
        if api_id != _SELECT_MODE:
            return _NOT_IMPLEMENTED, ""
        try:
            self.mode = str(json.loads(parameter)["name"])
        except (ValueError, KeyError, TypeError):
            return _BAD_PARAMETER, ""
        return 0, ""

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._wait.wait(_POLL) > 0:
                for request in self._reader.take(8, condition=self._fresh):
                    if hasattr(request, "header"):  # not the news that somebody left
                        self._reply(request)

    def _reply(self, request: Any) -> None:
        from unitree_sdk2py.idl.unitree_api.msg.dds_ import Response_, ResponseHeader_, ResponseStatus_

        code, data = self.answer(request.header.identity.api_id, request.parameter)
        if not request.header.policy.noreply:
            header = ResponseHeader_(request.header.identity, ResponseStatus_(code))
            empty: Any = []
            self._writer.write(Response_(header, data, empty))
