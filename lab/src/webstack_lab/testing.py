"""The lab inside a test process.

    with Lab() as lab:
        lab.client("ec2").create_vpc(CidrBlock="10.20.0.0/16")
        assert [call["operation"] for call in lab.calls("write")] == ["CreateVpc"]

moto's state is one per process: two labs in one process share their account.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Self

import boto3
from botocore.config import Config

from webstack_lab.app import LabApp
from webstack_lab.calls import Entry
from webstack_lab.extend import backends_of
from webstack_lab.server import data_plane, listen, url_of
from webstack_lab.snapshot import Snapshot, snapshot


class Lab:
    """A lab on a free loopback port, served by a thread of this process."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, data_plane: bool = False, folder: Path | None = None
    ) -> None:
        self.app = LabApp()
        self._own_folder = None if folder or not data_plane else TemporaryDirectory(prefix="lab-")
        self.folder = folder or (Path(self._own_folder.name) if self._own_folder else None)
        self._data_plane = data_plane
        self._server = listen(self.app, host, port)
        self.url = url_of(self._server)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._session = boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab")
        self._clients: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, from an empty account."""
        self.app.reset()
        if self._data_plane and self.folder:
            data_plane(self.app, self.folder)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self.app.plane is not None:
            self.app.plane.close()
        if self._own_folder is not None:
            self._own_folder.cleanup()

    def reset(self) -> None:
        """An empty account; the call log stays."""
        self.app.reset()

    def calls(
        self,
        kind: str | None = None,
        service: str | None = None,
        operation: str | None = None,
        region: str | None = None,
    ) -> list[Entry]:
        """The calls so far, oldest first; `kind` is "read" or "write"."""
        return self.app.calls.select(kind, service, operation, region)

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        self.app.calls.clear()

    def snapshot(self, detail: bool = False) -> Snapshot:
        """The whole account; see webstack_lab.snapshot."""
        with self.app.lock:
            return snapshot(detail)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client of this lab; made once per service and region. It repeats nothing."""
        key = service, region
        if key not in self._clients:
            config = Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, inject_host_prefix=False
            )
            self._clients[key] = self._session.client(service, region_name=region, endpoint_url=self.url, config=config)
        return self._clients[key]

    def warm(self, *services: str) -> None:
        """Load moto's code for services now, so that the first call is as quick as the next."""
        for service in services:
            backends_of(service)
