"""Loopback addresses for things that AWS would give addresses to: one 127.x.0.0/16 a lab, each address given out once."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

NETWORKS = range(20, 250)
CLAIM_PORT = 61_000
PORT_SHIFT = 8000
FIRST_PLAIN_PORT = 1024


class NoAddress(RuntimeError):
    """This machine has no loopback network left, or none but 127.0.0.1."""


class Network:
    """The addresses of one lab. Labs that run at the same time have different networks."""

    def __init__(self) -> None:
        self.claim, self.number = claimed()
        self.given = 0

    def take(self) -> str:
        """An address that nothing else in this lab, or in another one, has."""
        self.given += 1
        high, low = divmod(self.given, 250)
        if high > 255:
            raise NoAddress("all loopback addresses of this lab are given out; reset or restart it")
        return f"127.{self.number}.{high}.{low + 1}"

    def clear(self) -> None:
        """Give addresses out from the start again: the account is empty."""
        self.given = 0

    def close(self) -> None:
        """Let another lab have the network."""
        self.claim.close()


def claimed() -> tuple[socket.socket, int]:
    """A network nobody else has: whoever listens on the claim port of its first address owns it."""
    numbers = list(NETWORKS)
    random.shuffle(numbers)
    for number in numbers:
        claim = socket.socket()
        try:
            claim.bind((f"127.{number}.0.1", CLAIM_PORT))
            claim.listen(1)
        except OSError:
            claim.close()
            continue
        return claim, number
    raise NoAddress("no loopback network 127.20.0.0 to 127.249.0.0 can be bound on this machine")


def lowest_port() -> int:
    """The lowest port that this process may listen on."""
    if os.geteuid() == 0:
        return 1
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return FIRST_PLAIN_PORT


def real_port(port: int) -> int:
    """The port to listen on for a port of AWS: the same, or 8000 more where the low ones need rights that are missing."""
    return port if port >= lowest_port() else port + PORT_SHIFT
