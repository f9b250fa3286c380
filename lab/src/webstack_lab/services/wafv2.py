"""WAFv2: what moto lacks (capacity, associations, managed groups) and lets pass (names, actions, users of what is deleted).

https://docs.aws.amazon.com/waf/latest/APIReference/
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from functools import partial
from ipaddress import ip_network
from typing import Any

from moto.wafv2 import models
from moto.wafv2.utils import make_arn

from webstack_lab.extend import Answer, AwsError, Context, Params, mend, operation, tagged

# AWS's capacities: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
MANAGED_GROUPS = {
    "AWSManagedRulesAdminProtectionRuleSet": 100,
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
    "AWSManagedRulesAntiDDoSRuleSet": 50,
    "AWSManagedRulesBotControlRuleSet": 50,
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesLinuxRuleSet": 200,
    "AWSManagedRulesPHPRuleSet": 100,
    "AWSManagedRulesSQLiRuleSet": 200,
    "AWSManagedRulesUnixRuleSet": 100,
    "AWSManagedRulesWindowsRuleSet": 200,
    "AWSManagedRulesWordPressRuleSet": 100,
}
MOST_CAPACITY = 5000
# moto gives a set of CloudFront's scope the ARN of a regional one.
mend(models, "make_arn_for_regex_pattern_set", partial(make_arn, resource="regexpatternset"))
GROUPS = ("ManagedRuleGroupStatement", "RuleGroupReferenceStatement")
# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-list.html
COSTS = {
    "AsnMatchStatement": 1,
    "ByteMatchStatement": 2,
    "GeoMatchStatement": 1,
    "IPSetReferenceStatement": 1,
    "LabelMatchStatement": 1,
    "RegexMatchStatement": 3,
    "RegexPatternSetReferenceStatement": 25,
    "SizeConstraintStatement": 1,
    "SqliMatchStatement": 20,
    "XssMatchStatement": 40,
}


def place_of(scope_or_arn: str, context: Context) -> Any:
    """moto's backend of a scope, or of an ARN's scope."""
    edge = scope_or_arn == "CLOUDFRONT" or ":global/" in scope_or_arn
    if edge and context.region != "us-east-1":
        raise AwsError(
            "WAFInvalidParameterException", "The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT"
        )
    return context.backend("wafv2", "global" if edge else context.region)


def invalid(reason: str, field: str, parameter: str = "") -> AwsError:
    """The one error that WAF has for whatever it does not like about a request."""
    text = f"Error reason: {reason}, field: {field}, parameter: {parameter}"
    return AwsError("WAFInvalidParameterException", text, Field=field, Parameter=parameter, Reason=reason)


def statements_in(statement: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A statement and all inside it, with their kinds."""
    for kind, inner in statement.items():
        yield kind, inner
        nested = [inner.get("Statement"), inner.get("ScopeDownStatement"), *inner.get("Statements", [])]
        for one in nested:
            if one:
                yield from statements_in(one)


def check_rules(context: Context, scope: str, rules: list[dict[str, Any]]) -> None:
    """What AWS refuses of the rules of an ACL."""
    backend = place_of(scope, context)
    known = [*backend.ip_sets, *backend.regex_pattern_sets, *backend.rule_groups]
    for field in ("Name", "Priority"):
        values = [rule[field] for rule in rules]
        if len(set(values)) != len(values):
            raise invalid(f"Your rules have a duplicate {field.lower()}", "RULE")
    for rule in rules:
        group = next(iter(rule["Statement"])) in GROUPS
        if group == ("Action" in rule) or group != ("OverrideAction" in rule):
            raise invalid("A reference in your rule statement is not valid.", "RULE", rule["Name"])
        for kind, inner in statements_in(rule["Statement"]):
            if kind == "ManagedRuleGroupStatement" and inner["Name"] not in MANAGED_GROUPS:
                raise AwsError("WAFNonexistentItemException", f"AWS WAF does not know the rule group {inner['Name']}")
            if "ARN" in inner and inner["ARN"] not in known:
                raise AwsError("WAFNonexistentItemException", "AWS WAF couldn't find the resource of your rule")
            if kind in ("AndStatement", "OrStatement") and len(inner["Statements"]) < 2:
                raise invalid("You have exceeded a limit: at least two statements", "RULE", rule["Name"])


def capacity_of(statement: dict[str, Any]) -> int:
    """Capacity units, by the documented costs of each kind of statement."""
    total = 0
    for kind, inner in statement.items():
        nested = [inner.get("Statement"), inner.get("ScopeDownStatement"), *inner.get("Statements", [])]
        total += sum(capacity_of(one) for one in nested if one)
        if kind == "ManagedRuleGroupStatement":
            return MANAGED_GROUPS.get(inner["Name"], 0)
        if kind == "RateBasedStatement":
            total += 2
        total += COSTS.get(kind, 0)
        if kind == "ByteMatchStatement" and inner["PositionalConstraint"].startswith("CONTAINS"):
            total += 8
        if kind == "SqliMatchStatement" and inner.get("SensitivityLevel") == "HIGH":
            total += 10
        chosen = [one for one in inner.get("TextTransformations", []) if one["Type"] != "NONE"]
        total += 10 * len(chosen)
        if "AllQueryArguments" in (inner.get("FieldToMatch") or {}):
            total += 10
    return total


def completed(value: Any, name: str = "") -> Any:
    """Rules as AWS stores them: defaults filled in, search strings as they came."""
    if isinstance(value, dict):
        filled: dict[str, Any] = {key: completed(part, key) for key, part in value.items() if part is not None}
        if name == "RateBasedStatement":
            filled.setdefault("EvaluationWindowSec", 300)
        if name == "SqliMatchStatement":
            filled.setdefault("SensitivityLevel", "LOW")
        return filled
    if isinstance(value, list):
        return [completed(part) for part in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return value


@operation("wafv2", "CheckCapacity")
def check_capacity(context: Context, params: Params) -> Answer:
    """The capacity that rules need; https://docs.aws.amazon.com/waf/latest/APIReference/API_CheckCapacity.html"""
    check_rules(context, params["Scope"], params["Rules"])
    return {"Capacity": sum(capacity_of(rule["Statement"]) for rule in params["Rules"])}


@operation("wafv2", "CreateWebACL")
def create_web_acl(context: Context, params: Params) -> Answer:
    """Checked, and with the capacity that the rules need."""
    rules = checked(context, params)
    if len(params["VisibilityConfig"]) < 3:
        raise invalid("The visibility configuration is not complete", "METRIC_NAME")
    answer = context.moto()
    acl = place_of(params["Scope"], context).wacls[answer["Summary"]["ARN"]]
    keep(acl, params, rules)
    return answer


@operation("wafv2", "UpdateWebACL")
def update_web_acl(context: Context, params: Params) -> Answer:
    """The same; what the request leaves out is gone, rules too."""
    rules = checked(context, params)
    answer = context.moto()
    acl = place_of(params["Scope"], context).get_web_acl(None, params["Name"], params["Id"])
    acl.description = params.get("Description", "")
    keep(acl, params, rules)
    return answer


def checked(context: Context, params: Params) -> list[dict[str, Any]]:
    """The rules of a request, if AWS would take them."""
    rules = params.get("Rules") or []
    check_rules(context, params["Scope"], rules)
    if sum(capacity_of(rule["Statement"]) for rule in rules) > MOST_CAPACITY:
        raise AwsError("WAFLimitsExceededException", "AWS WAF couldn't perform the operation: WCU limit exceeded")
    return rules


def keep(acl: Any, params: Params, rules: list[dict[str, Any]]) -> None:
    """Put what moto loses of a request into its ACL."""
    acl.capacity = sum(capacity_of(rule["Statement"]) for rule in rules)
    acl.lab_rules = completed(rules)
    acl.rules = []


@operation("wafv2", "GetWebACL", "GetWebACLForResource")
def get_web_acl(context: Context, params: Params) -> Answer:
    """moto's, with the rules as they came."""
    answer = context.moto()
    acl = answer.get("WebACL")
    if acl:
        kept = place_of(acl["ARN"], context).wacls[acl["ARN"]]
        rules = getattr(kept, "lab_rules", None)
        if rules is not None:
            acl["Rules"] = decoded(rules)
        acl.pop("LockToken", None)
    return answer


def decoded(value: Any, name: str = "") -> Any:
    """Stored rules as an answer carries them: search strings as bytes."""
    if isinstance(value, dict):
        return {key: decoded(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [decoded(part) for part in value]
    if name == "SearchString" and isinstance(value, str):
        return base64.b64decode(value)
    return value


@operation("wafv2", "DeleteWebACL")
def delete_web_acl(context: Context, params: Params) -> Answer:
    """Refused while something is protected by it."""
    acl = place_of(params["Scope"], context).get_web_acl(None, params["Name"], params["Id"])
    if acl.associated_resources or (params["Scope"] == "CLOUDFRONT" and distributions_of(context, acl.arn)):
        text = "AWS WAF couldn't perform the operation because your resource is being used by another resource"
        raise AwsError("WAFAssociatedItemException", text)
    context.backend("wafv2").logging_configurations.pop(acl.arn, None)
    return context.moto()


def distributions_of(context: Context, arn: str) -> list[Any]:
    """The distributions that name an ACL."""
    answer = context.call("cloudfront", "ListDistributionsByWebACLId", region="us-east-1", WebACLId=arn)
    found: list[Any] = answer["DistributionList"].get("Items") or []
    return found


@operation("wafv2", "AssociateWebACL")
def associate_web_acl(context: Context, params: Params) -> Answer:
    """A resource has one ACL; CloudFront's are not associated here."""
    if ":global/" in params["WebACLArn"] or ":cloudfront:" in params["ResourceArn"]:
        raise invalid("The ARN isn't valid.", "RESOURCE_ARN", params["ResourceArn"])
    backend = context.backend("wafv2")
    if params["WebACLArn"] not in backend.wacls:
        raise AwsError("WAFNonexistentItemException", "AWS WAF couldn't perform the operation: it doesn't exist")
    balancers = context.backend("elbv2").load_balancers
    if ":elasticloadbalancing:" in params["ResourceArn"] and params["ResourceArn"] not in balancers:
        raise AwsError("WAFNonexistentItemException", "AWS WAF couldn't find the load balancer")
    for acl in backend.wacls.values():
        acl.associated_resources = [one for one in acl.associated_resources if one != params["ResourceArn"]]
    return context.moto()


@operation("wafv2", "ListResourcesForWebACL")
def list_resources_for_web_acl(context: Context, params: Params) -> Answer:
    """Of one type, load balancers unless another is asked for."""
    acl = place_of(params["WebACLArn"], context).wacls.get(params["WebACLArn"])
    if acl is None:
        raise AwsError("WAFNonexistentItemException", "AWS WAF couldn't perform the operation: it doesn't exist")
    mark = {"APPLICATION_LOAD_BALANCER": ":loadbalancer/app/", "API_GATEWAY": ":apigateway:"}.get(
        params.get("ResourceType", "APPLICATION_LOAD_BALANCER"), "?"
    )
    return {"ResourceArns": [arn for arn in acl.associated_resources if mark in arn]}


@operation("wafv2", "PutLoggingConfiguration")
def put_logging_configuration(context: Context, params: Params) -> Answer:
    """The destination's name and form are checked (a log group's ARN without ":*")."""
    wanted = params["LoggingConfiguration"]
    backend = place_of(wanted["ResourceArn"], context)
    if wanted["ResourceArn"] not in backend.wacls:
        raise AwsError("WAFNonexistentItemException", "AWS WAF couldn't perform the operation: it doesn't exist")
    for destination in wanted["LogDestinationConfigs"]:
        name = destination.split(":log-group:")[-1].rsplit(":::", maxsplit=1)[-1].rsplit("/", maxsplit=1)[-1]
        if destination.endswith(":*") or not name.startswith("aws-waf-logs-"):
            raise invalid("The ARN isn't valid.", "LOG_DESTINATION", destination)
    answer = context.moto()
    for key in ("RedactedFields", "LoggingFilter"):
        if answer["LoggingConfiguration"].get(key) is None:
            answer["LoggingConfiguration"].pop(key, None)
    return answer


@operation("wafv2", "ListLoggingConfigurations")
def list_logging_configurations(context: Context, params: Params) -> Answer:
    """Of both scopes; moto forgets CloudFront's."""
    mark = ":global/" if params["Scope"] == "CLOUDFRONT" else ":regional/"
    # moto keeps both scopes' in the backend of the region.
    found = [one for arn, one in context.backend("wafv2").logging_configurations.items() if mark in arn]
    items = [{key: value for key, value in one.to_dict().items() if value is not None} for one in found]
    return {"LoggingConfigurations": items}


@operation("wafv2", "CreateIPSet")
def create_ip_set(context: Context, params: Params) -> Answer:
    """Names are unique in a scope; addresses are ranges of one version."""
    backend = place_of(params["Scope"], context)
    if any(one.name == params["Name"] for one in backend.ip_sets.values()):
        text = "AWS WAF couldn't perform the operation because some resource in your request is a duplicate of an existing one"
        raise AwsError("WAFDuplicateItemException", text)
    addresses = ranges(params["Addresses"], params["IPAddressVersion"])
    return context.moto({**params, "Addresses": addresses, "Tags": params.get("Tags") or []})


@operation("wafv2", "UpdateIPSet")
def update_ip_set(context: Context, params: Params) -> Answer:
    """The same check of the addresses."""
    known = place_of(params["Scope"], context).get_ip_set(params["Name"], params["Scope"], params["Id"])
    return context.moto({**params, "Addresses": ranges(params["Addresses"], known.ip_address_version)})


def ranges(addresses: list[str], version: str) -> list[str]:
    """Ranges as AWS keeps them: IPv6 written out in full, each once."""
    networks = {ip_network(address) for address in addresses if "/" in address}
    if len(networks) < len(set(addresses)) or any(
        f"IPV{one.version}" != version or not one.prefixlen for one in networks
    ):
        raise invalid("Your request contains an IP address that isn't valid.", "IP_ADDRESS", str(addresses))
    return [one.exploded for one in sorted(networks, key=str)]


@operation("wafv2", "DeleteIPSet", "DeleteRegexPatternSet")
def delete_set(context: Context, params: Params) -> Answer:
    """Refused while a rule refers to it."""
    backend = place_of(params["Scope"], context)
    for acl in backend.wacls.values():
        for rule in getattr(acl, "lab_rules", []):
            if any(
                str(inner.get("ARN", "")).endswith(f"/{params['Id']}") for _, inner in statements_in(rule["Statement"])
            ):
                text = "AWS WAF couldn't perform the operation because your resource is being used by another resource"
                raise AwsError("WAFAssociatedItemException", text)
    return context.moto()


@operation("wafv2", "ListAvailableManagedRuleGroups")
def list_available_managed_rule_groups(context: Context, params: Params) -> Answer:
    """AWS's own groups."""
    return {"ManagedRuleGroups": [{"VendorName": "AWS", "Name": name} for name in MANAGED_GROUPS]}


@operation("wafv2", "DescribeManagedRuleGroup")
def describe_managed_rule_group(context: Context, params: Params) -> Answer:
    """Capacity and label namespace of one of them; its rules are AWS's secret."""
    if params["Name"] not in MANAGED_GROUPS:
        raise AwsError("WAFInvalidResourceException", "AWS WAF couldn't find the rule group")
    namespace = f"awswaf:managed:aws:{params['Name']}:"
    return {"Capacity": MANAGED_GROUPS[params["Name"]], "Rules": [], "LabelNamespace": namespace}


@tagged
def pattern_sets(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Regular expression sets; those of CloudFront show in us-east-1."""
    places = [context.region, "global"] if context.region == "us-east-1" else [context.region]
    for place in places:
        backend = context.backend("wafv2", place)
        for one in backend.regex_pattern_sets.values():
            yield one.arn, backend.tagging_service.get_tag_dict_for_resource(one.arn)
