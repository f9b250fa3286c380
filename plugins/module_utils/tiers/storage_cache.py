"""The storage and cache tier: the stack's data key, shared files (EFS), and the cache (ElastiCache)."""

from __future__ import annotations

from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.ec2 import SecurityGroup, Subnet
from ..resources.efs import AccessPoint, FileSystem, MountTarget
from ..resources.elasticache import ReplicationGroup
from ..resources.elasticache_clusters import CacheCluster
from ..resources.elasticache_groups import CacheParameterGroup, CacheSubnetGroup
from ..resources.kms import Key
from ..resources.policies import Policy, document, statement
from .storage_cache_checks import ENGINES, check_cache, check_file_system, check_key, check_zones

NETWORK = "Run the network tier first (--tags network), or set {option}"
DAYS = (1, 7, 14, 30, 60, 90, 180, 270, 365)
AFTER = [f"AFTER_{days}_DAY{'' if days == 1 else 'S'}" for days in DAYS]
MOUNT = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess"]
YES_NO = {"True": "yes", "False": "no"}

ARGUMENTS: dict[str, Any] = {
    "availability_zones": {"type": "list", "elements": "str", "default": []},
    "subnet_ids": {"type": "list", "elements": "str", "default": []},
    "kms_key": {"type": "bool", "default": True, "no_log": False},
    "kms_key_id": {"type": "str", "no_log": False},
    "kms_key_policy": {"type": "dict", "no_log": False},
    "kms_key_rotation": {"type": "bool", "default": True, "no_log": False},
    "kms_key_deletion_window": {"type": "int", "default": 30, "no_log": False},
    "file_system": {"type": "bool", "default": True},
    "file_system_availability_zone": {"type": "str"},
    "file_system_performance_mode": {
        "type": "str",
        "default": "generalPurpose",
        "choices": ["generalPurpose", "maxIO"],
    },
    "file_system_throughput_mode": {
        "type": "str",
        "default": "elastic",
        "choices": ["bursting", "elastic", "provisioned"],
    },
    "file_system_throughput": {"type": "float"},
    "file_system_transition_to_ia": {"type": "str", "default": "AFTER_30_DAYS", "choices": ["none", *AFTER]},
    "file_system_transition_to_archive": {"type": "str", "default": "none", "choices": ["none", *AFTER]},
    "file_system_transition_to_primary": {
        "type": "str",
        "default": "AFTER_1_ACCESS",
        "choices": ["none", "AFTER_1_ACCESS"],
    },
    "file_system_backup": {"type": "bool", "default": True},
    "file_system_require_tls": {"type": "bool", "default": True},
    "file_system_allow_anonymous": {"type": "bool", "default": False},
    "file_system_policy": {"type": "dict"},
    "file_system_security_group_ids": {"type": "list", "elements": "str", "default": []},
    "access_points": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "default": "/"},
            "uid": {"type": "int", "required": True},
            "gid": {"type": "int", "required": True},
            "secondary_gids": {"type": "list", "elements": "int", "default": []},
            "owner_uid": {"type": "int"},
            "owner_gid": {"type": "int"},
            "permissions": {"type": "str", "default": "0755"},
        },
    },
    "cache_engine": {"type": "str", "default": "redis", "choices": ["none", "redis", "valkey", "memcached"]},
    "cache_engine_version": {"type": "str"},
    "cache_node_type": {"type": "str", "default": "cache.t4g.small"},
    "cache_replicas": {"type": "int", "default": 1},
    "cache_shards": {"type": "int"},
    "cache_nodes": {"type": "int", "default": 2},
    "cache_automatic_failover": {"type": "bool", "default": True},
    "cache_multi_az": {"type": "bool", "default": True},
    "cache_port": {"type": "int"},
    "cache_parameters": {"type": "dict", "default": {}},
    "cache_transit_encryption": {"type": "bool", "default": True},
    "cache_at_rest_encryption": {"type": "bool", "default": True},
    "cache_auth_token": {"type": "str", "no_log": True},
    "cache_auth_token_update": {
        "type": "str",
        "default": "none",
        "choices": ["none", "rotate", "set"],
        "no_log": False,
    },
    "cache_snapshot_retention_limit": {"type": "int", "default": 1},
    "cache_snapshot_window": {"type": "str"},
    "cache_maintenance_window": {"type": "str"},
    "cache_auto_minor_version_upgrade": {"type": "bool", "default": True},
    "cache_apply_immediately": {"type": "bool", "default": True},
    "cache_final_snapshot": {"type": "bool", "default": False},
    "cache_security_group_ids": {"type": "list", "elements": "str", "default": []},
}


def storage_cache_tier(options: dict[str, Any]) -> list[Resource]:
    """The key first, then what is encrypted with it: the file system and its ways in, the cache and where it lives."""
    check_key(options)
    key = data_key(options)
    resources: list[Resource] = [key] if key is not None else []
    if options["file_system"]:
        check_zones(options)
        check_file_system(options)
        resources += file_system(options, key)
    if options["cache_engine"] != "none":
        check_zones(options)
        check_cache(options)
        resources += cache(options, key)
    return resources


def data_key(options: dict[str, Any]) -> Key | None:
    """The user's key, our own, or none: then each service encrypts with the key that AWS manages for it."""
    if options["kms_key_id"]:
        return Key(options["kms_key_id"], owned=False, hint="Correct kms_key_id, or let kms_key=true make a key")
    if not options["kms_key"]:
        return None
    return Key(
        f"alias/{options['stack']}-data",
        description=f"Data of the stack {options['stack']}",
        policy=Policy(options["kms_key_policy"]) if options["kms_key_policy"] else None,
        rotation=options["kms_key_rotation"],
        deletion_window=options["kms_key_deletion_window"],
    )


def subnets(options: dict[str, Any]) -> dict[str, Subnet]:
    """By zone the stack's own data subnets, or by id the subnets of the user."""
    if options["subnet_ids"]:
        return {one: Subnet(one, owned=False, hint="Correct subnet_ids") for one in options["subnet_ids"]}
    hint = NETWORK.format(option="subnet_ids")
    names = {zone: f"{options['stack']}-data-{zone}" for zone in options["availability_zones"]}
    return {zone: Subnet(name, owned=False, hint=hint) for zone, name in names.items()}


def security_groups(options: dict[str, Any], purpose: str, option: str) -> list[SecurityGroup]:
    """The stack's own group for a purpose, or those of the user."""
    if options[option]:
        return [SecurityGroup(one, owned=False, hint=f"Correct {option}") for one in options[option]]
    name = f"{options['stack']}-{purpose}"
    return [SecurityGroup(name, owned=False, hint=NETWORK.format(option=option))]


def file_system(options: dict[str, Any], key: Key | None) -> list[Resource]:
    """A file system with a mount target in each zone (One Zone: in its own), and access points."""
    transitions = {name: options[f"file_system_transition_to_{name}"] for name in ("ia", "archive", "primary")}
    files = FileSystem(
        f"{options['stack']}-files",
        kms_key=key,
        performance_mode=options["file_system_performance_mode"],
        throughput_mode=options["file_system_throughput_mode"],
        provisioned_throughput=options["file_system_throughput"],
        availability_zone=options["file_system_availability_zone"] or "",
        lifecycle={name: value for name, value in transitions.items() if value != "none"},
        backup=options["file_system_backup"],
        policy=file_system_policy(options),
    )
    groups = security_groups(options, "efs", "file_system_security_group_ids")
    places = subnets(options)
    only = options["file_system_availability_zone"]
    if only and not options["subnet_ids"]:
        places = {only: places[only]}
    targets = [MountTarget(f"{files.name}/{place}", files, subnet, groups) for place, subnet in places.items()]
    return [files, *targets, *(access_point(options, files, one) for one in options["access_points"])]


def access_point(options: dict[str, Any], files: FileSystem, one: dict[str, Any]) -> AccessPoint:
    """EFS makes the directory at first use only if it knows whose it shall be, so that is always said."""
    owner = {
        "OwnerUid": one["uid"] if one["owner_uid"] is None else one["owner_uid"],
        "OwnerGid": one["gid"] if one["owner_gid"] is None else one["owner_gid"],
        "Permissions": one["permissions"],
    }
    user: dict[str, Any] = {"Uid": one["uid"], "Gid": one["gid"]}
    if one["secondary_gids"]:
        user["SecondaryGids"] = sorted(one["secondary_gids"])
    root = {"Path": one["path"]} if one["path"] == "/" else {"Path": one["path"], "CreationInfo": owner}
    return AccessPoint(f"{options['stack']}-{one['name']}", files, user, root)


def file_system_policy(options: dict[str, Any]) -> Policy:
    """Who may mount: only over TLS, and only callers that sign with credentials of this account (mount -o tls,iam).

    The account itself may always administer the file system, so that no policy of ours locks anybody out (trap 92).
    """
    if options["file_system_policy"]:
        return Policy(options["file_system_policy"])
    tls, anonymous = options["file_system_require_tls"], options["file_system_allow_anonymous"]
    if anonymous and not tls:
        return Policy()
    account = options["account_id"]
    root = f"arn:{options['partition']}:iam::{account}:root"
    through_target: dict[str, Any] = {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}
    if not anonymous:
        through_target["StringEquals"] = {"aws:PrincipalAccount": account}
    clients = statement("Clients", principal={"AWS": "*"}, action=MOUNT, condition=through_target)
    administration = statement("Administration", principal={"AWS": root}, action="elasticfilesystem:*")
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    refusal = statement("RequireTls", effect="Deny", principal={"AWS": "*"}, action="*", condition=insecure)
    return document(clients, administration, *([refusal] if tls else []))


def cache(options: dict[str, Any], key: Key | None) -> list[Resource]:
    """Parameter group, subnet group, and a replication group or memcached cluster."""
    engine = options["cache_engine"]
    name = f"{options['stack']}-cache"
    family = family_of(engine, options["cache_engine_version"] or ENGINES[engine].version)
    texts = {name: str(value) for name, value in options["cache_parameters"].items()}
    parameters = {name: YES_NO.get(text, text) for name, text in texts.items()}
    if options["cache_shards"] is not None:
        parameters["cluster-enabled"] = "yes"
    group = CacheParameterGroup(
        f"{name}-{family.replace('.', '-')}",
        family=family,
        description=f"Cache of the stack {options['stack']}",
        parameters=parameters,
    )
    places = CacheSubnetGroup(name, list(subnets(options).values()), f"Cache of the stack {options['stack']}")
    common: dict[str, Any] = {
        "engine": engine,
        "engine_version": options["cache_engine_version"] or ENGINES[engine].version,
        "node_type": options["cache_node_type"],
        "port": options["cache_port"] or ENGINES[engine].port,
        "parameter_group": group,
        "subnet_group": places,
        "security_groups": security_groups(options, "cache", "cache_security_group_ids"),
        "transit_encryption": options["cache_transit_encryption"],
        "maintenance_window": options["cache_maintenance_window"],
        "auto_minor_version_upgrade": options["cache_auto_minor_version_upgrade"],
    }
    nodes: Resource = (
        CacheCluster(name, nodes=options["cache_nodes"], **common)
        if engine == "memcached"
        else replication_group(name, options, key, common)
    )
    return [group, places, nodes]


def replication_group(name: str, options: dict[str, Any], key: Key | None, common: dict[str, Any]) -> ReplicationGroup:
    """A primary with replicas that take over in another zone."""
    at_rest, token_update = options["cache_at_rest_encryption"], options["cache_auth_token_update"]
    return ReplicationGroup(
        name,
        description=f"Cache of the stack {options['stack']}",
        replicas=options["cache_replicas"],
        node_groups=options["cache_shards"],
        automatic_failover=options["cache_automatic_failover"],
        multi_az=options["cache_multi_az"],
        at_rest_encryption=at_rest,
        kms_key=key if at_rest else None,
        auth_token=options["cache_auth_token"],
        auth_token_update=None if token_update == "none" else token_update,
        snapshot_retention_limit=options["cache_snapshot_retention_limit"],
        snapshot_window=options["cache_snapshot_window"],
        apply_immediately=options["cache_apply_immediately"],
        final_snapshot=options["cache_final_snapshot"],
        **common,
    )


def family_of(engine: str, version: str) -> str:
    """The parameter group family of an engine version: redis7, redis6.x, redis5.0, valkey8, memcached1.6."""
    major, minor = (*version.split("."), "")[:2]
    if engine == "valkey" or (engine == "redis" and int(major) >= 7):
        return f"{engine}{major}"
    return f"{engine}6.x" if (engine, major) == ("redis", "6") else f"{engine}{major}.{minor}"


TIER = Tier(
    "storage_cache",
    ARGUMENTS,
    storage_cache_tier,
    (
        Key,
        FileSystem,
        MountTarget,
        AccessPoint,
        CacheParameterGroup,
        CacheSubnetGroup,
        ReplicationGroup,
        CacheCluster,
    ),
)
