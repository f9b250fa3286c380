"""What the database tier is told and what AWS answers: bad options, versions, golden answers."""

from __future__ import annotations

from typing import Any

import pytest
from database_world import OPTIONS
from stack import refusal

from ansible_collections.webstack.aws.plugins.module_utils.resources import rds_versions

BAD: list[tuple[dict[str, Any], str]] = [
    ({"engine": "aurora-postgresql"}, "engine: 'aurora-postgresql' cannot be used. This tier builds RDS instances"),
    ({"engine": "oracle-ee"}, "Use postgres or mysql"),
    ({"engine_version": "latest"}, "Give a version of postgres such as 17 or 17.4"),
    ({"engine": "mysql", "engine_version": "8", "parameters": {}}, "Give a version of mysql such as 8.4 or 8.4.4"),
    ({"instance_class": "t4g.medium"}, "Give a DB instance class such as db.t4g.medium"),
    (
        {"read_replicas": [{"name": "a", "instance_class": "big"}], "read_replica_count": 0},
        "read_replicas (a): instance_class",
    ),
    (
        {
            "engine": "mysql",
            "engine_version": "8.4",
            "instance_class": "db.t3.micro",
            "performance_insights": True,
            "log_exports": [],
        },
        "does not support it with mysql",
    ),
    ({"allocated_storage": 10}, "gp3 takes 20 to 65536 GiB"),
    ({"max_allocated_storage": 20}, "It must be more than allocated_storage (20)"),
    ({"iops": 4000}, "gp3 below 400 GiB has a baseline of 3000 IOPS"),
    ({"storage_type": "io1", "allocated_storage": 100, "max_allocated_storage": None}, "io1 needs a number of IOPS"),
    (
        {
            "storage_type": "io1",
            "allocated_storage": 100,
            "iops": 3000,
            "storage_throughput": 500,
            "max_allocated_storage": None,
        },
        "Only gp3 takes a throughput",
    ),
    ({"storage_type": "gp2", "iops": 3000}, "gp2 takes its speed from its size"),
    ({"storage_encrypted": False, "kms_key_id": "alias/x"}, "It needs storage_encrypted=true"),
    ({"availability_zones": ["us-east-1a"]}, "RDS wants two zones or more"),
    ({"subnet_ids": ["subnet-1"]}, "RDS wants subnets in two zones or more"),
    ({"port": 80}, "RDS takes 1150 to 65535"),
    ({"source_region": "us-east-1"}, "That is this region"),
    ({"source_region": "eu-west-1"}, "has no read replicas"),
    ({"master_username": "admin"}, "postgres keeps that name for itself"),
    ({"master_username": "1st"}, "the first a letter"),
    ({"database_name": "my-app"}, "Use 1 to 63 letters, digits and underscores"),
    ({"parameters": {"work_mem": None}}, "parameters: work_mem"),
    ({"force_master_user_password": True}, "It sends master_user_password again, which is not given"),
    ({"master_user_password": "short"}, "Use 8 to 128 printable signs"),
    ({"master_user_password": "with@sign-123"}, "without /"),
    (
        {"master_user_password": "good-enough-1", "manage_master_user_password": True},
        "RDS makes and keeps the password",
    ),
    ({"read_replica_count": 16}, "RDS takes 0 to 15"),
    ({"read_replicas": [{"name": "a"}]}, "Give names or read_replica_count, not both"),
    ({"read_replica_count": 0, "read_replicas": [{"name": "A_b"}]}, "Use small letters, digits and single hyphens"),
    ({"read_replica_count": 0, "read_replicas": [{"name": "a"}, {"name": "a"}]}, "Two replicas have this name"),
    (
        {
            "read_replica_count": 0,
            "read_replicas": [{"name": "a", "multi_az": True, "availability_zone": "us-east-1a"}],
        },
        "chooses its zones itself",
    ),
    ({"backup_retention_period": 0}, "keep at least 1 day"),
    ({"backup_retention_period": 40}, "0 to 35 days"),
    ({"preferred_backup_window": "3-4"}, "Give hh:mm-hh:mm in UTC"),
    ({"preferred_backup_window": "03:00-03:10"}, "It must last 30 minutes or more"),
    ({"preferred_maintenance_window": "sunday 3"}, "Give ddd:hh:mm-ddd:hh:mm"),
    ({"preferred_maintenance_window": "sun:03:30-sun:05:00"}, "It overlaps with the backup window"),
    ({"preferred_maintenance_window": "sun:02:30-sun:03:01"}, "It overlaps with the backup window"),
    ({"log_exports": ["slowquery"]}, "postgres has the logs"),
    ({"log_retention_days": 2}, "CloudWatch Logs takes 1, 3, 5"),
    ({"monitoring_interval": 7}, "RDS takes 0 (off), 1, 5"),
    ({"performance_insights_retention_period": 30}, "RDS takes 7 days"),
]


@pytest.mark.parametrize(("wrong", "text"), BAD)
def test_says_what_is_wrong_with_an_option_before_any_call(wrong: dict[str, Any], text: str) -> None:
    from ansible_collections.webstack.aws.plugins.module_utils.module import validate
    from ansible_collections.webstack.aws.plugins.module_utils.tiers.database import TIER

    base = {"stack": "demo", "region": "us-east-1", "account_id": "123456789012", "partition": "aws"}
    said = refusal(lambda: TIER.resources({**validate(TIER, {**OPTIONS, **wrong}), **base}))
    assert text in said
    assert "good-enough" not in said and "with@sign" not in said


# What AWS answers while an instance is being made (from the CLI reference of create-db-instance): no endpoint, the password
# and the exports pending, Performance Insights and the standby's zone not there yet.
CREATING: dict[str, Any] = {
    "DBInstanceIdentifier": "demo-db",
    "DBInstanceClass": "db.t4g.medium",
    "Engine": "postgres",
    "DBInstanceStatus": "creating",
    "MasterUsername": "dbadmin",
    "AllocatedStorage": 20,
    "PreferredBackupWindow": "03:00-04:00",
    "BackupRetentionPeriod": 7,
    "DBSecurityGroups": [],
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
    "DBParameterGroups": [{"DBParameterGroupName": "demo-postgres16", "ParameterApplyStatus": "in-sync"}],
    "DBSubnetGroup": {"DBSubnetGroupName": "demo-db", "SubnetGroupStatus": "Complete", "Subnets": []},
    "PreferredMaintenanceWindow": "sun:04:30-sun:05:30",
    "PendingModifiedValues": {
        "MasterUserPassword": "****",
        "PendingCloudwatchLogsExports": {"LogTypesToEnable": ["postgresql", "upgrade"]},
    },
    "MultiAZ": False,
    "EngineVersion": "16.8",
    "AutoMinorVersionUpgrade": True,
    "ReadReplicaDBInstanceIdentifiers": [],
    "LicenseModel": "postgresql-license",
    "Iops": 3000,
    "StorageThroughput": 125,
    "PubliclyAccessible": False,
    "StorageType": "gp3",
    "DbInstancePort": 0,
    "StorageEncrypted": True,
    "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/1",
    "DbiResourceId": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    "CopyTagsToSnapshot": True,
    "MonitoringInterval": 0,
    "DBInstanceArn": "arn:aws:rds:us-east-1:123456789012:db:demo-db",
    "IAMDatabaseAuthenticationEnabled": False,
    "PerformanceInsightsEnabled": False,
    "DeletionProtection": True,
    "TagList": [{"Key": "webstack:stack", "Value": "demo"}],
}


def wished_for(**wishes: Any) -> Any:
    from ansible_collections.webstack.aws.plugins.module_utils.resources.rds import DBInstance

    return DBInstance("demo-db", log_exports=["postgresql", "upgrade"], port=5432, multi_az=True, **wishes)


def test_an_instance_in_the_making_is_not_changed() -> None:
    one = wished_for(performance_insights=True)
    one.have = one.read(None, CREATING)
    assert one.want() == {}
    assert one.have["state"] == "creating" and one.have["log_exports"] == {"postgresql", "upgrade"}
    assert "password" not in str(one.have["pending"]).lower()


def test_reads_what_aws_has_accepted_as_reached() -> None:  # trap 103
    pending = {
        "MultiAZ": True,
        "Port": 5432,
        "PendingCloudwatchLogsExports": {"LogTypesToEnable": ["postgresql", "upgrade"]},
    }
    item = {
        **CREATING,
        "DBInstanceStatus": "available",
        "Endpoint": {
            "Address": "demo-db.x.us-east-1.rds.amazonaws.com",
            "Port": 5433,
            "HostedZoneId": "Z2R2ITUGPM61AM",
        },
        "PendingModifiedValues": pending,
        "VpcSecurityGroups": [
            {"VpcSecurityGroupId": "sg-1", "Status": "active"},
            {"VpcSecurityGroupId": "sg-0", "Status": "removing"},
        ],
    }
    one = wished_for()
    one.have = one.read(None, item)
    want = {key: value for key, value in one.want().items() if value is not None}
    assert {key: (one.have[key], value) for key, value in want.items() if one.have.get(key) != value} == {}
    assert one.have["pending"] == pending and one.have["security_group_ids"] == {"sg-1"}


@pytest.mark.parametrize(
    ("wanted", "live", "automatic", "compared_with"),
    [
        ("16", "16.8", True, "16.8"),
        ("16.3", "16.8", True, "16.8"),
        ("16.3", "16.8", False, "16.3"),
        ("16.8", "16.3", True, "16.8"),
        ("17", "16.8", True, "17"),
        ("8.0", "8.0.41", True, "8.0.41"),
        ("8.0.36", "8.0.41", True, "8.0.41"),
        ("8.0.41", "8.4.3", True, "8.0.41"),
        ("15", "16.8", True, "15"),
    ],
)
def test_compares_versions_as_precisely_as_they_are_wished_for(
    wanted: str, live: str, automatic: bool, compared_with: str
) -> None:  # trap 105
    assert rds_versions.wished(wanted, live, automatic) == compared_with
