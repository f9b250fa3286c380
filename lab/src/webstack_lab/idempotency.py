"""Client tokens: a request that is sent again with its token gets the first answer again, and nothing is made twice.

EC2: "If you retry a request that completed successfully using the same client token and the same parameters, the retry succeeds without
performing any further actions"; with other parameters it fails with IdempotentParameterMismatch.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
Secrets Manager's ClientRequestToken works alike. Tokens of other services are kept where the service is: EFS and Route 53 in services/.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from webstack_lab.calls import presentable
from webstack_lab.extend import AwsError, Raw, on_reset
from webstack_lab.wire import Call, serialize

MEMBERS = {"ec2": "ClientToken", "secretsmanager": "ClientRequestToken"}

remembered: dict[tuple[str, str, str, str, str], tuple[str, Raw]] = {}


@on_reset
def forget() -> None:
    """Tokens of an account that is no more."""
    remembered.clear()


def answer_once(call: Call, run: Callable[[Call], Raw]) -> Raw:
    """The answer of ``run``, or what it was when the same token came the first time."""
    token = call.params.get(MEMBERS.get(call.service, ""))
    if not token:
        return run(call)
    key = (call.access_key, call.region, call.service, call.operation, str(token))
    parameters = json.dumps(presentable(call.params), sort_keys=True)
    if key in remembered:
        known, raw = remembered[key]
        if known == parameters:
            return raw
        error = AwsError("IdempotentParameterMismatch", "The client token was used with other parameters before", 400)
        return serialize(call, error, "idempotency")
    raw = run(call)
    if raw.status < 400:
        remembered[key] = (parameters, raw)
    return raw
