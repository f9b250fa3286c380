"""The dns tier: every setting of every type of health check changed by hand, and checks that vanish."""

from __future__ import annotations

from typing import Any

import pytest
from dns_world import WWW, ZONE, Found, balancers
from stack import Stack, cycle, quiet, refusal

CHECKS: list[dict[str, Any]] = [
    {"name": "text", "type": "HTTPS_STR_MATCH", "fqdn": WWW, "search_string": "ok"},
    {"name": "port", "type": "TCP", "ip_address": "8.8.8.8", "port": 5432},
    {"name": "some", "fqdn": WWW, "regions": ["us-east-1", "eu-west-1", "us-west-2"]},
    {"name": "alarm", "type": "CLOUDWATCH_METRIC", "alarm_name": "demo-errors", "alarm_region": "eu-west-1"},
    {"name": "any", "type": "CALCULATED", "children": ["text", "port"], "health_threshold": 1},
]
OPTIONS: dict[str, Any] = {"zone_name": ZONE, "zone_create": True, "health_checks": CHECKS}


@pytest.fixture
def found(stack: Stack) -> Found:
    balancers(stack)
    return Found(stack)


def test_every_health_check_changed_or_deleted_by_hand_is_put_right(stack: Stack, found: Found) -> None:
    def change(name: str, **settings: Any) -> Any:
        return lambda: found.route53.update_health_check(HealthCheckId=found.check(f"demo-{name}")["Id"], **settings)

    def lose(name: str) -> Any:
        return lambda: found.route53.delete_health_check(HealthCheckId=found.check(f"demo-{name}")["Id"])

    def without_children() -> None:
        change("any", ChildHealthChecks=[found.check("demo-some")["Id"]])()

    def address(name: str) -> str:
        return f"HealthCheck[demo-{name}]"

    regions = ["ap-southeast-1", "ap-southeast-2", "sa-east-1"]
    alarm = {"Name": "theirs", "Region": "us-east-1"}
    cycle(
        stack,
        "dns",
        OPTIONS,
        drifts=[
            (
                address("text"),
                change("text", SearchString="ko", EnableSNI=False, FullyQualifiedDomainName="x.example.org"),
                {"search_string", "enable_sni", "fully_qualified_domain_name"},
            ),
            (address("text"), change("text", Disabled=True), {"disabled"}),
            (address("port"), change("port", IPAddress="8.8.4.4", Port=1), {"ip_address", "port"}),
            (address("some"), change("some", Regions=regions), {"regions"}),
            (
                address("alarm"),
                change("alarm", AlarmIdentifier=alarm, InsufficientDataHealthStatus="Healthy"),
                {"alarm", "insufficient_data_health_status"},
            ),
            (address("any"), change("any", HealthThreshold=2), {"health_threshold"}),
            (address("any"), without_children, {"children"}),
        ],
        vanishings=[(lose(name), {address(name)}) for name in ("some", "alarm", "any", "text")],
    )


def test_the_first_health_check_goes_alone_and_another_touches_nothing_else(stack: Stack, found: Found) -> None:
    stack.converge("dns", **OPTIONS)
    fewer = {**OPTIONS, "health_checks": [CHECKS[1], CHECKS[2], CHECKS[3]]}
    gone = {("delete", "HealthCheck[demo-text]"), ("delete", "HealthCheck[demo-any]")}
    assert stack.converge("dns", **fewer).plan == gone
    more = {**fewer, "health_checks": [{"name": "new", "fqdn": WWW}, *fewer["health_checks"]]}
    assert stack.converge("dns", **more).plan == {("create", "HealthCheck[demo-new]")}
    quiet(stack, "dns", more)


def test_the_type_of_a_health_check_is_refused_before_any_write(stack: Stack, found: Found) -> None:
    stack.converge("dns", **OPTIONS)
    before = len(stack.lab.calls("write"))
    for wish in ({"type": "HTTP", "search_string": None}, {"request_interval": 10}, {"measure_latency": True}):
        changed = [{**CHECKS[0], **wish}, *CHECKS[1:]]
        said = refusal(lambda changed=changed: stack.converge("dns", **{**OPTIONS, "health_checks": changed}))
        assert "make one under another name" in said
    assert len(stack.lab.calls("write")) == before
