"""Who may reach the lab: this machine only. Kept apart from the server, whose import takes a second."""

import ipaddress


class NotLoopback(ValueError):
    """The lab takes any credentials, so nobody else may reach it."""


def check_loopback(host: str) -> str:
    """The host, when it is a loopback address; NotLoopback else."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLoopback(f"the lab listens on loopback addresses only, not on {host!r}")
    return address
