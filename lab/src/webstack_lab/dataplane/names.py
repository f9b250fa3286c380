"""A name server for what the lab's API gave names to: database endpoints, load balancers, Route 53's hosted zones.

It answers over UDP and TCP on a loopback address, and only for names that the lab knows; it asks nobody else. Its address
is in the file `nameserver` of the state folder, as `address:port`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from webstack_lab.dataplane.health import Health
from webstack_lab.dataplane.zones import Answers, Zones

if TYPE_CHECKING:
    from webstack_lab.app import LabApp

PORT = 10053
TTL_DATABASE, TTL_BALANCER = 5, 60  # as AWS's own records have
CNAMES = 8


class Names(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    """The part of the data plane for DNS. Zones are read afresh for each question, so a change is seen at once."""

    def __init__(self, app: LabApp, folder: Path) -> None:
        self.app = app
        self.file = folder / "nameserver"
        self.health = Health()
        self.zones = Zones(self.health)
        assert app.plane is not None  # it makes its parts
        self.plane = app.plane
        self.address = self.plane.network.take()
        quiet = DNSLogger("-recv,-send,-request,-reply,-truncated,-error", prefix=False)
        self.servers = [
            DNSServer(self, address=self.address, port=PORT, tcp=tcp, handler=Handler, logger=quiet)
            for tcp in (False, True)
        ]
        for server in self.servers:
            server.server.daemon_threads = True
            server.start_thread()
        self.file.write_text(f"{self.address}:{PORT}\n")

    def tick(self) -> None:
        """Check what health checks ask for."""
        with self.app.lock:
            self.zones.read()
            checks = self.zones.checks()
        self.health.check(checks, self.addresses_of)

    def clear(self) -> None:
        """An empty account has no zones; the server stays."""
        with self.app.lock:
            self.zones.read()

    def close(self) -> None:
        """End the server."""
        for server in self.servers:
            server.stop()
            server.server.server_close()
        self.health.close()
        self.file.unlink(missing_ok=True)

    def status(self) -> dict[str, str]:
        """Where it answers."""
        return {"nameserver": f"{self.address}:{PORT}"}

    def own_names(self) -> dict[str, tuple[list[str], int]]:
        """The names that other parts give out: addresses and time to live."""
        found = {name.lower().rstrip("."): addresses for name, addresses in self.plane.addresses().items()}
        return {
            name: (addresses, TTL_DATABASE if ".rds." in name else TTL_BALANCER) for name, addresses in found.items()
        }

    def answers(self, name: str, kind: str) -> Answers | None:
        """Records for a name, along its CNAMEs: (owner, type, time to live, value); None: no such name."""
        own = self.own_names()
        found: Answers = []
        known = False
        for _ in range(CNAMES):
            if name in own:
                addresses, ttl = own[name]
                found += [(name, "A", ttl, address) for address in addresses if kind in ("A", "ANY")]
                return found
            with self.app.lock:
                self.zones.read()
                records = self.zones.answer(name, kind, own)
            if records is None:
                return found if known else None
            known = True
            found += records
            target = next((value for _, type_, _, value in records if type_ == "CNAME"), None)
            if target is None or kind == "CNAME":
                return found
            name = target.lower().rstrip(".")
        return found

    def addresses_of(self, name: str) -> list[str]:
        """The addresses of a name, for health checks by name."""
        return [value for _, type_, _, value in self.answers(name.lower().rstrip("."), "A") or [] if type_ == "A"]

    def resolve(self, request: DNSRecord, _handler: Any) -> DNSRecord:
        """The answer to one question; dnslib calls it."""
        reply = request.reply(ra=0)
        name, kind = str(request.q.qname).lower().rstrip("."), QTYPE.get(request.q.qtype)
        try:
            found = self.answers(name, str(kind))
        except Exception:
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        if found is None:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        for owner, type_, ttl, value in found:
            record = record_of(owner, type_, ttl, value)
            if record is not None:
                reply.add_answer(record)
        return reply


class Handler(DNSHandler):  # type: ignore[misc]  # dnslib has no types
    """A handler that does not mind a client that has gone."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return


def record_of(owner: str, kind: str, ttl: int, value: str) -> RR | None:
    """A record as it goes to the wire."""
    data = {"A": A, "AAAA": AAAA, "CNAME": CNAME}
    if kind in data:
        return RR(owner, getattr(QTYPE, kind), rdata=data[kind](value), ttl=ttl)
    records = RR.fromZone(f"{owner}. {ttl} IN {kind} {value}")
    return records[0] if records else None
