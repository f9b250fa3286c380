"""The edge security tier in CloudFront's scope, against the lab."""

from __future__ import annotations

from typing import Any

import pytest
from firewall import (
    ACL,
    ADDRESS,
    BLOCK_4,
    BLOCK_6,
    DELIVERY,
    GROUP,
    LOGGING,
    REFERENCE,
    Firewall,
    Once,
)
from moto.shield.models import shield_backends
from stack import ACCOUNT, Stack, cycle, quiet, refusal


def without(rules: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [rule for rule in rules if rule["Name"] != name]


def test_life_of_every_type_of_cloudfront_s_scope(stack: Stack) -> None:
    wall = Firewall(stack)
    waf = wall.waf
    options = {**REFERENCE, "allowed_addresses": ["198.51.100.7"], "blocked_path_patterns": ["^/wp-admin", r"\.git/"]}
    allow, paths = "IPSet[demo-edge-allow-v4]", "RegexPatternSet[demo-edge-paths]"

    def block_everything() -> None:
        wall.change_acl(DefaultAction={"Block": {}})

    def drop_a_rule() -> None:
        wall.change_acl(Rules=without(wall.acl()["Rules"], "sql-injection"))

    def hide() -> None:
        wall.change_acl(
            VisibilityConfig={
                "SampledRequestsEnabled": False,
                "CloudWatchMetricsEnabled": True,
                "MetricName": "demo-edge",
            }
        )

    def forget_a_path() -> None:
        where = wall.item("RegexPatternSet", "demo-edge-paths")
        token = waf.get_regex_pattern_set(**where)["LockToken"]
        waf.update_regex_pattern_set(
            **where, RegularExpressionList=[{"RegexString": "x"}], LockToken=token, Description="?"
        )

    def log_other_things() -> None:
        configuration = waf.get_logging_configuration(ResourceArn=wall.acl()["ARN"])["LoggingConfiguration"]
        waf.put_logging_configuration(
            LoggingConfiguration={key: configuration[key] for key in ("ResourceArn", "LogDestinationConfigs")}
        )

    def unlogged() -> None:
        waf.delete_logging_configuration(ResourceArn=wall.acl()["ARN"])

    cycle(
        stack,
        "edge_security",
        options,
        drifts=[
            (ACL, block_everything, {"default_action"}),
            (ACL, drop_a_rule, {"rules"}),
            (ACL, hide, {"visibility"}),
            (ACL, lambda: wall.change_acl(Description="other"), {"description"}),
            (ACL, lambda: wall.untag("WebACL", "demo-edge"), {"tags"}),
            (allow, lambda: wall.set_addresses("demo-edge-allow-v4", "203.0.113.0/24"), {"addresses"}),
            (allow, lambda: wall.untag("IPSet", "demo-edge-allow-v4"), {"tags"}),
            (BLOCK_4, lambda: wall.untag("IPSet", "demo-edge-block-v4"), {"tags"}),
            (paths, forget_a_path, {"expressions", "description"}),
            (paths, lambda: wall.untag("RegexPatternSet", "demo-edge-paths"), {"tags"}),
            (LOGGING, log_other_things, {"redacted"}),
            (GROUP, lambda: wall.logs.delete_retention_policy(logGroupName="aws-waf-logs-demo"), {"retention_days"}),
            (
                DELIVERY,
                lambda: wall.logs.put_resource_policy(policyName="demo-waf-logs", policyDocument='{"Statement": []}'),
                {"policy"},
            ),
        ],
        vanishings=[
            (unlogged, {LOGGING}),
            (lambda: wall.logs.delete_resource_policy(policyName="demo-waf-logs"), {DELIVERY}),
            (wall.delete_acl, {ACL, LOGGING}),
        ],
    )
    assert (
        waf.list_web_acls(Scope="CLOUDFRONT")["WebACLs"] == [] and waf.list_ip_sets(Scope="CLOUDFRONT")["IPSets"] == []
    )


def test_a_quiet_run_costs_at_most_ten_reads(stack: Stack) -> None:
    stack.converge("edge_security", **REFERENCE)
    assert len(quiet(stack, "edge_security", REFERENCE).reads) <= 10


def test_a_run_on_an_empty_account_shows_everything(stack: Stack) -> None:
    result = stack.converge("edge_security", check=True, **REFERENCE)
    assert {address for _verb, address in result.plan} == {ACL, GROUP, LOGGING, DELIVERY, BLOCK_4, BLOCK_6}
    assert "(known after apply)" in str(result.diff) and result.writes == []


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_everything_of_cloudfront_lives_in_us_east_1_whatever_the_region_of_the_run(stack: Stack, region: str) -> None:
    """Trap 155."""
    result = stack.converge("edge_security", region=region, **REFERENCE)
    assert {call["region"] for call in result.writes} == {"us-east-1"}
    (sent,) = result.sent("CreateWebACL")
    assert sent["Scope"] == "CLOUDFRONT" and {"Key": "webstack:stack", "Value": "demo"} in sent["Tags"]
    assert stack.converge("edge_security", region=region, **REFERENCE).plan == set()
    assert ("delete", ACL) in stack.remove("edge_security", region=region, **REFERENCE).plan


# Addresses.


def test_emergency_entries_of_the_block_list_survive_every_run(stack: Stack) -> None:
    """Trap 160: the list is the operators' own; only force_blocked_addresses puts the options' addresses back."""
    options = {"blocked_addresses": ["192.0.2.1", "2001:DB8::/32"]}
    stack.converge("edge_security", **options)
    wall = Firewall(stack)
    assert wall.addresses("demo-edge-block-v4") == {"192.0.2.1/32"}
    assert wall.addresses("demo-edge-block-v6") == {"2001:0db8:0000:0000:0000:0000:0000:0000/32"}
    wall.set_addresses("demo-edge-block-v4", "203.0.113.9/32", Description="attack of the day")
    quiet(stack, "edge_security", options)
    stack.converge("edge_security", **options, count_only=True)
    assert wall.addresses("demo-edge-block-v4") == {"203.0.113.9/32"}
    forced = {**options, "force_blocked_addresses": True}
    assert stack.converge("edge_security", **forced, count_only=True).changes == {BLOCK_4: {"addresses", "description"}}
    assert wall.addresses("demo-edge-block-v4") == {"192.0.2.1/32"}
    quiet(stack, "edge_security", {**forced, "count_only": True})


def test_an_empty_allow_list_takes_its_rule_away_before_its_set(stack: Stack) -> None:
    stack.converge("edge_security", allowed_addresses=["198.51.100.7"])
    result = stack.converge("edge_security")
    assert result.plan == {("update", ACL), ("delete", "IPSet[demo-edge-allow-v4]")}
    operations = [call["operation"] for call in result.writes]
    assert operations.index("UpdateWebACL") < operations.index("DeleteIPSet")


def test_a_set_keeps_its_ip_version(stack: Stack) -> None:
    tags = {"webstack:stack": "demo", "webstack:tier": "edge_security", "webstack:name": "demo-edge-allow-v4"}
    Firewall(stack).waf.create_ip_set(
        Name="demo-edge-allow-v4",
        Scope="CLOUDFRONT",
        IPAddressVersion="IPV6",
        Addresses=[],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    assert "use a set of another name" in refusal(
        lambda: stack.converge("edge_security", allowed_addresses=["198.51.100.7"])
    )


def test_a_lost_race_for_the_lock_token_is_run_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 13: another writer came between reading and writing; the next attempt reads again."""
    stack.converge("edge_security")
    Once(monkeypatch, "UpdateWebACL", "WAFOptimisticLockException")
    result = stack.converge("edge_security", default_action="block")
    assert [call["error"] for call in result.calls if call["operation"] == "UpdateWebACL"] == [
        "WAFOptimisticLockException",
        None,
    ]
    assert Firewall(stack).acl()["DefaultAction"] == {"Block": {}}


# Capacity.


def test_rules_that_need_more_than_allowed_are_refused_before_any_write(stack: Stack) -> None:
    """Trap 161."""
    stack.converge("edge_security", **REFERENCE)
    more = {
        **REFERENCE,
        "managed_rule_groups": [
            {"name": f"AWSManagedRules{one}RuleSet"} for one in ("Common", "Linux", "SQLi", "KnownBadInputs")
        ],
    }
    before = len(stack.lab.calls("write"))
    text = refusal(lambda: stack.converge("edge_security", **more))
    assert "capacity units" in text and "maximum_capacity is 1500" in text and len(stack.lab.calls("write")) == before
    assert stack.converge("edge_security", **more, maximum_capacity=3000).changes == {ACL: {"rules"}}


def test_a_first_run_checks_the_capacity_as_soon_as_the_sets_exist(stack: Stack) -> None:
    text = refusal(lambda: stack.converge("edge_security", maximum_capacity=100))
    assert "maximum_capacity is 100" in text and stack.lab.calls(operation="CreateWebACL") == []


# CloudFront.


def distribution(stack: Stack, acl_arn: str, own: bool = True) -> str:
    origin = {
        "Id": "o",
        "DomainName": "example.com",
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
    }
    behaviour = {
        "TargetOriginId": "o",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
    }
    config = {
        "CallerReference": acl_arn,
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
        "WebACLId": acl_arn,
    }
    tags = {"Items": [{"Key": "webstack:stack", "Value": "demo" if own else "other"}]}
    made = stack.lab.client("cloudfront").create_distribution_with_tags(
        DistributionConfigWithTags={"DistributionConfig": config, "Tags": tags}
    )
    identity: str = made["Distribution"]["Id"]
    return identity


def test_the_stack_s_distribution_is_detached_before_the_acl_is_deleted(stack: Stack) -> None:
    """Trap 158."""
    stack.converge("edge_security", **REFERENCE)
    identity = distribution(stack, Firewall(stack).acl()["ARN"])
    stack.remove("edge_security", **REFERENCE)
    config = stack.lab.client("cloudfront").get_distribution_config(Id=identity)["DistributionConfig"]
    assert config["WebACLId"] == ""


def test_somebody_else_s_distribution_keeps_its_acl(stack: Stack) -> None:
    stack.converge("edge_security", **REFERENCE)
    distribution(stack, Firewall(stack).acl()["ARN"], own=False)
    assert "not the stack's" in refusal(lambda: stack.remove("edge_security", **REFERENCE))
    assert Firewall(stack).acl()["Name"] == "demo-edge"


# Logging and Shield.


def test_logging_can_be_switched_off(stack: Stack) -> None:
    stack.converge("edge_security", **REFERENCE)
    result = stack.converge("edge_security", **REFERENCE, logging=False)
    assert ("delete", LOGGING) in result.plan


def test_shield_advanced_is_refused_without_a_subscription_and_never_subscribed(stack: Stack) -> None:
    """Trap 166."""
    options = {**REFERENCE, "shield_advanced": True, "shield_resource_arns": [ADDRESS]}
    text = refusal(lambda: stack.converge("edge_security", **options))
    assert "no subscription to Shield Advanced" in text and text.startswith("Nothing was changed.")
    assert stack.lab.calls("write") == []
    stack.remove("edge_security", **options)


def test_life_of_a_protection_where_shield_advanced_is_subscribed(stack: Stack) -> None:
    shield = stack.lab.client("shield")
    shield.create_subscription()
    name = "Protection[demo-ec2-eipalloc-1]"
    options = {"edge_web_acl": False, "shield_advanced": True, "shield_resource_arns": [ADDRESS]}

    def protection() -> dict[str, Any]:
        found: dict[str, Any] = shield.list_protections()["Protections"][0]
        return found

    cycle(
        stack,
        "edge_security",
        options,
        drifts=[
            (name, lambda: shield.untag_resource(ResourceARN=protection()["ProtectionArn"], TagKeys=["Name"]), {"tags"})
        ],
        vanishings=[(lambda: shield.delete_protection(ProtectionId=protection()["Id"]), {name})],
    )
    stack.converge("edge_security", **options)
    shut = {**options, "shield_advanced": False}
    assert stack.converge("edge_security", **shut).plan == {("delete", name)}
    assert shield_backends[ACCOUNT]["aws"].protections == {}
