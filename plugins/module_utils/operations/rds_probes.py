"""The probes of a database drill: those that the user names, completed, or a sensible set; and the password that they log in with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import SDK_ERRORS, Clients, error_code
from .probe_specs import DATABASES, ProbeSpec

ENGINES = {
    "postgres": "postgresql",
    "aurora-postgresql": "postgresql",
    "mysql": "mysql",
    "aurora-mysql": "mysql",
    "mariadb": "mysql",
}
MAIN_DATABASE = {"postgresql": "postgres", "mysql": "mysql"}


def probes_of(
    database: Mapping[str, Any],
    login: Mapping[str, str],
    named: Sequence[Mapping[str, Any]],
    nameservers: Sequence[str],
    ca_path: str | None,
) -> list[ProbeSpec]:
    """The probes for an instance or a cluster as AWS describes it. What a named database probe leaves out is filled in.

    By default: a new connection with a write marker, a kept connection, and the endpoint's name, each 10 times a second.
    """
    endpoint, port = endpoint_of(database)
    kind = ENGINES.get(database["Engine"])
    if kind is None:
        raise OptionError("probes", database["Engine"], f"There are probes for {', '.join(sorted(ENGINES))} only")
    known = {
        "host": endpoint,
        "port": port,
        "user": login.get("username") or database.get("MasterUsername"),
        "database": database.get("DBName") or database.get("DatabaseName") or MAIN_DATABASE[kind],
        "ca_path": ca_path,
        "nameservers": list(nameservers),
    }
    defaults: list[dict[str, Any]] = [
        {"name": "write", "kind": kind, "write": True, "timeout": 2.0},
        {"name": "kept", "kind": kind, "flavour": "kept", "timeout": 2.0},
        {"name": "name", "kind": "dns", "timeout": 2.0},
    ]
    specs = []
    for options in named or defaults:
        given = {key: value for key, value in options.items() if value is not None}
        if given.get("kind") in DATABASES:
            given = {**{key: value for key, value in known.items() if value is not None}, **given}
        elif given.get("kind") == "dns":
            given = {"host": endpoint, "nameservers": list(nameservers), **given}
        specs.append(ProbeSpec.from_options(given))
    return specs


def endpoint_of(database: Mapping[str, Any]) -> tuple[str, int]:
    """Name and port of the endpoint that clients write to. Raises OptionError while there is none."""
    endpoint = database.get("Endpoint")
    if isinstance(endpoint, Mapping):
        return endpoint["Address"], endpoint["Port"]
    if isinstance(endpoint, str):
        return endpoint, database["Port"]
    name = database.get("DBInstanceIdentifier") or database.get("DBClusterIdentifier")
    raise OptionError("db_instance_identifier", name, "It has no endpoint yet. Wait until it is available")


def login_of(clients: Clients, region: str, secret_id: str) -> dict[str, str]:
    """User and password out of a secret, as RDS and this collection write it: JSON with ``username`` and ``password``."""
    try:
        text = clients("secretsmanager", region).get_secret_value(SecretId=secret_id)["SecretString"]
    except SDK_ERRORS as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise OptionError(
            "secret_id",
            secret_id,
            "There is no such secret. Name the one with the database's login, or give probes with password_file",
        ) from error
    try:
        login = json.loads(text)
        return {"username": str(login["username"]), "password": str(login["password"])}
    except (ValueError, KeyError, TypeError) as error:
        raise OptionError("secret_id", secret_id, 'Its value is not JSON with "username" and "password"') from error


def passwords_for(specs: Sequence[ProbeSpec], login: Mapping[str, str]) -> dict[str, str]:
    """The password of each database probe that has no file for it."""
    return {
        spec.name: login["password"]
        for spec in specs
        if spec.kind in DATABASES and not spec.password_file and login.get("password")
    }
