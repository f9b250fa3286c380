"""How ElastiCache and EFS answers are read, on answers as AWS documents them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.resources.efs import AccessPoint, FileSystem
from ansible_collections.webstack.aws.plugins.module_utils.resources.elasticache import ReplicationGroup
from ansible_collections.webstack.aws.plugins.module_utils.resources.elasticache_clusters import settled_version
from ansible_collections.webstack.aws.plugins.module_utils.tiers.storage_cache import family_of

# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Replication.ViewDetails.Redis.CLI.html, ids changed
CLUSTERED: dict[str, Any] = {
    "Status": "available",
    "Description": "test",
    "NodeGroups": [
        {
            "Status": "available",
            "Slots": "0-16383",
            "NodeGroupId": "0001",
            "NodeGroupMembers": [
                {"CacheNodeId": "0001", "PreferredAvailabilityZone": "us-west-2c", "CacheClusterId": "rg-0001-001"},
                {"CacheNodeId": "0001", "PreferredAvailabilityZone": "us-west-2a", "CacheClusterId": "rg-0001-002"},
                {"CacheNodeId": "0001", "PreferredAvailabilityZone": "us-west-2b", "CacheClusterId": "rg-0001-003"},
            ],
        }
    ],
    "ConfigurationEndpoint": {"Port": 6379, "Address": "clustercfg.rg.abc123.usw2.cache.amazonaws.com"},
    "ClusterEnabled": True,
    "ReplicationGroupId": "rg",
    "SnapshotRetentionLimit": 1,
    "AutomaticFailover": "enabled",
    "SnapshotWindow": "13:00-14:00",
    "MemberClusters": ["rg-0001-001", "rg-0001-002", "rg-0001-003"],
    "CacheNodeType": "cache.m3.medium",
    "PendingModifiedValues": {},
    "ARN": "arn:aws:elasticache:us-west-2:123456789012:replicationgroup:rg",
}


def test_a_clustered_group_is_read_as_documented() -> None:
    have = ReplicationGroup("rg", owned=False).read(None, CLUSTERED)
    expected = {
        "id": "rg",
        "state": "available",
        "endpoint": "clustercfg.rg.abc123.usw2.cache.amazonaws.com",
        "port": 6379,
        "replicas": 2,
        "node_groups": 1,
        "cluster_mode": "enabled",
        "automatic_failover": True,
        "multi_az": False,
        "node_type": "cache.m3.medium",
    }
    assert {key: have[key] for key in expected} == expected


def test_failover_on_its_way_counts_as_made() -> None:
    pending = {
        **CLUSTERED,
        "AutomaticFailover": "disabled",
        "PendingModifiedValues": {"AutomaticFailoverStatus": "enabled"},
    }
    assert ReplicationGroup("rg", owned=False).read(None, pending)["automatic_failover"] is True
    enabling = {**CLUSTERED, "AutomaticFailover": "enabling"}
    assert ReplicationGroup("rg", owned=False).read(None, enabling)["automatic_failover"] is True


def test_a_group_in_the_making_without_nodes_is_read_as_wished() -> None:
    young = {**CLUSTERED, "Status": "creating", "NodeGroups": [], "MemberClusters": [], "ClusterEnabled": False}
    young.pop("ConfigurationEndpoint")
    have = ReplicationGroup("rg", owned=False, replicas=2, port=6380, multi_az=True).read(None, young)
    assert (have["replicas"], have["port"], have["multi_az"], have["endpoint"]) == (2, 6380, True, None)


@pytest.mark.parametrize(
    ("live", "wish", "auto", "settled"),
    [
        ("7.1.0", "7.1", False, "7.1"),  # trap 98
        ("6.2.6", "6.x", False, "6.x"),
        ("7.1.0", "7.0", True, "7.0"),
        ("7.1.0", "7.0", False, "7.1.0"),
        ("7.0.7", "7.1", True, "7.0.7"),
        ("8.0.1", "7.2", True, "8.0.1"),
        ("1.6.22", "1.6.22", True, "1.6.22"),
        ("7.1.0", None, True, "7.1.0"),
    ],
)
def test_versions_settle(live: str, wish: str | None, auto: bool, settled: str) -> None:
    assert settled_version(live, wish, auto) == settled


@pytest.mark.parametrize(
    ("engine", "version", "family"),
    [
        ("redis", "7.1", "redis7"),
        ("redis", "6.x", "redis6.x"),
        ("redis", "6.2.6", "redis6.x"),
        ("redis", "5.0.6", "redis5.0"),
        ("valkey", "7.2", "valkey7"),
        ("valkey", "8.0", "valkey8"),
        ("memcached", "1.6.22", "memcached1.6"),
    ],
)
def test_each_version_has_its_family(engine: str, version: str, family: str) -> None:
    assert family_of(engine, version) == family


# https://docs.aws.amazon.com/efs/latest/ug/API_DescribeFileSystems.html
FILES: dict[str, Any] = {
    "OwnerId": "251839141158",
    "CreationToken": "MyFileSystem1",
    "FileSystemId": "fs-01234567",
    "FileSystemArn": "arn:aws:elasticfilesystem:us-west-2:251839141158:file-system/fs-01234567",
    "PerformanceMode": "generalPurpose",
    "CreationTime": "1403301078",
    "LifeCycleState": "available",
    "Name": "my first file system",
    "NumberOfMountTargets": 1,
    "SizeInBytes": {"Value": 29313417216, "ValueInIA": 675432, "ValueInStandard": 29312741784},
}


def test_a_file_system_is_read_as_documented() -> None:
    have = FileSystem("fs-01234567", owned=False).read(None, FILES)
    expected = {
        "id": "fs-01234567",
        "encrypted": False,
        "throughput_mode": "bursting",
        "availability_zone": "",
        "kms_key_id": "",
        "tags": {},
    }
    assert {key: have[key] for key in expected} == expected
    assert FileSystem.identify({**FILES, "CreationToken": "webstack/demo-files"}) == ("fs-01234567", "demo-files")


def test_an_access_point_without_choices_is_read_with_what_efs_fills_in() -> None:
    item = {"AccessPointId": "fsap-1", "AccessPointArn": "arn", "FileSystemId": "fs-1", "LifeCycleState": "available"}
    have = AccessPoint("x", owned=False).read(None, {**item, "PosixUser": {"Uid": 1, "Gid": 2, "SecondaryGids": []}})
    assert have["root_directory"] == {"Path": "/"}
    assert have["posix_user"] == {"Uid": 1, "Gid": 2, "SecondaryGids": set()}
