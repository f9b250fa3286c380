"""Every type that a tier may own is changed and deleted behind our back in some test, or says here why it cannot be.

The tables below name the tests. That a test is about the type is read off its source: the address ``Kind[`` occurs in the
test, or in something that it uses.
"""

from __future__ import annotations

import ast
from functools import cache
from inspect import getsource
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Resource
from ansible_collections.webstack.aws.plugins.module_utils.tiers.all import TIERS

HERE = Path(__file__).parent
KINDS = [(tier.name, kind.__name__) for tier in TIERS.values() for kind in tier.kinds]
BOTH, DRIFT, VANISHING = {"drift", "vanishing"}, {"drift"}, {"vanishing"}

# Tier: file::test: what it does to which kinds ("drift", "vanishing", or both).
PROOFS: dict[str, dict[str, dict[str, set[str]]]] = {
    "assets": {"test_assets::test_life_of_every_type": {"Bucket": BOTH, "Objects": BOTH}},
    "network": {
        "test_network::test_life_of_access_endpoints_and_flow_log": {
            "SecurityGroup": BOTH,
            "SecurityGroupRules": BOTH,
            "DefaultSecurityGroup": BOTH,
            "VpcEndpoint": BOTH,
            "FlowLog": BOTH,
        },
        "test_network::test_life_of_vpc_subnets_and_routes": {
            "Vpc": DRIFT,
            "InternetGateway": DRIFT,
            "Subnet": BOTH,
            "ElasticIp": BOTH,
            "NatGateway": BOTH,
            "NatRoute": BOTH,
            "RouteTable": BOTH,
        },
        "test_network_more::test_a_vpc_that_is_gone_is_made_again_with_everything_in_it": {
            "Vpc": VANISHING,
            "InternetGateway": VANISHING,
        },
        "test_network_more::test_the_life_of_the_flow_log_s_role": {"Role": BOTH, "LogGroup": BOTH},
    },
    "storage_cache": {
        "test_storage_cache_more::test_the_life_of_the_key": {"Key": BOTH},
        "test_storage_cache::test_life_of_the_file_system": {
            "FileSystem": BOTH,
            "MountTarget": BOTH,
            "AccessPoint": BOTH,
        },
        "test_storage_cache::test_life_of_the_cache": {
            "CacheParameterGroup": BOTH,
            "CacheSubnetGroup": BOTH,
            "ReplicationGroup": BOTH,
        },
        "test_storage_cache::test_life_of_a_memcached_cluster": {"CacheCluster": BOTH},
    },
    "database": {
        "test_database_more::test_the_life_of_the_monitoring_role_and_of_settings_by_hand": {"Role": BOTH},
        "test_database::test_life_of_every_type": {
            "ExportedLog": BOTH,
            "Secret": BOTH,
            "DBSubnetGroup": BOTH,
            "DBParameterGroup": BOTH,
            "DBInstance": BOTH,
            "DBInstanceReadReplica": BOTH,
        },
    },
    "lb": {
        "test_lb::test_the_life_of_every_type": {"TargetGroup": BOTH, "LoadBalancer": BOTH, "Listener": BOTH},
    },
    "compute_asg": {
        "test_compute_asg::test_life_of_the_reference_tier": {
            "Role": BOTH,
            "InstanceProfile": BOTH,
            "LaunchTemplate": VANISHING,
            "AutoScalingGroup": BOTH,
            "ScalingPolicy": BOTH,
            "ScheduledAction": BOTH,
        },
        "test_compute_asg::test_every_drift_of_the_launch_template_is_repaired_by_one_new_version": {
            "LaunchTemplate": DRIFT
        },
    },
    "edge_security": {
        "test_edge_security::test_life_of_every_type_of_cloudfront_s_scope": {
            "IPSet": DRIFT,
            "RegexPatternSet": DRIFT,
            "LogDelivery": BOTH,
            "WebACL": BOTH,
            "LoggingConfiguration": BOTH,
        },
        "test_edge_security_more::test_sets_and_logs_of_the_edge_that_vanish_are_made_again": {
            "IPSet": VANISHING,
            "RegexPatternSet": VANISHING,
            "LogGroup": BOTH,
        },
        "test_edge_security_more::test_everything_of_a_region_that_is_changed_or_vanishes_is_put_right": {
            "RegionalIPSet": BOTH,
            "RegionalRegexPatternSet": BOTH,
            "RegionalWebACL": BOTH,
            "RegionalLoggingConfiguration": BOTH,
            "WebACLAssociation": VANISHING,
        },
        "test_edge_security::test_life_of_a_protection_where_shield_advanced_is_subscribed": {"Protection": BOTH},
    },
    "cdn": {
        "test_cdn_more::test_every_part_that_is_changed_by_hand_is_repaired": {
            "OriginAccessControl": DRIFT,
            "Function": DRIFT,
            "CachePolicy": DRIFT,
            "ResponseHeadersPolicy": DRIFT,
        },
        "test_cdn_more::test_every_part_that_vanishes_is_made_again_alone": {
            "OriginAccessControl": VANISHING,
            "Function": VANISHING,
            "CachePolicy": VANISHING,
            "ResponseHeadersPolicy": VANISHING,
        },
        "test_cdn::test_life_of_every_type": {"Distribution": BOTH},
    },
    "dns": {
        "test_dns::test_the_life_of_every_type": {"HostedZone": BOTH, "RecordSets": BOTH, "Certificate": DRIFT},
        "test_dns::test_a_health_check_and_a_certificate_that_vanish_are_made_again_and_the_records_follow": {
            "Certificate": VANISHING
        },
        "test_dns_more::test_every_health_check_changed_or_deleted_by_hand_is_put_right": {"HealthCheck": BOTH},
    },
    "monitoring": {
        "test_monitoring::test_life_of_every_type": {
            "Topic": BOTH,
            "Subscription": VANISHING,
            "MetricAlarm": BOTH,
            "CompositeAlarm": BOTH,
            "Dashboard": BOTH,
            "LogGroup": BOTH,
            "MetricFilter": BOTH,
            "Group": BOTH,
            "SamplingRule": BOTH,
        },
    },
}
EXEMPT: dict[tuple[str, str, str], str] = {
    ("monitoring", "Subscription", "drift"): "protocol and address are its identity; it has nothing else to change",
    (
        "edge_security",
        "WebACLAssociation",
        "drift",
    ): "under another ACL it is not ours any more, so that counts as vanished (trap 159)",
}


def proofs(tier: str, kind: str, what: str) -> list[str]:
    return [test for test, kinds in PROOFS[tier].items() if what in kinds.get(kind, set())]


@pytest.mark.parametrize("what", sorted(BOTH))
@pytest.mark.parametrize(("tier", "kind"), KINDS)
def test_every_kind_has_a_test_or_a_reason(tier: str, kind: str, what: str) -> None:
    named = proofs(tier, kind, what)
    assert named or EXEMPT.get((tier, kind, what)), f"{tier}: no {what} of {kind} is tested"
    for test in named:
        assert any(f"{kind}[" in text for text in texts_of(test)), f"{test} never names a {kind}"
        assert f"{what}s=" in source_of(test) or not uses_cycle(test), f"{test} makes no {what}s"


def test_the_tables_name_nothing_that_is_gone() -> None:
    declared = {(tier, kind) for tier, tests in PROOFS.items() for kinds in tests.values() for kind in kinds}
    assert declared | {(tier, kind) for tier, kind, _what in EXEMPT} <= set(KINDS)
    assert not [key for key in EXEMPT if proofs(*key)], "an exemption that is not needed"


ALL = {kind for tier in TIERS.values() for kind in tier.kinds}


@pytest.mark.parametrize("kind", sorted(ALL, key=lambda kind: kind.__name__))
def test_what_is_refused_as_unchangeable_is_really_compared(kind: type[Resource]) -> None:
    """A misspelt name in ``immutable`` would let the run try what AWS then refuses half way."""
    sharers = {base for other in ALL if other.immutable is kind.immutable for base in other.__mro__}
    compared = {text for base in sharers if "want" in vars(base) for text in names_in(vars(base)["want"])}
    assert set(kind.immutable) <= compared


def names_in(function: Any) -> set[str]:
    tree = ast.parse(dedent(getsource(function)))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@cache
def module(name: str) -> dict[str, ast.AST]:
    """What a test module defines or takes from another one: name → syntax tree."""
    path = next(path for path in (HERE / f"tiers/{name}.py", HERE / f"{name}.py") if path.exists())
    found: dict[str, ast.AST] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
            found |= dict.fromkeys(names, node)
        elif isinstance(node, ast.ImportFrom) and (HERE / f"{node.module}.py").exists() and node.module != "stack":
            found |= {one.name: module(str(node.module))[one.name] for one in node.names}
    return found


def source_of(test: str) -> str:
    name, function = test.split("::")
    return ast.unparse(module(name)[function])


def uses_cycle(test: str) -> bool:
    return "cycle(" in source_of(test)


def texts_of(test: str) -> set[str]:
    """Every text in a test and in what it uses of its module."""
    name, function = test.split("::")
    known, seen, todo, texts = module(name), set[str](), [function], set[str]()
    while todo:
        one = todo.pop()
        if one in seen or one not in known:
            continue
        seen.add(one)
        for node in ast.walk(known[one]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.Name):
                todo.append(node.id)
            elif isinstance(node, ast.arg):
                annotation = node.annotation
                todo += [annotation.id] if isinstance(annotation, ast.Name) else []
    return texts
