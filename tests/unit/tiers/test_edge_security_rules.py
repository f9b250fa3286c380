"""Rules of the edge security tier, against the lab and against what AWS really answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from firewall import (
    ACL,
    REFERENCE,
    Firewall,
)
from stack import ACCOUNT, Stack, quiet, refusal

from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Unknown
from ansible_collections.webstack.aws.plugins.module_utils.module import validate
from ansible_collections.webstack.aws.plugins.module_utils.resources.wafv2_rules import canonical, in_order
from ansible_collections.webstack.aws.plugins.module_utils.tiers.edge_security import TIER


def rules_of(stack: Stack, **options: Any) -> dict[str, dict[str, Any]]:
    (sent,) = stack.converge("edge_security", **options).sent("CreateWebACL")
    return {rule["Name"]: rule for rule in sent["Rules"]}


def test_the_reference_rules_are_what_they_promise(stack: Stack) -> None:
    rules = rules_of(stack, **REFERENCE)
    assert [name for name in rules if name.startswith("AWS")] == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    ]
    assert rules["AWSManagedRulesCommonRuleSet"]["OverrideAction"] == {"None": {}}
    header = rules["bad-agents"]["Statement"]["ByteMatchStatement"]
    assert header["FieldToMatch"] == {"SingleHeader": {"Name": "user-agent"}}
    assert rules["debug-query"]["Statement"]["ByteMatchStatement"]["FieldToMatch"] == {
        "SingleQueryArgument": {"Name": "debug"}
    }
    assert rules["rate-limit"]["Statement"]["RateBasedStatement"] == {
        "Limit": 2000,
        "EvaluationWindowSec": 300,
        "AggregateKeyType": "IP",
    }
    assert {"Block": {}} == rules["sql-injection"]["Action"] == rules["block-list"]["Action"]
    sets = rules["block-list"]["Statement"]["OrStatement"]["Statements"]
    assert len({one["IPSetReferenceStatement"]["ARN"] for one in sets}) == 2
    assert all(rule["VisibilityConfig"]["MetricName"] == name for name, rule in rules.items())


def test_managed_groups_take_versions_overrides_and_count_mode(stack: Stack) -> None:
    group = {
        "name": "AWSManagedRulesCommonRuleSet",
        "version": "Version_1.16",
        "count": True,
        "overrides": {"SizeRestrictions_BODY": "count", "NoUserAgent_HEADER": "allow"},
        "scope_down": {"GeoMatchStatement": {"CountryCodes": ["DE"]}},
    }
    options = {"managed_rule_groups": [group]}
    rule = rules_of(stack, **options)["AWSManagedRulesCommonRuleSet"]
    statement = rule["Statement"]["ManagedRuleGroupStatement"]
    assert rule["OverrideAction"] == {"Count": {}} and statement["Version"] == "Version_1.16"
    assert statement["RuleActionOverrides"] == [
        {"Name": "NoUserAgent_HEADER", "ActionToUse": {"Allow": {}}},
        {"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}},
    ]
    quiet(stack, "edge_security", options)


def test_one_switch_lets_the_whole_acl_only_count_and_promotes_it_later(stack: Stack) -> None:
    options = {**REFERENCE, "allowed_addresses": ["198.51.100.7"]}
    rules = rules_of(stack, count_only=True, **options)
    stops = [
        one for one in rules.values() if "Block" in one.get("Action", {}) or "None" in one.get("OverrideAction", {})
    ]
    assert stops == [] and rules["allow-list"]["Action"] == {"Allow": {}}
    assert stack.converge("edge_security", **options).changes == {ACL: {"rules"}}


def test_every_other_rule_is_accepted_and_stays_as_it_is(stack: Stack) -> None:
    own = {
        "Name": "admin-from-home",
        "Priority": 1000,
        "Action": {"Block": {}},
        "Statement": {
            "AndStatement": {
                "Statements": [
                    {
                        "ByteMatchStatement": {
                            "SearchString": "/admin",
                            "FieldToMatch": {"UriPath": {}},
                            "TextTransformations": [
                                {"Priority": 1, "Type": "LOWERCASE"},
                                {"Priority": 0, "Type": "URL_DECODE"},
                            ],
                            "PositionalConstraint": "STARTS_WITH",
                        }
                    },
                    {"NotStatement": {"Statement": {"GeoMatchStatement": {"CountryCodes": ["DE", "AT"]}}}},
                ]
            }
        },
    }
    options = {
        "default_action": "block",
        "allowed_countries": ["DE", "AT"],
        "forwarded_ip_header": "X-Forwarded-For",
        "header_rules": [
            {"name": "no-key", "header": "X-Key", "value": "Secret", "match": "exactly", "negate": True},
            {"name": "bots", "header": "user-agent", "value": "(curl|wget)", "match": "regex", "action": "challenge"},
        ],
        "query_rules": [{"name": "any-query", "value": "<script", "match": "contains"}],
        "rate_limits": [{"name": "login", "limit": 100, "window": 60, "path": "/login", "action": "captcha"}],
        "sql_injection_sensitivity": "HIGH",
        "sampled_requests": False,
        "log_only_stopped": True,
        "log_redact_query": True,
        "rules": [own],
    }
    result = stack.converge("edge_security", **options)
    rules = {rule["Name"]: rule for rule in result.sent("CreateWebACL")[0]["Rules"]}
    assert (
        rules["login"]["Statement"]["RateBasedStatement"]["ForwardedIPConfig"]["HeaderName"] == "X-Forwarded-For"
    )  # trap 165
    configuration = result.sent("PutLoggingConfiguration")[0]["LoggingConfiguration"]
    assert (
        configuration["LoggingFilter"]["DefaultBehavior"] == "DROP"
        and {"QueryString": {}} in configuration["RedactedFields"]
    )
    quiet(stack, "edge_security", options)


def test_a_rule_equals_what_aws_makes_of_it() -> None:
    """Traps 162 and 163: defaults, order, bytes, case."""
    wanted = {
        "Name": "r",
        "Priority": 1,
        "Statement": {
            "RateBasedStatement": {
                "Limit": 100,
                "AggregateKeyType": "IP",
                "ScopeDownStatement": {
                    "ByteMatchStatement": {
                        "SearchString": "x",
                        "FieldToMatch": {"SingleHeader": {"Name": "User-Agent"}},
                        "TextTransformations": [
                            {"Priority": 1, "Type": "LOWERCASE"},
                            {"Priority": 0, "Type": "URL_DECODE"},
                        ],
                        "PositionalConstraint": "CONTAINS",
                    }
                },
            }
        },
    }
    answered = json.loads(json.dumps(wanted))
    rate = answered["Statement"]["RateBasedStatement"]
    rate["EvaluationWindowSec"] = 300
    match = rate["ScopeDownStatement"]["ByteMatchStatement"]
    match["SearchString"] = b"x"
    match["FieldToMatch"]["SingleHeader"]["Name"] = "user-agent"
    match["TextTransformations"].reverse()
    answered["RuleLabels"] = []
    assert in_order([answered]) == in_order([wanted])
    group = {"ManagedRuleGroupStatement": {"RuleActionOverrides": [{"Name": "b"}, {"Name": "a"}], "Version": None}}
    assert canonical(group) == {"ManagedRuleGroupStatement": {"RuleActionOverrides": [{"Name": "a"}, {"Name": "b"}]}}
    assert canonical({"Body": {}}) == {"Body": {"OversizeHandling": "CONTINUE"}}


def test_a_change_replaces_the_document_with_a_fresh_lock_token_and_keeps_what_is_not_ours(stack: Stack) -> None:
    """Traps 13 and 160."""
    stack.converge("edge_security", **REFERENCE)
    wall = Firewall(stack)
    shield = {
        "Name": "ShieldMitigationRuleGroup_1",
        "Priority": 10_000_000,
        "OverrideAction": {"None": {}},
        "Statement": {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "AWSManagedRulesLinuxRuleSet"}},
        "VisibilityConfig": {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "s"},
    }
    wall.change_acl(Rules=[*wall.acl()["Rules"], shield], TokenDomains=["example.com"])
    quiet(stack, "edge_security", REFERENCE)
    result = stack.converge("edge_security", **{**REFERENCE, "sql_injection": False})
    (sent,) = result.sent("UpdateWebACL")
    assert sent["Rules"][-1]["Name"] == "ShieldMitigationRuleGroup_1" and sent["TokenDomains"] == ["example.com"]
    assert "sql-injection" not in {rule["Name"] for rule in sent["Rules"]}


def test_removing_the_first_rule_of_a_list_leaves_the_others_alone(stack: Stack) -> None:
    rules = [{"name": name, "header": "x-a", "value": name} for name in ("one", "two")]
    stack.converge("edge_security", header_rules=rules)
    result = stack.converge("edge_security", header_rules=rules[1:])
    assert result.changes == {ACL: {"rules"}} and result.plan == {("update", ACL)}


OWN = {
    "Name": "mine",
    "Priority": 1000,
    "Statement": {"GeoMatchStatement": {"CountryCodes": ["DE"]}},
    "Action": {"Block": {}},
}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"maximum_capacity": 9000}, "between 1 and 5000"),
    ({"blocked_addresses": ["300.1.1.1"]}, "blocked_addresses: '300.1.1.1'"),
    ({"allowed_addresses": ["0.0.0.0/0"]}, "default_action"),
    ({"blocked_countries": ["Germany"]}, "ISO 3166"),
    ({"blocked_countries": ["DE"], "allowed_countries": ["AT"]}, "not both"),
    ({"rate_limits": [{"name": "r", "limit": 5}]}, "between 10 and"),
    ({"blocked_path_patterns": ["("]}, "no regular expression"),
    ({"header_rules": [{"name": "h", "header": "a", "value": "[", "match": "regex"}]}, "no regular expression"),
    ({"blocked_path_patterns": ["x" * 513]}, "1 to 512"),
    ({"header_rules": [{"name": "a b", "header": "a", "value": "b"}]}, "letters, digits"),
    ({"header_rules": [{"name": "rate-limit", "header": "a", "value": "b"}]}, "a name of its own"),
    ({"managed_rule_groups": [{"name": "G", "overrides": {"x": "deny"}}]}, "The actions are"),
    ({"rules": [{**OWN, "Priority": 5}]}, "from 1000 on"),
    ({"rules": [{**OWN, "Statement": {}}]}, "exactly one member"),
    ({"rules": [{key: value for key, value in OWN.items() if key != "Action"}]}, "needs Action"),
    ({"rules": [{**OWN, "Statement": {"ManagedRuleGroupStatement": {}}}]}, "needs OverrideAction"),
    ({"header_rules": [{"name": f"h{number}", "header": "a", "value": "b"} for number in range(101)]}, "room for 100"),
    ({"log_retention_days": 31}, "CloudWatch knows"),
    ({"shield_advanced": True}, "name the ARNs"),
    ({"shield_resource_arns": ["arn:aws:s3:::x"]}, "Shield protects"),
]


@pytest.mark.parametrize(("options", "text"), BAD)
def test_bad_input_is_refused_before_any_call(stack: Stack, options: dict[str, Any], text: str) -> None:
    assert text in refusal(lambda: stack.converge("edge_security", **options))
    assert stack.lab.calls() == []


def test_ids_that_aws_has_yet_to_give_stay_out_of_the_capacity_check() -> None:
    base = {"stack": "demo", "region": "us-east-1", "account_id": ACCOUNT, "partition": "aws"}
    acl = TIER.resources({**validate(TIER, {}), **base})[0]
    sets = next(rule for rule in acl.want()["rules"] if rule["Name"] == "block-list")["Statement"]["OrStatement"]
    assert isinstance(sets["Statements"][0]["IPSetReferenceStatement"]["ARN"], Unknown)
    assert acl.refuse(acl.want()) is None
