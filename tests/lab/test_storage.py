"""What the lab adds to moto: EFS and ElastiCache, as their API references tell it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "scale", 0.0)


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def files(lab: Lab) -> str:
    answer = lab.client("efs").create_file_system(CreationToken="a", Encrypted=True, ThroughputMode="elastic")
    return str(answer["FileSystemId"])


@pytest.fixture
def group(lab: Lab) -> Any:
    client = lab.client("elasticache")
    client.create_replication_group(
        ReplicationGroupId="demo",
        ReplicationGroupDescription="d",
        NumCacheClusters=2,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
    )
    return client


def test_states_pass_by_themselves(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "scale", 1000.0)
    efs = lab.client("efs")
    made = efs.create_file_system(CreationToken="a", Encrypted=True)
    assert made["LifeCycleState"] == "creating"
    assert code(lambda: efs.create_access_point(ClientToken="t", FileSystemId=made["FileSystemId"])) == (
        "IncorrectFileSystemLifeCycleState"
    )
    monkeypatch.setattr(Pace, "scale", 0.0)
    assert efs.describe_file_systems()["FileSystems"][0]["LifeCycleState"] == "available"


def test_efs_remembers_its_tokens(lab: Lab, files: str) -> None:
    efs = lab.client("efs")
    assert code(lambda: efs.create_file_system(CreationToken="a")) == "FileSystemAlreadyExists"
    efs.create_access_point(ClientToken="t", FileSystemId=files)
    assert code(lambda: efs.create_access_point(ClientToken="t", FileSystemId=files)) == "AccessPointAlreadyExists"
    efs.delete_file_system(FileSystemId=files)
    assert efs.describe_access_points()["AccessPoints"] == []
    efs.create_file_system(CreationToken="a")


def test_efs_changes_throughput_once_a_day_and_backs_up_when_told(lab: Lab, files: str) -> None:
    efs = lab.client("efs")
    efs.update_file_system(FileSystemId=files, ThroughputMode="bursting")
    efs.describe_file_systems()
    assert code(lambda: efs.update_file_system(FileSystemId=files, ThroughputMode="elastic")) == "TooManyRequests"
    assert code(lambda: efs.describe_backup_policy(FileSystemId=files)) == "PolicyNotFound"
    efs.put_backup_policy(FileSystemId=files, BackupPolicy={"Status": "ENABLED"})
    assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"]["Status"] == "ENABLING"
    assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"]["Status"] == "ENABLED"


def test_efs_refuses_policies_that_lock_out_or_are_none(lab: Lab, files: str) -> None:
    efs = lab.client("efs")
    locked = {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*"}]}
    for text in ("none", json.dumps(locked)):
        assert code(lambda text=text: efs.put_file_system_policy(FileSystemId=files, Policy=text)) == (  # type: ignore[misc]  # bound now
            "InvalidPolicyException"
        )


def test_efs_replicates_and_guards_what_is_replicated(lab: Lab, files: str) -> None:
    efs = lab.client("efs")
    made = efs.create_replication_configuration(SourceFileSystemId=files, Destinations=[{"Region": "eu-west-1"}])
    assert made["Destinations"][0]["Status"] == "ENABLED"
    assert len(lab.client("efs", "eu-west-1").describe_file_systems()["FileSystems"]) == 1
    assert code(lambda: efs.delete_file_system(FileSystemId=files)) == "FileSystemInUse"
    efs.delete_replication_configuration(SourceFileSystemId=files)
    efs.delete_file_system(FileSystemId=files)


def roles(client: Any) -> dict[str, str]:
    members = client.describe_replication_groups()["ReplicationGroups"][0]["NodeGroups"][0]["NodeGroupMembers"]
    return {member["CacheClusterId"]: member["CurrentRole"] for member in members}


def test_a_failover_test_swaps_the_roles_and_tells_it_in_events(group: Any) -> None:
    assert roles(group) == {"demo-001": "primary", "demo-002": "replica"}
    group.test_failover(ReplicationGroupId="demo", NodeGroupId="0001")
    assert roles(group) == {"demo-001": "replica", "demo-002": "primary"}
    messages = [event["Message"] for event in group.describe_events(Duration=10)["Events"]]
    assert "Test Failover API called for node group 0001" in messages
    assert "Failover from primary node demo-001 to replica node demo-002 completed" in messages
    assert code(lambda: group.test_failover(ReplicationGroupId="demo", NodeGroupId="0002")) == "NodeGroupNotFoundFault"
    for _test in range(14):
        group.test_failover(ReplicationGroupId="demo", NodeGroupId="0001")
    assert code(lambda: group.test_failover(ReplicationGroupId="demo", NodeGroupId="0001")) == (
        "APICallRateForCustomerExceeded"
    )


def test_a_group_at_work_takes_no_change(lab: Lab, group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    group.describe_replication_groups()
    monkeypatch.setattr(Pace, "scale", 1000.0)
    group.modify_replication_group(ReplicationGroupId="demo", SnapshotRetentionLimit=2, ApplyImmediately=True)
    arn = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:demo"
    for call in (
        lambda: group.modify_replication_group(ReplicationGroupId="demo", SnapshotRetentionLimit=3),
        lambda: group.delete_replication_group(ReplicationGroupId="demo"),
        lambda: group.list_tags_for_resource(ResourceName=arn),
    ):
        assert code(call) == "InvalidReplicationGroupState"


def test_what_is_in_use_stays(group: Any) -> None:
    group.create_cache_parameter_group(CacheParameterGroupName="p", CacheParameterGroupFamily="redis7", Description="d")
    group.modify_replication_group(ReplicationGroupId="demo", CacheParameterGroupName="p", ApplyImmediately=True)
    assert code(lambda: group.delete_cache_parameter_group(CacheParameterGroupName="p")) == (
        "InvalidCacheParameterGroupState"
    )
    group.describe_replication_groups()
    group.delete_replication_group(ReplicationGroupId="demo", FinalSnapshotIdentifier="last")
    assert group.describe_replication_groups()["ReplicationGroups"] == []
    group.delete_cache_parameter_group(CacheParameterGroupName="p")
    assert group.describe_snapshots()["Snapshots"][0]["SnapshotName"] == "last"


def test_replicas_and_engines_have_their_rules(group: Any) -> None:
    def change(**arguments: Any) -> Callable[[], Any]:
        return lambda: group.modify_replication_group(ReplicationGroupId="demo", ApplyImmediately=True, **arguments)

    def fewer() -> Any:
        return group.decrease_replica_count(ReplicationGroupId="demo", NewReplicaCount=0, ApplyImmediately=True)

    assert code(fewer) == "InvalidParameterCombination"
    assert code(change(EngineVersion="6.2")) == "InvalidParameterCombination"
    assert code(change(MultiAZEnabled=True, AutomaticFailoverEnabled=False)) == "InvalidParameterCombination"
    group.describe_replication_groups()
    change(AutomaticFailoverEnabled=False, MultiAZEnabled=False)()
    fewer()
    assert roles(group) == {"demo-001": "primary"}


def test_user_groups_and_serverless_caches_live(lab: Lab) -> None:
    client = lab.client("elasticache")
    client.create_user_group(UserGroupId="app", Engine="redis", UserIds=["default"])
    assert client.describe_user_groups()["UserGroups"][0]["Status"] == "active"
    client.delete_user_group(UserGroupId="app")
    client.create_serverless_cache(ServerlessCacheName="s", Engine="valkey")
    assert client.describe_serverless_caches()["ServerlessCaches"][0]["Status"] == "available"
    client.delete_serverless_cache(ServerlessCacheName="s")
    assert client.describe_serverless_caches()["ServerlessCaches"] == []
