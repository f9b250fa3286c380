"""What is to be probed and how: the options of one probe, checked before anything starts."""

from __future__ import annotations

import dataclasses
import importlib.util
import ipaddress
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..engine.errors import OptionError, ResourceError

KINDS = ("http", "tcp", "dns", "postgresql", "mysql")
DATABASES = ("postgresql", "mysql")
FLAVOURS = ("new", "kept")
METHODS = ("GET", "POST", "HEAD")
TLS_MODES = ("off", "prefer", "require", "verify")
DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306}
MOST_TOTAL_RATE = 500.0
LEAST_RATE, MOST_TIMEOUT = 0.1, 60.0

PACKAGES = {"psycopg": "'psycopg[binary]'", "pymysql": "PyMySQL", "dns": "dnspython"}


@dataclass(frozen=True)
class ProbeSpec:
    """One probe. ``rate`` is in samples a second, ``timeout`` in seconds from a sample's start to the end of its answer.

    ``password_file`` is a path; a password itself is never part of a spec. Values of ``headers`` are left out of ``repr``.
    """

    name: str
    kind: str
    rate: float = 10.0
    timeout: float = 5.0
    flavour: str = "new"
    url: str | None = None  # http
    connect_to: str | None = None  # http: "host:port" to connect to instead of the URL's
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str | None = field(default=None, repr=False)
    expect_status: Sequence[int] = ()  # empty: 200 to 399
    ca_path: str | None = None
    server_header: str = "X-Instance-Id"
    release_header: str = "X-Release"
    zone_header: str = "X-Availability-Zone"
    waf_exempt: bool = False
    host: str | None = None  # tcp, dns, postgresql, mysql
    port: int | None = None
    record_type: str = "A"  # dns
    nameservers: Sequence[str] = ()  # "address:port"; empty: as the system resolves
    database: str | None = None  # postgresql, mysql
    user: str | None = None
    password_file: str | None = None
    tls: str | None = None  # postgresql, mysql; None: verify with ca_path, else prefer
    write: bool = False
    kept: int = 4  # connections held open by a kept probe
    zones: Mapping[str, str] = field(default_factory=dict)  # network → zone, for what does not name its zone itself

    def __post_init__(self) -> None:
        for option in ("nameservers", "expect_status"):
            if isinstance(getattr(self, option), list):
                object.__setattr__(self, option, tuple(getattr(self, option)))

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> ProbeSpec:
        """The spec of a dictionary of options; those that are None count as not given. Raises OptionError."""
        given = {key: value for key, value in options.items() if value is not None}
        known = {item.name for item in dataclasses.fields(cls)}
        label = f"probes[{given.get('name', '?')}]"
        for key, value in given.items():
            if key not in known:
                raise OptionError(f"{label}.{key}", value, f"Options of a probe are {', '.join(sorted(known))}")
        for key in ("name", "kind"):
            if key not in given:
                raise OptionError(f"{label}.{key}", None, "Every probe needs one")
        spec = cls(**given)
        check_spec(spec)
        return spec

    def as_options(self) -> dict[str, Any]:
        """The spec as a dictionary that JSON can hold."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {
            key: dict(value)
            if isinstance(value, Mapping)
            else list(value)
            if isinstance(value, (tuple, list))
            else value
            for key, value in fields.items()
        }

    @property
    def tls_mode(self) -> str:
        return self.tls or ("verify" if self.ca_path else "prefer")

    @property
    def target_port(self) -> int:
        return self.port or DEFAULT_PORTS.get(self.kind, 0)


def check_specs(specs: Sequence[ProbeSpec]) -> None:
    """Each spec on its own, and all together: names once, total rate. Raises OptionError for the first bad value."""
    if not specs:
        raise OptionError("probes", [], "Give at least one probe")
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise OptionError("probes", name, "Give every probe a name of its own")
    for spec in specs:
        check_spec(spec)
    total = sum(spec.rate for spec in specs)
    if total > MOST_TOTAL_RATE:
        raise OptionError("probes", total, f"All rates together may be {MOST_TOTAL_RATE:g} samples a second at most")


def check_spec(spec: ProbeSpec) -> None:
    """Everything about one probe that can be known to be wrong before it starts. Raises OptionError."""
    if not isinstance(spec.name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", spec.name):
        raise OptionError("probes.name", spec.name, "Use 1 to 64 letters, digits, dots, hyphens and underscores")
    _one_of(spec, "kind", KINDS)
    _one_of(spec, "flavour", FLAVOURS)
    _one_of(spec, "method", METHODS)
    if spec.tls is not None:
        _one_of(spec, "tls", TLS_MODES)
    _number(spec, "rate", LEAST_RATE, MOST_TOTAL_RATE)
    _number(spec, "timeout", 0.05, MOST_TIMEOUT)
    _number(spec, "kept", 1, 64)
    if spec.flavour == "kept" and spec.kind in ("tcp", "dns"):
        raise _bad(spec, "flavour", f"A {spec.kind} probe has no connection to keep: use new")
    if spec.write and spec.kind not in DATABASES:
        raise _bad(spec, "write", f"Only probes of kind {' and '.join(DATABASES)} write markers")
    _check_shapes(spec)
    for server in spec.nameservers:
        _check_nameserver(spec, server)
    for network in spec.zones:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise _bad(spec, "zones", "Its keys are networks such as 10.20.0.0/24") from None
    if spec.kind == "http":
        _check_http(spec)
    else:
        _check_endpoint(spec)


def _check_shapes(spec: ProbeSpec) -> None:
    for option, shape in (("nameservers", tuple), ("expect_status", tuple), ("headers", Mapping), ("zones", Mapping)):
        if not isinstance(getattr(spec, option), shape):
            raise OptionError(
                f"probes[{spec.name}].{option}", "…", f"Give a {'list' if shape is tuple else 'dictionary'}"
            )
    for option in ("ca_path", "password_file"):
        path = getattr(spec, option)
        if path is not None and not Path(path).is_file():
            raise _bad(spec, option, "There is no such file")


def _check_http(spec: ProbeSpec) -> None:
    try:
        parts = urlsplit(spec.url or "")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, TypeError, AttributeError):
        usable = False
    if not usable:
        raise _bad(spec, "url", "Give a URL such as https://www.example.com/health")
    if parts.username or parts.password:
        option = f"probes[{spec.name}].url"
        raise OptionError(
            option, parts.scheme + "://…@" + (parts.hostname or ""), "Put credentials in headers, not in the URL"
        )
    if re.search(r"[\x00-\x20\x7f]", spec.url or ""):
        raise _bad(spec, "url", "It holds a space or a control character: encode it as %20")
    if spec.connect_to is not None and not _host_and_port(spec.connect_to):
        raise _bad(spec, "connect_to", "Write it as host:port")
    if spec.body is not None and spec.method != "POST":
        raise _bad(spec, "method", "Only POST has a body")
    for name, value in spec.headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", str(name)):
            raise OptionError(f"probes[{spec.name}].headers", name, "This is no name of a header")
        if not isinstance(value, str) or re.search(r"[\r\n\x00]", value):
            raise OptionError(f"probes[{spec.name}].headers", name, "Its value is a text without line breaks")
    for status in spec.expect_status:
        if not isinstance(status, int) or not 100 <= status <= 599:
            raise _bad(spec, "expect_status", "Statuses are numbers from 100 to 599")


def _check_endpoint(spec: ProbeSpec) -> None:
    if not isinstance(spec.host, str) or not re.fullmatch(r"[A-Za-z0-9_.:-]+", spec.host):
        raise _bad(spec, "host", f"A {spec.kind} probe needs a host's name or address")
    if spec.kind == "dns":
        if not re.fullmatch(r"[A-Z]+", spec.record_type):
            raise _bad(spec, "record_type", "Use a type such as A, AAAA or CNAME")
        return
    if not isinstance(spec.target_port, int) or not 1 <= spec.target_port <= 65535:
        raise _bad(spec, "port", "Use a port from 1 to 65535")
    if spec.kind in DATABASES and not spec.user:
        raise _bad(spec, "user", "A database probe needs a user")


def _check_nameserver(spec: ProbeSpec, server: str) -> None:
    found = _host_and_port(server)
    try:
        ipaddress.ip_address(found[0] if found else str(server))
    except ValueError:
        raise _bad(spec, "nameservers", f"Write {server} as address:port, with an IP address") from None


def _host_and_port(text: str) -> tuple[str, int] | None:
    host, colon, port = str(text).rpartition(":")
    if colon and host and port.isdecimal() and 1 <= int(port) <= 65535:
        return host.strip("[]"), int(port)
    return None


def host_and_port(text: str, default_port: int = 53) -> tuple[str, int]:
    """``address:port`` or ``[address]:port`` in its parts; a bare address has the default port."""
    try:
        return str(ipaddress.ip_address(text.strip("[]"))), default_port
    except ValueError:
        return _host_and_port(text) or (text, default_port)


def _bad(spec: ProbeSpec, option: str, allowed: str) -> OptionError:
    return OptionError(f"probes[{spec.name}].{option}", getattr(spec, option), allowed)


def _one_of(spec: ProbeSpec, option: str, values: tuple[str, ...]) -> None:
    if getattr(spec, option) not in values:
        raise _bad(spec, option, f"Use one of {', '.join(values)}")


def _number(spec: ProbeSpec, option: str, least: float, most: float) -> None:
    value = getattr(spec, option)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or not least <= value <= most
    ):
        raise _bad(spec, option, f"Use a number from {least:g} to {most:g}")


def check_libraries(specs: Iterable[ProbeSpec]) -> None:
    """Raises one ResourceError that names every missing package, the probes that need it and the command that installs it."""
    needed: dict[str, list[str]] = {}
    for spec in specs:
        modules = {"postgresql": ["psycopg"], "mysql": ["pymysql"], "dns": ["dns"]}.get(spec.kind, [])
        if spec.nameservers and "dns" not in modules:
            modules = [*modules, "dns"]
        for module in modules:
            if importlib.util.find_spec(module) is None:
                needed.setdefault(module, []).append(spec.name)
    if needed:
        probes = ", ".join(sorted({name for names in needed.values() for name in names}))
        packages = " ".join(PACKAGES[module] for module in sorted(needed))
        cause = f"packages are missing on the controller. Run: pip install {packages}"
        raise ResourceError("starting", f"probes {probes}", cause)


def rate_findings(specs: Iterable[ProbeSpec], limit: int = 2000, window: float = 300.0) -> list[str]:
    """Warnings for hosts to which this machine's address sends more requests than a rate-based rule of a web ACL lets through.

    ``limit`` is in requests per ``window`` seconds. Probes with ``waf_exempt`` are not counted.
    """
    sent: dict[str, float] = {}
    for spec in specs:
        if spec.kind == "http" and not spec.waf_exempt:
            host = (urlsplit(spec.url or "").hostname or "").lower()
            sent[host] = sent.get(host, 0.0) + spec.rate * window
    return [
        f"{host} gets {count:g} probe requests in {window:g} s from one address, and a rate-based rule of {limit} would block them: "
        "the web ACL would be measured, not the service. Exempt the prober in the web ACL and set waf_exempt, or lower the rate "
        f"to {limit / window:.1f} a second in all"
        for host, count in sorted(sent.items())
        if count > limit
    ]
