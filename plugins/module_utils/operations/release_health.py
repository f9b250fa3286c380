"""Whether a program on this very host serves the release that it should. This runs on the host: the standard library alone."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass
class HealthCheck:
    """What a good answer is. Times are in seconds; a status of 200 to 399 is good, after redirects on the same host."""

    url: str
    header: str = ""  # the answer's header that names the release
    body: str = ""  # a text that the body must hold
    passes: int = 3  # good answers in a row
    interval: float = 1.0
    timeout: float = 60.0
    validate_certificates: bool = True


def await_health(check: HealthCheck, release: str) -> str | None:
    """Wait for so many good answers in a row. Why they did not come in time, or None."""
    deadline = time.monotonic() + check.timeout
    good, why = 0, "nothing was asked"
    while True:
        trouble = ask(check, release)
        good, why = (good + 1, why) if trouble is None else (0, trouble)
        if good >= check.passes:
            return None
        if time.monotonic() + check.interval > deadline:
            return f"{check.url} was not well {check.passes} times in a row within {check.timeout:g} s: {why}"
        time.sleep(check.interval)


def ask(check: HealthCheck, release: str) -> str | None:
    """One question. What is wrong with the answer, or None."""
    context = ssl.create_default_context()
    if not check.validate_certificates:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=context),  # never through a proxy: it is this host
    )
    try:
        with opener.open(check.url, timeout=min(check.timeout, 5.0)) as answer:
            return wrong(check, release, answer.headers, answer.read(1 << 20))
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {getattr(error, 'reason', None) or error}"


def wrong(check: HealthCheck, release: str, headers: Any, body: bytes) -> str | None:
    """What is wrong with an answer that has a good status."""
    if check.header and (found := headers.get(check.header)) != release:
        return f"its header {check.header} is {found!r}, not {release!r}"
    if check.body and check.body.encode() not in body:
        return f"its body does not hold {check.body!r}"
    return None
