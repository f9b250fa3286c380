"""What the options of the storage and cache tier may say. Every mistake gets its own sentence, before any call."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..engine.errors import OptionError

HIDDEN = "(hidden)"
CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
DAY = r"(mon|tue|wed|thu|fri|sat|sun)"


class Engine(NamedTuple):
    """What a cache engine starts with, and how its versions are written."""

    version: str
    port: int
    pattern: str
    example: str


ENGINES = {
    "redis": Engine("7.1", 6379, r"(5\.0(\.\d+)?|6\.(x|\d+)(\.\d+)?|7\.(x|\d+)(\.\d+)?)", "7.1, 6.2, 6.x or 5.0.6"),
    "valkey": Engine("8.0", 6379, r"([7-9]|\d\d)\.(x|\d+)(\.\d+)?", "8.0 or 7.2"),
    "memcached": Engine("1.6.22", 11211, r"1\.\d+\.\d+", "1.6.22"),
}


def check_key(options: dict[str, Any]) -> None:
    """The key: the user's or ours, in this region."""
    given, policy = options["kms_key_id"], options["kms_key_policy"]
    window = options["kms_key_deletion_window"]
    if not 7 <= window <= 30:
        raise OptionError("kms_key_deletion_window", window, "KMS waits 7 to 30 days")
    if policy and (given or not options["kms_key"]):
        raise OptionError(
            "kms_key_policy", policy, "It is the policy of the stack's own key: set kms_key=true and no kms_key_id"
        )
    if policy and "Statement" not in policy:
        raise OptionError("kms_key_policy", policy, "A policy document has a Statement")
    if not given:
        return
    if given.startswith("alias/aws/"):
        raise OptionError("kms_key_id", given, "AWS's own keys are used with kms_key=false and no kms_key_id")
    parts = given.split(":")
    if given.startswith("arn:") and (len(parts) != 6 or parts[2] != "kms"):
        raise OptionError(
            "kms_key_id", given, "Give the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID, its id, or alias/NAME"
        )
    if given.startswith("arn:") and parts[3] != options["region"]:
        raise OptionError(
            "kms_key_id", given, f"A key works in its own region only, and this run is in {options['region']}"
        )


def check_zones(options: dict[str, Any]) -> None:
    """Where things shall live."""
    zones, subnet_ids, region = options["availability_zones"], options["subnet_ids"], options["region"]
    if not zones and not subnet_ids:
        raise OptionError(
            "availability_zones", zones, f"Name the zones of the stack, such as {region}a, or set subnet_ids"
        )
    for zone in zones:
        if not zone.startswith(region) or zone == region:
            raise OptionError("availability_zones", zone, f"It is not a zone of {region}, such as {region}a")
        if zones.count(zone) > 1:
            raise OptionError("availability_zones", zone, "Name each zone once")
    for subnet_id in subnet_ids:
        if not re.fullmatch(r"subnet-[0-9a-f]+", subnet_id):
            raise OptionError("subnet_ids", subnet_id, "A subnet id looks like subnet-0123456789abcdef0")
        if subnet_ids.count(subnet_id) > 1:
            raise OptionError("subnet_ids", subnet_id, "Name each subnet once, and only one in a zone")
    for option in ("file_system_security_group_ids", "cache_security_group_ids"):
        for group_id in options[option]:
            if not re.fullmatch(r"sg-[0-9a-f]+", group_id):
                raise OptionError(option, group_id, "A security group id looks like sg-0123456789abcdef0")
        if len(options[option]) > 5:
            raise OptionError(option, options[option], "A network interface has at most five security groups")


def check_file_system(options: dict[str, Any]) -> None:
    """Combinations that EFS refuses."""
    mode, amount = options["file_system_throughput_mode"], options["file_system_throughput"]
    zone, subnet_ids = options["file_system_availability_zone"], options["subnet_ids"]
    if mode == "provisioned" and (amount is None or amount < 1):
        raise OptionError(
            "file_system_throughput",
            amount,
            "With throughput mode provisioned, give it in MiB/s, 1 or more",
        )
    if mode != "provisioned" and amount is not None:
        raise OptionError("file_system_throughput", amount, "It goes with file_system_throughput_mode=provisioned only")
    if options["file_system_performance_mode"] == "maxIO" and (mode == "elastic" or zone):
        raise OptionError(
            "file_system_performance_mode", "maxIO", "Elastic throughput and One Zone work with generalPurpose only"
        )
    if zone and not subnet_ids and zone not in options["availability_zones"]:
        raise OptionError("file_system_availability_zone", zone, "It must be one of availability_zones")
    if zone and len(subnet_ids) > 1:
        raise OptionError(
            "subnet_ids", subnet_ids, "A One Zone file system has one mount target: give the one subnet in its zone"
        )
    check_transitions(options, mode, zone)
    policy = options["file_system_policy"]
    if policy and "Statement" not in policy:
        raise OptionError("file_system_policy", policy, "A policy document has a Statement")
    check_access_points(options)


def check_transitions(options: dict[str, Any], mode: str, zone: str | None) -> None:
    """Archive comes after Infrequent Access, and only where EFS has it."""
    ia, archive = options["file_system_transition_to_ia"], options["file_system_transition_to_archive"]
    if archive == "none":
        return
    if mode != "elastic" or zone:
        raise OptionError(
            "file_system_transition_to_archive",
            archive,
            "Archive needs elastic throughput and a file system of several zones",
        )
    if ia != "none" and int(archive.split("_")[1]) <= int(ia.split("_")[1]):
        raise OptionError(
            "file_system_transition_to_archive", archive, f"It must come later than file_system_transition_to_ia ({ia})"
        )


def check_access_points(options: dict[str, Any]) -> None:
    """Names, paths, numbers and permissions of access points."""
    names = [one["name"] for one in options["access_points"]]
    for one in options["access_points"]:
        name, path = one["name"], one["path"]
        option = f"access_points[{name}]"
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._-]*", name) or names.count(name) > 1:
            raise OptionError(
                "access_points", name, "Each needs a name of its own, of letters, digits, dots, hyphens and underscores"
            )
        if not re.fullmatch(r"/|(/[^/\s]+){1,4}", path) or len(path) > 100:
            raise OptionError(
                f"{option}.path", path, "A path begins with /, has at most four levels and 100 characters"
            )
        if not re.fullmatch(r"[0-7]{3,4}", one["permissions"]):
            raise OptionError(f"{option}.permissions", one["permissions"], 'Give octal digits as text, such as "0755"')
        ids = {key: one[key] for key in ("uid", "gid", "owner_uid", "owner_gid") if one[key] is not None}
        for key, value in [*ids.items(), *(("secondary_gids", gid) for gid in one["secondary_gids"])]:
            if not 0 <= value <= 2**32 - 1:
                raise OptionError(f"{option}.{key}", value, "POSIX ids are numbers from 0 to 4294967295")
        if len(one["secondary_gids"]) > 16:
            raise OptionError(f"{option}.secondary_gids", one["secondary_gids"], "EFS takes 16 at most")


def check_cache(options: dict[str, Any]) -> None:
    """What holds for every engine."""
    engine, version, node_type = options["cache_engine"], options["cache_engine_version"], options["cache_node_type"]
    name = f"{options['stack']}-cache"
    if len(name) > 40 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):  # trap 102
        allowed = "ElastiCache ids ({}) have at most 40 lower-case letters, digits and single hyphens, and begin with a letter"
        raise OptionError("stack", options["stack"], allowed.format(name))
    if version and not re.fullmatch(ENGINES[engine].pattern, version):
        raise OptionError("cache_engine_version", version, f"Versions of {engine} read like {ENGINES[engine].example}")
    if not re.fullmatch(r"cache\.[a-z][a-z0-9]*\.([a-z]+|\d+xlarge)", node_type):
        raise OptionError("cache_node_type", node_type, "Node types read like cache.t4g.small or cache.r7g.2xlarge")
    port = options["cache_port"]
    if port is not None and not 1150 <= port <= 65535:
        raise OptionError("cache_port", port, "ElastiCache takes ports from 1150 to 65535")
    check_windows(options)
    for key, value in options["cache_parameters"].items():
        if isinstance(value, (dict, list)) or value is None:
            raise OptionError(f"cache_parameters[{key}]", value, "A parameter is a text or a number")
    if engine == "memcached":
        check_memcached(options)
    else:
        check_replication(options)
        check_token(options)


def check_windows(options: dict[str, Any]) -> None:
    """Times are UTC; the two windows have different forms."""
    daily, weekly = options["cache_snapshot_window"], options["cache_maintenance_window"]
    if daily is not None and not re.fullmatch(f"{CLOCK}-{CLOCK}", daily):
        raise OptionError(
            "cache_snapshot_window", daily, "Give hours of the day in UTC, an hour or more, such as 03:00-04:00"
        )
    if weekly is not None and not re.fullmatch(f"{DAY}:{CLOCK}-{DAY}:{CLOCK}", weekly):
        raise OptionError("cache_maintenance_window", weekly, "Give days and hours in UTC, such as sun:04:00-sun:05:00")
    limit = options["cache_snapshot_retention_limit"]
    if not 0 <= limit <= 35:
        raise OptionError("cache_snapshot_retention_limit", limit, "Snapshots are kept 0 (none) to 35 days")


def check_memcached(options: dict[str, Any]) -> None:
    """Memcached has nodes, and neither replicas nor tokens."""
    if not 1 <= options["cache_nodes"] <= 60:
        raise OptionError("cache_nodes", options["cache_nodes"], "A memcached cluster has 1 to 60 nodes")
    for option in ("cache_auth_token", "cache_auth_token_update", "cache_shards"):
        if options[option] not in (None, "none"):
            shown = HIDDEN if option == "cache_auth_token" else options[option]
            raise OptionError(option, shown, "Memcached has no such thing: leave it out, or choose redis or valkey")


def check_replication(options: dict[str, Any]) -> None:
    """Failover needs somebody to fail over to, and another zone to be there."""
    replicas, shards = options["cache_replicas"], options["cache_shards"]
    failover, multi_az = options["cache_automatic_failover"], options["cache_multi_az"]
    if not 0 <= replicas <= 5:
        raise OptionError("cache_replicas", replicas, "A primary has 0 to 5 replicas")
    if shards is not None and not 1 <= shards <= 500:
        raise OptionError(
            "cache_shards", shards, "A cluster has 1 to 500 shards; leave it out for a group without cluster mode"
        )
    if shards is not None and not failover:
        raise OptionError("cache_automatic_failover", failover, "Cluster mode (cache_shards) always has it")
    if shards is None and failover and replicas == 0:
        raise OptionError(
            "cache_automatic_failover", failover, "It needs a replica: set cache_replicas to 1 or more, or it to false"
        )
    if multi_az and (not failover or replicas == 0):
        raise OptionError(
            "cache_multi_az", multi_az, "It needs cache_automatic_failover and cache_replicas of 1 or more"
        )
    if multi_az and len(options["subnet_ids"] or options["availability_zones"]) < 2:
        raise OptionError("cache_multi_az", multi_az, "It needs subnets in two zones or more")


def check_token(options: dict[str, Any]) -> None:
    """A token travels over TLS only, and has a form. It is never shown."""
    token = options["cache_auth_token"]
    if options["cache_auth_token_update"] != "none" and not token:
        raise OptionError(
            "cache_auth_token_update", options["cache_auth_token_update"], "Give the token too, in cache_auth_token"
        )
    if token is None:
        return
    if not options["cache_transit_encryption"]:
        raise OptionError("cache_auth_token", HIDDEN, "A token needs cache_transit_encryption=true")
    if not re.fullmatch(r"[!-~]{16,128}", token) or re.search(r'[@"/]', token):
        raise OptionError(
            "cache_auth_token", HIDDEN, 'A token has 16 to 128 printable characters, without blanks and without @ " /'
        )
