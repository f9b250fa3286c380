"""Web ACLs and the sets that their rules refer to. https://docs.aws.amazon.com/waf/latest/APIReference/

Each kind exists twice: for CloudFront, which lives in us-east-1 whatever the region of the stack (trap 155), and for a region.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, ClassVar

from ..engine.errors import ResourceError
from ..engine.resource import Resource, Scope, Unknown, as_dict, as_list, changed_tags
from .tagging import stack_tags, tags_of
from .wafv2_rules import MANAGED_BY_SHIELD, Rule, in_order

MOST_CAPACITY = 5000  # units of one ACL
# What an update must carry along, because it replaces the whole document and we do not manage it (trap 160).
KEPT = (
    "AssociationConfig",
    "CaptchaConfig",
    "ChallengeConfig",
    "CustomResponseBodies",
    "DataProtectionConfig",
    "OnSourceDDoSProtectionConfig",
    "TokenDomains",
)


@dataclass(eq=False)
class FirewallPart(Resource):
    """What all things of WAF have in common: a name in a scope, an id, a lock token, tags by ARN."""

    service = "wafv2"
    fixed_region: ClassVar[str | None] = "us-east-1"
    waf_scope: ClassVar[str] = "CLOUDFRONT"
    noun: ClassVar[str] = ""  # of the operations: Get<noun>
    segment: ClassVar[str] = ""  # of the ARN
    missing = ("WAFNonexistentItemException",)
    retry = ("WAFUnavailableEntityException",)  # what it refers to is not usable for seconds to minutes (trap 157)
    # A lock token is valid for one write: read again, write again (traps 13, 160); a user takes time to let go (trap 158).
    busy = ("WAFOptimisticLockException", "WAFAssociatedItemException")
    stepwise = True
    timeout = 900

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterator[dict[str, Any]]:
        """The items of the names that are wished for; others only where the stack's tags lead to them."""
        place = "global" if cls.waf_scope == "CLOUDFRONT" else "regional"
        ours = (
            []
            if cls._only_references(scope)
            else [arn for arn in stack_tags(scope) if f":{place}/{cls.segment}/" in arn]
        )
        if not scope.members and not ours:
            return
        marker: dict[str, str] = {}
        while True:  # the SDK has no paginator for it (trap 7)
            answer = getattr(client, f"list_{_snake(cls.noun)}s")(Scope=cls.waf_scope, Limit=100, **marker)
            for item in answer[cls._listing()]:
                if item["Name"] in scope.names or item["ARN"] in ours:
                    yield item
            if not answer.get("NextMarker"):
                return
            marker = {"NextMarker": answer["NextMarker"]}

    @classmethod
    def _only_references(cls, scope: Scope) -> bool:
        return scope.fresh or (bool(scope.members) and not any(member.owned for member in scope.members))

    @classmethod
    def _listing(cls) -> str:
        return {"WebACL": "WebACLs", "IPSet": "IPSets", "RegexPatternSet": "RegexPatternSets"}[cls.noun]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return item["Name"], item["ARN"]

    def _base(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["ARN"]
        have = {"id": item["Id"], "arn": arn, "description": item.get("Description") or ""}
        if self.owned:
            have["tags"] = tags_of(self, arn, lambda: _tags(client, arn))
        return have

    @property
    def where(self) -> dict[str, str]:
        """The parameters by which WAF finds the item."""
        return {"Name": self.name, "Scope": self.waf_scope, "Id": self.id}

    def fetch(self, client: Any) -> tuple[dict[str, Any], str]:
        """The whole item as it is now, and the token that the next write of it needs."""
        answer = getattr(client, f"get_{_snake(self.noun)}")(**self.where)
        return answer[self.noun], answer["LockToken"]

    def set_tags(self, client: Any, want: dict[str, str]) -> None:
        """Make the tags what is wanted."""
        to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, want)
        if to_set:
            client.tag_resource(ResourceARN=self.arn, Tags=as_list(to_set))
        if to_remove:
            client.untag_resource(ResourceARN=self.arn, TagKeys=to_remove)

    def delete(self, client: Any) -> None:
        _item, token = self.fetch(client)
        getattr(client, f"delete_{_snake(self.noun)}")(**self.where, LockToken=token)


@dataclass(eq=False)
class IPSet(FirewallPart):
    """A set of address ranges of CloudFront's scope.

    ``runtime_owned``: the addresses are the operators' from the day after; they are given at creation and then never compared (trap 160).
    """

    noun = "IPSet"
    segment = "ipset"
    immutable = {"ip_version": "A set keeps its IP version: use a set of another name"}

    addresses: list[str] | None = None
    ip_version: int | None = None
    runtime_owned: bool = False
    description: str | None = None

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = self._base(client, item)
        if self.owned and self.addresses is not None and not self.runtime_owned:
            answer = client.get_ip_set(Name=item["Name"], Scope=self.waf_scope, Id=item["Id"])["IPSet"]
            have["ip_version"] = 6 if answer["IPAddressVersion"] == "IPV6" else 4
            have["addresses"] = networks(answer["Addresses"])
        return have

    def want(self) -> dict[str, Any]:
        known = self.have is None or "ip_version" in self.have
        return {
            "description": None if self.runtime_owned and self.exists else self.description,
            "ip_version": self.ip_version if known else None,
            "addresses": networks(self.addresses or ()) if known and self.addresses is not None else None,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_ip_set(
            Name=self.name,
            Scope=self.waf_scope,
            IPAddressVersion=f"IPV{self.ip_version}",
            Addresses=sorted(want.get("addresses") or ()),
            Tags=as_list(want["tags"]),
            **({"Description": self.description} if self.description else {}),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if change.keys() & {"addresses", "description"}:
            item, token = self.fetch(client)
            addresses = sorted(change["addresses"]) if "addresses" in change else item["Addresses"]
            description = change.get("description", item.get("Description"))
            more = {"Description": description} if description else {}
            client.update_ip_set(**self.where, Addresses=addresses, LockToken=token, **more)
        if "tags" in change:
            self.set_tags(client, change["tags"])


@dataclass(eq=False)
class RegionalIPSet(IPSet):
    """A set of address ranges for a region."""

    fixed_region = None
    waf_scope = "REGIONAL"


@dataclass(eq=False)
class RegexPatternSet(FirewallPart):
    """A set of regular expressions of CloudFront's scope."""

    noun = "RegexPatternSet"
    segment = "regexpatternset"

    expressions: list[str] | None = None
    description: str | None = None

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = self._base(client, item)
        if self.owned and self.expressions is not None:
            answer = client.get_regex_pattern_set(Name=item["Name"], Scope=self.waf_scope, Id=item["Id"])
            have["expressions"] = {one["RegexString"] for one in answer["RegexPatternSet"]["RegularExpressionList"]}
        return have

    def want(self) -> dict[str, Any]:
        expressions = None if self.expressions is None else set(self.expressions)
        return {"description": self.description, "expressions": expressions}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        more = {"Description": self.description} if self.description else {}
        expressions = [{"RegexString": one} for one in sorted(want["expressions"])]
        client.create_regex_pattern_set(
            Name=self.name,
            Scope=self.waf_scope,
            RegularExpressionList=expressions,
            Tags=as_list(want["tags"]),
            **more,
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if change.keys() & {"expressions", "description"}:
            _item, token = self.fetch(client)
            expressions = [{"RegexString": one} for one in sorted(self.expressions or ())]
            more = {"Description": self.description} if self.description else {}
            client.update_regex_pattern_set(**self.where, RegularExpressionList=expressions, LockToken=token, **more)
        if "tags" in change:
            self.set_tags(client, change["tags"])


@dataclass(eq=False)
class RegionalRegexPatternSet(RegexPatternSet):
    """A set of regular expressions for a region."""

    fixed_region = None
    waf_scope = "REGIONAL"


@dataclass(eq=False)
class WebACL(FirewallPart):
    """A web ACL of CloudFront's scope, compared and written as a whole document (trap 160).

    Its rules may hold resources (sets) where AWS wants their ARNs. Rules that Shield Advanced has put in are kept and not compared.
    CloudFront is told of it by the distribution, not here (trap 141).
    """

    noun = "WebACL"
    segment = "webacl"

    rules: list[Rule] | None = None
    default_action: str | None = None
    description: str | None = None
    sampled_requests: bool = True
    maximum_capacity: int = MOST_CAPACITY

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = self._base(client, item)
        if not self.owned or self.rules is None:
            return have
        acl = client.get_web_acl(Name=item["Name"], Scope=self.waf_scope, Id=item["Id"])["WebACL"]
        return {
            **have,
            "default_action": next(iter(acl["DefaultAction"])).lower(),
            "rules": in_order(one for one in acl.get("Rules") or () if not one["Name"].startswith(MANAGED_BY_SHIELD)),
            "visibility": acl["VisibilityConfig"],
            "capacity": acl.get("Capacity"),
        }

    def want(self) -> dict[str, Any]:
        if self.rules is None:
            return {}
        rules = [
            {**one, "VisibilityConfig": one.get("VisibilityConfig") or self._visible(one["Name"])} for one in self.rules
        ]
        return {
            "default_action": self.default_action,
            "description": self.description,
            "rules": in_order(rules),
            "visibility": self._visible(self.name),
        }

    def _visible(self, metric: str) -> dict[str, Any]:
        return {
            "SampledRequestsEnabled": self.sampled_requests,
            "CloudWatchMetricsEnabled": True,
            "MetricName": metric,
        }

    def refuse(self, change: dict[str, Any]) -> str | None:
        if "rules" not in change or self._scope is None or _unknown(change["rules"]):
            return None
        return self._too_large(self.scope.client(self.service, self.region), change["rules"])

    def _too_large(self, client: Any, rules: list[Rule]) -> str | None:
        """Why the rules are more than one ACL may hold (trap 161)."""
        needed = int(client.check_capacity(Scope=self.waf_scope, Rules=rules)["Capacity"])
        if needed <= self.maximum_capacity:
            return None
        limit = f"AWS allows {MOST_CAPACITY}, and takes an extra fee above 1500"
        return f"its rules need {needed} capacity units, and maximum_capacity is {self.maximum_capacity} ({limit})"

    def create(self, client: Any, want: dict[str, Any]) -> None:
        reason = self._too_large(client, want["rules"])
        if reason:
            raise ResourceError("creating", self.address, reason)
        client.create_web_acl(Name=self.name, Scope=self.waf_scope, Tags=as_list(want["tags"]), **self._document(want))

    def _document(self, wanted: dict[str, Any]) -> dict[str, Any]:
        document = {
            "DefaultAction": {str(wanted["default_action"]).capitalize(): {}},
            "Rules": wanted["rules"],
            "VisibilityConfig": wanted["visibility"],
        }
        return {**document, **({"Description": wanted["description"]} if wanted.get("description") else {})}

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if change.keys() - {"tags"}:
            acl, token = self.fetch(client)
            document = self._document(self.want())
            document["Rules"] += [one for one in acl.get("Rules") or () if one["Name"].startswith(MANAGED_BY_SHIELD)]
            kept = {key: acl[key] for key in KEPT if acl.get(key)}
            client.update_web_acl(**self.where, LockToken=token, **document, **kept)
        if "tags" in change:
            self.set_tags(client, change["tags"])

    def delete(self, client: Any) -> None:
        """Detach it from what the stack owns, then delete; WAF refuses while that takes effect (trap 158)."""
        self._detach(client)
        super().delete(client)

    def _detach(self, _client: Any) -> None:
        cloudfront = self.scope.client("cloudfront", "us-east-1")
        answer = cloudfront.list_distributions_by_web_acl_id(WebACLId=self.arn)["DistributionList"]
        for distribution in answer.get("Items", []):
            self._refuse_stranger(distribution["ARN"], stack_tags(self.scope))
            current = cloudfront.get_distribution_config(Id=distribution["Id"])
            config = {**current["DistributionConfig"], "WebACLId": ""}
            cloudfront.update_distribution(Id=distribution["Id"], IfMatch=current["ETag"], DistributionConfig=config)

    def _refuse_stranger(self, arn: str, ours: Iterable[str]) -> None:
        if arn not in ours:
            raise ResourceError(
                "deleting", self.address, f"{arn}, which is not the stack's, is protected by it. Detach it there first"
            )


@dataclass(eq=False)
class RegionalWebACL(WebACL):
    """A web ACL for load balancers and the like of a region."""

    fixed_region = None
    waf_scope = "REGIONAL"

    def _detach(self, client: Any) -> None:
        for kind in ("APPLICATION_LOAD_BALANCER", "API_GATEWAY"):
            for arn in client.list_resources_for_web_acl(WebACLArn=self.arn, ResourceType=kind)["ResourceArns"]:
                self._refuse_stranger(arn, stack_tags(self.scope))
                client.disassociate_web_acl(ResourceArn=arn)


def networks(addresses: Iterable[str]) -> set[str]:
    """Addresses and ranges as ranges, in one spelling; WAF writes IPv6 out in full."""
    return {str(ip_network(address.strip(), strict=False)) for address in addresses}


def _unknown(value: Any) -> bool:
    """Whether a document holds an id that AWS has yet to give."""
    if isinstance(value, dict):
        return any(_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(_unknown(part) for part in value)
    return isinstance(value, Unknown)


def _snake(noun: str) -> str:
    return {"WebACL": "web_acl", "IPSet": "ip_set", "RegexPatternSet": "regex_pattern_set"}[noun]


def _tags(client: Any, arn: str) -> dict[str, str]:
    return as_dict(client.list_tags_for_resource(ResourceARN=arn)["TagInfoForResource"].get("TagList"))
