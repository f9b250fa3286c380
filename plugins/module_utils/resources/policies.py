"""Policy documents, compared by what they allow and not by how they are written (trap 25)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies


class Policy(dict[str, Any]):
    """A policy document whose equality is semantic: order, single values and lists, and quoting do not matter."""

    @classmethod
    def parse(cls, text: str | dict[str, Any] | None) -> Policy | None:
        """A document as AWS returns it: JSON text, URL-quoted JSON text, or parsed already."""
        if text is None or isinstance(text, dict):
            return None if text is None else cls(text)
        return cls(json.loads(unquote(text) if text.startswith("%7B") else text))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and not compare_policies(dict(self), dict(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    @property
    def text(self) -> str:
        """The document as a request carries it."""
        return json.dumps(self, sort_keys=True)


def statement(sid: str, *, effect: str = "Allow", **parts: Any) -> dict[str, Any]:
    """One statement; ``principal``, ``action``, ``resource``, ``condition`` as in AWS's grammar."""
    return {
        "Sid": sid,
        "Effect": effect,
        **{key.capitalize(): value for key, value in parts.items() if value is not None},
    }


def document(*statements: dict[str, Any]) -> Policy:
    """A policy of these statements."""
    return Policy({"Version": "2012-10-17", "Statement": list(statements)})


def trust(*services: str) -> Policy:
    """The trust policy that lets AWS services assume a role."""
    names = list(services) if len(services) > 1 else services[0]
    return document({"Effect": "Allow", "Principal": {"Service": names}, "Action": "sts:AssumeRole"})
