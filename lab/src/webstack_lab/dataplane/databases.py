"""A real PostgreSQL behind every DB instance of that engine: two servers when it is Multi-AZ, one when it is a replica."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webstack_lab.dataplane.authority import Authority
from webstack_lab.dataplane.database import Database, Wish
from webstack_lab.dataplane.postgres import Postgres
from webstack_lab.dataplane.postgres_server import Server
from webstack_lab.extend import backends_of
from webstack_lab.services import rds_phases
from webstack_lab.services.rds_phases import faults_of, orders_of

if TYPE_CHECKING:
    from webstack_lab.app import LabApp


class Databases:
    """The part of the data plane for RDS."""

    def __init__(self, app: LabApp, folder: Path) -> None:
        assert app.plane is not None  # it makes its parts
        self.app = app
        self.take_address = app.plane.network.take
        self.authority = Authority(folder)
        self.postgres = Postgres(folder)
        self.databases: dict[str, Database] = {}
        rds_phases.plane.servers = self

    def tick(self) -> None:
        """Make the servers equal to what the API says."""
        with self.app.lock:
            instances = [one for backend in backends() for one in backend.databases.values()]
            rds_phases.settle_all(instances)
            wishes = {wish.identity: wish for one in instances if has_servers(one) and (wish := wish_of(one))}
            # Under the lock too, so that no wish of an earlier moment comes after a later one (see `reached`).
            for identity, wish in wishes.items():
                if identity in self.databases:
                    self.databases[identity].want(wish)
                else:
                    self.databases[identity] = Database(
                        wish, self.postgres, self.authority, self.take_address, self.find
                    )
        for identity in self.databases.keys() - wishes.keys():
            self.databases[identity].close()
            del self.databases[identity]

    def clear(self) -> None:
        """End every server."""
        for database in self.databases.values():
            database.close()
        self.databases.clear()

    def close(self) -> None:
        """End every server and remove the data."""
        rds_phases.plane.servers = None
        self.clear()
        self.postgres.close()

    def find(self, identity: str) -> Server | None:
        """The first server of an instance, while it can be copied from."""
        database = self.databases.get(identity)
        return database.head if database else None

    def reached(self, one: Any, what: str) -> bool:
        """Whether the servers of an instance are as far; asked under the app's lock."""
        database = self.databases.get(one.dbi_resource_id)
        if what == "gone":
            return database is None
        if database is None:
            return False
        if has_servers(one):
            database.want(wish_of(one))
        return database.reached(what)

    def addresses(self) -> dict[str, list[str]]:
        """The endpoints, each with the address of its primary."""
        found = list(self.databases.values())
        return {database.wish.endpoint: [database.pointed] for database in found if database.pointed}

    def status(self) -> list[dict[str, Any]]:
        """What runs."""
        return [
            {
                "kind": "database",
                "region": database.wish.region,
                "id": database.wish.name,
                "role": role,
                "address": f"{server.address}:{server.port}",
                "state": server.state or "stopped",
                "memory": server.memory(),
                "problem": database.problem,
            }
            for database in list(self.databases.values())
            for role, server in (("primary", database.primary), ("standby", database.standby))
            if server is not None
        ]


def backends() -> list[Any]:
    """moto's RDS of every account and region in use."""
    return [backend for regions in list(backends_of("rds").values()) for backend in list(regions.values())]


def has_servers(one: Any) -> bool:
    """Whether something should run for an instance."""
    return bool(one.engine == "postgres" and not one.db_cluster_identifier and one.status != "deleting")


def wish_of(one: Any) -> Wish:
    """What RDS says of an instance."""
    source = source_of(one)
    return Wish(
        identity=one.dbi_resource_id,
        name=one.db_instance_identifier,
        region=one.region,
        endpoint=one.address,
        port=int(one.port),
        user=one.master_username,
        password=password_of(one),
        database=one.db_name,
        plain=parameter(one, "rds.force_ssl", "1") == "0",
        standby=bool(one.multi_az and not one.lab_standby_lost and source is None),
        source=source,
        hang="database-failover" in faults_of(one),
        orders=dict(orders_of(one)),
    )


def source_of(one: Any) -> str | None:
    """The identity of the instance that a replica copies from."""
    name = one.source_db_instance_identifier
    if not name:
        return None
    region = name.split(":")[3] if name.startswith("arn:") else one.region
    source = backends_of("rds")[one.backend.account_id][region].databases.get(name.rsplit(":", 1)[-1])
    return str(source.dbi_resource_id) if source is not None else None


def password_of(one: Any) -> str:
    """The master user's password, from the secret that RDS manages when it does."""
    if not one.manage_master_user_password:
        return str(one.__dict__.get("_master_user_password") or "")
    secret = one.master_user_secret.secret
    current: dict[str, Any] = secret.versions.get(secret.default_version_id) or {"secret_string": secret.secret_string}
    return str(json.loads(current["secret_string"])["password"])


def parameter(one: Any, name: str, default: str) -> str:
    """A parameter of the instance's parameter group."""
    for group in one.db_parameter_groups():
        value = dict(getattr(group, "parameters", None) or {}).get(name)
        if value:
            return str(value["ParameterValue"] if isinstance(value, dict) else value)
    return default
