"""What the load balancers of all regions should be: moto's objects read under the app's lock, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from webstack_lab.dataplane import reach
from webstack_lab.dataplane.authority import Authority
from webstack_lab.dataplane.network import real_port
from webstack_lab.dataplane.proxy_config import Check, Listener, Pool
from webstack_lab.extend import backends_of
from webstack_lab.services.elbv2_listeners import groups_of
from webstack_lab.services.elbv2_targets import LEAVING
from webstack_lab.services.passing import Pace

if TYPE_CHECKING:
    from webstack_lab.app import LabApp

SHORTEST_INTERVAL, SHORTEST_TIMEOUT = 250, 1000  # milliseconds, however short the lab's clock is
ALGORITHMS = {"least_outstanding_requests": "leastconn", "weighted_random": "random"}
WEB = ("HTTP", "HTTPS")
CARRIED = (*WEB, "TCP", "TLS", "TCP_UDP")


@dataclass(frozen=True)
class Target:
    """One target of one target group; `delay` in real seconds, `since` on the monotonic clock, address blank while it has none."""

    arn: str
    id: str
    address: str
    port: int
    leaving: bool = False
    since: float = 0.0
    delay: float = 0.0


@dataclass
class Desired:
    """All load balancers of the account."""

    listeners: list[Listener] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    owners: dict[str, tuple[str, str]] = field(default_factory=dict)  # listener: name and DNS name of its load balancer


def desired(app: LabApp, folder: Path, nodes: dict[tuple[str, str], str]) -> Desired:
    """Read it; nodes that are new get an address and are added to `nodes`."""
    wanted = Desired()
    for account, regions in list(backends_of("elbv2").items()):
        for region, backend in list(regions.items()):
            for balancer in list(backend.load_balancers.values()):
                add_balancer(app, folder, nodes, wanted, balancer, backends_of("ec2")[account][region])
            used = {arn for listener in wanted.listeners for arn in listener.pools}
            for arn, group in backend.target_groups.items():
                if arn in used:
                    wanted.pools.append(pool_of(group))
                    wanted.delays[arn] = delay_of(group)
                    wanted.targets += targets_of(app, group, nodes)
    return wanted


def add_balancer(
    app: LabApp, folder: Path, nodes: dict[tuple[str, str], str], wanted: Desired, balancer: Any, ec2: Any
) -> None:
    """One load balancer: its nodes, then its listeners."""
    assert app.plane is not None
    addresses = []
    for subnet in balancer.subnets:
        key = balancer.arn, subnet.id
        if key not in nodes:
            nodes[key] = app.plane.network.take()
        addresses.append(nodes[key])
        if not reach.node_open(ec2, balancer, subnet):
            wanted.closed.append(nodes[key])
    wanted.names[balancer.dns_name] = addresses
    for listener in balancer.listeners.values():
        if listener.protocol in CARRIED:
            made = listener_of(folder, balancer, listener, addresses)
            wanted.listeners.append(made)
            wanted.owners[made.name] = balancer.name, balancer.dns_name


def listener_of(folder: Path, balancer: Any, listener: Any, addresses: list[str]) -> Listener:
    """One listener."""
    rules = sorted(
        listener.rules.values(), key=lambda rule: 10**6 if rule.priority == "default" else int(rule.priority)
    )
    actions = [[action.data for action in rule.actions] for rule in rules]
    names = {arn: Pool(arn, "", "", NO_CHECK).name for some in actions for arn in groups_of(some)}
    return Listener(
        name=f"{balancer.type}_{listener.arn.rsplit('/', 1)[-1]}",
        protocol=listener.protocol,
        port=int(listener.port),
        listening=real_port(int(listener.port)),
        addresses=list(addresses),
        rules=[(list(rule.conditions or []), some) for rule, some in zip(rules, actions, strict=True)],
        idle_timeout=int(balancer.attrs.get("idle_timeout.timeout_seconds") or 350),
        certificates=[str(one) for one in certificates_of(folder, balancer, listener)],
        ports={int(one.port): real_port(int(one.port)) for one in balancer.listeners.values()},
        pools=names,
    )


NO_CHECK = Check("", "", "", "", 0, 0, 0, 0)


def certificates_of(folder: Path, balancer: Any, listener: Any) -> Iterator[Path]:
    """A file of certificate and key for each certificate of a listener, made by the lab's authority for the same names."""
    if listener.protocol not in ("HTTPS", "TLS"):
        return
    authority = Authority(folder)
    for arn in listener.certificates or [""]:
        certificate, key = authority.certificate(names_of(arn) or [balancer.dns_name])
        both = certificate.with_suffix(".both.pem")
        if not both.exists():
            both.touch(mode=0o600)
            both.write_bytes(certificate.read_bytes() + key.read_bytes())
        yield both.resolve()


def names_of(arn: str) -> list[str]:
    """The DNS names of an ACM certificate."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[2] != "acm":
        return []
    bundle = backends_of("acm")[parts[4]][parts[3]]._certificates.get(arn)
    if bundle is None:
        return []
    certificate = x509.load_pem_x509_certificate(bundle.cert)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [str(one.value) for one in certificate.subject]
    return sorted(str(one.value) for one in names)


def pool_of(group: Any) -> Pool:
    """One target group."""
    protocol = str(group.health_check_protocol or group.protocol)
    check = Check(
        protocol=protocol,
        path=group.health_check_path or "/",
        port=str(group.health_check_port or "traffic-port"),
        codes=str((getattr(group, "matcher", None) or {}).get("HttpCode") or "200"),
        interval=milliseconds(group.health_check_interval_seconds, SHORTEST_INTERVAL),
        timeout=milliseconds(group.health_check_timeout_seconds, SHORTEST_TIMEOUT),
        rise=int(group.healthy_threshold_count),
        fall=int(group.unhealthy_threshold_count),
    )
    algorithm = ALGORITHMS.get(str(group.attributes.get("load_balancing.algorithm.type")), "roundrobin")
    return Pool(group.arn, "http" if group.protocol in WEB else "tcp", algorithm, check)


def milliseconds(seconds: Any, least: int) -> int:
    """A time of a check on the lab's clock."""
    return max(int(float(seconds) * 1000 * min(Pace.scale, 1.0)), least)


def delay_of(group: Any) -> float:
    """The deregistration delay in real seconds."""
    return float(group.attributes["deregistration_delay.timeout_seconds"])


def targets_of(app: LabApp, group: Any, nodes: dict[tuple[str, str], str]) -> Iterator[Target]:
    """The targets of a group, those that leave included; of a load balancer behind another one the first node."""
    assert app.plane is not None
    instances = app.plane.parts["instances"]

    def address_of(name: str) -> str:
        behind = next((address for (arn, _subnet), address in nodes.items() if arn == name), "")
        return behind or instances.address_of(name) or ""

    for name, target in group.targets.items():
        port = int(target.get("Port") or group.port)
        yield Target(group.arn, name, address_of(name), real_port(port))
    for name, (target, since) in vars(group).get(LEAVING, {}).items():
        if name not in group.targets:
            port = int(target.get("Port") or group.port)
            yield Target(group.arn, name, address_of(name), real_port(port), True, since, delay_of(group))
