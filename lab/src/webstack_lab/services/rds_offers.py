"""What RDS offers: engine versions, instance classes, parameters. A sample of each, with AWS's own facts about them."""

from __future__ import annotations

import re
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page

VERSIONS = {
    "postgres": ["13.20", "14.15", "14.17", "15.8", "15.10", "15.12", "16.3", "16.4", "16.6", "16.8", "17.2", "17.4"],
    "mysql": ["8.0.36", "8.0.39", "8.0.40", "8.0.41", "8.4.3", "8.4.4"],
}
DEFAULT_MAJOR = {"postgres": "17", "mysql": "8.0"}
LOG_TYPES = {
    "postgres": ["iam-db-auth-error", "postgresql", "upgrade"],
    "mysql": ["audit", "error", "general", "iam-db-auth-error", "slowquery"],
}
SIZES = {
    "t3": "micro small medium large xlarge 2xlarge",
    "t4g": "micro small medium large xlarge 2xlarge",
    **dict.fromkeys(("m6g", "m6i", "m7g", "r6g", "r6i", "r7g"), "large xlarge 2xlarge 4xlarge 8xlarge"),
}
CLASSES = [f"db.{family}.{size}" for family, sizes in SIZES.items() for size in sizes.split()]
STORAGE = {"gp2": (20, 65536), "gp3": (20, 65536), "io1": (100, 65536), "io2": (100, 65536)}

# name: (dynamic or static, data type, default value, allowed values); from the parameter lists in the RDS guide.
POSTGRES: dict[str, tuple[str, str, str | None, str | None]] = {
    "autovacuum": ("dynamic", "boolean", None, "0,1"),
    "autovacuum_max_workers": ("static", "integer", "GREATEST({DBInstanceClassMemory/64371566592},3)", "1-262143"),
    "checkpoint_timeout": ("dynamic", "integer", None, "30-86400"),
    "deadlock_timeout": ("dynamic", "integer", None, "1-2147483647"),
    "default_statistics_target": ("dynamic", "integer", None, "1-10000"),
    "effective_cache_size": ("dynamic", "integer", "{DBInstanceClassMemory/16384}", "1-2147483647"),
    "idle_in_transaction_session_timeout": ("dynamic", "integer", "86400000", "0-2147483647"),
    "log_connections": ("dynamic", "boolean", None, "0,1"),
    "log_disconnections": ("dynamic", "boolean", None, "0,1"),
    "log_lock_waits": ("dynamic", "boolean", None, "0,1"),
    "log_min_duration_statement": ("dynamic", "integer", None, "-1-2147483647"),
    "log_statement": ("dynamic", "string", None, "none,ddl,mod,all"),
    "log_temp_files": ("dynamic", "integer", None, "-1-2147483647"),
    "logical_decoding_work_mem": ("dynamic", "integer", None, "64-2147483647"),
    "maintenance_work_mem": (
        "dynamic",
        "integer",
        "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
        "1024-2147483647",
    ),
    "max_connections": ("static", "integer", "LEAST({DBInstanceClassMemory/9531392},5000)", "6-262143"),
    "max_parallel_workers": ("dynamic", "integer", "GREATEST($DBInstanceVCPU/2,8)", "0-1024"),
    "max_replication_slots": ("static", "integer", "20", "5-262143"),
    "max_standby_streaming_delay": ("dynamic", "integer", "14000", "-1-2147483647"),
    "max_wal_senders": ("static", "integer", "20", "5-262143"),
    "max_wal_size": ("dynamic", "integer", "{DBInstanceClassMemory/1024}", "2-2147483647"),
    "pg_stat_statements.track": ("dynamic", "string", "TOP", "none,top,all"),
    "random_page_cost": ("dynamic", "float", None, "0-1.79769e+308"),
    "rds.force_ssl": ("dynamic", "boolean", "1", "0,1"),
    "rds.logical_replication": ("static", "boolean", "0", "0,1"),
    "shared_buffers": ("static", "integer", "{DBInstanceClassMemory/32768}", "16-1073741823"),
    "shared_preload_libraries": ("static", "list", "pg_stat_statements", None),
    "statement_timeout": ("dynamic", "integer", None, "0-2147483647"),
    "timezone": ("dynamic", "string", "UTC", None),
    "track_io_timing": ("dynamic", "boolean", None, "0,1"),
    "wal_keep_size": ("dynamic", "integer", "2048", "0-2147483647"),
    "work_mem": ("dynamic", "integer", None, "64-2147483647"),
}
MYSQL: dict[str, tuple[str, str, str | None, str | None]] = {
    "autocommit": ("dynamic", "boolean", None, "0,1"),
    "binlog_format": ("dynamic", "string", "ROW", "ROW,STATEMENT,MIXED"),
    "character_set_client": ("dynamic", "string", None, None),
    "character_set_database": ("dynamic", "string", None, None),
    "character_set_server": ("dynamic", "string", None, None),
    "collation_server": ("dynamic", "string", None, None),
    "event_scheduler": ("dynamic", "string", None, "ON,OFF"),
    "explicit_defaults_for_timestamp": ("dynamic", "boolean", "1", "0,1"),
    "general_log": ("dynamic", "boolean", None, "0,1"),
    "innodb_buffer_pool_size": (
        "dynamic",
        "integer",
        "{DBInstanceClassMemory*3/4}",
        "5242880-18446744073709551615",
    ),
    "innodb_flush_log_at_trx_commit": ("dynamic", "integer", "1", "0-2"),
    "innodb_lock_wait_timeout": ("dynamic", "integer", None, "1-1073741824"),
    "interactive_timeout": ("dynamic", "integer", None, "1-31536000"),
    "local_infile": ("dynamic", "boolean", None, "0,1"),
    "log_bin_trust_function_creators": ("dynamic", "boolean", None, "0,1"),
    "log_output": ("dynamic", "string", "TABLE", "TABLE,FILE,NONE"),
    "long_query_time": ("dynamic", "float", None, "0-31536000"),
    "lower_case_table_names": ("static", "integer", "0", "0-1"),
    "max_allowed_packet": ("dynamic", "integer", None, "1024-1073741824"),
    "max_connections": ("dynamic", "integer", "{DBInstanceClassMemory/12582880}", "1-100000"),
    "performance_schema": ("static", "boolean", "0", "0,1"),
    "read_only": ("dynamic", "string", "{TrueIfReplica}", "0,1,{TrueIfReplica}"),
    "require_secure_transport": ("dynamic", "boolean", "0", "0,1"),
    "slow_query_log": ("dynamic", "boolean", None, "0,1"),
    "sync_binlog": ("dynamic", "integer", "1", "0-4294967295"),
    "table_open_cache": ("dynamic", "integer", None, "1-524288"),
    "time_zone": ("dynamic", "string", None, None),
    "tmp_table_size": ("dynamic", "integer", None, "1024-18446744073709551615"),
    "transaction_isolation": ("dynamic", "string", None, None),
    "wait_timeout": ("dynamic", "integer", None, "1-31536000"),
}
FIXED = {
    "postgres": {"data_directory": "/rdsdbdata/db"},
    "mysql": {"datadir": "/rdsdbdata/db/", "port": "{EndPointPort}"},
}


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def major(engine: str, version: str) -> str:
    """16 of PostgreSQL 16.4, 8.0 of MySQL 8.0.39."""
    return ".".join(version.split(".")[: 1 if engine == "postgres" else 2])


def resolved(engine: str, version: str | None) -> str:
    """The exact version that a shorter number means: the newest; without any, the newest of the default series."""
    wanted = version or DEFAULT_MAJOR[engine]
    fitting = [one for one in VERSIONS[engine] if numbers(one)[: len(numbers(wanted))] == numbers(wanted)]
    if not fitting:
        raise AwsError("InvalidParameterCombination", f"Cannot find version {wanted} for {engine}")
    return fitting[-1]


def engine_parameters(family: str) -> list[dict[str, Any]]:
    """The parameters of a family with their defaults."""
    engine = re.sub(r"[\d.]+$", "", family)
    if engine not in VERSIONS or family not in {engine + major(engine, version) for version in VERSIONS[engine]}:
        raise AwsError("InvalidParameterValue", f"The parameter group family {family} is not valid.")
    found: list[dict[str, Any]] = []
    for name, (apply_type, data_type, value, allowed) in (POSTGRES if engine == "postgres" else MYSQL).items():
        parameter = {"ParameterName": name, "ApplyType": apply_type, "DataType": data_type, "IsModifiable": True}
        parameter |= {"Source": "system" if value is not None else "engine-default", "ApplyMethod": "pending-reboot"}
        parameter |= {"ParameterValue": value} if value is not None else {}
        found.append(parameter | ({"AllowedValues": allowed} if allowed else {}))
    for name, value in FIXED[engine].items():
        fixed = {"ParameterName": name, "ParameterValue": value, "ApplyType": "static", "DataType": "string"}
        found.append({**fixed, "IsModifiable": False, "Source": "system", "ApplyMethod": "pending-reboot"})
    return sorted(found, key=lambda parameter: str(parameter["ParameterName"]))


@operation("rds", "DescribeEngineDefaultParameters")
def describe_engine_default_parameters(_context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEngineDefaultParameters.html"""
    family = params["DBParameterGroupFamily"]
    answer = page(engine_parameters(family), params, "Parameters")
    return {"EngineDefaults": {"DBParameterGroupFamily": family, **answer}}


@operation("rds", "DescribeDBEngineVersions")
def describe_db_engine_versions(_context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBEngineVersions.html"""
    wanted, family = params.get("EngineVersion"), params.get("DBParameterGroupFamily")
    found = []
    for engine, versions in VERSIONS.items():
        for version in versions:
            item = engine_version(engine, version)
            fits = not wanted or numbers(version)[: len(numbers(wanted))] == numbers(wanted)
            if params.get("Engine", engine) == engine and fits and family in (None, item["DBParameterGroupFamily"]):
                found.append(item)
    if params.get("DefaultOnly"):
        found = [item for item in found if item["EngineVersion"] == resolved(item["Engine"], wanted)]
    return page(found, params, "DBEngineVersions")


def engine_version(engine: str, version: str) -> dict[str, Any]:
    """One version: later ones of its own and of later series are its upgrade targets."""
    later = [one for one in VERSIONS[engine] if numbers(one) > numbers(version)]
    series = major(engine, version)
    return {
        "Engine": engine,
        "EngineVersion": version,
        "MajorEngineVersion": series,
        "DBParameterGroupFamily": engine + series,
        "DBEngineDescription": {"postgres": "PostgreSQL", "mysql": "MySQL Community Edition"}[engine],
        "DBEngineVersionDescription": f"{engine} {version}",
        "Status": "available",
        "ValidUpgradeTarget": [
            {
                "Engine": engine,
                "EngineVersion": one,
                "Description": f"{engine} {one}",
                "AutoUpgrade": False,
                "IsMajorVersionUpgrade": major(engine, one) != series,
            }
            for one in later
        ],
        "ExportableLogTypes": LOG_TYPES[engine],
        "SupportsLogExportsToCloudwatchLogs": True,
        "SupportsReadReplica": True,
        "SupportedCACertificateIdentifiers": ["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"],
        "SupportsCertificateRotationWithoutRestart": True,
    }


@operation("rds", "DescribeOrderableDBInstanceOptions")
def describe_orderable_db_instance_options(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html"""
    engine = params["Engine"]
    if engine not in VERSIONS:
        raise AwsError("InvalidParameterValue", f"Invalid DB engine: {engine}")
    zones = [{"Name": f"{context.region}{letter}"} for letter in "abc"]
    options = [
        {
            "Engine": engine,
            "EngineVersion": version,
            "DBInstanceClass": name,
            "LicenseModel": "postgresql-license" if engine == "postgres" else "general-public-license",
            "AvailabilityZones": zones,
            "MultiAZCapable": True,
            "ReadReplicaCapable": True,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": kind,
            "SupportsIops": kind != "gp2",
            "SupportsStorageThroughput": kind == "gp3",
            "SupportsEnhancedMonitoring": True,
            "SupportsIAMDatabaseAuthentication": True,
            "SupportsPerformanceInsights": not (engine == "mysql" and name.endswith((".micro", ".small"))),
            "MinStorageSize": sizes[0],
            "MaxStorageSize": sizes[1],
            "SupportsStorageAutoscaling": True,
        }
        for name in CLASSES
        for version in VERSIONS[engine]
        for kind, sizes in STORAGE.items()
        if params.get("DBInstanceClass", name) == name and params.get("EngineVersion", version) == version
    ]
    return page(options, params, "OrderableDBInstanceOptions")
