"""The storage and cache tier, on the reference options of one region."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from stack import Stack, cycle, quiet, refusal

from webstack_lab.services.passing import Pace

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
OPTIONS: dict[str, Any] = {
    "availability_zones": ZONES,
    "access_points": [{"name": "web", "path": "/web", "uid": 1000, "gid": 1000}],
    "cache_parameters": {"maxmemory-policy": "allkeys-lru"},
    "cache_maintenance_window": "sun:04:00-sun:05:00",
    "cache_snapshot_window": "02:00-03:00",
}
KEY = {**OPTIONS, "file_system": False, "cache_engine": "none"}
FILES = {**OPTIONS, "cache_engine": "none"}
CACHE = {**OPTIONS, "file_system": False}
MEMCACHED = {**CACHE, "cache_engine": "memcached", "cache_parameters": {"max_item_size": 2097152}}
GROUP = "ReplicationGroup[demo-cache]"
FILE_SYSTEM = "FileSystem[demo-files]"
SAMPLE_TOKEN = "Sample.of.a.token.0123"
SETTINGS = (
    "description",
    "security_group_ids",
    "snapshot_retention_limit",
    "snapshot_window",
    "maintenance_window",
    "auto_minor_version_upgrade",
)
TARGETS = {f"MountTarget[demo-files/{zone}]" for zone in ZONES}


@pytest.fixture(autouse=True, scope="module")
def one_reading_of_models() -> Iterator[None]:
    """botocore reads its models once for all sessions of this file: most of the time of a run without work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """States pass at the next look, unless a test says otherwise."""
    monkeypatch.setattr(Pace, "scale", 0.0)


def owned(kind: str, name: str) -> list[dict[str, Any]]:
    tags = {"webstack:stack": "demo", "webstack:tier": "network", "webstack:name": name, "Name": name}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


@pytest.fixture
def net(stack: Stack) -> dict[str, str]:
    """What the network tier gives this one: data subnets and security groups. Name → id."""
    ec2 = stack.lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=owned("vpc", "demo"))["Vpc"]["VpcId"]
    made = {"vpc": vpc}
    for number, zone in enumerate(ZONES):
        name = f"demo-data-{zone}"
        subnet = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone=zone, TagSpecifications=owned("subnet", name)
        )
        made[name] = subnet["Subnet"]["SubnetId"]
    for name in ("demo-efs", "demo-cache", "other"):
        group = ec2.create_security_group(
            GroupName=name, Description=name, VpcId=vpc, TagSpecifications=owned("security-group", name)
        )
        made[name] = group["GroupId"]
    return made


class Files:
    """What somebody does to the file system behind our back."""

    def __init__(self, stack: Stack, net: dict[str, str]) -> None:
        self.efs = stack.lab.client("efs")
        self.net = net

    @property
    def id(self) -> str:
        return str(self.efs.describe_file_systems()["FileSystems"][0]["FileSystemId"])

    @property
    def targets(self) -> list[dict[str, Any]]:
        return list(self.efs.describe_mount_targets(FileSystemId=self.id)["MountTargets"])

    @property
    def points(self) -> list[dict[str, Any]]:
        return list(self.efs.describe_access_points(FileSystemId=self.id)["AccessPoints"])

    def slow_down(self) -> None:
        """Bursting, and long enough ago that EFS would change it again."""
        self.efs.update_file_system(FileSystemId=self.id, ThroughputMode="bursting")
        self.forget_change()

    def loosen(self) -> None:
        self.efs.put_lifecycle_configuration(FileSystemId=self.id, LifecyclePolicies=[])
        self.efs.put_backup_policy(FileSystemId=self.id, BackupPolicy={"Status": "DISABLED"})
        self.efs.delete_file_system_policy(FileSystemId=self.id)

    def forget_change(self) -> None:
        from moto.efs.models import efs_backends

        vars(efs_backends["123456789012"]["us-east-1"].file_systems_by_id[self.id]).pop("_throughput_changed", None)

    def open_door(self) -> None:
        target = next(one for one in self.targets if one["AvailabilityZoneName"] == ZONES[0])
        self.efs.modify_mount_target_security_groups(
            MountTargetId=target["MountTargetId"], SecurityGroups=[self.net["demo-efs"], self.net["other"]]
        )

    def lose_target(self) -> None:
        target = next(one for one in self.targets if one["AvailabilityZoneName"] == ZONES[1])
        self.efs.delete_mount_target(MountTargetId=target["MountTargetId"])

    def lose_all(self) -> None:
        identity = self.id
        for target in self.targets:
            self.efs.delete_mount_target(MountTargetId=target["MountTargetId"])
        self.efs.delete_file_system(FileSystemId=identity)

    def drifts(self) -> list[Any]:
        efs = self.efs
        return [
            (FILE_SYSTEM, self.loosen, {"lifecycle", "backup", "policy"}),
            (FILE_SYSTEM, self.slow_down, {"throughput_mode"}),
            (FILE_SYSTEM, lambda: efs.untag_resource(ResourceId=self.id, TagKeys=["Name"]), {"tags"}),
            ("MountTarget[demo-files/us-east-1a]", self.open_door, {"security_group_ids"}),
            (
                "AccessPoint[demo-web]",
                lambda: efs.tag_resource(ResourceId=self.points[0]["AccessPointId"], Tags=[{"Key": "x", "Value": "y"}]),
                {"tags"},
            ),
        ]


class Cache:
    """What somebody does to the cache behind our back."""

    def __init__(self, stack: Stack, net: dict[str, str]) -> None:
        self.client = stack.lab.client("elasticache")
        self.net = net

    @property
    def group(self) -> dict[str, Any]:
        return dict(self.client.describe_replication_groups(ReplicationGroupId="demo-cache")["ReplicationGroups"][0])

    def modify(self, **change: Any) -> Callable[[], Any]:
        return lambda: self.client.modify_replication_group(
            ReplicationGroupId="demo-cache", ApplyImmediately=True, **change
        )

    def resettle(self) -> None:
        """All that a modification may change without touching a node."""
        change = {
            "ReplicationGroupDescription": "x",
            "SecurityGroupIds": [self.net["other"]],
            "SnapshotRetentionLimit": 9,
            "SnapshotWindow": "09:00-10:00",
            "PreferredMaintenanceWindow": "mon:09:00-mon:10:00",
            "AutoMinorVersionUpgrade": False,
        }
        self.modify(**change)()

    def tag(self, kind: str) -> Callable[[], Any]:
        arn = f"arn:aws:elasticache:us-east-1:123456789012:{kind}"
        return lambda: self.client.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "Name", "Value": "x"}])

    def parameter(self, name: str, value: str) -> Callable[[], Any]:
        values = [{"ParameterName": name, "ParameterValue": value}]
        return lambda: self.client.modify_cache_parameter_group(
            CacheParameterGroupName="demo-cache-redis7", ParameterNameValues=values
        )

    def fewer_subnets(self) -> None:
        used = {one["PreferredAvailabilityZone"] for one in self.client.describe_cache_clusters()["CacheClusters"]}
        ids = [self.net[f"demo-data-{zone}"] for zone in sorted(used)]
        self.client.modify_cache_subnet_group(CacheSubnetGroupName="demo-cache", SubnetIds=ids)

    def more_replicas(self) -> None:
        self.client.increase_replica_count(ReplicationGroupId="demo-cache", NewReplicaCount=3, ApplyImmediately=True)

    def no_failover(self) -> None:
        self.modify(AutomaticFailoverEnabled=False, MultiAZEnabled=False)()

    def no_replicas(self) -> None:
        self.no_failover()
        self.client.decrease_replica_count(ReplicationGroupId="demo-cache", NewReplicaCount=0, ApplyImmediately=True)

    def lose_group(self) -> None:
        self.client.delete_replication_group(ReplicationGroupId="demo-cache")

    def lose_everything(self) -> None:
        self.lose_group()
        self.client.describe_replication_groups()
        self.client.delete_cache_parameter_group(CacheParameterGroupName="demo-cache-redis7")
        self.client.delete_cache_subnet_group(CacheSubnetGroupName="demo-cache")

    def describe(self) -> Callable[[], Any]:
        return lambda: self.client.modify_cache_subnet_group(
            CacheSubnetGroupName="demo-cache", CacheSubnetGroupDescription="Nodes"
        )

    def drifts(self) -> list[Any]:
        parameters, subnets = "CacheParameterGroup[demo-cache-redis7]", "CacheSubnetGroup[demo-cache]"
        return [
            (parameters, self.parameter("maxmemory-policy", "noeviction"), {"parameters"}),
            (parameters, self.tag("parametergroup:demo-cache-redis7"), {"tags"}),
            (subnets, self.fewer_subnets, {"subnet_ids"}),
            (subnets, self.describe(), {"description"}),
            (subnets, self.tag("subnetgroup:demo-cache"), {"tags"}),
            (GROUP, self.resettle, set(SETTINGS)),
            (GROUP, self.modify(CacheParameterGroupName="default.redis7"), {"parameter_group"}),
            (GROUP, self.modify(CacheNodeType="cache.t4g.large"), {"node_type"}),
            (GROUP, self.more_replicas, {"replicas"}),
            (GROUP, self.no_replicas, {"automatic_failover", "multi_az", "replicas"}),
            (GROUP, self.tag("replicationgroup:demo-cache"), {"tags"}),
        ]


@pytest.fixture
def files(stack: Stack, net: dict[str, str]) -> Files:
    return Files(stack, net)


@pytest.fixture
def cache(stack: Stack, net: dict[str, str]) -> Cache:
    return Cache(stack, net)


def test_life_of_the_file_system(stack: Stack, files: Files) -> None:
    def lose_point() -> None:
        files.efs.delete_access_point(AccessPointId=files.points[0]["AccessPointId"])

    vanishings = [
        (files.lose_target, {"MountTarget[demo-files/us-east-1b]"}),
        (lose_point, {"AccessPoint[demo-web]"}),
        (files.lose_all, {FILE_SYSTEM, "AccessPoint[demo-web]", *TARGETS}),
    ]
    cycle(stack, "storage_cache", FILES, drifts=files.drifts(), vanishings=vanishings)


def test_life_of_the_cache(stack: Stack, cache: Cache) -> None:
    everything = {GROUP, "CacheParameterGroup[demo-cache-redis7]", "CacheSubnetGroup[demo-cache]"}
    vanishings = [(cache.lose_group, {GROUP}), (cache.lose_everything, everything)]
    cycle(stack, "storage_cache", CACHE, drifts=cache.drifts(), vanishings=vanishings)


def test_life_of_a_memcached_cluster(stack: Stack, cache: Cache) -> None:
    cluster, client = "CacheCluster[demo-cache]", cache.client
    settings = {
        "SecurityGroupIds": [cache.net["other"]],
        "PreferredMaintenanceWindow": "mon:09:00-mon:10:00",
        "AutoMinorVersionUpgrade": False,
        "CacheParameterGroupName": "default.memcached1.6",
    }

    def modify(**change: Any) -> Callable[[], Any]:
        return lambda: client.modify_cache_cluster(CacheClusterId="demo-cache", ApplyImmediately=True, **change)

    cycle(
        stack,
        "storage_cache",
        MEMCACHED,
        drifts=[
            (cluster, modify(NumCacheNodes=3), {"nodes"}),
            (cluster, modify(NumCacheNodes=1, CacheNodeIdsToRemove=["0002"]), {"nodes"}),
            (
                cluster,
                modify(**settings),
                {"parameter_group", "security_group_ids", "maintenance_window", "auto_minor_version_upgrade"},
            ),
            (cluster, cache.tag("cluster:demo-cache"), {"tags"}),
        ],
        vanishings=[(lambda: client.delete_cache_cluster(CacheClusterId="demo-cache"), {cluster})],
    )


def test_the_whole_tier_at_the_pace_of_aws(stack: Stack, net: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = stack.lab.snapshot()
    monkeypatch.setattr(Pace, "scale", 0.001)
    cycle(stack, "storage_cache", OPTIONS)
    assert stack.lab.snapshot() == before


def test_a_quiet_run_costs_seventeen_reads(stack: Stack, net: dict[str, str]) -> None:
    stack.converge("storage_cache", **OPTIONS)
    assert len(quiet(stack, "storage_cache", OPTIONS).reads) <= 17


# What is sent.


def test_everything_is_encrypted_with_the_stacks_own_key_and_tagged_in_the_create_call(
    stack: Stack, net: dict[str, str]
) -> None:
    made = stack.converge("storage_cache", **OPTIONS)
    key = stack.lab.client("kms").describe_key(KeyId="alias/demo-data")["KeyMetadata"]
    (files,), (group,), (create_key,) = map(made.sent, ("CreateFileSystem", "CreateReplicationGroup", "CreateKey"))
    assert files["KmsKeyId"] == group["KmsKeyId"] == key["Arn"]
    assert files["Encrypted"] and group["AtRestEncryptionEnabled"] and group["TransitEncryptionEnabled"]
    owner = {"Key": "webstack:stack", "Value": "demo"}
    assert owner in files["Tags"] and owner in group["Tags"]  # trap 3
    assert {"TagKey": "webstack:stack", "TagValue": "demo"} in create_key["Tags"]
    assert files["CreationToken"] == "webstack/demo-files"  # trap 10
    assert files["ThroughputMode"] == "elastic" and files["Backup"] is True


def test_the_replication_group_is_what_the_reference_asks_for(stack: Stack, net: dict[str, str]) -> None:
    (group,) = stack.converge("storage_cache", **OPTIONS).sent("CreateReplicationGroup")
    expected = {
        "ReplicationGroupId": "demo-cache",
        "Engine": "redis",
        "EngineVersion": "7.1",
        "NumCacheClusters": 2,
        "AutomaticFailoverEnabled": True,
        "MultiAZEnabled": True,
        "CacheParameterGroupName": "demo-cache-redis7",
        "CacheSubnetGroupName": "demo-cache",
        "SecurityGroupIds": [net["demo-cache"]],
        "Port": 6379,
        "SnapshotRetentionLimit": 1,
    }
    assert {key: group.get(key) for key in expected} == expected
    assert "AuthToken" not in group


def test_each_zone_gets_a_mount_target_with_the_groups_of_the_stack(stack: Stack, net: dict[str, str]) -> None:
    targets = stack.converge("storage_cache", **FILES).sent("CreateMountTarget")
    assert {one["SubnetId"] for one in targets} == {net[f"demo-data-{zone}"] for zone in ZONES}
    assert all(one["SecurityGroups"] == [net["demo-efs"]] for one in targets)


def test_the_file_system_wants_tls_and_callers_of_this_account_and_locks_nobody_out(
    stack: Stack, net: dict[str, str]
) -> None:
    (sent,) = stack.converge("storage_cache", **FILES).sent("PutFileSystemPolicy")
    assert sent["BypassPolicyLockoutSafetyCheck"] is False  # trap 92
    policy = json.loads(sent["Policy"])
    by_name = {one["Sid"]: one for one in policy["Statement"]}
    assert by_name["Administration"]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert by_name["RequireTls"]["Effect"] == "Deny"
    assert by_name["Clients"]["Condition"]["StringEquals"] == {"aws:PrincipalAccount": "123456789012"}
    assert all(one["Resource"].startswith("arn:aws:elasticfilesystem:us-east-1:") for one in policy["Statement"])


def test_parameters_go_in_calls_of_twenty_and_what_nobody_wishes_for_goes_back(
    stack: Stack, net: dict[str, str]
) -> None:
    names = stack.lab.client("elasticache").describe_cache_parameters(CacheParameterGroupName="default.redis7")
    free = [one["ParameterName"] for one in names["Parameters"] if one["IsModifiable"]]
    many = {name: 1 for name in free if name != "cluster-enabled"}
    made = stack.converge("storage_cache", **{**CACHE, "cache_parameters": many})
    sizes = [len(call["ParameterNameValues"]) for call in made.sent("ModifyCacheParameterGroup")]
    assert sizes == [20, len(many) - 20]
    quiet(stack, "storage_cache", {**CACHE, "cache_parameters": many})
    few = stack.converge("storage_cache", **{**CACHE, "cache_parameters": {"timeout": 1, "activedefrag": True}})
    assert sum(len(call["ParameterNameValues"]) for call in few.sent("ResetCacheParameterGroup")) == len(many) - 2
    (changed,) = few.sent("ModifyCacheParameterGroup")
    assert changed["ParameterNameValues"] == [{"ParameterName": "activedefrag", "ParameterValue": "yes"}]


# Changes by the user.


def change(stack: Stack, **options: Any) -> Any:
    return stack.converge("storage_cache", **{**CACHE, **options})


def test_replicas_come_before_failover_and_go_after_it(stack: Stack, cache: Cache) -> None:
    alone = {"cache_replicas": 0, "cache_automatic_failover": False, "cache_multi_az": False}
    change(stack, **alone)
    grown = change(stack)
    assert [call["operation"] for call in grown.writes] == ["IncreaseReplicaCount", "ModifyReplicationGroup"]
    shrunk = change(stack, **alone)
    assert [call["operation"] for call in shrunk.writes] == ["ModifyReplicationGroup", "DecreaseReplicaCount"]
    assert cache.group["AutomaticFailover"] == "disabled"


def test_one_class_of_change_goes_in_one_call_and_one_run_makes_all(
    stack: Stack, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(stack)
    monkeypatch.setattr(Pace, "scale", 0.0005)
    wish = {"cache_replicas": 2, "cache_node_type": "cache.r7g.large", "cache_snapshot_retention_limit": 7}
    made = change(stack, **wish)
    calls = [{**call["params"], "operation": call["operation"]} for call in made.writes]
    assert [call["operation"] for call in calls] == [  # traps 99, 100
        "ModifyReplicationGroup",
        "IncreaseReplicaCount",
        "ModifyReplicationGroup",
    ]
    assert calls[0]["SnapshotRetentionLimit"] == 7 and calls[2]["CacheNodeType"] == "cache.r7g.large"
    quiet(stack, "storage_cache", {**CACHE, **wish})


def test_an_upgrade_brings_its_parameter_group_and_drops_the_old_one(stack: Stack, cache: Cache) -> None:
    change(stack, cache_engine_version="6.2")
    made = change(stack, cache_engine_version="7.1")
    (modified,) = made.sent("ModifyReplicationGroup")  # trap 101
    assert (modified["EngineVersion"], modified["CacheParameterGroupName"]) == ("7.1", "demo-cache-redis7")
    assert ("delete", "CacheParameterGroup[demo-cache-redis6-x]") in made.plan
    quiet(stack, "storage_cache", {**CACHE, "cache_engine_version": "7.1"})


def test_redis_becomes_valkey_in_place_and_never_back(stack: Stack, cache: Cache) -> None:
    change(stack)
    valkey = {"cache_engine": "valkey", "cache_engine_version": "8.0"}
    (modified,) = change(stack, **valkey).sent("ModifyReplicationGroup")
    assert (modified["Engine"], modified["EngineVersion"]) == ("valkey", "8.0")
    quiet(stack, "storage_cache", {**CACHE, **valkey})
    assert "only redis into valkey" in refusal(lambda: change(stack, cache_engine="redis"))


def test_versions_are_compared_as_precisely_as_they_were_given(stack: Stack, cache: Cache) -> None:
    change(stack, cache_engine_version="6.x")
    quiet(stack, "storage_cache", {**CACHE, "cache_engine_version": "6.x"})  # trap 98
    quiet(stack, "storage_cache", {**CACHE, "cache_engine_version": "6.2"})
    quiet(stack, "storage_cache", {**CACHE, "cache_engine_version": "6.0"})  # upgraded by AWS: not ours to undo
    fixed = {"cache_engine_version": "6.0", "cache_auto_minor_version_upgrade": False}
    assert "cannot go back from version 6.2.6 to 6.0" in refusal(lambda: change(stack, **fixed))


def test_accepted_but_not_applied_changes_count_as_made(stack: Stack, cache: Cache) -> None:
    later = {"cache_apply_immediately": False, "cache_node_type": "cache.r7g.large"}
    change(stack)
    made = change(stack, **later)
    assert made.sent("ModifyReplicationGroup")[0]["ApplyImmediately"] is False
    assert cache.group["CacheNodeType"] == "cache.t4g.small"
    quiet(stack, "storage_cache", {**CACHE, **later})


def test_shards_are_added_and_removed_online(stack: Stack, cache: Cache) -> None:
    made = change(stack, cache_shards=2)
    (created,) = made.sent("CreateReplicationGroup")
    assert (created["NumNodeGroups"], created["ReplicasPerNodeGroup"]) == (2, 1)
    quiet(stack, "storage_cache", {**CACHE, "cache_shards": 2})
    assert change(stack, cache_shards=3).sent("ModifyReplicationGroupShardConfiguration")[0]["NodeGroupCount"] == 3
    (sent,) = change(stack, cache_shards=1, cache_replicas=1).sent("ModifyReplicationGroupShardConfiguration")
    assert sent["NodeGroupsToRemove"] == ["0002", "0003"]
    assert "cannot change cluster_mode" in refusal(lambda: change(stack))


def test_a_token_is_sent_at_creation_and_when_told_and_never_shown(stack: Stack, cache: Cache) -> None:
    token = {"cache_auth_token": SAMPLE_TOKEN}
    made = change(stack, **token)
    assert "AuthToken" in made.sent("CreateReplicationGroup")[0]  # the lab writes no secret down
    assert SAMPLE_TOKEN not in str(made.diff)
    quiet(stack, "storage_cache", {**CACHE, **token})  # trap 95: nothing tells whether it is another one
    rotated = change(stack, cache_auth_token=SAMPLE_TOKEN[::-1], cache_auth_token_update="rotate")
    (sent,) = rotated.sent("ModifyReplicationGroup")
    assert "AuthToken" in sent and "AuthTokenUpdateStrategy" in sent


def test_a_token_for_a_running_group_needs_to_be_told(stack: Stack, cache: Cache) -> None:
    change(stack)
    text = refusal(lambda: change(stack, cache_auth_token=SAMPLE_TOKEN))
    assert "cache_auth_token_update=rotate" in text and SAMPLE_TOKEN not in text
    change(stack, cache_auth_token=SAMPLE_TOKEN, cache_auth_token_update="rotate")
    assert cache.group["AuthTokenEnabled"]
    quiet(stack, "storage_cache", {**CACHE, "cache_auth_token": SAMPLE_TOKEN})


def test_what_elasticache_cannot_change_is_refused_before_any_write(stack: Stack, cache: Cache) -> None:
    change(stack)  # traps 93, 94
    for options, attribute, advice in (
        ({"cache_port": 7000}, "port", "Take a snapshot"),
        ({"cache_at_rest_encryption": False}, "at_rest_encryption", "Take a snapshot"),
        ({"cache_transit_encryption": False}, "transit_encryption", "preferred"),
        ({"cache_shards": 1}, "cluster_mode", "Take a snapshot"),
    ):
        text = refusal(lambda options=options: change(stack, **options))  # type: ignore[misc]  # bound now
        assert f"cannot change {attribute}" in text and advice in text and "Nothing was changed" in text


def test_what_memcached_cannot_change_is_refused(stack: Stack, cache: Cache) -> None:
    stack.converge("storage_cache", **MEMCACHED)
    text = refusal(lambda: stack.converge("storage_cache", **{**MEMCACHED, "cache_node_type": "cache.r7g.large"}))
    assert "cannot change node_type" in text and "cache_engine=none" in text


def test_what_efs_cannot_change_is_refused(stack: Stack, files: Files) -> None:
    kms = stack.lab.client("kms")
    kms.create_alias(AliasName="alias/mine", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    stack.converge("storage_cache", **FILES)
    for options, attribute in (
        ({"file_system_performance_mode": "maxIO", "file_system_throughput_mode": "bursting"}, "performance_mode"),
        ({"kms_key": False, "kms_key_id": "alias/mine"}, "kms_key_id"),
        ({"file_system_availability_zone": "us-east-1a"}, "availability_zone"),
    ):
        wish = {**FILES, **options}
        text = refusal(lambda wish=wish: stack.converge("storage_cache", **wish))  # type: ignore[misc]  # bound now
        assert f"cannot change {attribute}" in text and "DataSync" in text  # trap 90


def test_an_access_point_never_changes(stack: Stack, files: Files) -> None:
    stack.converge("storage_cache", **FILES)
    moved = {**FILES, "access_points": [{"name": "web", "path": "/elsewhere", "uid": 1000, "gid": 1000}]}
    assert "under another name" in refusal(lambda: stack.converge("storage_cache", **moved))


def test_throughput_that_changed_today_is_pending_not_failed(stack: Stack, files: Files) -> None:
    stack.converge("storage_cache", **FILES)
    slower = {**FILES, "file_system_throughput_mode": "provisioned", "file_system_throughput": 10}
    stack.converge("storage_cache", **slower)
    back = stack.converge("storage_cache", **{**FILES, "file_system_backup": False})  # trap 89
    assert back.report.pending == [FILE_SYSTEM]
    assert back.sent("PutBackupPolicy"), "the rest is changed all the same"
    files.forget_change()
    stack.converge("storage_cache", **{**FILES, "file_system_backup": False})
    quiet(stack, "storage_cache", {**FILES, "file_system_backup": False})


def test_a_zone_less_takes_only_its_own_mount_target(stack: Stack, files: Files) -> None:
    stack.converge("storage_cache", **FILES)
    fewer = stack.converge("storage_cache", **{**FILES, "availability_zones": ZONES[1:]})
    assert fewer.plan == {("delete", "MountTarget[demo-files/us-east-1a]")}


def test_the_first_access_point_goes_alone(stack: Stack, files: Files) -> None:
    two = [*OPTIONS["access_points"], {"name": "logs", "path": "/logs", "uid": 1001, "gid": 1001}]
    stack.converge("storage_cache", **{**FILES, "access_points": two})
    fewer = stack.converge("storage_cache", **{**FILES, "access_points": two[1:]})
    assert fewer.plan == {("delete", "AccessPoint[demo-web]")}


def test_a_cache_that_is_no_longer_wished_for_goes_with_its_groups(stack: Stack, cache: Cache) -> None:
    stack.converge("storage_cache", **CACHE)
    gone = stack.converge("storage_cache", **{**CACHE, "cache_engine": "none"})
    kinds = {"CacheParameterGroup[demo-cache-redis7]", "CacheSubnetGroup[demo-cache]", GROUP}
    assert gone.plan == {("delete", address) for address in kinds}
    order = [call["operation"] for call in gone.writes]
    assert order[0] == "DeleteReplicationGroup", "groups stay in use until the nodes are gone (trap 102)"


def test_redis_gives_way_to_memcached_under_the_same_name(stack: Stack, cache: Cache) -> None:
    stack.converge("storage_cache", **CACHE)
    swapped = stack.converge("storage_cache", **MEMCACHED)
    assert ("delete", GROUP) in swapped.plan and ("create", "CacheCluster[demo-cache]") in swapped.plan
    quiet(stack, "storage_cache", MEMCACHED)


# Removal.


def test_files_are_deleted_only_when_told(stack: Stack, files: Files) -> None:
    stack.converge("storage_cache", **FILES)
    text = refusal(lambda: stack.remove("storage_cache", lift=False, **FILES))
    assert "lift_deletion_protection" in text
    gone = stack.remove("storage_cache", **FILES)
    assert any("aws/efs/automatic-backup-vault" in line for line in gone.report.left)
    assert any("KMS key" in line and "30 days" in line for line in gone.report.left)


def test_a_last_snapshot_is_taken_and_named(stack: Stack, cache: Cache) -> None:
    options = {**CACHE, "cache_final_snapshot": True}
    stack.converge("storage_cache", **options)
    gone = stack.remove("storage_cache", **options)
    (sent,) = gone.sent("DeleteReplicationGroup")
    name = sent["FinalSnapshotIdentifier"]
    assert name.startswith("demo-cache-final-") and any(name in line for line in gone.report.left)
    assert cache.client.describe_snapshots(SnapshotName=name)["Snapshots"]


def test_a_removal_that_died_half_way_is_taken_up(stack: Stack, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.converge("storage_cache", **CACHE)
    monkeypatch.setattr(Pace, "scale", 0.001)
    cache.lose_group()  # deleting, as a killed run leaves it
    stack.remove("storage_cache", **CACHE)
    assert cache.client.describe_replication_groups()["ReplicationGroups"] == []


def test_nobody_elses_things_are_touched(stack: Stack, files: Files, cache: Cache) -> None:
    before = stack.lab.snapshot()
    files.efs.create_file_system(CreationToken="theirs")
    cache.client.create_cache_parameter_group(
        CacheParameterGroupName="demo-theirs", CacheParameterGroupFamily="redis7", Description="theirs"
    )
    files.efs.describe_file_systems()
    theirs = stack.lab.snapshot()
    assert theirs != before
    stack.converge("storage_cache", **OPTIONS)
    stack.remove("storage_cache", **OPTIONS)
    assert stack.lab.snapshot() == theirs


# Interrupted and unhurried runs.


def test_without_waiting_the_slow_things_start_and_a_second_run_finishes(
    stack: Stack, files: Files, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "scale", 1000.0)
    first = stack.converge("storage_cache", wait=False, **OPTIONS)
    assert first.sent("CreateReplicationGroup") and first.sent("CreateFileSystem")
    assert {GROUP, FILE_SYSTEM, *TARGETS} <= set(first.report.pending)
    monkeypatch.setattr(Pace, "scale", 0.0)
    second = stack.converge("storage_cache", **OPTIONS)
    assert {address for verb, address in second.plan if verb == "create"} == {*TARGETS, "AccessPoint[demo-web]"}
    assert second.sent("PutFileSystemPolicy")
    quiet(stack, "storage_cache", OPTIONS)


def test_a_run_that_meets_a_group_in_the_making_changes_nothing(
    stack: Stack, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "scale", 1000.0)
    stack.converge("storage_cache", wait=False, **CACHE)
    again = stack.converge("storage_cache", wait=False, **CACHE)
    assert again.plan == set() and again.writes == [] and again.report.pending == [GROUP]
    assert "Enum" not in str(again.resources)


def test_a_file_system_made_by_a_lost_request_is_recognised_by_its_token(stack: Stack, files: Files) -> None:
    files.efs.create_file_system(CreationToken="webstack/demo-files")
    text = refusal(lambda: stack.converge("storage_cache", **FILES))
    assert "without the tag webstack:stack=demo" in text  # trap 10: no second one, and not ours yet


# Variations.


def test_the_users_own_network_and_key(stack: Stack, files: Files, cache: Cache) -> None:
    kms = stack.lab.client("kms")
    key = kms.create_key(Description="mine")["KeyMetadata"]["Arn"]
    options = {
        **OPTIONS,
        "availability_zones": [],
        "subnet_ids": [files.net[f"demo-data-{zone}"] for zone in ZONES],
        "file_system_security_group_ids": [files.net["other"]],
        "cache_security_group_ids": [files.net["other"]],
        "kms_key_id": key,
    }
    made = stack.converge("storage_cache", **options)
    assert made.sent("CreateKey") == [] and made.sent("CreateFileSystem")[0]["KmsKeyId"] == key
    assert {one["SubnetId"] for one in made.sent("CreateMountTarget")} == set(options["subnet_ids"])
    quiet(stack, "storage_cache", options)
    stack.remove("storage_cache", **options)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_without_a_key_each_service_uses_its_own(stack: Stack, net: dict[str, str]) -> None:
    options = {**OPTIONS, "kms_key": False}
    made = stack.converge("storage_cache", **options)
    assert made.sent("CreateKey") == []
    assert "KmsKeyId" not in made.sent("CreateFileSystem")[0] | made.sent("CreateReplicationGroup")[0]
    quiet(stack, "storage_cache", options)


def test_one_zone_has_one_mount_target(stack: Stack, net: dict[str, str]) -> None:
    options = {**FILES, "file_system_availability_zone": "us-east-1b"}
    made = stack.converge("storage_cache", **options)
    assert [one["SubnetId"] for one in made.sent("CreateMountTarget")] == [net["demo-data-us-east-1b"]]
    assert made.sent("CreateFileSystem")[0]["AvailabilityZoneName"] == "us-east-1b"
    quiet(stack, "storage_cache", options)


def test_archive_provisioned_throughput_and_own_policies(stack: Stack, net: dict[str, str]) -> None:
    archive = {**FILES, "file_system_transition_to_archive": "AFTER_90_DAYS"}
    (sent,) = stack.converge("storage_cache", **archive).sent("PutLifecycleConfiguration")
    assert sent["LifecyclePolicies"] == [
        {"TransitionToIA": "AFTER_30_DAYS"},
        {"TransitionToArchive": "AFTER_90_DAYS"},
        {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
    ]
    own = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*"}]}
    options = {**FILES, "file_system_policy": own}
    stack.converge("storage_cache", **options)
    quiet(stack, "storage_cache", options)
    free = {**FILES, "file_system_require_tls": False, "file_system_allow_anonymous": True}
    assert stack.converge("storage_cache", **free).sent("DeleteFileSystemPolicy")
    quiet(stack, "storage_cache", free)


def test_provisioned_throughput_grows_at_once(stack: Stack, net: dict[str, str]) -> None:
    options = {**FILES, "file_system_throughput_mode": "provisioned", "file_system_throughput": 10}
    made = stack.converge("storage_cache", **options)
    assert made.sent("CreateFileSystem")[0]["ProvisionedThroughputInMibps"] == 10
    more = {**options, "file_system_throughput": 20}
    (sent,) = stack.converge("storage_cache", **more).sent("UpdateFileSystem")
    assert sent["ProvisionedThroughputInMibps"] == 20
    quiet(stack, "storage_cache", more)


def test_an_empty_account_shows_the_whole_plan(stack: Stack) -> None:
    preview = stack.converge("storage_cache", check=True, **OPTIONS)
    assert preview.writes == []
    assert {address for _verb, address in preview.plan} == {
        "Key[alias/demo-data]",
        FILE_SYSTEM,
        *TARGETS,
        "AccessPoint[demo-web]",
        "CacheParameterGroup[demo-cache-redis7]",
        "CacheSubnetGroup[demo-cache]",
        GROUP,
    }
    assert "(known after apply)" in str(preview.diff)


def test_a_missing_network_is_named(stack: Stack) -> None:
    text = refusal(lambda: stack.converge("storage_cache", **OPTIONS))
    assert "Subnet[demo-data-us-east-1a]" in text and "--tags network" in text


# Mistakes.

LONG = [{"name": "web", "path": "/a/b/c/d/e", "uid": 1, "gid": 1}]
NEGATIVE = [{"name": "web", "uid": -1, "gid": 1}]
TWICE = [{"name": "web", "uid": 1, "gid": 1}, {"name": "web", "uid": 2, "gid": 2}]
LOOSE = [{"name": "web", "uid": 1, "gid": 1, "permissions": "rwx"}]


@pytest.mark.parametrize(
    ("options", "option", "advice"),
    [
        ({"availability_zones": []}, "availability_zones", "us-east-1a"),
        ({"availability_zones": ["eu-west-1a"]}, "availability_zones", "not a zone of us-east-1"),
        ({"availability_zones": ["us-east-1a", "us-east-1a"]}, "availability_zones", "once"),
        ({"subnet_ids": ["data"]}, "subnet_ids", "subnet-"),
        ({"subnet_ids": ["subnet-1", "subnet-1"]}, "subnet_ids", "once"),
        ({"cache_security_group_ids": ["cache"]}, "cache_security_group_ids", "sg-"),
        ({"cache_security_group_ids": [f"sg-{n}" for n in range(6)]}, "cache_security_group_ids", "five"),
        ({"kms_key_deletion_window": 3}, "kms_key_deletion_window", "7 to 30"),
        ({"kms_key": False, "kms_key_policy": {"Statement": []}}, "kms_key_policy", "kms_key=true"),
        ({"kms_key_policy": {"Action": "*"}}, "kms_key_policy", "Statement"),
        ({"kms_key_id": "alias/aws/rds"}, "kms_key_id", "kms_key=false"),
        ({"kms_key_id": "arn:aws:s3:::x"}, "kms_key_id", "ARN of a KMS key"),
        ({"kms_key_id": "arn:aws:kms:eu-west-1:123456789012:key/1"}, "kms_key_id", "us-east-1"),
        ({"file_system_throughput_mode": "provisioned"}, "file_system_throughput", "MiB/s"),
        ({"file_system_throughput": 5}, "file_system_throughput", "provisioned only"),
        ({"file_system_performance_mode": "maxIO"}, "file_system_performance_mode", "generalPurpose"),
        ({"file_system_availability_zone": "us-east-1f"}, "file_system_availability_zone", "availability_zones"),
        (
            {"file_system_availability_zone": "us-east-1a", "subnet_ids": ["subnet-1", "subnet-2"]},
            "subnet_ids",
            "one mount target",
        ),
        (
            {"file_system_transition_to_archive": "AFTER_30_DAYS"},
            "file_system_transition_to_archive",
            "later than",
        ),
        (
            {"file_system_transition_to_archive": "AFTER_90_DAYS", "file_system_throughput_mode": "bursting"},
            "file_system_transition_to_archive",
            "elastic",
        ),
        ({"file_system_policy": {"Version": "1"}}, "file_system_policy", "Statement"),
        ({"access_points": LONG}, "access_points[web].path", "four levels"),
        ({"access_points": NEGATIVE}, "access_points[web].uid", "POSIX"),
        ({"access_points": TWICE}, "access_points", "name of its own"),
        ({"access_points": LOOSE}, "access_points[web].permissions", "octal"),
        ({"cache_engine_version": "seven"}, "cache_engine_version", "7.1"),
        ({"cache_engine": "valkey", "cache_engine_version": "6.2"}, "cache_engine_version", "valkey"),
        ({"cache_node_type": "t4g.small"}, "cache_node_type", "cache.t4g.small"),
        ({"cache_replicas": 6}, "cache_replicas", "0 to 5"),
        ({"cache_replicas": 0}, "cache_automatic_failover", "needs a replica"),
        ({"cache_automatic_failover": False}, "cache_multi_az", "cache_automatic_failover"),
        ({"availability_zones": ["us-east-1a"]}, "cache_multi_az", "two zones"),
        ({"cache_shards": 0}, "cache_shards", "1 to 500"),
        (
            {"cache_shards": 2, "cache_automatic_failover": False, "cache_multi_az": False},
            "cache_automatic_failover",
            "Cluster mode",
        ),
        ({"cache_port": 80}, "cache_port", "1150"),
        ({"cache_parameters": {"timeout": [1]}}, "cache_parameters[timeout]", "text or a number"),
        ({"cache_snapshot_window": "3am"}, "cache_snapshot_window", "03:00-04:00"),
        ({"cache_maintenance_window": "sunday"}, "cache_maintenance_window", "sun:04:00-sun:05:00"),
        ({"cache_snapshot_retention_limit": 36}, "cache_snapshot_retention_limit", "35"),
        ({"cache_auth_token": "short"}, "cache_auth_token", "16 to 128"),
        (
            {"cache_auth_token": SAMPLE_TOKEN, "cache_transit_encryption": False},
            "cache_auth_token",
            "cache_transit_encryption",
        ),
        ({"cache_auth_token_update": "set"}, "cache_auth_token_update", "cache_auth_token"),
        ({"cache_engine": "memcached", "cache_nodes": 0}, "cache_nodes", "1 to 60"),
        ({"cache_engine": "memcached", "cache_auth_token": SAMPLE_TOKEN}, "cache_auth_token", "redis or valkey"),
    ],
)
def test_a_mistake_is_told_before_any_call(stack: Stack, options: dict[str, Any], option: str, advice: str) -> None:
    text = refusal(lambda: stack.converge("storage_cache", **{**OPTIONS, **options}))
    assert text.startswith(f"{option}: ") and advice in text, text
    assert stack.lab.calls() == []
    assert SAMPLE_TOKEN not in text and "'short'" not in text


@pytest.mark.parametrize("name", ["Demo", "de_mo", "x" * 35, "demo-", "1st"])
def test_a_stack_name_must_fit_elasticache(lab: Any, name: str) -> None:
    text = refusal(lambda: Stack(lab, name).converge("storage_cache", **CACHE))  # trap 102
    assert text.startswith("stack: ") and "40" in text
