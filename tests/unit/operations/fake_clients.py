"""Clients that answer from a table, for what an emulator cannot be made to say. Every answer is shaped as botocore's."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

Answer = Any  # a dictionary, an exception to raise, or a function of the parameters


def aws_error(code: str, operation: str = "Operation", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


class FakeClient:
    """One service. A method without an answer is an error of the test."""

    def __init__(self, service: str, answers: dict[str, Answer], calls: list[tuple[str, str, dict[str, Any]]]) -> None:
        self._service, self._answers, self._calls = service, answers, calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**params: Any) -> Any:
            self._calls.append((self._service, name, params))
            answer = self._answers[name]
            answer = answer(params) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **params: [getattr(self, name)(**params)])


class FakeClients:
    """Stands for the collection's clients: ``answers`` is service → method → answer."""

    def __init__(self, answers: dict[str, dict[str, Answer]]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.counter = SimpleNamespace(reads=0, writes=0)

    def __call__(self, service: str, region: str) -> Any:
        return FakeClient(service, self.answers.setdefault(service, {}), self.calls)
