"""RDS as AWS's guide describes it, where moto does otherwise. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab import faults
from webstack_lab.services.passing import Pace
from webstack_lab.services.rds import SECONDS
from webstack_lab.testing import Lab

INSTANCE: dict[str, Any] = {
    "Engine": "postgres",
    "DBInstanceClass": "db.t4g.medium",
    "AllocatedStorage": 20,
    "MasterUsername": "dbadmin",
    "MasterUserPassword": "correct-horse-1",
}


@pytest.fixture
def rds(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(Pace, "scale", 0.0)
    yield lab.client("rds")


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return f"{caught.value.response['Error']['Code']}: {caught.value.response['Error']['Message']}"


def made(rds: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = rds.create_db_instance(DBInstanceIdentifier=name, **{**INSTANCE, **more})["DBInstance"]
    return answer


def found(rds: Any, name: str = "a") -> dict[str, Any]:
    answer: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return answer


def test_an_instance_takes_its_time_and_has_no_endpoint_before(rds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "scale", 1.0)
    monkeypatch.setitem(SECONDS, "creating", 0.6)
    assert made(rds)["DBInstanceStatus"] == "creating" and "Endpoint" not in found(rds)
    assert "not in available state" in refused(rds.modify_db_instance, DBInstanceIdentifier="a", MultiAZ=True)
    while found(rds)["DBInstanceStatus"] == "creating":
        pass
    assert found(rds)["Endpoint"]["Port"] == 5432


def test_every_instance_has_a_resource_id_of_its_own(rds: Any) -> None:
    assert made(rds)["DbiResourceId"] != made(rds, "b")["DbiResourceId"]


def test_a_partial_version_is_the_newest_of_its_series(rds: Any) -> None:
    assert made(rds, EngineVersion="16")["EngineVersion"] == "16.8"
    assert "Cannot find version 99" in refused(made, rds=rds, name="b", EngineVersion="99")


def test_deferred_changes_wait_for_the_window(rds: Any) -> None:
    made(rds)
    rds.modify_db_instance(DBInstanceIdentifier="a", DBInstanceClass="db.r6g.large", BackupRetentionPeriod=3)
    assert found(rds)["DBInstanceClass"] == "db.t4g.medium"
    assert found(rds)["PendingModifiedValues"] == {"DBInstanceClass": "db.r6g.large", "BackupRetentionPeriod": 3}
    arn = found(rds)["DBInstanceArn"]
    rds.apply_pending_maintenance_action(ResourceIdentifier=arn, ApplyAction="system-update", OptInType="immediate")
    assert found(rds)["DBInstanceClass"] == "db.r6g.large" and found(rds)["PendingModifiedValues"] == {}


def test_disks_do_not_shrink_and_small_gp3_has_no_own_speed(rds: Any) -> None:
    made(rds, StorageType="gp3", AllocatedStorage=50)
    assert "cannot be less than" in refused(rds.modify_db_instance, DBInstanceIdentifier="a", AllocatedStorage=40)
    text = refused(rds.modify_db_instance, DBInstanceIdentifier="a", AllocatedStorage=60, Iops=4000)
    assert "storage size less than 400" in text


def test_a_managed_secret_goes_with_its_instance_only(rds: Any, lab: Lab) -> None:
    managed = {"ManageMasterUserPassword": True, "MasterUserPassword": ""}
    arn = made(rds, **managed)["MasterUserSecret"]["SecretArn"]
    text = refused(rds.create_db_instance_read_replica, DBInstanceIdentifier="r", SourceDBInstanceIdentifier="a")
    assert "where ManageMasterUserPassword is enabled is not supported" in text
    assert lab.client("secretsmanager").describe_secret(SecretId=arn)
    rds.delete_db_instance(DBInstanceIdentifier="a", SkipFinalSnapshot=True)
    rds.describe_db_instances()
    assert "ResourceNotFoundException" in refused(lab.client("secretsmanager").describe_secret, SecretId=arn)


def test_replicas_need_backups_and_have_parts_of_their_own(rds: Any) -> None:
    made(rds, BackupRetentionPeriod=0)
    wish = {"DBInstanceIdentifier": "r", "SourceDBInstanceIdentifier": "a"}
    assert "Automated backups are not enabled" in refused(rds.create_db_instance_read_replica, **wish)
    rds.modify_db_instance(DBInstanceIdentifier="a", BackupRetentionPeriod=1, ApplyImmediately=True)
    found(rds)
    replica = rds.create_db_instance_read_replica(**wish, Tags=[{"Key": "k", "Value": "v"}])["DBInstance"]
    assert replica["DbiResourceId"] != found(rds)["DbiResourceId"] and found(rds)["TagList"] == []
    assert replica["BackupRetentionPeriod"] == 0 and replica["ReadReplicaSourceDBInstanceIdentifier"] == "a"
    text = refused(rds.delete_db_instance, DBInstanceIdentifier="r", FinalDBSnapshotIdentifier="f")
    assert "FinalDBSnapshotIdentifier can not be specified when deleting a read replica" in text
    rds.promote_read_replica(DBInstanceIdentifier="r", BackupRetentionPeriod=2)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in found(rds, "r")
    assert found(rds)["ReadReplicaDBInstanceIdentifiers"] == []


def test_a_failover_needs_a_standby_and_swaps_the_zones(rds: Any) -> None:
    made(rds)
    text = refused(rds.reboot_db_instance, DBInstanceIdentifier="a", ForceFailover=True)
    assert "not configured for Multi-AZ" in text and "SecondaryAvailabilityZone" not in found(rds)
    rds.modify_db_instance(DBInstanceIdentifier="a", MultiAZ=True, ApplyImmediately=True)
    before = found(rds)
    rds.reboot_db_instance(DBInstanceIdentifier="a", ForceFailover=True)
    after = found(rds)
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
    assert after["SecondaryAvailabilityZone"] == before["AvailabilityZone"]


def test_a_lost_standby_is_not_shown_and_a_hanging_failover_stays_rebooting(rds: Any, lab: Lab) -> None:
    made(rds, MultiAZ=True)
    assert faults.apply(lab.app, "us-east-1", "database-standby", "a", broken=True) is None
    assert "SecondaryAvailabilityZone" not in found(rds) and found(rds)["MultiAZ"]
    faults.apply(lab.app, "us-east-1", "database-standby", "a", broken=False)
    assert found(rds)["SecondaryAvailabilityZone"] == "us-east-1b"
    faults.apply(lab.app, "us-east-1", "database-failover", "a", broken=True)
    rds.reboot_db_instance(DBInstanceIdentifier="a", ForceFailover=True)
    assert found(rds)["DBInstanceStatus"] == found(rds)["DBInstanceStatus"] == "rebooting"
    assert found(rds)["AvailabilityZone"] == "us-east-1a"
    faults.apply(lab.app, "us-east-1", "database-failover", "a", broken=False)
    assert found(rds)["DBInstanceStatus"] == "available" and found(rds)["AvailabilityZone"] == "us-east-1b"
    assert "not Multi-AZ" in str(made(rds, "b") and faults.apply(lab.app, "us-east-1", "database-standby", "b", True))


def test_a_managed_secret_names_the_master_user_and_is_of_one_instance(rds: Any, lab: Lab) -> None:
    secrets = []
    for name in ("a", "b"):
        made(rds, name, MasterUserPassword="", ManageMasterUserPassword=True)
        arn = found(rds, name)["MasterUserSecret"]["SecretArn"]
        secrets.append(json.loads(lab.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]))
    assert [secret["username"] for secret in secrets] == ["dbadmin", "dbadmin"]
    assert secrets[0]["password"] != secrets[1]["password"]


def test_groups_in_use_stay(rds: Any, lab: Lab) -> None:
    vpc = lab.client("ec2").describe_subnets()["Subnets"]
    rds.create_db_subnet_group(
        DBSubnetGroupName="g", DBSubnetGroupDescription="g", SubnetIds=[subnet["SubnetId"] for subnet in vpc[:2]]
    )
    rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres17", Description="p")
    made(rds, DBSubnetGroupName="g", DBParameterGroupName="p")
    assert "InvalidDBSubnetGroupStateFault" in refused(rds.delete_db_subnet_group, DBSubnetGroupName="g")
    assert "InvalidDBParameterGroupState" in refused(rds.delete_db_parameter_group, DBParameterGroupName="p")
    wrong = {"DBSubnetGroupName": "h", "DBSubnetGroupDescription": "h", "SubnetIds": [vpc[0]["SubnetId"]]}
    assert "DBSubnetGroupDoesNotCoverEnoughAZs" in refused(rds.create_db_subnet_group, **wrong)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ([{"ParameterName": "no_such", "ParameterValue": "1", "ApplyMethod": "immediate"}], "Could not find parameter"),
        ([{"ParameterName": "max_connections", "ParameterValue": "9", "ApplyMethod": "immediate"}], "static parameter"),
        (
            [{"ParameterName": "data_directory", "ParameterValue": "9", "ApplyMethod": "immediate"}],
            "cannot be modified",
        ),
        ([{"ParameterName": "work_mem", "ParameterValue": "9", "ApplyMethod": "immediate"}] * 21, "maximum of 20"),
    ],
)
def test_parameters_that_rds_does_not_take(rds: Any, parameters: list[dict[str, str]], text: str) -> None:  # trap 110
    rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres17", Description="p")
    assert text in refused(rds.modify_db_parameter_group, DBParameterGroupName="p", Parameters=parameters)


def test_only_what_differs_from_the_default_has_the_source_user(rds: Any) -> None:
    rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres17", Description="p")
    chosen = [("rds.force_ssl", "1"), ("work_mem", "4096")]
    parameters = [{"ParameterName": key, "ParameterValue": value, "ApplyMethod": "immediate"} for key, value in chosen]
    rds.modify_db_parameter_group(DBParameterGroupName="p", Parameters=parameters)
    listed = rds.describe_db_parameters(DBParameterGroupName="p", Source="user")["Parameters"]
    assert [parameter["ParameterName"] for parameter in listed] == ["work_mem"]


def test_offers(rds: Any) -> None:
    options = rds.describe_orderable_db_instance_options(Engine="postgres", DBInstanceClass="db.r7g.large")
    assert options["OrderableDBInstanceOptions"][0]["MultiAZCapable"] is True
    (version,) = rds.describe_db_engine_versions(Engine="mysql", EngineVersion="8.0.36")["DBEngineVersions"]
    assert version["DBParameterGroupFamily"] == "mysql8.0"
    assert "8.4.3" in [target["EngineVersion"] for target in version["ValidUpgradeTarget"]]
