"""The edge security tier: sets, log groups and regional ACLs changed and deleted behind our back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firewall import (
    ACL,
    BLOCK_4,
    BLOCK_6,
    GROUP,
    LOGGING,
    REFERENCE,
    REGIONAL,
    REGIONAL_ACL,
    Firewall,
    balancer,
)
from stack import ACCOUNT, Stack, cycle, quiet

ASSOCIATION, REGIONAL_LOGGING = "WebACLAssociation[demo-alb]", "RegionalLoggingConfiguration[demo-regional]"
SETS: dict[str, Any] = {"allowed_addresses": ["198.51.100.7"], "blocked_path_patterns": ["^/x"]}


class Hand(Firewall):
    """An operator who deletes and rewrites things."""

    def delete(self, noun: str, name: str) -> None:
        where = self.item(noun, name)
        snake = {"IPSet": "ip_set", "RegexPatternSet": "regex_pattern_set"}[noun]
        token = getattr(self.waf, f"get_{snake}")(**where)["LockToken"]
        getattr(self.waf, f"delete_{snake}")(**where, LockToken=token)

    def without_rules(self, noun: str, name: str) -> Callable[[], None]:
        """A set is deleted only once no rule refers to it."""

        def lose() -> None:
            self.change_acl(Rules=[])
            self.delete(noun, name)

        return lose

    def log_elsewhere(self) -> None:
        arn = self.acl()["ARN"]
        now = self.waf.get_logging_configuration(ResourceArn=arn)["LoggingConfiguration"]
        region = self.waf.meta.region_name
        other = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:aws-waf-logs-theirs"
        self.logs.create_log_group(logGroupName="aws-waf-logs-theirs")
        drop = {
            "DefaultBehavior": "KEEP",
            "Filters": [
                {
                    "Behavior": "DROP",
                    "Requirement": "MEETS_ALL",
                    "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}],
                }
            ],
        }
        kept = {key: now[key] for key in ("ResourceArn", "RedactedFields") if key in now}
        self.waf.put_logging_configuration(
            LoggingConfiguration={**kept, "LogDestinationConfigs": [other], "LoggingFilter": drop}
        )

    def log_everything(self) -> None:
        now = self.waf.get_logging_configuration(ResourceArn=self.acl()["ARN"])["LoggingConfiguration"]
        now.pop("RedactedFields")
        self.waf.put_logging_configuration(LoggingConfiguration=now)

    def rewrite_paths(self, name: str) -> None:
        where = self.item("RegexPatternSet", name)
        token = self.waf.get_regex_pattern_set(**where)["LockToken"]
        self.waf.update_regex_pattern_set(
            **where, RegularExpressionList=[{"RegexString": "y"}], LockToken=token, Description="theirs"
        )

    def untag_log(self, name: str) -> None:
        region = self.logs.meta.region_name
        self.logs.untag_resource(resourceArn=f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}", tagKeys=["Name"])


def test_sets_and_logs_of_the_edge_that_vanish_are_made_again(stack: Stack) -> None:
    wall = Hand(stack)
    allow, paths = "IPSet[demo-edge-allow-v4]", "RegexPatternSet[demo-edge-paths]"

    def lose_all() -> None:
        wall.delete_acl()
        for name in ("demo-edge-allow-v4", "demo-edge-block-v4", "demo-edge-block-v6"):
            wall.delete("IPSet", name)
        wall.delete("RegexPatternSet", "demo-edge-paths")

    cycle(
        stack,
        "edge_security",
        {**REFERENCE, **SETS},
        drifts=[
            (LOGGING, wall.log_elsewhere, {"destinations", "filter"}),
            (GROUP, lambda: wall.untag_log("aws-waf-logs-demo"), {"tags"}),
        ],
        vanishings=[
            (wall.without_rules("IPSet", "demo-edge-allow-v4"), {allow}),
            (wall.without_rules("RegexPatternSet", "demo-edge-paths"), {paths}),
            (lambda: wall.logs.delete_log_group(logGroupName="aws-waf-logs-demo"), {GROUP}),
            (lose_all, {ACL, LOGGING, allow, BLOCK_4, BLOCK_6, paths}),
        ],
    )


def test_everything_of_a_region_that_is_changed_or_vanishes_is_put_right(stack: Stack) -> None:
    balancer(stack)
    wall = Hand(stack, "REGIONAL", "demo-regional")
    allow, paths = "RegionalIPSet[demo-regional-allow-v4]", "RegionalRegexPatternSet[demo-regional-paths]"
    log = "LogGroup[aws-waf-logs-demo-regional]"
    hidden = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "x"}

    def lose_acl() -> None:
        for arn in wall.waf.list_resources_for_web_acl(WebACLArn=wall.acl()["ARN"])["ResourceArns"]:
            wall.waf.disassociate_web_acl(ResourceArn=arn)
        wall.delete_acl()

    cycle(
        stack,
        "edge_security",
        {**REGIONAL, **SETS},
        drifts=[
            (
                REGIONAL_ACL,
                lambda: wall.change_acl(Rules=[], Description="theirs", VisibilityConfig=hidden),
                {"rules", "description", "visibility"},
            ),
            (REGIONAL_ACL, lambda: wall.untag("WebACL", "demo-regional"), {"tags"}),
            (
                allow,
                lambda: wall.set_addresses("demo-regional-allow-v4", "203.0.113.0/24", Description="theirs"),
                {"addresses", "description"},
            ),
            (paths, lambda: wall.rewrite_paths("demo-regional-paths"), {"expressions", "description"}),
            (REGIONAL_LOGGING, wall.log_elsewhere, {"destinations", "filter"}),
            (REGIONAL_LOGGING, wall.log_everything, {"redacted"}),
            (log, lambda: wall.untag_log("aws-waf-logs-demo-regional"), {"tags"}),
        ],
        vanishings=[
            (lose_acl, {REGIONAL_ACL, REGIONAL_LOGGING, ASSOCIATION}),
            (wall.without_rules("IPSet", "demo-regional-allow-v4"), {allow}),
            (wall.without_rules("RegexPatternSet", "demo-regional-paths"), {paths}),
            (lambda: wall.logs.delete_log_group(logGroupName="aws-waf-logs-demo-regional"), {log}),
        ],
    )


def test_the_first_protected_load_balancer_goes_alone(stack: Stack) -> None:
    balancer(stack)
    balancer(stack, "demo-second")
    both = {**REGIONAL, "load_balancer_names": ["demo-alb", "demo-second"]}
    stack.converge("edge_security", **both)
    one = {**both, "load_balancer_names": ["demo-second"]}
    assert stack.converge("edge_security", **one).plan == {("delete", ASSOCIATION)}
    assert stack.converge("edge_security", **both).plan == {("create", ASSOCIATION)}
    quiet(stack, "edge_security", both)
