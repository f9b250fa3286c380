"""Engine versions and what a region offers: which number is meant, what may follow which, which class runs it."""

from __future__ import annotations

import re
from typing import Any

from ..engine.resource import Scope


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers: 8.0.39 → (8, 0, 39)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def major(engine: str, version: str) -> str:
    """The part that names the parameter group family: 16 of PostgreSQL 16.4, 8.0 of MySQL 8.0.39."""
    return ".".join(str(part) for part in numbers(version)[: 1 if engine == "postgres" else 2])


def within(wanted: str, version: str) -> bool:
    """Whether a version is one that a shorter number means: 16.4 is within 16."""
    return numbers(version)[: len(numbers(wanted))] == numbers(wanted)


def wished(wanted: str | None, live: str | None, automatic: bool | None) -> str | None:
    """The version to compare with. What is live counts where the wish is less precise, or where AWS itself went on (trap 105)."""
    if wanted is None or live is None or within(wanted, live):
        return live or wanted
    return live if automatic and _later_minor(wanted, live) else wanted


def _later_minor(wanted: str, live: str) -> bool:
    """Whether the live version is a later one of the same series: only the last number may be higher."""
    wanted_numbers, live_numbers = numbers(wanted), numbers(live)[: len(numbers(wanted))]
    return wanted_numbers[:-1] == live_numbers[:-1] and live_numbers > wanted_numbers and len(wanted_numbers) > 1


def upgrades(scope: Scope, engine: str, live: str) -> list[str]:
    """The versions that RDS upgrades the live one to, oldest first."""

    def ask() -> list[str]:
        found = scope.client("rds").describe_db_engine_versions(Engine=engine, EngineVersion=live, IncludeAll=True)[
            "DBEngineVersions"
        ]
        return sorted(
            (target["EngineVersion"] for item in found for target in item.get("ValidUpgradeTarget", ())), key=numbers
        )

    return scope.once(("upgrades", engine, live), ask)


def target(scope: Scope, have: dict[str, Any], wanted: str) -> str:
    """The exact version to upgrade to: the newest that the wish means and RDS offers."""
    return next(
        (
            version
            for version in reversed(upgrades(scope, have["engine"], have["engine_version"]))
            if within(wanted, version)
        ),
        wanted,
    )


def no_upgrade(scope: Scope, have: dict[str, Any], wanted: str, allow_major: bool) -> str | None:
    """Why the live version cannot become the wanted one, or None."""
    engine, live = have["engine"], have["engine_version"]
    if numbers(wanted) < numbers(live)[: len(numbers(wanted))]:
        return f"it runs {engine} {live}, and RDS never goes back to {wanted}. Set engine_version to {major(engine, live)} or {live}"
    if major(engine, wanted) != major(engine, live) and not allow_major:
        return (
            f"from {engine} {live} to {wanted} is a major upgrade: it stops the database for minutes and has no way back. "
            "Rehearse it on a restored copy, then set allow_major_version_upgrade=true"
        )
    possible = upgrades(scope, engine, live)
    if not any(within(wanted, version) for version in possible):
        return f"RDS does not upgrade {engine} {live} to {wanted}. It offers {', '.join(possible) or 'nothing newer'}"
    return None


def not_offered(scope: Scope, order: dict[str, Any]) -> str | None:
    """Why the region cannot serve such an instance, or None."""
    engine, instance_class, version = order["engine"], order["instance_class"], order["engine_version"]
    if engine is None or instance_class is None:
        return None
    arguments = {"Engine": engine, "DBInstanceClass": instance_class, "Vpc": True}

    def ask() -> list[dict[str, Any]]:
        pages = scope.client("rds").get_paginator("describe_orderable_db_instance_options").paginate(**arguments)
        return [option for page in pages for option in page["OrderableDBInstanceOptions"]]

    options = scope.once(("orderable", engine, instance_class), ask)
    if not options:
        return f"instance_class {instance_class}: {scope.region} offers no such class for {engine}"
    found = [option for option in options if version is None or within(version, option["EngineVersion"])]
    if not found:
        offered = sorted({option["EngineVersion"] for option in options}, key=numbers)
        return f"engine_version {version}: {instance_class} runs {engine} {', '.join(offered)} in {scope.region}"
    if order["storage_type"] and not any(option["StorageType"] == order["storage_type"] for option in found):
        kinds = sorted({option["StorageType"] for option in found})
        return f"storage_type {order['storage_type']}: {instance_class} with {engine} takes {', '.join(kinds)} in {scope.region}"
    if order["multi_az"] and not any(option["MultiAZCapable"] for option in found):
        return f"multi_az: {scope.region} offers {instance_class} with {engine} in one zone only"
    return None
