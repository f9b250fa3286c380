"""The errors that users see. Every message says what was attempted, on which resource, why it failed and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ResourceError(Exception):
    """Something could not be done to one resource.

    The text reads ``updating SecurityGroup[web-cache]: cannot change description in place``. ``code`` and ``request_id``
    are AWS's own, where AWS answered. ``statement`` is what a policy lacks, where AWS denied the call.
    """

    def __init__(
        self,
        verb: str,
        address: str,
        cause: str,
        *,
        code: str | None = None,
        request_id: str | None = None,
        statement: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{verb} {address}: {cause}" if address else f"{verb}: {cause}")
        self.verb = verb
        self.address = address
        self.cause = cause
        self.code = code
        self.request_id = request_id
        self.statement = statement

    def as_result(self) -> dict[str, Any]:
        """The error as a dictionary for a module's answer."""
        fields = {
            "address": self.address,
            "verb": self.verb,
            "cause": self.cause,
            "code": self.code,
            "request_id": self.request_id,
            "statement": self.statement,
        }
        return {key: value for key, value in fields.items() if value is not None}


class TooEarly(ResourceError):
    """What it needs of something else has not happened yet. A run that does not wait reports it as pending."""


class OptionError(Exception):
    """An option holds a value that can never work: which option, which value, what is allowed."""

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"{option}: {value!r} cannot be used. {allowed}")
        self.option = option
        self.value = value
        self.allowed = allowed

    def of(self, tier: str) -> OptionError:
        """The same, where several tiers are run at once and the name of the option alone would not tell which one it is."""
        return OptionError(f"{tier}.{self.option}", self.value, self.allowed)


class Refused(Exception):
    """Nothing was written, because at least one wish cannot be carried out. Holds every reason, not the first one."""

    def __init__(self, reasons: Sequence[ResourceError]) -> None:
        if len(reasons) == 1:
            text = f"Nothing was changed. {reasons[0]}"
        else:
            text = f"Nothing was changed, for {len(reasons)} reasons: " + "; ".join(str(reason) for reason in reasons)
        super().__init__(text)
        self.reasons = list(reasons)
