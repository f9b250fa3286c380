"""The report in a real browser: it renders, complains of nothing, asks nobody for anything, and nothing is cut off.

Without a Chromium on the PATH these are skipped; with WEBSTACK_BROWSER=required they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, find, lines
from sample_runs import START, crowded, rds_failover, rolling_deploy, write_samples

from ansible_collections.webstack.aws.plugins.module_utils.operations.report import write_report

# Each picture's texts that reach out of it, by more than a pixel.
CUT_OFF = """[...document.querySelectorAll('svg[role=img]')].flatMap(picture => {
  const [left, top, width, height] = picture.getAttribute('viewBox').split(' ').map(Number);
  return [...picture.querySelectorAll('text')].filter(text => {
    const box = text.getBBox();
    return box.x < left - 1 || box.x + box.width > left + width + 1 || box.y < top - 3 || box.y + box.height > top + height + 3;
  }).map(text => text.textContent);
})"""

# Pairs of texts of one picture of which one covers the other.
COVERED = """[...document.querySelectorAll('#timeline svg[role=img], #whole svg[role=img], #verdict figure svg')].flatMap(picture => {
  const boxes = [...picture.querySelectorAll('text.label, text.mark-name, text.row-name, text.gap')].map(text => [text.textContent, text.getBBox()]);
  return boxes.flatMap(([one, a], place) => boxes.slice(place + 1).filter(([other, b]) =>
    a.x + 2 < b.x + b.width && b.x + 2 < a.x + a.width && a.y + 5 < b.y + b.height && b.y + 5 < a.y + a.height
  ).map(([other, b]) => one + ' / ' + other));
})"""

SIZES = """Object.fromEntries([...document.querySelectorAll('section, section figure > svg, section table')].map((part, place) => {
  const box = part.getBoundingClientRect();
  const folded = part.closest('details:not([open])') !== null;
  return [(part.id || part.tagName + place), folded ? null : [box.width, box.height]];
}))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find()
    if program is None:
        reason = "no Chromium on the PATH (chromium, chromium-browser, google-chrome)"
        if os.environ.get("WEBSTACK_BROWSER") == "required":
            pytest.fail(f"WEBSTACK_BROWSER=required, and {reason}")
        pytest.skip(reason)
    with Browser(program, tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of a failover's report with earlier runs, a deploy's, one of a run that was cut off, an empty one,
    and one with too much of everything."""
    runs = tmp_path_factory.mktemp("runs")
    failover, samples = rds_failover()
    for number in range(6):
        old = failover | {"run_id": f"old-{number}", "started": START - 86400 * (number + 1)}
        write_report(old, None, runs / f"old-{number}")
    deploy, requests = rolling_deploy(rate=100, failures=12)
    cut = {key: failover[key] for key in ("kind", "stack", "run_id", "started", "events", "preconditions")}
    cut |= {"marks": failover["marks"][:3], "undone": [{"action": "close_ports", "target": "sg-1", "time": None}]}
    made = {
        "failover": (failover, samples),
        "deploy": (deploy, requests),
        "cut": (cut, samples[:2000]),
        "empty": ({}, []),
        "crowded": crowded(),
    }
    found = {}
    for name, (report, its) in made.items():
        (runs / name).mkdir()
        found[name] = Path(
            write_report(report, write_samples(runs / name / "samples.jsonl", its), runs / name)["html"]
        ).as_uri()
    return found


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("failover", 1280, False),
        ("failover", 800, True),
        ("deploy", 1280, True),
        ("cut", 800, False),
        ("empty", 1280, False),
        ("crowded", 800, False),
    ],
)
def test_it_renders_without_a_complaint_or_a_request(
    browser: Browser, pages: dict[str, str], name: str, width: int, dark: bool
) -> None:
    browser.open(pages[name], width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == [pages[name]]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    sizes = browser.evaluate(SIZES)
    assert {"verdict", "timeline", "undone", "preconditions", "history"} <= set(sizes)
    assert all(size is None or (size[0] > 100 and size[1] > 10) for size in sizes.values()), sizes
    assert browser.evaluate(CUT_OFF) == []
    assert browser.evaluate(COVERED) == []
    light = browser.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)"
    )
    assert (light < 150) if dark else (light > 600)
    wide, high, different = lines(browser.screenshot())
    assert (wide, high) == (width, 800)
    assert different > (60 if name == "empty" else 250)


@pytest.mark.parametrize("name", ["failover", "deploy", "cut"])
def test_the_first_screen_says_what_happened(browser: Browser, pages: dict[str, str], name: str) -> None:
    """Verdict, sentence, what users got and expected against measured are seen without scrolling."""
    browser.open(pages[name])
    parts = "'.word', '.sentence', '.chips', '#verdict figure svg'" + ("" if name == "cut" else ", '#verdict table'")
    bottoms = browser.evaluate(f"[{parts}].map(part => document.querySelector(part).getBoundingClientRect().bottom)")
    assert max(bottoms) < 800
    assert browser.evaluate("parseFloat(getComputedStyle(document.querySelector('.sentence')).fontSize)") >= 18


def test_every_failure_is_drawn_where_it_can_be_seen(browser: Browser, pages: dict[str, str]) -> None:
    browser.open(pages["deploy"])
    drawn = browser.evaluate(
        "[...document.querySelectorAll('#timeline figure > svg .failure')].map(path => [path.getBBox().width, path.getAttribute('d').split('M').length - 1])"
    )
    assert sum(count for _width, count in drawn) == 12
    assert all(width > 3 for width, _count in drawn)


def test_it_prints_on_few_pages_in_light_colours(browser: Browser, pages: dict[str, str]) -> None:
    browser.open(pages["failover"], dark=True)
    browser.ask(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.ask("Emulation.setEmulatedMedia", media="")
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF-")
    assert 2 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 7


def test_the_meter_sees_requests_and_complaints(browser: Browser, tmp_path: Path) -> None:
    """The negative control: without it, the tests above could not fail."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<img src='http://example.invalid/a.png'><script>console.error('no'); missing()</script>", encoding="utf-8"
    )
    browser.open(page.as_uri())
    assert "http://example.invalid/a.png" in browser.requests()
    assert "console.error" in browser.complaints() and any("Uncaught" in text for text in browser.complaints())
    assert lines(browser.screenshot())[2] < 60


def test_the_browser_refuses_what_a_defect_might_let_into_the_page(
    browser: Browser, pages: dict[str, str], tmp_path: Path
) -> None:
    text = Path(pages["deploy"].removeprefix("file://")).read_text(encoding="utf-8")
    page = tmp_path / "bad.html"
    page.write_text(
        text.replace("<main>", "<main><img src=http://example.invalid/a.png><script>window.ran = 1</script>"),
        encoding="utf-8",
    )
    browser.open(page.as_uri())
    assert browser.evaluate("window.ran === undefined")
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())
