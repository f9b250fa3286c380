"""The reference stack's options, tier by tier, as inventories/lab gives them to a region; smaller where size proves nothing."""

from __future__ import annotations

from typing import Any

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
REGIONAL: dict[str, dict[str, Any]] = {
    "assets": {},
    "network": {"availability_zones": ZONES},
    "storage_cache": {
        "availability_zones": ZONES,
        "access_points": [{"name": "uploads", "path": "/uploads", "uid": 1000, "gid": 1000}],
        "cache_parameters": {"maxmemory-policy": "allkeys-lru"},
    },
    "database": {
        "availability_zones": ZONES,
        "read_replica_count": 1,
        "manage_master_user_password": False,
        "skip_final_snapshot": True,
        "parameters": {"log_min_duration_statement": "500"},
    },
    "lb": {"availability_zones": ZONES},
    "compute_asg": {"availability_zones": ZONES, "request_count_target": 1000.0, "user_data": "#!/bin/sh\n"},
    "monitoring": {"availability_zones": ZONES, "read_replica_count": 1},
}
GLOBAL: dict[str, dict[str, Any]] = {
    "edge_security": {},
    "cdn": {"web_domain_name": "origin.demo.example"},
    "dns": {"zone_name": "demo.example", "zone_create": True},
}
# What must stand before a tier can be run on its own.
NEEDS: dict[str, tuple[str, ...]] = {
    "assets": (),
    "network": ("assets",),
    "storage_cache": ("assets", "network"),
    "database": ("assets", "network", "storage_cache"),
    "lb": ("assets", "network"),
    "compute_asg": ("assets", "network", "lb"),
    "monitoring": ("assets", "network", "storage_cache", "database", "lb", "compute_asg"),
    "edge_security": (),
    "cdn": ("edge_security",),
    "dns": (),
}
OPTIONS = {**REGIONAL, **GLOBAL}
