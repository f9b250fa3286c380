"""DB instances and read replicas. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..engine.errors import ResourceError
from ..engine.resource import Scope, as_list
from . import rds_versions as versions
from .kms import Key
from .rds_groups import DBParameterGroup, DBSubnetGroup
from .rds_instance import USABLE, Instance, all_instances, series_of
from .secretsmanager import Secret

BROKEN = ("failed", "incompatible-network", "incompatible-restore")  # states in which RDS makes no snapshot


def _is_meant(item: dict[str, Any], names: set[str], beginning: str | None) -> bool:
    """Whether an instance is wished for, or, when everything is looked for, the stack's and no replica."""
    name = str(item["DBInstanceIdentifier"])
    replica = item.get("ReadReplicaSourceDBInstanceIdentifier")
    return name in names or (beginning is not None and name.startswith(beginning) and not replica)


@dataclass(eq=False)
class DBInstance(Instance):
    """A MySQL or PostgreSQL instance, found by its identifier.

    Nothing deletes it but ``state: absent``: an instance that no option names is somebody's data, perhaps a promoted replica.
    The disk only grows, the engine version only rises; a password is sent once, with the create call (traps 105, 106, 107).
    """

    engine_version: str | None = None
    allow_major_version_upgrade: bool = False
    backup_retention_period: int | None = None
    preferred_backup_window: str | None = None
    preferred_maintenance_window: str | None = None
    database_name: str | None = None
    master_username: str | None = None
    master_user_password: str | None = None
    force_master_user_password: bool = False
    manage_master_user_password: bool | None = None
    master_user_secret_kms_key: Key | None = None
    password_secret: Secret | None = None
    skip_final_snapshot: bool = False
    delete_automated_backups: bool = True

    _final_snapshot = ""

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """The wished-for ones. Data is only deleted when somebody says so: what nobody wishes for is shown, but no leftover."""
        mine = f"{scope.stack}-" if scope.lists_everything else None
        return [item for item in all_instances(client, scope) if _is_meant(item, scope.names, mine)]

    def want(self) -> dict[str, Any]:
        have = self.have or {}
        want = super().want()
        if not want:
            return want
        key = self.master_user_secret_kms_key
        return want | {
            "engine": self.engine,
            "engine_version": versions.wished(
                self.engine_version, have.get("engine_version"), self.auto_minor_version_upgrade
            ),
            "backup_retention_period": self.backup_retention_period,
            "preferred_backup_window": self.preferred_backup_window,
            "preferred_maintenance_window": self.preferred_maintenance_window,
            "database_name": self.database_name,
            "master_username": self.master_username,
            "manage_master_user_password": self.manage_master_user_password,
            "master_user_secret_kms_key_id": key.arn if key and self.manage_master_user_password else None,
            "master_user_password": self._password_wish(have),
        }

    def _password_wish(self, have: dict[str, Any]) -> str | None:
        """A password cannot be read: it is wished for at creation, when forced, or when the secret is another one (trap 107)."""
        if self.password_secret is not None:
            return (
                None
                if have and self.password_secret.get("set_on") == have["resource_id"]
                else f"(from the secret {self.password_secret.name})"
            )
        leaving = have.get("manage_master_user_password") and self.manage_master_user_password is False
        return self.master_user_password if not have or self.force_master_user_password or leaving else None

    def refuse(self, change: dict[str, Any]) -> str | None:
        have = self.have or {}
        if have.get("source"):
            return (
                f"it is a read replica of {have['source']}. Set source_region if it is meant to be one, "
                "or promote it (aws rds promote-read-replica) to make it a database of its own"
            )
        if change.get("manage_master_user_password") and have.get("replicas"):  # trap 108
            return (
                f"it has the read replicas {', '.join(have['replicas'])}, and RDS makes no replicas of an instance whose password it "
                "manages. Remove the replicas first, or set manage_master_user_password=false"
            )
        if self.exists and "engine_version" in change:
            reason = versions.no_upgrade(self.scope, have, str(self.engine_version), self.allow_major_version_upgrade)
            if reason:
                return reason
        return super().refuse(change)

    def create(self, client: Any, want: dict[str, Any]) -> None:
        managed = bool(want.get("manage_master_user_password"))
        arguments = self.arguments({**want, "max_allocated_storage": want.get("max_allocated_storage") or None})
        given = {
            "Engine": want["engine"],
            "EngineVersion": want.get("engine_version"),
            "DBName": want.get("database_name"),
            "DBSubnetGroupName": want.get("subnet_group"),
            "StorageEncrypted": want.get("storage_encrypted"),
            "KmsKeyId": want.get("kms_key_id"),
            "MasterUsername": want.get("master_username"),
            "MasterUserPassword": None if managed else self._password(),
            "ManageMasterUserPassword": managed or None,
            "MasterUserSecretKmsKeyId": want.get("master_user_secret_kms_key_id"),
        }
        arguments |= {key: value for key, value in given.items() if value is not None}
        answer = client.create_db_instance(DBInstanceIdentifier=self.name, Tags=as_list(want["tags"]), **arguments)
        if self.password_secret is not None:
            self.password_secret.record(answer["DBInstance"]["DbiResourceId"])

    def _password(self) -> str | None:
        if self.password_secret is None:
            return self.master_user_password
        value = self.scope.client("secretsmanager").get_secret_value(SecretId=self.password_secret.arn)["SecretString"]
        return str(json.loads(value)["password"])

    def update(self, client: Any, change: dict[str, Any]) -> None:
        super().update(client, change)
        if self.password_secret is not None and "master_user_password" in change:
            self.password_secret.record(self.get("resource_id"))

    def _modification(self, client: Any, change: dict[str, Any]) -> dict[str, Any]:
        arguments = super()._modification(client, change)
        have = self.have or {}
        if "engine_version" in change:
            target = versions.target(self.scope, have, change["engine_version"])
            arguments["EngineVersion"] = target
            if versions.major(have["engine"], target) != versions.major(have["engine"], have["engine_version"]):
                arguments["AllowMajorVersionUpgrade"] = (
                    True  # with the new family's parameter group in the same call (trap 109)
                )
        if "manage_master_user_password" in change:
            arguments["ManageMasterUserPassword"] = change["manage_master_user_password"]
            if self.master_user_secret_kms_key is not None and change["manage_master_user_password"]:
                arguments["MasterUserSecretKmsKeyId"] = self.master_user_secret_kms_key.arn
        if "master_user_password" in change:
            arguments["MasterUserPassword"] = self._password()
        return arguments

    def delete(self, client: Any) -> None:
        state = self.get("state")
        if state == "deleting":
            return
        arguments: dict[str, Any] = {"SkipFinalSnapshot": True}
        if not self.skip_final_snapshot:
            if state in BROKEN:
                raise ResourceError(
                    "deleting",
                    self.address,
                    f"in state {state} RDS cannot make a final snapshot. Set skip_final_snapshot=true to delete it without",
                )
            # A name of its own each time: a snapshot of the last life of the stack may still exist (trap 114).
            self._final_snapshot = f"{self.id}-final-{datetime.now(timezone.utc):%Y%m%d%H%M%S}"
            arguments = {"FinalDBSnapshotIdentifier": self._final_snapshot, "SkipFinalSnapshot": False}
        client.delete_db_instance(
            DBInstanceIdentifier=self.id, DeleteAutomatedBackups=bool(self.delete_automated_backups), **arguments
        )

    def leftover(self) -> str | None:
        parts = []
        if self._final_snapshot:
            parts.append(
                f"the final snapshot {self._final_snapshot} of {self.name} stays and costs money until you delete it"
            )
        if not self.delete_automated_backups:
            parts.append(f"the automated backups of {self.name} stay and cost money until their retention ends")
        return "; ".join(parts) or None


@dataclass(eq=False)
class DBInstanceReadReplica(Instance):
    """A read replica, found by its identifier. Backups, windows and engine version are its source's and not compared."""

    needs_ready = ("source",)

    source: DBInstance | None = None
    availability_zone: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """Replicas of the stack, and whatever has the name of a wished-for one. A promoted replica is nobody's replica any more."""
        for item in all_instances(client, scope):
            ours = item["DBInstanceIdentifier"].startswith(f"{scope.stack}-") and item.get(
                "ReadReplicaSourceDBInstanceIdentifier"
            )
            if ours or item["DBInstanceIdentifier"] in scope.names:
                yield item

    @property
    def _far(self) -> bool:
        return self.source is not None and self.source.region != self.region

    def want(self) -> dict[str, Any]:
        want = super().want()
        if want and self.source is not None:
            want["source"] = self.source.arn if self._far else self.source.name
        version = (self.have or {}).get("engine_version")
        if want and version and self.parameter_group and self.parameter_group.family:
            engine = str((self.have or {})["engine"])
            if self.parameter_group.family != engine + versions.major(engine, version):
                want["parameter_group"] = None  # it is upgraded with its source, and takes the new family after that
        return want

    def refuse(self, change: dict[str, Any]) -> str | None:
        source = (self.source.have if self.source else None) or {}
        if self.exists and "source" in change:
            now = (
                f"replicates {self.get('source')}"
                if (self.have or {}).get("source")
                else "has been promoted to a database of its own"
            )
            return (
                f"it {now}. Wish for a replica of another name, or stop wishing for this one: it is then left as it is"
            )
        if self.exists:
            return super().refuse(change)
        if source.get("manage_master_user_password") and not (
            self.source and self.source.manage_master_user_password is False
        ):
            return (  # trap 108
                f"RDS manages the master password of {self.source.name if self.source else 'its source'}, and makes no replicas of such an "
                "instance. Set manage_master_user_password=false there first"
            )
        if self._far and source and source["state"] not in USABLE:
            return f"its source in the other region is {source['state']}. Run again when it is available"
        return super().refuse(change)

    def _order(self, change: dict[str, Any]) -> dict[str, Any]:
        source = (self.source.have if self.source else None) or {}
        keep = {key: source.get(key) for key in ("engine", "engine_version", "storage_type")}
        return series_of({**super()._order(change), **{key: value for key, value in keep.items() if value}})

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.source is None:
            raise TypeError("an owned replica is built with its source")
        arguments = self.arguments({**want, "max_allocated_storage": want.get("max_allocated_storage") or None})
        if self.availability_zone and not want.get("multi_az"):
            arguments["AvailabilityZone"] = self.availability_zone
        if self._far:
            # A replica in the source's region shares its subnet group and key, and RDS refuses to be told.
            arguments |= {"DBSubnetGroupName": want["subnet_group"], "SourceRegion": self.source.region}
            if want.get("kms_key_id"):
                arguments["KmsKeyId"] = want["kms_key_id"]
        client.create_db_instance_read_replica(
            DBInstanceIdentifier=self.name,
            SourceDBInstanceIdentifier=want["source"],
            Tags=as_list(want["tags"]),
            **arguments,
        )

    def delete(self, client: Any) -> None:
        if self.get("state") != "deleting":
            client.delete_db_instance(
                DBInstanceIdentifier=self.id, SkipFinalSnapshot=True
            )  # replicas have none (trap 114)


# What an instance's answer tells of its groups saves asking for them.
DBSubnetGroup.within = DBParameterGroup.within = (DBInstance, DBInstanceReadReplica)
