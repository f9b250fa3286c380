"""Database probes against a real PostgreSQL, and against a fake MySQL: identity, read-only, write markers and what became of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from database_servers import OK, PASSWORD, Postgres, fake_mysql, mysql_error
from probe_world import run

from ansible_collections.webstack.aws.plugins.module_utils.operations import measure
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.prober import Prober, probe_once
from ansible_collections.webstack.aws.plugins.module_utils.operations.probes_database import Markers
from ansible_collections.webstack.aws.plugins.module_utils.operations.samples import ProbeFault, read_samples

PASSWORDS = {"db": PASSWORD}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="psycopg is an optional package of the controller")
    with Postgres() as server:
        yield server


@pytest.fixture
def spec(server: Postgres) -> Iterator[dict[str, Any]]:
    """Options of a probe; whatever a test made is gone afterwards."""
    yield {
        "name": "db",
        "kind": "postgresql",
        "host": "127.0.0.1",
        "port": server.port,
        "user": "probe",
        "timeout": 2.0,
    }
    server.execute("DROP TABLE IF EXISTS webstack_markers")


def test_a_sample_names_the_server_and_whether_it_can_be_written(spec: dict[str, Any], server: Postgres) -> None:
    sample = probe_once(ProbeSpec(**spec), passwords=PASSWORDS)
    assert sample["ok"], sample
    assert sample["read_only"] is False and sample["address"] == "127.0.0.1"
    assert sample["server"].startswith(f"127.0.0.1:{server.port} since 20")
    assert list(sample["phases"]) == ["dns", "connect", "login", "first_byte"]


def test_a_read_only_server_is_told_from_a_writer_and_refuses_markers(
    spec: dict[str, Any], server: Postgres, tmp_path: Path
) -> None:
    markers = Markers(ProbeSpec(**spec), PASSWORD, "run-1")
    markers.prepare()
    server.execute("ALTER ROLE probe SET default_transaction_read_only = on")
    try:
        assert probe_once(ProbeSpec(**spec), passwords=PASSWORDS)["read_only"] is True
        specs = [ProbeSpec(**spec, write=True)]
        samples = measure.known(run(specs, tmp_path / "s", 0.4, run_id="run-1", passwords=PASSWORDS))
        with pytest.raises(ProbeFault, match="read_only"):
            Markers(ProbeSpec(**spec), PASSWORD, "run-1").remove()
    finally:
        with server.connect() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE probe RESET default_transaction_read_only")
    assert {(sample["error"], sample["status"]) for sample in samples} == {("read_only", "25006")}
    assert {sample["marker"]["state"] for sample in samples} == {"failed"}
    assert markers.surviving() == set()


def test_a_wrong_password_is_denied_and_no_password_is_written_anywhere(spec: dict[str, Any], tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    right = ProbeSpec(**spec, password_file=str(secret))
    assert probe_once(right)["ok"]
    wrong = probe_once(ProbeSpec(**spec), passwords={"db": "wrong-one"})
    assert wrong["error"] == "denied" and "wrong-one" not in str(wrong)
    prober = Prober([right], tmp_path / "s")
    prober.start()
    time.sleep(0.3)
    prober.stop()
    written = (tmp_path / "s").read_text()
    assert written and PASSWORD not in written + repr(right) + str(right.as_options()) + repr(vars(prober))


def test_markers_are_acknowledged_read_back_and_removed(spec: dict[str, Any], server: Postgres, tmp_path: Path) -> None:
    writer = ProbeSpec(**spec, rate=20, write=True, flavour="kept")
    markers = Markers(writer, PASSWORD, "run-1")
    markers.prepare()
    markers.prepare()
    samples = measure.known(run([writer], tmp_path / "s", 0.8, run_id="run-1", passwords=PASSWORDS))
    assert all(sample["ok"] for sample in samples) and any(sample["reused"] for sample in samples)
    numbers = {sample["number"] for sample in samples}
    assert markers.surviving() == numbers
    assert Markers(writer, PASSWORD, "another-run").surviving() == set()
    server.execute("DELETE FROM webstack_markers WHERE n = 1")  # what a failover to a lagging copy does
    found = measure.markers(samples, markers.surviving())
    assert (found["acknowledged"], found["lost_markers"]) == (len(numbers), [1])
    markers.remove()
    assert markers.surviving() == set()
    markers.remove(drop_table=True)
    with pytest.raises(ProbeFault):
        markers.surviving()


def test_a_commit_without_an_answer_is_unknown_and_found_afterwards(
    spec: dict[str, Any], server: Postgres, tmp_path: Path
) -> None:
    writer = ProbeSpec(**{**spec, "timeout": 0.5}, rate=10, write=True)
    markers = Markers(ProbeSpec(**spec), PASSWORD, "run-1")
    markers.prepare()
    prober = Prober([writer], tmp_path / "s", run_id="run-1", passwords=PASSWORDS)
    with server.connect() as blocker:
        prober.start()
        time.sleep(0.3)
        with blocker.transaction():
            blocker.execute("LOCK TABLE webstack_markers IN ACCESS EXCLUSIVE MODE")
            time.sleep(1.2)
        time.sleep(0.3)
    prober.stop()
    samples = read_samples(tmp_path / "s")
    found = measure.markers(samples, markers.surviving())
    assert found["unknown"] >= 2
    assert found["unknown_found"] == found["unknown"]  # the server went on with what it had been sent
    assert found["lost"] == found["failed_found"] == 0
    assert all(
        sample["error"] == "timeout" for sample in measure.known(samples) if sample["marker"]["state"] == "unknown"
    )


@pytest.mark.parametrize("flavour", ["new", "kept"])
def test_a_crash_is_an_outage_and_acknowledged_markers_survive_it(
    spec: dict[str, Any], server: Postgres, tmp_path: Path, flavour: str
) -> None:
    writer = ProbeSpec(**spec, rate=20, write=True, flavour=flavour)
    markers = Markers(writer, PASSWORD, f"run-{flavour}")
    markers.prepare()
    prober = Prober([writer], tmp_path / "s", run_id=f"run-{flavour}", passwords=PASSWORDS)
    prober.start()
    time.sleep(0.6)
    server.stop("immediate")
    down = time.time()
    time.sleep(0.7)
    up = time.time()
    server.start()
    time.sleep(1.5)
    prober.stop()
    samples = measure.known(read_samples(tmp_path / "s"))
    (outage,) = measure.outages(samples, stable=0.5, least=2)
    assert outage.start < down + 0.1 and outage.end is not None and outage.end > up - 0.1
    assert set(outage.errors) <= {"refused", "reset", "closing", "starting"}
    (switch,) = measure.switches(samples)
    assert switch["before"] != switch["after"]  # the same address, started again
    found = measure.markers(samples, markers.surviving())
    assert found["lost"] == found["failed_found"] == 0 and found["acknowledged"] > 10


ROWS = [("0", "0", "ip-10-0-0-7", "3306")]


def mysql_options(port: int) -> dict[str, Any]:
    return {"name": "db", "kind": "mysql", "host": "127.0.0.1", "port": port, "user": "probe", "timeout": 2.0}


def test_mysql_names_its_server_and_takes_markers(tmp_path: Path) -> None:
    pytest.importorskip("pymysql", reason="PyMySQL is an optional package of the controller")
    said: list[str] = []

    def answer(statement: str) -> Any:
        said.append(statement)
        return ROWS if statement.startswith("SELECT @@") else OK

    with fake_mysql(answer) as server:
        spec = ProbeSpec(**mysql_options(server.port), write=True, rate=20)
        samples = measure.known(run([spec], tmp_path / "s", 0.4, run_id="run-1", passwords=PASSWORDS))
    assert {sample["error"] for sample in samples} == {None}
    assert samples[0]["server"] == "ip-10-0-0-7:3306" and samples[0]["read_only"] is False
    assert Counter(sample["marker"]["state"] for sample in samples) == {"acknowledged": len(samples)}
    assert "INSERT INTO webstack_markers (run_id, probe, n) VALUES ('run-1', 'db', 0)" in said
    assert any("autocommit" in statement.lower() for statement in said)


def test_mysql_tells_an_aurora_reader_by_innodb_read_only() -> None:
    pytest.importorskip("pymysql", reason="PyMySQL is an optional package of the controller")
    with fake_mysql(lambda statement: [("0", "1", "r", "3306")] if "@@" in statement else OK) as server:
        assert probe_once(ProbeSpec(**mysql_options(server.port)))["read_only"] is True


@pytest.mark.parametrize(
    ("packet", "error", "state"),
    [
        (mysql_error(1290, "--read-only"), "read_only", "failed"),
        (mysql_error(1053, "Server shutdown in progress"), "closing", "unknown"),
        (None, "timeout", "unknown"),
    ],
)
def test_mysql_markers_are_failed_or_unknown_by_what_the_server_said(
    tmp_path: Path, packet: bytes | None, error: str, state: str
) -> None:
    pytest.importorskip("pymysql", reason="PyMySQL is an optional package of the controller")
    silence = threading.Event()

    def answer(statement: str) -> Any:
        if statement.startswith("INSERT"):
            if packet is None:
                silence.wait(4)
            return packet or OK
        return ROWS if "@@" in statement else OK

    with fake_mysql(answer) as server:
        options = {**mysql_options(server.port), "timeout": 1.0 if packet is None else 2.0}
        specs = [ProbeSpec(**options, write=True)]
        samples = measure.known(run(specs, tmp_path / "s", 0.3, passwords=PASSWORDS))
        silence.set()
    assert {(sample["error"], sample["marker"]["state"]) for sample in samples} == {(error, state)}
