"""How to teach the lab an operation that moto lacks, or correct one that it gets wrong.

Put a module into `webstack_lab/services/`; it is imported when the lab starts. All forms:

    from webstack_lab.extend import AwsError, Context, Raw, operation

    # 1. An operation that moto lacks. Parameters arrive parsed, spelled as in boto3; the answer is a dict spelled as
    #    boto3 would return it. The wire format (query, ec2, json, rest-json, rest-xml) is not your business.
    @operation("xray", "CreateGroup")
    def create_group(context: Context, params: dict) -> dict:
        groups = context.table("groups")                 # own state: one dict per (account, region, service, name)
        if params["GroupName"] in groups:
            raise AwsError("InvalidRequestException", "Group already exists")  # status comes from botocore's model
        arn = context.arn(f"group/{params['GroupName']}")
        groups[params["GroupName"]] = {"GroupName": params["GroupName"], "GroupARN": arn}
        return {"Group": groups[params["GroupName"]]}

    # 2. Wrap: run moto's own implementation, then correct the answer (a dict, as boto3 would return it).
    #    An error answered by moto is raised as AwsError, so it passes through, or can be caught and replaced.
    @operation("elasticache", "DescribeReplicationGroups")
    def describe_replication_groups(context, params):
        answer = context.moto()
        for group in answer["ReplicationGroups"]:
            group["AutoMinorVersionUpgrade"] = True
        return answer

    # 3. Refuse first, then let moto do it; or hand moto other parameters than the caller sent.
    @operation("elbv2", "CreateListener")
    def create_listener(context, params):
        arn = params["LoadBalancerArn"]
        listeners = context.call("elbv2", "DescribeListeners", LoadBalancerArn=arn)["Listeners"]
        for listener in listeners:
            if listener["Port"] == params["Port"]:
                raise AwsError("DuplicateListener", f"A listener already exists on port {params['Port']}")
        return context.moto(params)

    # 4. moto's own objects (change them in place) and our state of another service.
    backend = context.backend("ec2")                     # of this region; context.backend("rds", "eu-west-1")
    zones = context.table("shifts", service="arc-zonal-shift")

    # 5. An answer that must not pass through a parser: `return context.forward()` gives moto's bytes untouched (Raw).

    # 6. A mend of moto's classes, at module level; what was there before is returned.
    terminate = mend(Instance, "terminate", lambda self: terminate(self))
    mend(DBInstance, "status", property(status_by_age))

    # 7. `@on_reset` registers a function that runs at each reset: for state kept outside the tables, or threads.

    # 8. `@tagged` makes the things of our tables known to the tagging API (GetResources):
    @tagged
    def tagged_groups(context):
        for group in context.table("groups", service="xray").values():
            yield group["GroupARN"], {"webstack:stack": "a"}

One operation has one owner: registering it twice is an error at start. `operation("logs", "TagResource",
"UntagResource")` registers one function for several; `context.operation` tells which was called.

Keep what must appear in `lab snapshot` in tables; a table whose name starts with "_" is left out of it (caches,
history).
All code runs under the lab's one lock: no threads, no sleeping in an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import moto.backends

from webstack_lab import ACCOUNT_ID

Params = dict[str, Any]
Answer = dict[str, Any]
Table = dict[str, Any]

# Their names are one namespace over all regions; moto keeps them in one backend per partition, we in one table.
GLOBAL_SERVICES = frozenset(
    {"budgets", "ce", "cloudfront", "globalaccelerator", "iam", "organizations", "route53", "s3", "shield", "support"}
)


class AwsError(Exception):
    """An error that the caller sees in the wire shape of its protocol.

    Without `status`, the HTTP status is the one in botocore's model of the error, else 400. Members of the error's
    shape beside the message (rare) are keywords.
    """

    def __init__(self, code: str, message: str = "", status: int | None = None, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        for name, value in members.items():
            setattr(self, name, value)


@dataclass
class Raw:
    """An HTTP answer as it goes to the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Gateway(Protocol):
    """What the server gives to a context: ways to run a call."""

    def moto(self, context: Context, params: Params | None) -> Answer: ...

    def forward(self, context: Context) -> Raw: ...

    def call(self, context: Context, service: str, operation: str, region: str, params: Params) -> Answer: ...


@dataclass
class Context:
    """Who calls what, and the way to moto and to our own state."""

    service: str
    operation: str
    region: str
    gateway: Gateway
    request: Any
    account_id: str = ACCOUNT_ID
    request_id: str = ""

    @property
    def partition(self) -> str:
        """The partition of the region: aws, aws-cn, aws-us-gov."""
        for prefix in ("cn", "us-gov"):
            if self.region.startswith(prefix + "-"):
                return f"aws-{prefix}"
        return "aws"

    @property
    def store(self) -> dict[str, Table]:
        """All our tables of this account, region and service."""
        return stores.of(self.account_id, self.region, self.service)

    def table(self, name: str, service: str | None = None, region: str | None = None) -> Table:
        """One of our tables, by default of this service and region; made when first asked for."""
        store = stores.of(self.account_id, region or self.region, service or self.service)
        return store.setdefault(name, {})

    def backend(self, service: str | None = None, region: str | None = None) -> Any:
        """moto's backend of a service in this account, by default this service and region."""
        regions = backends_of(service or self.service)[self.account_id]
        wanted = region or self.region
        return regions[wanted] if wanted in regions.regions else regions[self.partition]

    def arn(self, resource: str, service: str | None = None) -> str:
        """An ARN of this account and region; regionless for global services."""
        name = service or self.service
        region = "" if name in GLOBAL_SERVICES else self.region
        return f"arn:{self.partition}:{name}:{region}:{self.account_id}:{resource}"

    def moto(self, params: Params | None = None) -> Answer:
        """moto's own answer to this call, or to the same operation with other parameters."""
        return self.gateway.moto(self, params)

    def forward(self) -> Raw:
        """moto's own answer to this call, as bytes."""
        return self.gateway.forward(self)

    def call(self, service: str, operation: str, /, region: str | None = None, **params: Any) -> Answer:
        """Another operation, as a client would see it (our extensions included; not in the call log)."""
        return self.gateway.call(self, service, operation, region or self.region, params)


def backends_of(service: str) -> Any:
    """moto's backends of a service, by account and region; its code is loaded when first asked for."""
    get_backend: Any = moto.backends.get_backend
    return get_backend(service)


def mend(owner: Any, name: str, value: Any) -> Any:
    """Put something in the place of an attribute of one of moto's classes or modules; returns what was there."""
    before = getattr(owner, name, None)
    setattr(owner, name, value)
    return before


Operation = Callable[[Context, Params], "Answer | Raw | None"]


class Stores:
    """Our state: plain dicts by account, region and service."""

    def __init__(self) -> None:
        self.data: dict[tuple[str, str, str], dict[str, Table]] = {}

    def of(self, account_id: str, region: str, service: str) -> dict[str, Table]:
        """The tables of one service in one region; the region of a global service is 'global'."""
        where = "global" if service in GLOBAL_SERVICES else region
        return self.data.setdefault((account_id, where, service), {})

    def clear(self) -> None:
        """Forget everything."""
        self.data.clear()


stores = Stores()
operations: dict[tuple[str, str], Operation] = {}
reset_hooks: list[Callable[[], None]] = []
Tagged = Callable[[Context], Iterable[tuple[str, dict[str, str]]]]
tagged_sources: list[Tagged] = []


def operation(service: str, *names: str) -> Callable[[Operation], Operation]:
    """Register a function as the implementation of operations of a service (boto3's name of the service)."""

    def register(function: Operation) -> Operation:
        for name in names:
            known = operations.get((service, name))
            if known is not None:
                raise ValueError(
                    f"{service} {name} is registered twice: in {known.__module__} and {function.__module__}"
                )
            operations[service, name] = function
        return function

    return register


def on_reset(function: Callable[[], None]) -> Callable[[], None]:
    """Register a function that runs at each reset of the lab."""
    reset_hooks.append(function)
    return function


def tagged(function: Tagged) -> Tagged:
    """Register a function that yields ARN and tags of resources that the tagging API should list."""
    tagged_sources.append(function)
    return function


def call_moto(context: Context, params: Params | None = None) -> Answer:
    """The same as `context.moto(params)`."""
    return context.moto(params)


def page(
    items: list[Any],
    params: Params,
    key: str,
    *,
    size: str = "MaxRecords",
    token: str = "Marker",
    next_token: str | None = None,
    limit: int = 100,
) -> Answer:
    """One page of a list: `{key: items, token: …}`, the token being the position where the next page starts."""
    start = int(params.get(token) or 0)
    end = start + int(params.get(size) or limit)
    answer: Answer = {key: items[start:end]}
    if end < len(items):
        answer[next_token or token] = str(end)
    return answer
