"""Probes that see what users of the stack's load balancer see, for whoever names none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import SDK_ERRORS, Clients, error_code
from .probe_specs import ProbeSpec

RATE = 10.0  # a second, each


def web_probes(
    clients: Clients,
    region: str,
    stack: str,
    named: Iterable[Mapping[str, Any]],
    nameservers: Sequence[str],
    ca_path: str | None,
) -> list[ProbeSpec]:
    """The probes that the user names, with the name servers and authorities that all share; or two at the stack's own ALB.

    By default: new connections and kept connections, each 10 times a second. Raises OptionError.
    """
    given = [{key: value for key, value in one.items() if value is not None} for one in named]
    if not given:
        asked = url_of(clients, region, f"{stack}-alb")
        shapes = ({"name": "new", "flavour": "new"}, {"name": "kept", "flavour": "kept"})
        given = [{"kind": "http", "rate": RATE, **asked, **shape} for shape in shapes]
    shared = {"nameservers": list(nameservers) or None, "ca_path": ca_path}
    return [
        ProbeSpec.from_options(
            {**(shared if one.get("kind") == "http" else {"nameservers": shared["nameservers"]}), **one}
        )
        for one in given
    ]


def url_of(clients: Clients, region: str, name: str) -> dict[str, str]:
    """What to ask of a load balancer: its HTTPS listener by the name in the certificate, else its HTTP listener."""
    client = clients("elbv2", region)
    try:
        [balancer] = client.describe_load_balancers(Names=[name])["LoadBalancers"]
    except SDK_ERRORS as error:
        if error_code(error) != "LoadBalancerNotFound":
            raise
        raise OptionError("probes", [], f"There is no load balancer {name} to probe. Name the probes") from error
    address = balancer["DNSName"]
    listeners = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    for listener in listeners:
        if listener["Protocol"] == "HTTPS":
            domain = _domain(clients, region, listener["Certificates"][0]["CertificateArn"])
            port = listener["Port"]
            return {"url": f"https://{domain}:{port}/", "connect_to": f"{address}:{port}"}
    for listener in listeners:
        if listener["Protocol"] == "HTTP":
            return {"url": f"http://{address}:{listener['Port']}/"}
    raise OptionError("probes", [], f"{name} has neither an HTTPS nor an HTTP listener. Name the probes")


def _domain(clients: Clients, region: str, arn: str) -> str:
    """A name that a certificate is good for."""
    certificate = clients("acm", region).describe_certificate(CertificateArn=arn)["Certificate"]
    return str(certificate["DomainName"]).replace("*.", "www.")
