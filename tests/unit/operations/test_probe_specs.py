"""Every bad value of a probe has one clear error; nothing secret is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import (
    ProbeSpec,
    check_specs,
    host_and_port,
    rate_findings,
)

HTTP: dict[str, Any] = {"name": "web", "kind": "http", "url": "https://www.example.com/health"}
DATABASE: dict[str, Any] = {"name": "db", "kind": "postgresql", "host": "db.example.com", "user": "probe"}


@pytest.mark.parametrize(
    ("base", "change", "message"),
    [
        (HTTP, {"name": "a b"}, "probes.name: 'a b'"),
        (HTTP, {"kind": "ftp"}, r"probes\[web\].kind: 'ftp' .* http, tcp, dns, postgresql, mysql"),
        (HTTP, {"kind": None}, r"probes\[web\].kind"),
        (HTTP, {"colour": "red"}, r"probes\[web\].colour"),
        (HTTP, {"rate": 0}, "rate: 0 .* from 0.1 to 500"),
        (HTTP, {"rate": 501}, "rate: 501"),
        (HTTP, {"rate": float("nan")}, "rate: nan"),
        (HTTP, {"rate": "10"}, "rate: '10'"),
        (HTTP, {"rate": True}, "rate: True"),
        (HTTP, {"timeout": 0}, "timeout: 0"),
        (HTTP, {"timeout": 3600}, "timeout: 3600"),
        (HTTP, {"flavour": "closed"}, "flavour: 'closed' .* new, kept"),
        (HTTP, {"url": "ftp://example.com"}, "url: 'ftp://example.com'"),
        (HTTP, {"url": "www.example.com"}, "url"),
        (HTTP, {"url": "http://[::1"}, "url"),
        (HTTP, {"url": "http://a.example:99999/"}, "url"),
        (HTTP, {"url": "http://a.example/a b"}, "encode it as %20"),
        (HTTP, {"method": "DELETE"}, "method: 'DELETE' .* GET, POST, HEAD"),
        (HTTP, {"body": "x"}, "Only POST has a body"),
        (HTTP, {"headers": {"X-A": "1\r\nX-B: 2"}}, "headers: 'X-A' .* without line breaks"),
        (HTTP, {"headers": {"X A": "1"}}, "headers: 'X A'"),
        (HTTP, {"ca_path": "/no/such/ca.pem"}, "ca_path: .* no such file"),
        (HTTP, {"connect_to": "example.com"}, "connect_to: 'example.com' .* host:port"),
        (HTTP, {"nameservers": ["dns.example.com:53"]}, "nameservers"),
        (HTTP, {"nameservers": ["10.0.0.2:99999"]}, "nameservers"),
        (HTTP, {"expect_status": [99]}, "expect_status"),
        (HTTP, {"write": True}, "write: True .* postgresql and mysql"),
        (HTTP, {"zones": {"somewhere": "a"}}, "zones"),
        (HTTP, {"kept": 0}, "kept: 0"),
        (HTTP, {"headers": "X-A: 1"}, "headers: .* a dictionary"),
        (HTTP, {"nameservers": "10.0.0.2"}, "nameservers: .* a list"),
        (HTTP, {"url": 5}, "url: 5"),
        (DATABASE, {"host": None}, "host: None"),
        (DATABASE, {"host": "a b"}, "host: 'a b'"),
        (DATABASE, {"port": 70000}, "port: 70000"),
        (DATABASE, {"user": None}, "user: None"),
        (DATABASE, {"tls": "maybe"}, "tls: 'maybe' .* off, prefer, require, verify"),
        (DATABASE, {"password_file": "/no/such"}, "password_file"),
        (DATABASE, {"kind": "tcp"}, r"probes\[db\].port"),
        (DATABASE, {"kind": "tcp", "port": 1, "flavour": "kept"}, "flavour: 'kept' .* use new"),
        (DATABASE, {"kind": "dns", "record_type": "a"}, "record_type: 'a'"),
    ],
)
def test_refuses_what_can_never_work(base: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ProbeSpec.from_options({**base, **change})


def test_a_spec_survives_json() -> None:
    options = {**HTTP, "headers": {"X-A": "1"}, "expect_status": [200, 204], "zones": {"10.0.0.0/24": "a"}}
    spec = ProbeSpec.from_options(options)
    assert ProbeSpec.from_options(json.loads(json.dumps(spec.as_options()))) == spec


def test_no_secret_is_shown(tmp_path: Path) -> None:
    spec = ProbeSpec.from_options(
        {**HTTP, "headers": {"Authorization": "Bearer hunter2"}, "method": "POST", "body": "hunter2"}
    )
    assert "hunter2" not in repr(spec)
    with pytest.raises(OptionError) as caught:
        ProbeSpec.from_options({**HTTP, "url": "https://user:hunter2@example.com/"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(OptionError) as caught:
        ProbeSpec.from_options({**HTTP, "headers": {"Authorization": "hunter2\n"}})
    assert "hunter2" not in str(caught.value)


def test_at_least_one_probe_is_needed() -> None:
    with pytest.raises(OptionError, match="at least one"):
        check_specs([])


def test_warns_when_the_web_acl_would_be_measured_instead_of_the_service() -> None:
    """10 a second from one address are 3,000 requests in 300 s."""
    one = ProbeSpec.from_options(HTTP)
    (finding,) = rate_findings([one])
    assert "www.example.com gets 3000 probe requests in 300 s" in finding and "6.7 a second" in finding
    assert not rate_findings([ProbeSpec.from_options({**HTTP, "waf_exempt": True})])
    assert not rate_findings([ProbeSpec.from_options({**HTTP, "rate": 6})])
    assert rate_findings(
        [ProbeSpec.from_options({**HTTP, "rate": 4}), ProbeSpec.from_options({**HTTP, "name": "b", "rate": 4})]
    )
    assert not rate_findings([one], limit=10_000)
    assert not rate_findings([ProbeSpec.from_options(DATABASE)])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("10.0.0.2:5353", ("10.0.0.2", 5353)),
        ("[fd00::2]:5353", ("fd00::2", 5353)),
        ("fd00::2", ("fd00::2", 53)),
    ],
)
def test_reads_addresses_with_and_without_a_port(text: str, parts: tuple[str, int]) -> None:
    assert host_and_port(text) == parts
