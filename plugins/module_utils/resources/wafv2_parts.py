"""What hangs on a web ACL: its associations and its log, with the policy that lets the log be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ..engine.resource import Resource, Scope
from ..engine.sdk import SDK_ERRORS, error_code
from .elbv2 import LoadBalancer
from .logs import LogGroup
from .policies import Policy
from .tagging import stack_tags
from .wafv2 import RegionalWebACL, WebACL
from .wafv2_rules import canonical


@dataclass(eq=False)
class WebACLAssociation(Resource):
    """A load balancer under the stack's web ACL, named after the load balancer.

    A load balancer has exactly one ACL. Under somebody else's, this association does not exist: it is made anew, and never
    removed from under it (trap 159).
    """

    service = "wafv2"
    missing = ("WAFNonexistentItemException",)
    retry = ("WAFUnavailableEntityException",)  # trap 157
    within = (RegionalWebACL, LoadBalancer)
    tagged = False
    purge = True

    load_balancer: LoadBalancer | None = None
    web_acl: RegionalWebACL | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterator[dict[str, Any]]:
        for acl in scope.of(RegionalWebACL):
            if not acl.owned:
                continue
            kind = "APPLICATION_LOAD_BALANCER"
            arns = client.list_resources_for_web_acl(WebACLArn=acl.arn, ResourceType=kind)["ResourceArns"]
            for arn in arns:
                name = arn.split("/")[-2]
                if name in scope.names or (not scope.fresh and arn in stack_tags(scope)):
                    yield {"name": name, "arn": arn, "acl_arn": acl.arn}

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["arn"], "acl_arn": item["acl_arn"]}

    def want(self) -> dict[str, Any]:
        return {"acl_arn": self.web_acl.arn if self.web_acl is not None else None}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.load_balancer is None:
            raise TypeError("an association is built with its load balancer")
        client.associate_web_acl(WebACLArn=want["acl_arn"], ResourceArn=self.load_balancer.arn)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        client.associate_web_acl(WebACLArn=change["acl_arn"], ResourceArn=self.id)

    def delete(self, client: Any) -> None:
        current = client.get_web_acl_for_resource(ResourceArn=self.id).get("WebACL") or {}
        if current.get("ARN") == self.get("acl_arn"):
            client.disassociate_web_acl(ResourceArn=self.id)


@dataclass(eq=False)
class LogDelivery(Resource):
    """The resource policy by which AWS's log delivery may write into log groups, one for the stack (a region has ten, trap 156)."""

    service = "logs"
    missing = ("ResourceNotFoundException",)
    tagged = False

    policy: Policy | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        if scope.members:
            for page in client.get_paginator("describe_resource_policies").paginate():
                yield from page["resourcePolicies"]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["policyName"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["policyName"], "policy": Policy.parse(item["policyDocument"])}

    def want(self) -> dict[str, Any]:
        return {"policy": self.policy}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        self.update(client, want)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        client.put_resource_policy(policyName=self.name, policyDocument=change["policy"].text)

    def delete(self, client: Any) -> None:
        client.delete_resource_policy(policyName=self.name)


@dataclass(eq=False)
class LoggingConfiguration(Resource):
    """Where the log of a web ACL of CloudFront goes, which fields of requests it hides and which requests it keeps."""

    service = "wafv2"
    fixed_region: ClassVar[str | None] = "us-east-1"
    acl_kind: ClassVar[type[WebACL]] = WebACL
    missing = ("WAFNonexistentItemException",)
    retry = ("WAFUnavailableEntityException", "WAFLogDestinationPermissionIssueException")
    busy = ("WAFOptimisticLockException",)
    stepwise = True
    within = (WebACL,)
    tagged = False
    purge = True

    web_acl: WebACL | None = None
    log_group: LogGroup | None = None
    delivery: LogDelivery | None = None  # only for the order
    redacted_headers: list[str] | None = None
    redact_query: bool = False
    only_stopped: bool | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterator[dict[str, Any]]:
        acls = {acl.arn: acl.name for acl in scope.of(cls.acl_kind) if acl.owned}
        marker: dict[str, str] = {}
        while acls:
            answer = client.list_logging_configurations(Scope=cls.acl_kind.waf_scope, Limit=100, **marker)
            for item in answer["LoggingConfigurations"]:
                if item["ResourceArn"] in acls:
                    yield {"name": acls[item["ResourceArn"]], **item}
            if not answer.get("NextMarker"):
                return
            marker = {"NextMarker": answer["NextMarker"]}

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["ResourceArn"],
            "destinations": set(item["LogDestinationConfigs"]),
            "redacted": _texts(item.get("RedactedFields") or ()),
            "filter": canonical(item.get("LoggingFilter") or {}),
        }

    def want(self) -> dict[str, Any]:
        return {
            "destinations": {self.log_group.arn} if self.log_group is not None else None,
            "redacted": _texts(self._redacted()),
            "filter": None if self.only_stopped is None else self._filter(),
        }

    def _redacted(self) -> list[dict[str, Any]]:
        headers: list[dict[str, Any]] = [{"SingleHeader": {"Name": one.lower()}} for one in self.redacted_headers or ()]
        return [*headers, *([{"QueryString": {}}] if self.redact_query else [])]

    def _filter(self) -> dict[str, Any]:
        if not self.only_stopped:
            return {}
        actions = ("BLOCK", "CAPTCHA", "CHALLENGE", "COUNT", "EXCLUDED_AS_COUNT")
        conditions = [{"ActionCondition": {"Action": action}} for action in actions]
        keep = {"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": conditions}
        return {"DefaultBehavior": "DROP", "Filters": [keep]}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        self.update(client, want)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if self.web_acl is None or self.log_group is None:
            raise TypeError("a logging configuration is built with both")
        configuration: dict[str, Any] = {
            "ResourceArn": self.web_acl.arn,
            "LogDestinationConfigs": [self.log_group.arn],  # never with ":*" at its end (trap 156)
        }
        if redacted := self._redacted():
            configuration["RedactedFields"] = redacted
        if keep := self._filter():
            configuration["LoggingFilter"] = keep
        client.put_logging_configuration(LoggingConfiguration=configuration)

    def delete(self, client: Any) -> None:
        try:
            client.delete_logging_configuration(ResourceArn=self.id)
        except SDK_ERRORS as error:
            if error_code(error) not in self.missing:
                raise


@dataclass(eq=False)
class RegionalLoggingConfiguration(LoggingConfiguration):
    """The same of a web ACL of a region."""

    fixed_region = None
    acl_kind = RegionalWebACL
    within = (RegionalWebACL,)


def _texts(fields: Iterable[Any]) -> set[str]:
    """Fields of a request as texts that can be compared without order: ``SingleHeader:authorization``."""
    return {
        ":".join([kind, *(str(part).lower() for part in inner.values())])
        for field in fields
        for kind, inner in canonical(field).items()
    }
