"""HAProxy's configuration for the load balancers: pure functions from what is wanted to text.

Listeners are frontends, target groups are backends. The rule that wins is written into a variable first, in the order of the
priorities, so that a forward before a redirect is a forward. Every server has a twin without health checks that is only used when no
server is up: a target group all of whose targets are unhealthy sends to all of them (trap 66).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

OPEN = "-open"  # the twin that is used when nothing is healthy


@dataclass(frozen=True)
class Check:
    """How a target group looks at its targets; times in milliseconds of this machine."""

    protocol: str
    path: str
    port: str
    codes: str
    interval: int
    timeout: int
    rise: int
    fall: int


@dataclass(frozen=True)
class Pool:
    """One target group."""

    arn: str
    mode: str
    algorithm: str
    check: Check

    @property
    def name(self) -> str:
        """Its name as a backend."""
        return "tg_" + hashlib.sha256(self.arn.encode()).hexdigest()[:12]


@dataclass
class Listener:
    """One listener with its rules, the default one last; `certificates` are files, the first is the default."""

    name: str
    protocol: str
    port: int
    addresses: list[str]
    rules: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]
    idle_timeout: int = 60
    certificates: list[str] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)
    pools: dict[str, str] = field(default_factory=dict)
    listening: int = 0


@dataclass
class Server:
    """One target that is healthy when the process starts; others are added while it runs."""

    pool: Pool
    name: str
    address: str
    port: int


HEAD = """global
    stats socket unix@@SOCKET@ mode 600 level admin expose-fd listeners
    stats timeout 1h
    nbthread 1
    maxconn 8000
    hard-stop-after 65s
    tune.ssl.default-dh-param 2048

defaults
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    timeout tunnel 350s
    retries 0
    option idle-close-on-response
"""


def configuration(listeners: list[Listener], pools: list[Pool], servers: list[Server], closed: str) -> str:
    """The whole file; `closed` names the list of addresses whose nodes are cut off."""
    lines = [HEAD]
    for listener in listeners:
        lines += [*frontend(listener, closed), ""]
    for pool in pools:
        lines += [
            *backend(pool),
            *[f"    server {line}" for one in servers if one.pool == pool for line in both(one)],
            "",
        ]
    return "\n".join(lines)


def both(server: Server) -> list[str]:
    """A server and its twin, without `server` before them."""
    return [server_line(server), twin_line(server)]


def server_line(server: Server) -> str:
    """A server with health checks."""
    check = server.pool.check
    port = "" if check.port == "traffic-port" else f" port {check.port}"
    times = f"inter {check.interval} fastinter {check.interval} downinter {check.interval}"
    return f"{server.name} {server.address}:{server.port} check{port} {times} rise {check.rise} fall {check.fall}"


def twin_line(server: Server) -> str:
    """The twin of a server."""
    return f"{server.name}{OPEN} {server.address}:{server.port} backup"


def backend(pool: Pool) -> Iterator[str]:
    """A target group without its servers."""
    check = pool.check
    yield f"backend {pool.name}"
    yield f"    mode {pool.mode}"
    yield f"    balance {pool.algorithm}"
    yield "    option allbackups"
    yield f"    timeout check {check.timeout}ms"
    if check.protocol in ("HTTP", "HTTPS"):
        yield "    option httpchk"
        yield (
            f"    http-check send meth GET uri {quoted(check.path)} ver HTTP/1.1 hdr Host localhost "
            "hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close"
        )
        yield f"    http-check expect status {check.codes}"
    else:
        yield "    option tcp-check"


def frontend(listener: Listener, closed: str) -> Iterator[str]:
    """A listener."""
    web = listener.protocol in ("HTTP", "HTTPS")
    yield f"frontend {listener.name}"
    yield f"    mode {'http' if web else 'tcp'}"
    secure = ""
    if listener.protocol in ("HTTPS", "TLS"):
        names = " ".join(f"crt {quoted(one)}" for one in listener.certificates)
        secure = f" ssl {names}" + (" alpn h2,http/1.1" if web else "")
    for address in listener.addresses:
        yield f"    bind {address}:{listener.listening}{secure}"
    yield f"    timeout client {listener.idle_timeout}s"
    yield f"    acl closed dst -f {closed}"
    yield "    tcp-request connection silent-drop if closed"
    if not web:
        yield from plain_rules(listener)
        return
    yield "    http-request silent-drop if closed"
    yield "    option forwardfor"
    yield f"    http-request set-header X-Forwarded-Proto {listener.protocol.lower()}"
    yield f"    http-request set-header X-Forwarded-Port {listener.port}"
    yield from web_rules(listener)


def plain_rules(listener: Listener) -> Iterator[str]:
    """A listener below HTTP has one target group."""
    for _conditions, actions in listener.rules:
        for arn, _weight in weights(actions[-1]):
            if arn in listener.pools:
                yield f"    default_backend {listener.pools[arn]}"
                return


def web_rules(listener: Listener) -> Iterator[str]:
    """The winning rule into a variable, then what each rule does."""
    for number, (conditions, _actions) in enumerate(listener.rules, 1):
        names = []
        for place, condition in enumerate(conditions):
            name = f"r{number}c{place}"
            names.append(name)
            for test in tests(condition):
                yield f"    acl {name} {test}"
        yield f"    http-request set-var(txn.rule) int({number}) if !{{ var(txn.rule) -m found }} {' '.join(names)}".rstrip()
    for number, (_conditions, actions) in enumerate(listener.rules, 1):
        yield from action_lines(listener, number, actions[-1])


def action_lines(listener: Listener, number: int, action: dict[str, Any]) -> Iterator[str]:
    """What a rule does when it won."""
    won = f"{{ var(txn.rule) -m int eq {number} }}"
    if action["Type"] == "fixed-response":
        config = action["FixedResponseConfig"]
        kind = quoted(config.get("ContentType") or "text/plain")
        body = config.get("MessageBody") or ""
        content = f" content-type {kind} string {quoted(body)}" if body else ""
        yield f"    http-request return status {config['StatusCode']}{content} if {won}"
    elif action["Type"] == "redirect":
        config = action["RedirectConfig"]
        code = str(config["StatusCode"]).removeprefix("HTTP_")
        place, query = location(listener, config)
        yield f"    http-request redirect code {code} location {quoted(place + query)} if {won} {{ query,length gt 0 }}"
        bare = "" if query == "?%[query]" else query
        yield f"    http-request redirect code {code} location {quoted(place + bare)} if {won}"
    elif action["Type"] == "forward":
        yield from forward_lines(listener, number, action, won)
    else:
        yield f"    http-request return status 501 if {won}"


def forward_lines(listener: Listener, number: int, action: dict[str, Any], won: str) -> Iterator[str]:
    """Requests are dealt out by a random number below the sum of the weights."""
    shares = [(listener.pools[arn], weight) for arn, weight in weights(action) if weight > 0 and arn in listener.pools]
    if not shares:
        yield f"    http-request return status 503 if {won}"
        return
    if len(shares) > 1:
        yield f"    http-request set-var(txn.draw) rand({sum(weight for _pool, weight in shares)}) if {won}"
    below = 0
    for pool, weight in shares[:-1]:
        below += weight
        yield f"    use_backend {pool} if {won} {{ var(txn.draw) -m int lt {below} }}"
    yield f"    use_backend {shares[-1][0]} if {won}"


def weights(action: dict[str, Any]) -> list[tuple[str, int]]:
    """The target groups of a forward and their weights."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    if groups:
        return [(group["TargetGroupArn"], int(group.get("Weight", 1))) for group in groups]
    return [(action["TargetGroupArn"], 1)] if action.get("TargetGroupArn") else []


def location(listener: Listener, config: dict[str, Any]) -> tuple[str, str]:
    """Where a redirect leads, as a format of HAProxy, and its query. The port is always named, as AWS does."""
    protocol = (config.get("Protocol") or "#{protocol}").replace("#{protocol}", listener.protocol).upper()
    port = int((config.get("Port") or "#{port}").replace("#{port}", str(listener.port)))
    real = listener.ports.get(port, port)
    filled = {
        "#{host}": "%[req.hdr(host),host_only]",
        "/#{path}": "%[path]",
        "#{path}": "%[path,bytes(1)]",
        "#{query}": "%[query]",
    }
    host = (config.get("Host") or "#{host}").replace("%", "%%")
    path = (config.get("Path") or "/#{path}").replace("%", "%%")
    query = (config.get("Query") or "").replace("%", "%%")
    text, query = f"{protocol.lower()}://{host}:{real}{path}", f"?{query}" if query else ""
    for name, value in filled.items():
        text, query = text.replace(name, value), query.replace(name, value)
    return text, query


def tests(condition: dict[str, Any]) -> Iterator[str]:
    """A condition as tests of which one must hold."""
    kind = condition["Field"]
    plain = condition.get("Values") or []
    if kind == "host-header":
        yield matching("req.hdr(host),host_only", condition.get("HostHeaderConfig"), plain, "-i ")
    elif kind == "path-pattern":
        yield matching("path", condition.get("PathPatternConfig"), plain)
    elif kind == "http-header":
        config = condition["HttpHeaderConfig"]
        yield matching(f"req.fhdr({config['HttpHeaderName']})", config, [], "-i ")
    elif kind == "http-request-method":
        yield "method " + " ".join((condition.get("HttpRequestMethodConfig") or {}).get("Values") or plain)
    elif kind == "source-ip":
        yield "src " + " ".join((condition.get("SourceIpConfig") or {}).get("Values") or plain)
    elif kind == "query-string":
        for pair in (condition.get("QueryStringConfig") or {}).get("Values") or []:
            value = pattern(pair.get("Value", ""))
            if pair.get("Key"):
                yield f"url_param({pair['Key']}) -m reg -i {quoted(value)}"
            else:
                yield f"query -m reg -i {quoted('(^|&|=)' + value[1:-1] + '(&|$)')}"


def matching(sample: str, config: dict[str, Any] | None, plain: list[str], flags: str = "") -> str:
    """One test of a sample against wildcards and regular expressions."""
    values = (config or {}).get("Values") or plain
    patterns = [pattern(value) for value in values] + list((config or {}).get("RegexValues") or [])
    return f"{sample} -m reg {flags}" + " ".join(quoted(one) for one in patterns)


def pattern(value: str) -> str:
    """A value with `*` and `?` as a regular expression."""
    return "^" + re.escape(value).replace(r"\*", ".*").replace(r"\?", ".") + "$"


def quoted(value: str) -> str:
    """A word of the configuration, whatever is in it."""
    for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\r", "\\r"), ("\n", "\\n")):
        value = value.replace(raw, escaped)
    return f'"{value}"'
