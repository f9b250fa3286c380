"""What RDS would refuse, said before any call. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..engine.errors import OptionError
from ..resources.logs import FOREVER, RETENTION_DAYS

Options = Mapping[str, Any]

LOG_TYPES = {
    "postgres": ("iam-db-auth-error", "postgresql", "upgrade"),
    "mysql": ("audit", "error", "general", "iam-db-auth-error", "slowquery"),
}
RESERVED = {
    "postgres": ("admin", "rdsadmin", "rdsrepladmin", "rds_superuser", "rds_replication", "public", "pg_monitor"),
    "mysql": ("rdsadmin", "mysql.sys", "rdsrepladmin"),
}
NAME_LENGTH = {"postgres": 63, "mysql": 16}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, WEEK = 24 * 60, 7 * 24 * 60
CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"


def smallest_classes(engine: str) -> tuple[str, ...]:
    """The classes on which Performance Insights does not run."""
    return (
        tuple(f"db.{family}.{size}" for family in ("t2", "t3", "t4g") for size in ("micro", "small"))
        if engine == "mysql"
        else ()
    )


def check(options: Options) -> None:
    """Every refusal of the tier's options."""
    for look in (_engine, _class, _storage, _place, _names, _password, _replicas, _windows, _watching):
        look(options)


def _engine(options: Options) -> None:
    engine, version = options["engine"], options["engine_version"]
    if engine.startswith("aurora"):
        raise OptionError(
            "engine",
            engine,
            "This tier builds RDS instances: use postgres or mysql. An Aurora cluster has to be brought along, built elsewhere",
        )
    if engine not in LOG_TYPES:
        raise OptionError("engine", engine, "Use postgres or mysql")
    pattern, example = (
        (r"1[0-9](\.\d+)*|[2-9]\d(\.\d+)*", "17 or 17.4")
        if engine == "postgres"
        else (r"\d+\.\d+(\.\d+)?", "8.4 or 8.4.4")
    )
    if not re.fullmatch(pattern, version):
        raise OptionError("engine_version", version, f"Give a version of {engine} such as {example}, in quotes")


def _class(options: Options) -> None:
    classes = [("instance_class", options["instance_class"])]
    classes += [
        (f"read_replicas ({one['name']}): instance_class", one["instance_class"])
        for one in options["read_replicas"]
        if one["instance_class"]
    ]
    for option, value in classes:
        if not re.fullmatch(r"db\.[a-z0-9-]+\.[a-z0-9-]+", value):
            raise OptionError(option, value, "Give a DB instance class such as db.t4g.medium or db.r7g.large")
    if options["performance_insights"] and options["instance_class"] in smallest_classes(options["engine"]):
        raise OptionError(
            "performance_insights",
            True,
            f"{options['instance_class']} does not support it with mysql. Use a larger class, or turn it off",
        )


def _storage(options: Options) -> None:
    kind, size, limit = options["storage_type"], options["allocated_storage"], options["max_allocated_storage"]
    least = 100 if kind in ("io1", "io2") else 20
    if not least <= size <= 65536:
        raise OptionError("allocated_storage", size, f"{kind} takes {least} to 65536 GiB")
    if limit is not None and limit != 0 and not size < limit <= 65536:
        raise OptionError(
            "max_allocated_storage",
            limit,
            f"It must be more than allocated_storage ({size}) and at most 65536 GiB; 0 turns growing off",
        )
    fast = [key for key in ("iops", "storage_throughput") if options[key] is not None]
    if kind in ("io1", "io2") and options["iops"] is None:
        raise OptionError("iops", None, f"{kind} needs a number of IOPS")
    if kind == "gp3" and size < 400 and fast:
        raise OptionError(
            fast[0],
            options[fast[0]],
            f"gp3 below 400 GiB has a baseline of 3000 IOPS and 125 MiB/s: raise allocated_storage ({size}), or omit it",
        )
    if kind == "gp2" and fast:
        raise OptionError(fast[0], options[fast[0]], "gp2 takes its speed from its size: use gp3, io1 or io2")
    if kind in ("io1", "io2") and options["storage_throughput"] is not None:
        raise OptionError("storage_throughput", options["storage_throughput"], "Only gp3 takes a throughput")
    if options["kms_key_id"] and not options["storage_encrypted"]:
        raise OptionError("kms_key_id", options["kms_key_id"], "It needs storage_encrypted=true")


def _place(options: Options) -> None:
    if options["subnet_ids"]:
        if len(set(options["subnet_ids"])) < 2:
            raise OptionError("subnet_ids", options["subnet_ids"], "RDS wants subnets in two zones or more")
    elif len(set(options["availability_zones"])) < 2:
        raise OptionError(
            "availability_zones",
            options["availability_zones"],
            "RDS wants two zones or more, also for one instance. Or set subnet_ids",
        )
    if not 1150 <= options["port"] <= 65535:
        raise OptionError("port", options["port"], "RDS takes 1150 to 65535")
    source = options["source_region"]
    if source == options["region"]:
        raise OptionError(
            "source_region", source, "That is this region: use read_replica_count for replicas beside the instance"
        )
    if source and (options["read_replica_count"] or options["read_replicas"]):
        raise OptionError("source_region", source, "The instance is a replica itself then, and has no read replicas")


def _names(options: Options) -> None:
    engine, user, database = options["engine"], options["master_username"], options["database_name"]
    length = NAME_LENGTH[engine]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", user) or len(user) > length:
        raise OptionError(
            "master_username", user, f"Use 1 to {length} letters, digits and underscores, the first a letter"
        )
    if user.lower() in RESERVED[engine] or (engine == "postgres" and user.lower().startswith("pg_")):
        raise OptionError("master_username", user, f"{engine} keeps that name for itself")
    if database is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", database):
        raise OptionError("database_name", database, "Use 1 to 63 letters, digits and underscores, the first a letter")
    for key, value in options["parameters"].items():
        if value is None or isinstance(value, (dict, list)):
            raise OptionError(
                f"parameters: {key}", value, "Give text, a number or a boolean; leave the parameter out for its default"
            )


def _password(options: Options) -> None:
    password, managed = options["master_user_password"], options["manage_master_user_password"]
    if password is None and options["force_master_user_password"]:
        raise OptionError("force_master_user_password", True, "It sends master_user_password again, which is not given")
    if password is None:
        return
    if managed:
        raise OptionError(
            "master_user_password",
            "(hidden)",
            "RDS makes and keeps the password: set manage_master_user_password=false to give your own",
        )
    most = 128 if options["engine"] == "postgres" else 41
    if not re.fullmatch(r"[!#-.0-?A-~]+", password) or not 8 <= len(password) <= most:
        raise OptionError(
            "master_user_password", "(hidden)", f'Use 8 to {most} printable signs without /, ", @ and blanks'
        )


def _replicas(options: Options) -> None:
    count, wished = options["read_replica_count"], options["read_replicas"]
    if not 0 <= count <= 15:
        raise OptionError("read_replica_count", count, "RDS takes 0 to 15")
    if count and wished:
        raise OptionError(
            "read_replicas", [one["name"] for one in wished], "Give names or read_replica_count, not both"
        )
    names = [one["name"] for one in wished]
    for one in wished:
        name = one["name"]
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(f"{options['stack']}-db-{name}") > 63:
            raise OptionError(
                "read_replicas: name",
                name,
                "Use small letters, digits and single hyphens; with the stack's name at most 63 signs",
            )
        if names.count(name) > 1:
            raise OptionError("read_replicas: name", name, "Two replicas have this name")
        if one["multi_az"] and one["availability_zone"]:
            raise OptionError(
                "read_replicas: availability_zone",
                one["availability_zone"],
                "A Multi-AZ replica chooses its zones itself",
            )
    if not (count or wished):
        return
    if options["manage_master_user_password"]:
        raise OptionError(
            "manage_master_user_password",
            True,
            "RDS makes no read replicas of an instance whose password it manages. Set it to false: the tier then keeps a generated password "
            f"in the secret {options['stack']}-db, or give master_user_password",
        )
    if not options["backup_retention_period"]:
        raise OptionError("backup_retention_period", 0, "Read replicas are made from backups: keep at least 1 day")


def _windows(options: Options) -> None:
    days, backup, upkeep = (
        options[key] for key in ("backup_retention_period", "preferred_backup_window", "preferred_maintenance_window")
    )
    if not 0 <= days <= 35:
        raise OptionError("backup_retention_period", days, "RDS keeps automated backups for 0 to 35 days")
    daily = re.fullmatch(f"{CLOCK}-{CLOCK}", backup)
    if not daily:
        raise OptionError("preferred_backup_window", backup, "Give hh:mm-hh:mm in UTC, such as 03:00-04:00")
    hours = [int(part) for part in daily.groups()]
    first = hours[0] * 60 + hours[1]
    lasts = (hours[2] * 60 + hours[3] - first) % DAY
    if lasts < 30:
        raise OptionError("preferred_backup_window", backup, "It must last 30 minutes or more")
    weekly = re.fullmatch(rf"([a-z]{{3}}):{CLOCK}-([a-z]{{3}}):{CLOCK}", upkeep.lower())
    if not weekly or not {weekly.group(1), weekly.group(4)} <= set(DAYS):
        raise OptionError(
            "preferred_maintenance_window", upkeep, "Give ddd:hh:mm-ddd:hh:mm in UTC, such as sun:04:30-sun:05:30"
        )
    start, end = (_minute(*weekly.groups()[place : place + 3]) for place in (0, 3))
    if not 30 <= (end - start) % WEEK < DAY:
        raise OptionError(
            "preferred_maintenance_window", upkeep, "It must last 30 minutes or more, and less than a day"
        )
    for day in range(7):
        opens = day * DAY + first
        if (opens - start) % WEEK < (end - start) % WEEK or (start - opens) % WEEK < lasts:
            raise OptionError(
                "preferred_maintenance_window",
                upkeep,
                f"It overlaps with the backup window {backup}, which RDS refuses",
            )


def _minute(day: str, hour: str, minute: str) -> int:
    return DAYS.index(day) * DAY + int(hour) * 60 + int(minute)


def _watching(options: Options) -> None:
    known = LOG_TYPES[options["engine"]]
    for kind in options["log_exports"]:
        if kind not in known:
            raise OptionError("log_exports", kind, f"{options['engine']} has the logs {', '.join(known)}")
    if options["log_retention_days"] not in (FOREVER, *RETENTION_DAYS):
        raise OptionError(
            "log_retention_days",
            options["log_retention_days"],
            f"CloudWatch Logs takes {', '.join(map(str, RETENTION_DAYS))}, or 0 for ever",
        )
    if options["monitoring_interval"] not in (0, 1, 5, 10, 15, 30, 60):
        raise OptionError(
            "monitoring_interval", options["monitoring_interval"], "RDS takes 0 (off), 1, 5, 10, 15, 30 or 60 seconds"
        )
    days = options["performance_insights_retention_period"]
    if days not in (7, 731) and not (days % 31 == 0 and 31 <= days <= 23 * 31):
        raise OptionError(
            "performance_insights_retention_period",
            days,
            "RDS takes 7 days, 1 to 23 months of 31 days each, or 731 days",
        )
