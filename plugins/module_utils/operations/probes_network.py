"""Samples that only connect, and samples that only ask for a name."""

from __future__ import annotations

from .probe_connecting import Deadline, Resolver, Stopwatch, connect, dns_answers, in_turn, make_dns_resolver
from .probe_specs import ProbeSpec
from .samples import ProbeFault, Sample


class TcpProbe:
    """One connection a sample, closed as soon as it stands."""

    def __init__(self, spec: ProbeSpec, resolver: Resolver) -> None:
        self._host = spec.host or ""
        self._port = spec.target_port
        self._resolver = resolver

    def sample(self, _number: int, deadline: Deadline, sample: Sample) -> None:
        watch = Stopwatch(sample)
        addresses = self._resolver.addresses(self._host, deadline)
        watch.lap("dns")
        sample["address"] = addresses[0]
        address, connection = in_turn(addresses, deadline, lambda address, limit: connect(address, self._port, limit))
        watch.lap("connect")
        sample["address"] = address
        connection.close()

    def close(self) -> None:
        """Nothing is kept."""


class DnsProbe:
    """One lookup a sample. The records, sorted, stand in ``answer`` and as the server's identity, so a change of DNS is a switch."""

    def __init__(self, spec: ProbeSpec, _resolver: Resolver) -> None:
        self._host = spec.host or ""
        self._type = spec.record_type
        self._resolver = make_dns_resolver(spec.nameservers)

    def sample(self, _number: int, deadline: Deadline, sample: Sample) -> None:
        watch = Stopwatch(sample)
        code, records, ttl = dns_answers(self._resolver, self._host, self._type, deadline)
        watch.lap("dns")
        sample["status"] = code
        sample["answer"] = sorted(records)
        sample["ttl"] = ttl
        if not records:
            raise ProbeFault("dns", code)
        sample["server"] = ",".join(sample["answer"])
        if self._type in ("A", "AAAA"):
            sample["address"] = records[0]

    def close(self) -> None:
        """Nothing is kept."""
