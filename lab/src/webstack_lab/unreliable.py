"""AWS on a bad day: answers that throttle, fail, get lost, come late or lag behind, by a profile of rules (profiles.py).

Throttling looks as each service does it: https://docs.aws.amazon.com/general/latest/gr/api-retries.html and each API's common errors.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from webstack_lab.extend import AwsError, Raw
from webstack_lab.profiles import Rule, parse
from webstack_lab.staleness import Staleness
from webstack_lab.wire import Call, serialize

Run = Callable[[Call], Raw]

# Code and status of throttling where it is not ThrottlingException, 400.
THROTTLING = {
    "autoscaling": ("Throttling", 400),
    "cloudfront": ("Throttling", 400),
    "cloudwatch": ("Throttling", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "efs": ("ThrottlingException", 429),
    "elasticache": ("Throttling", 400),
    "elbv2": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "rds": ("Throttling", 400),
    "route53": ("Throttling", 400),
    "s3": ("SlowDown", 503),
    "sns": ("Throttling", 400),
    "sts": ("Throttling", 400),
}
DENIAL = {"ec2": "UnauthorizedOperation", "autoscaling": "AccessDenied", "s3": "AccessDenied", "iam": "AccessDenied"}
QUERY_DENIAL = frozenset({"cloudfront", "cloudwatch", "elasticache", "elbv2", "rds", "route53", "sns", "sts"})
EXPIRY = {"ec2": "RequestExpired", "s3": "ExpiredToken"}
PLAIN_EXPIRY = frozenset(
    {"autoscaling", "cloudfront", "cloudwatch", "elasticache", "elbv2", "iam", "rds", "route53", "sns", "sts"}
)
ACCESS_PREFIX = {"cloudwatch": "cloudwatch", "efs": "elasticfilesystem", "elbv2": "elasticloadbalancing"}


class Dropped(Exception):
    """The connection is reset, and the caller gets no answer."""


class Unreliable:
    """Stands between the wire and the operations. Without a profile it does nothing."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self.rules: list[Rule] = []
        self.staleness = Staleness(clock)
        self._draw = random.Random(0)
        self._start = clock()

    def load(self, profile: Any) -> None:
        """Follow a profile from now on; None ends all faults. Raises BadProfile, and the old one stays."""
        rules = parse(profile)
        self._draw = random.Random((profile or {}).get("seed", 0))
        self._start = self.clock()
        self.staleness = Staleness(self.clock)
        self.rules = [rule for rule in rules if rule.fault not in ("stale", "iam_delay")]
        for rule in rules:
            if rule.fault == "stale":
                self.staleness.follow(rule.fits, rule.reads, rule.seconds)
            elif rule.fault == "iam_delay":
                self.staleness.delay_iam(rule.seconds)

    def counts(self) -> dict[str, int]:
        """How often each fault has struck so far."""
        found: dict[str, int] = {}
        for rule in self.rules:
            found[rule.fault] = found.get(rule.fault, 0) + rule.applied
        return {**found, **self.staleness.counts()}

    def delay(self, call: Call) -> None:
        """Sleep where a rule says so. Call it outside of the lab's lock."""
        for rule in self.rules:
            if (
                rule.fault == "slow"
                and rule.fits(call)
                and rule.strikes(self.clock() - self._start, self._draw.random())
            ):
                self.sleep(rule.seconds)

    def answer(self, call: Call, run: Run) -> tuple[Raw, str | None]:
        """The answer to a call, and the fault that it met. Raises Dropped where there is none.

        The state of the account is then as if the call had been carried out, or as if it had never come, never between.
        """
        for rule in self.rules:
            if rule.fault == "slow" or not rule.fits(call):
                continue
            if rule.strikes(self.clock() - self._start, self._draw.random()):
                return self._strike(rule, call, run)
        return self.staleness.answer(call, run)

    def _strike(self, rule: Rule, call: Call, run: Run) -> tuple[Raw, str | None]:
        executed = rule.fault in ("server_error", "reset") and self._draw.random() < rule.after_execution
        if executed:
            self.staleness.answer(call, run)
        label = f"{rule.fault} after execution" if executed else rule.fault
        if rule.fault == "reset":
            raise Dropped(label)
        error = {
            "throttle": throttling,
            "server_error": lambda failed: server_error(failed, rule.status),
            "expired": expiry,
            "access_denied": denial,
        }[rule.fault](call)
        return serialize(call, error, "unreliable"), label


def throttling(call: Call) -> AwsError:
    """Too many calls."""
    code, status = THROTTLING.get(call.service, ("ThrottlingException", 400))
    return AwsError(code, "Rate exceeded" if code != "SlowDown" else "Please reduce your request rate.", status)


def server_error(call: Call, status: int) -> AwsError:
    """AWS itself fails."""
    if status == 503:
        return AwsError(
            "Unavailable" if call.service == "ec2" else "ServiceUnavailable", "The service is unavailable", 503
        )
    code = {"s3": "InternalError", "ec2": "InternalError"}.get(call.service, "InternalFailure")
    return AwsError(code, "An internal error has occurred", status)


def expiry(call: Call) -> AwsError:
    """The session of the caller is over."""
    plain = "ExpiredToken" if call.service in PLAIN_EXPIRY else "ExpiredTokenException"
    status = 403 if call.service in PLAIN_EXPIRY else 400
    return AwsError(EXPIRY.get(call.service, plain), "The security token included in the request is expired", status)


def denial(call: Call) -> AwsError:
    """The policies of the caller lack the action; the text is AWS's own, which names it."""
    model = call.model.service_model if call.model else None
    prefix = ACCESS_PREFIX.get(call.service, str(model.signing_name) if model else call.service)
    plain = "AccessDenied" if call.service in QUERY_DENIAL else "AccessDeniedException"
    text = (
        f"User: arn:aws:iam::123456789012:user/lab is not authorized to perform: {prefix}:{call.operation} "
        f"because no identity-based policy allows the {prefix}:{call.operation} action"
    )
    if call.service == "s3":
        text = "Access Denied"
    if call.service == "ec2":
        text = f"You are not authorized to perform this operation. {text}"
    return AwsError(DENIAL.get(call.service, plain), text, 403)
