"""The reference stack's options with more of what its global tiers can do: more calls to die at."""

from __future__ import annotations

from typing import Any

from reference import OPTIONS

RICH: dict[str, dict[str, Any]] = {
    **OPTIONS,
    "dns": {
        "zone_name": "demo.example",
        "zone_create": True,
        "certificates": [
            {
                "domain_name": "demo.example",
                "subject_alternative_names": ["*.demo.example"],
                "regions": ["us-east-1", "eu-west-1"],
            }
        ],
        "health_checks": [
            *({"name": name, "fqdn": f"{name}.demo.example", "path": "/health"} for name in ("first", "second")),
            {"name": "any", "type": "CALCULATED", "children": ["first", "second"], "health_threshold": 1},
        ],
        "records": [
            {"name": "@", "type": "TXT", "values": ["v=spf1 -all"]},
            *(
                {"name": "app.demo.example", "type": "A", "values": [address], "failover": kind, "health_check": check}
                for kind, address, check in (("primary", "192.0.2.1", "first"), ("secondary", "192.0.2.2", "second"))
            ),
        ],
    },
    "edge_security": {
        "header_rules": [{"name": "no-scanners", "header": "user-agent", "value": "sqlmap"}],
        "query_rules": [{"name": "no-debug", "value": "debug=true"}],
    },
    "cdn": {
        "web_domain_name": "origin.demo.example",
        "static_viewer_request_code": "function handler(event) { return event.request; }",
    },
}
