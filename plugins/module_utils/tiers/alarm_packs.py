"""What is watched of each tier: tables of alarms, and the things that each table is applied to.

A threshold is data: the option thresholds changes it by the alarm's name. How missing data counts is decided metric by
metric (trap 184): what is only reported when something happens must not alarm by its absence, a heartbeat must.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.errors import OptionError
from ..engine.resource import Resource
from ..resources.cloudfront import Distribution
from ..resources.cloudwatch import Of
from ..resources.ec2_routing import NatGateway
from ..resources.efs import FileSystem
from ..resources.elbv2 import LoadBalancer, TargetGroup
from ..resources.route53 import HealthCheck

CRITICAL, WARNING = "critical", "warning"
QUIET, BREACHING, KEEP = "notBreaching", "breaching", "ignore"
GIB = 1024.0**3
MIB = 1024.0**2
COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}


@dataclass(frozen=True)
class Row:
    """One alarm: its name within the tier, the metric, when it is too much or too little, and what a person should make of it."""

    what: str
    metric: str
    statistic: str
    sign: str
    threshold: float
    severity: str
    text: str
    missing: str = QUIET
    period: int = 60
    datapoints: int = 3
    of: int = 5
    impact: bool = False  # customers notice at once


@dataclass(frozen=True)
class Subject:
    """One thing that a table is applied to; its label ends the alarm's name where there are several."""

    label: str
    dimensions: Mapping[str, str | Of]


@dataclass(frozen=True)
class Section:
    """A table, and what it is applied to."""

    tier: str
    title: str
    namespace: str
    rows: tuple[Row, ...]
    subjects: tuple[Subject, ...]


# fmt: off
ALB = (
    Row("elb-5xx", "HTTPCode_ELB_5XX_Count", "Sum", ">", 10, CRITICAL, "The ALB itself answers 5XX: no healthy target, or timeouts", impact=True),
    Row("target-5xx", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, CRITICAL, "The web servers answer 5XX", impact=True),
    Row("latency", "TargetResponseTime", "p95", ">", 2, WARNING, "One request in twenty takes longer (seconds)"),
    Row("rejected-connections", "RejectedConnectionCount", "Sum", ">", 0, WARNING, "The ALB has reached its maximum of connections"),
)
ALB_TARGETS = (
    Row("unhealthy-hosts", "UnHealthyHostCount", "Maximum", ">", 0, WARNING, "Web servers fail their health check"),
    Row("healthy-hosts", "HealthyHostCount", "Minimum", "<", 1, CRITICAL, "No web server is healthy", BREACHING, datapoints=2, of=3, impact=True),
)
NLB_TARGETS = (
    Row("nlb-unhealthy-hosts", "UnHealthyHostCount", "Maximum", ">", 0, WARNING, "TCP targets fail their health check"),
    Row("nlb-healthy-hosts", "HealthyHostCount", "Minimum", "<", 1, CRITICAL, "No TCP target is healthy", BREACHING, datapoints=2, of=3, impact=True),
)
ASG = (
    Row("in-service", "GroupInServiceInstances", "Minimum", "<", 2, CRITICAL, "Fewer instances than the minimum are in service", BREACHING, impact=True),
)
ASG_HOSTS = (
    Row("cpu", "CPUUtilization", "Average", ">", 85, WARNING, "The group is busy although it scales (percent)", period=300, of=3),
    Row("status-check", "StatusCheckFailed", "Maximum", ">", 0, WARNING, "An instance fails its status check"),
)
NAT = (
    Row("nat-port-allocation", "ErrorPortAllocation", "Sum", ">", 0, CRITICAL, "The NAT gateway has no source port left for new connections"),
    Row("nat-packets-dropped", "PacketsDropCount", "Sum", ">", 100, WARNING, "The NAT gateway drops packets"),
)
EFS = (
    Row("efs-io-limit", "PercentIOLimit", "Maximum", ">", 95, WARNING, "General-purpose files are close to their I/O limit (percent)", period=300, of=3),
    Row("efs-burst-credit", "BurstCreditBalance", "Minimum", "<", 192e9, WARNING, "Bursting files will be slow soon (bytes of credit)", period=300, of=3),
)
CACHE = (
    Row("cache-heartbeat", "CPUUtilization", "SampleCount", "<", 1, CRITICAL, "The cache node reports nothing any more", BREACHING, datapoints=5),
    Row("cache-engine-cpu", "EngineCPUUtilization", "Average", ">", 80, WARNING, "The engine's one thread is busy (percent)"),
    Row("cache-memory", "DatabaseMemoryUsagePercentage", "Average", ">", 85, WARNING, "The cache is filling up (percent)"),
    Row("cache-evictions", "Evictions", "Sum", ">", 1000, WARNING, "Keys are evicted before they expire"),
    Row("cache-replication-lag", "ReplicationLag", "Maximum", ">", 30, WARNING, "The replica is behind the primary (seconds)"),
)
MEMCACHED = (
    Row("cache-heartbeat", "CPUUtilization", "SampleCount", "<", 1, CRITICAL, "The cache node reports nothing any more", BREACHING, datapoints=5),
    Row("cache-cpu", "CPUUtilization", "Average", ">", 90, WARNING, "The cache node is busy (percent)"),
    Row("cache-freeable-memory", "FreeableMemory", "Minimum", "<", 100 * MIB, WARNING, "The cache node is short of memory (bytes)"),
    Row("cache-evictions", "Evictions", "Sum", ">", 1000, WARNING, "Keys are evicted before they expire"),
)
DATABASE = (
    Row("heartbeat", "CPUUtilization", "SampleCount", "<", 1, CRITICAL, "The instance reports nothing any more", BREACHING, datapoints=5, impact=True),
    Row("cpu", "CPUUtilization", "Average", ">", 85, WARNING, "The instance is busy (percent)", period=300, of=3),
    Row("free-storage", "FreeStorageSpace", "Minimum", "<", 5 * GIB, CRITICAL, "The disk is nearly full (bytes)", period=300, datapoints=1, of=1),
    Row("freeable-memory", "FreeableMemory", "Minimum", "<", 128 * MIB, WARNING, "The instance is short of memory (bytes)", period=300, of=3),
    Row("connections", "DatabaseConnections", "Maximum", ">", 200, WARNING, "More connections than usual; each class has its own maximum"),
    Row("disk-queue", "DiskQueueDepth", "Average", ">", 64, WARNING, "Requests wait for the disk"),
    Row("burst-balance", "BurstBalance", "Minimum", "<", 20, WARNING, "A gp2 disk will be slow soon (percent of credit)", period=300, of=3),
)
REPLICA = (
    Row("replica-lag", "ReplicaLag", "Maximum", ">", 60, WARNING, "The replica is behind its source (seconds)"),
)
CDN = (
    Row("5xx-rate", "5xxErrorRate", "Average", ">", 5, CRITICAL, "CloudFront answers 5XX (percent of requests)", impact=True),
    Row("4xx-rate", "4xxErrorRate", "Average", ">", 20, WARNING, "CloudFront answers 4XX (percent of requests)", period=300, of=3),
    Row("origin-latency", "OriginLatency", "p90", ">", 3000, WARNING, "Origins are slow (milliseconds; an additional metric)", period=300, of=3),
)
DNS = (
    Row("health-check", "HealthCheckStatus", "Minimum", "<", 1, CRITICAL, "Route 53 takes the endpoint for unhealthy", BREACHING, impact=True),
)
EDGE = (
    Row("blocked-requests", "BlockedRequests", "Sum", ">", 1000, WARNING, "Many requests are blocked: attack, or bad rule", period=300, datapoints=1, of=1),
)
# fmt: on


def hint(tier: str, option: str) -> str:
    return f"Run the {tier} tier first (--tags {tier}), correct {option}, or leave {tier} out of tiers"


def lb(options: dict[str, Any]) -> list[Section]:
    """Dimensions are the ends of ARNs, which only AWS knows (trap 185)."""
    stack = options["stack"]

    def balanced(balancer: str, group: str) -> tuple[Of, Of]:
        option = f"{balancer}_name"
        one = LoadBalancer(options[option] or f"{stack}-{balancer}", owned=False, hint=hint("lb", option))
        option = f"{balancer}_target_group_name"
        other = TargetGroup(options[option] or f"{stack}-{group}", owned=False, hint=hint("lb", option))
        return Of(one, "suffix"), Of(other, "suffix")

    sections = []
    if options["alb"]:
        alb, web = balanced("alb", "web")
        both = Subject("", {"LoadBalancer": alb, "TargetGroup": web})
        sections.append(Section("lb", "ALB", "AWS/ApplicationELB", ALB, (Subject("", {"LoadBalancer": alb}),)))
        sections.append(Section("lb", "ALB targets", "AWS/ApplicationELB", ALB_TARGETS, (both,)))
    if options["nlb"]:
        nlb, tcp = balanced("nlb", "tcp")
        both = Subject("", {"LoadBalancer": nlb, "TargetGroup": tcp})
        sections.append(Section("lb", "NLB targets", "AWS/NetworkELB", NLB_TARGETS, (both,)))
    return sections


def compute_asg(options: dict[str, Any]) -> list[Section]:
    group = options["auto_scaling_group_name"] or f"{options['stack']}-web"
    subject = Subject("", {"AutoScalingGroupName": group})
    return [
        Section("compute_asg", "Auto Scaling group", "AWS/AutoScaling", ASG, (subject,)),
        Section("compute_asg", "Instances", "AWS/EC2", ASG_HOSTS, (subject,)),
    ]


def network(options: dict[str, Any]) -> list[Section]:
    mode, zones, chosen = options["nat_gateways"], options["availability_zones"], options["nat_zone"]
    if mode == "none":
        return []
    if not zones:
        raise OptionError(
            "availability_zones", zones, "Name the zones whose NAT gateways are watched, or set nat_gateways=none"
        )
    if chosen and (mode != "single" or chosen not in zones):
        raise OptionError("nat_zone", chosen, "It goes with nat_gateways=single, and is one of availability_zones")
    where = zones if mode == "per_zone" else [chosen or zones[0]]
    stack = options["stack"]
    nats = {
        zone: NatGateway(f"{stack}-nat-{zone}", owned=False, hint=hint("network", "nat_gateways")) for zone in where
    }
    subjects = tuple(Subject(zone, {"NatGatewayId": Of(nat)}) for zone, nat in nats.items())
    return [Section("network", "NAT gateways", "AWS/NATGateway", NAT, subjects)]


def storage_cache(options: dict[str, Any]) -> list[Section]:
    sections = []
    if options["file_system"]:
        name = options["file_system_id"] or f"{options['stack']}-files"
        files = FileSystem(name, owned=False, hint=hint("storage_cache", "file_system"))
        subject = Subject("", {"FileSystemId": Of(files)})
        sections.append(Section("storage_cache", "Files", "AWS/EFS", EFS, (subject,)))
    if options["cache_engine"] != "none":
        rows = MEMCACHED if options["cache_engine"] == "memcached" else CACHE
        sections.append(Section("storage_cache", "Cache", "AWS/ElastiCache", rows, cache_nodes(options)))
    return sections


def cache_nodes(options: dict[str, Any]) -> tuple[Subject, ...]:
    """The nodes, whose names ElastiCache makes out of the cache's: demo-cache-001, demo-cache-0001-001, or node 0001."""
    name = f"{options['stack']}-cache"
    if options["cache_engine"] == "memcached":
        ids = [f"{number + 1:04}" for number in range(options["cache_nodes"])]
        return tuple(Subject(node, {"CacheClusterId": name, "CacheNodeId": node}) for node in ids)
    ends = [f"{number + 1:03}" for number in range(1 + options["cache_replicas"])]
    if options["cache_shards"] is not None:
        ends = [f"{shard + 1:04}-{end}" for shard in range(options["cache_shards"]) for end in ends]
    return tuple(Subject(end, {"CacheClusterId": f"{name}-{end}", "CacheNodeId": "0001"}) for end in ends)


def database(options: dict[str, Any]) -> list[Section]:
    stack = options["stack"]
    replicas = options["read_replicas"] or [f"replica-{number + 1}" for number in range(options["read_replica_count"])]
    ends = ["db", *(f"db-{replica}" for replica in replicas)]
    subjects = tuple(Subject(end, {"DBInstanceIdentifier": f"{stack}-{end}"}) for end in ends)
    sections = [Section("database", "Database", "AWS/RDS", DATABASE, subjects)]
    return sections + ([Section("database", "Replicas", "AWS/RDS", REPLICA, subjects[1:])] if replicas else [])


def cdn(options: dict[str, Any]) -> list[Section]:
    """CloudFront's metrics are in us-east-1 only and say Region=Global (trap 152)."""
    name = options["distribution_id"] or options["stack"]
    distribution = Distribution(name, owned=False, hint=hint("cdn", "distribution_id"))
    subject = Subject("", {"DistributionId": Of(distribution), "Region": "Global"})
    return [Section("cdn", "CloudFront", "AWS/CloudFront", CDN, (subject,))]


def dns(options: dict[str, Any]) -> list[Section]:
    """Health checks report to us-east-1 only (trap 173)."""
    checks: dict[str, Resource] = {
        name: HealthCheck(f"{options['stack']}-{name}", owned=False, hint=hint("dns", "health_checks"))
        for name in options["health_checks"]
    }
    subjects = tuple(Subject(name, {"HealthCheckId": Of(check)}) for name, check in checks.items())
    return [Section("dns", "Health checks", "AWS/Route53", DNS, subjects)] if subjects else []


def edge_security(options: dict[str, Any]) -> list[Section]:
    """A web ACL for CloudFront has no Region among its dimensions, a regional one has."""
    if options["coverage"] == "global":
        subject = Subject("", {"WebACL": options["web_acl_name"] or f"{options['stack']}-edge", "Rule": "ALL"})
    elif options["regional_web_acl"]:
        name = options["web_acl_name"] or f"{options['stack']}-regional"
        subject = Subject("", {"WebACL": name, "Rule": "ALL", "Region": options["region"]})
    else:
        return []
    return [Section("edge_security", "Web ACL", "AWS/WAFV2", EDGE, (subject,))]


Pack = Callable[[dict[str, Any]], list[Section]]
REGIONAL: dict[str, Pack] = {
    "lb": lb,
    "compute_asg": compute_asg,
    "network": network,
    "storage_cache": storage_cache,
    "database": database,
    "edge_security": edge_security,
}
GLOBAL: dict[str, Pack] = {"cdn": cdn, "dns": dns, "edge_security": edge_security}
