"""What a sample holds and how it fails, for each kind of probe that needs no database; and that nothing is left out."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from probe_world import ANSWER, Server, answer_all, certificate, requests, run

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError, ResourceError
from ansible_collections.webstack.aws.plugins.module_utils.operations import measure
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.prober import Prober, probe_once
from ansible_collections.webstack.aws.plugins.module_utils.operations.samples import (
    read_samples,
)


def test_a_sample_says_who_answered_from_where_and_how_long_each_phase_took() -> None:
    with Server(answer_all) as server:
        sample = probe_once(ProbeSpec("web", "http", url=server.url))
    assert sample["ok"] and sample["error"] is None and sample["status"] == 200
    assert (sample["server"], sample["release"], sample["zone"]) == ("i-1", "r7", "a")
    assert sample["address"] == "127.0.0.1"
    assert list(sample["phases"]) == ["dns", "connect", "first_byte"]
    assert sum(sample["phases"].values()) <= sample["ended"] - sample["started"]


def test_sends_the_method_headers_and_body_that_were_asked_for() -> None:
    seen: list[bytes] = []

    def handler(connection: socket.socket, _number: int) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(ANSWER)

    spec = {
        "name": "web",
        "kind": "http",
        "method": "POST",
        "headers": {"X-Drill": "42", "Host": "shop"},
        "body": "hello",
    }
    with Server(handler) as server:
        sample = probe_once(ProbeSpec.from_options({**spec, "url": server.url}))
    assert sample["ok"]
    head, _, _body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /health?deep=1 HTTP/1.1\r\n")
    lines = head.split(b"\r\n")
    assert {b"X-Drill: 42", b"Host: shop", b"Connection: close", b"Content-Length: 5"} <= set(lines)
    assert sum(line.lower().startswith(b"host:") for line in lines) == 1


def test_measures_tls_apart_and_trusts_only_the_given_authority(tmp_path: Path) -> None:
    with certificate(tmp_path) as (context, ca), Server(answer_all, tls=context) as server:
        good = probe_once(ProbeSpec("web", "http", url=server.url, ca_path=str(ca)))
        spec = ProbeSpec("web", "http", url=server.url, ca_path=str(ca), flavour="kept", rate=20)
        kept = measure.known(run([spec], tmp_path / "s", 1.0))
        stranger = probe_once(ProbeSpec("web", "http", url=server.url))
        other_name = probe_once(
            ProbeSpec(
                "web", "http", url="https://shop.example/", connect_to=f"127.0.0.1:{server.port}", ca_path=str(ca)
            )
        )
    assert good["ok"] and list(good["phases"]) == ["dns", "connect", "tls", "first_byte"]
    assert all(sample["ok"] for sample in kept) and any(sample["reused"] for sample in kept)
    assert stranger["error"] == "tls"
    assert other_name["error"] == "tls" and other_name["address"] == "127.0.0.1"


def hang(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.recv(1)


def drip(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b".")
        time.sleep(0.05)


def cut_off(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")


def cut_off_in_chunks(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")


def nonsense(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")


def reset(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close_at_once(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)


def overloaded(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nX-Instance-Id: i-9\r\n\r\n")


def forbidden(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (hang, "timeout"),
        (drip, "timeout"),
        (cut_off, "reset"),
        (cut_off_in_chunks, "reset"),
        (nonsense, "protocol"),
        (reset, "reset"),
        (close_at_once, "reset"),
        (overloaded, "http_5xx"),
        (forbidden, "http_4xx"),
    ],
)
def test_names_the_way_in_which_an_answer_fails(handler: object, error: str) -> None:
    with Server(handler) as server:
        sample = probe_once(ProbeSpec("web", "http", url=server.url, timeout=0.4))
    assert not sample["ok"]
    assert sample["error"] == error
    assert sample["ended"] - sample["started"] < 1.0
    if handler is overloaded:
        assert (sample["status"], sample["server"]) == (503, "i-9")


def test_counts_a_status_as_good_when_it_is_expected() -> None:
    with Server(forbidden) as server:
        assert probe_once(ProbeSpec("web", "http", url=server.url, expect_status=[403]))["ok"]


def test_refused_connections_and_unknown_names_have_their_own_classes() -> None:
    with Server(answer_all) as server:
        port = server.port
    time.sleep(0.05)
    assert probe_once(ProbeSpec("a", "tcp", host="127.0.0.1", port=port))["error"] == "refused"
    assert probe_once(ProbeSpec("b", "tcp", host="no-such-host.invalid", port=80, timeout=10))["error"] == "dns"


def test_a_kept_probe_reuses_few_connections_and_a_new_one_none(tmp_path: Path) -> None:
    with Server(answer_all) as server, Server(answer_all) as other:
        kept = ProbeSpec("kept", "http", url=server.url, rate=100, flavour="kept", kept=2)
        samples = measure.known(run([kept, ProbeSpec("new", "http", url=other.url, rate=50)], tmp_path / "s", 1.0))
        assert server.connections < sum(sample["probe"] == "kept" for sample in samples) / 2
        assert other.connections == sum(sample["probe"] == "new" for sample in samples)
    assert all(sample["ok"] for sample in samples)
    assert not any(sample["reused"] for sample in samples if sample["probe"] == "new")


def test_a_kept_connection_that_the_server_closed_while_idle_is_replaced_without_a_failure(tmp_path: Path) -> None:
    def handler(connection: socket.socket, _number: int) -> None:
        for _head in requests(connection):
            connection.sendall(ANSWER)
            return

    with Server(handler) as server:
        spec = ProbeSpec("kept", "http", url=server.url, rate=5, flavour="kept")
        samples = measure.known(run([spec], tmp_path / "s", 1.2))
        assert server.connections == len(samples)
    assert all(sample["ok"] and not sample["reused"] for sample in samples)


def test_a_kept_connection_that_breaks_under_a_request_is_a_failed_sample_and_is_replaced(tmp_path: Path) -> None:
    def handler(connection: socket.socket, _number: int) -> None:
        for count, _head in enumerate(requests(connection)):
            if count == 3:
                return
            connection.sendall(ANSWER)

    with Server(handler) as server:
        spec = ProbeSpec("kept", "http", url=server.url, rate=20, flavour="kept", kept=1)
        samples = measure.known(run([spec], tmp_path / "s", 1.2))
    assert all(sample["error"] == "reset" and sample["reused"] for sample in samples if not sample["ok"])
    failed = sum(not sample["ok"] for sample in samples)
    assert server.connections >= failed >= 2


def test_a_sample_without_a_free_thread_is_not_sent_and_the_run_inconclusive(tmp_path: Path) -> None:
    with Server(hang) as server:
        spec = ProbeSpec("web", "http", url=server.url, rate=50, timeout=0.5)
        samples = run([spec], tmp_path / "s", 1.0, most_workers=3)
    assert Counter(sample["error"] for sample in samples)["not_sent"] > 30
    assert [sample["number"] for sample in samples] == list(range(len(samples)))
    assert any("not_sent" in doubt for doubt in measure.doubts(samples, spec.rate))


def test_stop_lets_samples_under_way_finish(tmp_path: Path) -> None:
    def slow(connection: socket.socket, _number: int) -> None:
        connection.recv(65536)
        time.sleep(0.4)
        connection.sendall(ANSWER)

    with Server(slow) as server:
        samples = run([ProbeSpec("web", "http", url=server.url, rate=50, timeout=2)], tmp_path / "s", 0.3)
    assert [sample["number"] for sample in samples] == list(range(len(samples)))
    assert len(samples) >= 10 and all(sample["ok"] for sample in measure.known(samples))
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


SLEEPER = """
import sys, time
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.prober import Prober
prober = Prober([ProbeSpec("tcp", "tcp", host="127.0.0.1", port=int(sys.argv[2]), rate=40)], sys.argv[1])
prober.start()
print("started", flush=True)
sys.stdin.readline()
prober.stop()
"""


def test_a_prober_that_was_stopped_sends_no_burst_and_says_that_it_was_blind(tmp_path: Path) -> None:
    """A laptop that sleeps: what was due meanwhile is in the file as not sent, and casts doubt on the result."""
    path = tmp_path / "s"
    with Server(lambda _connection, _number: None) as server:
        command = [sys.executable, "-c", SLEEPER, str(path), str(server.port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.4)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.4)
        process.communicate("stop\n")
    samples = read_samples(path)
    assert [sample["number"] for sample in samples] == list(range(len(samples)))
    assert sum(sample["error"] == "not_sent" for sample in samples) >= 30
    assert len(measure.doubts(samples, 40.0)) >= 1


def answer_dns(port_box: list[int], records: list[str], stop: threading.Event) -> None:
    """A name server for one name, whose address is the last of ``records``; "silent" answers nothing."""
    import dns.message
    import dns.rrset

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        port_box.append(sock.getsockname()[1])
        while not stop.is_set():
            try:
                data, sender = sock.recvfrom(4096)
            except TimeoutError:
                continue
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            question = query.question[0]
            if records[-1] == "silent":
                continue
            if question.rdtype == 1:
                reply.answer.append(dns.rrset.from_text(question.name, 5, "IN", "A", records[-1]))
            sock.sendto(reply.to_wire(), sender)


class NameServer:
    def __init__(self, record: str) -> None:
        self.records = [record]
        box: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=answer_dns, args=(box, self.records, self._stop), daemon=True)
        self._thread.start()
        while not box:
            time.sleep(0.005)
        self.address = f"127.0.0.1:{box[0]}"

    def __enter__(self) -> NameServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_names_are_resolved_by_the_given_name_servers() -> None:
    pytest.importorskip("dns", reason="dnspython is an optional package of the controller")
    with NameServer("127.0.0.1") as names, Server(answer_all) as server:
        url = f"http://shop.example:{server.port}/"
        sample = probe_once(ProbeSpec("web", "http", url=url, nameservers=[names.address]))
        names.records.append("silent")
        failed = probe_once(ProbeSpec("web", "http", url=url, nameservers=[names.address], timeout=0.3))
    assert sample["ok"] and sample["phases"]["dns"] > 0
    assert failed["error"] in ("timeout", "dns") and failed["phases"] == {}


def test_a_change_of_dns_is_seen_when_it_happens(tmp_path: Path) -> None:
    pytest.importorskip("dns", reason="dnspython is an optional package of the controller")
    with NameServer("10.0.0.1") as names:
        spec = ProbeSpec(
            "dns", "dns", host="db.example", rate=50, nameservers=[names.address], zones={"10.0.1.0/24": "b"}
        )
        prober = Prober([spec], tmp_path / "s")
        prober.start()
        time.sleep(0.5)
        names.records.append("10.0.1.1")
        changed = time.time()
        time.sleep(0.4)
        prober.stop()
    samples = read_samples(tmp_path / "s")
    (switch,) = measure.switches(samples)
    assert (switch["before"], switch["after"]) == ("10.0.0.1", "10.0.1.1")
    slowest = max(measure.latency(sample) for sample in samples)
    assert -0.02 < switch["time"] - changed < 0.1 + slowest
    assert samples[-1]["ttl"] == 5 and samples[-1]["zone"] == "b" and samples[0]["zone"] is None


def test_a_missing_package_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dns", "pymysql"):
        monkeypatch.setitem(sys.modules, name, None)
    specs = [
        ProbeSpec("names", "dns", host="db.example"),
        ProbeSpec("db", "mysql", host="db.example", user="u"),
    ]
    with pytest.raises(ResourceError, match=r"probes db, names: .*pip install dnspython PyMySQL"):
        Prober(specs, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_specs_that_cannot_work_are_refused_before_anything_starts(tmp_path: Path) -> None:
    spec = ProbeSpec("web", "http", url="http://a.example/", rate=300)
    with pytest.raises(OptionError, match="probes: 'web'"):
        Prober([spec, spec], tmp_path / "s")
    with pytest.raises(OptionError, match="500 samples a second"):
        Prober([spec, ProbeSpec("web2", "http", url="http://a.example/", rate=300)], tmp_path / "s")
    broken = tmp_path / "ca.pem"
    broken.write_text("nothing")
    with pytest.raises(OptionError, match="CA certificates"):
        Prober([ProbeSpec("web", "http", url="https://a.example/", ca_path=str(broken))], tmp_path / "s")
