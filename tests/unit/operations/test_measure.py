"""The arithmetic over samples, on samples that are written out: ``.`` good, ``x`` failed, ``?`` not sent, ten a second."""

from __future__ import annotations

import random

import pytest
from probe_world import make_samples

from ansible_collections.webstack.aws.plugins.module_utils.operations import measure
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.samples import Sample

GOOD = "." * 20


def test_an_outage_lasts_from_the_first_failure_to_the_first_success_of_a_stable_window() -> None:
    (outage,) = measure.outages(make_samples(GOOD + "xxxxx" + GOOD))
    assert outage.start == 1002.0 and outage.end == 1002.5
    assert (outage.seconds(), outage.failed, outage.good) == (0.5, 5, 0)
    assert outage.errors == {"refused": 5}


def test_each_end_of_an_outage_is_as_uncertain_as_its_samples_are_apart_and_slow() -> None:
    samples = make_samples(GOOD + "xxxxx" + GOOD)
    assert measure.outages(samples)[0].uncertainty == pytest.approx(0.11)
    samples[20]["ended"] += 0.3  # refused, but only after this long
    assert measure.outages(samples)[0].uncertainty == pytest.approx(0.41)
    samples[20].update(error="timeout", phases={"connect": 0.05})  # reached soon, and then there was silence
    assert measure.outages(samples)[0].uncertainty == pytest.approx(0.15)
    del samples[25:28]
    assert measure.outages(samples)[0].uncertainty == pytest.approx(0.41)


def test_successes_too_short_to_be_stable_lie_within_the_outage() -> None:
    samples = make_samples(GOOD + "xxx.....xxx" + GOOD)
    (outage,) = measure.outages(samples)
    assert outage.seconds() == pytest.approx(1.1)
    assert (outage.failed, outage.good) == (6, 5)
    assert [round(o.seconds(), 6) for o in measure.outages(samples, stable=0)] == [0.3, 0.3]
    assert measure.longest(measure.outages(samples, stable=0)) == pytest.approx(0.3)
    assert measure.total(measure.outages(samples, stable=0)) == pytest.approx(0.6)


def test_a_single_failure_is_no_outage_and_not_forgotten() -> None:
    samples = make_samples(GOOD + "x" + GOOD + "xx" + GOOD)
    assert [outage.failed for outage in measure.outages(samples)] == [2]
    assert [single.start for single in measure.single_failures(samples)] == [1002.0]


def test_an_outage_that_never_ended_is_open_and_lasts_until_now() -> None:
    (outage,) = measure.outages(make_samples(GOOD + "x" * 10))
    assert outage.end is None
    assert outage.seconds() == pytest.approx(0.9)
    assert outage.seconds(now=1010.0) == pytest.approx(8.0)


def test_a_success_cut_off_by_the_end_of_the_run_ends_the_outage() -> None:
    (outage,) = measure.outages(make_samples(GOOD + "xxx.."))
    assert outage.seconds() == pytest.approx(0.3)


def test_the_order_of_lines_does_not_matter() -> None:
    samples = make_samples(GOOD + "xxxxx" + GOOD)
    mixed = samples[:]
    random.Random(4).shuffle(mixed)
    assert measure.outages(mixed) == measure.outages(samples)


def test_what_was_not_sent_is_neither_failed_nor_good_and_casts_doubt() -> None:
    samples = make_samples(GOOD + "?????" + GOOD)
    assert measure.outages(samples) == [] and measure.failed_ratio(samples) == 0
    (doubt,) = measure.doubts(samples, 10.0)
    assert doubt == "5 of 45 samples were never put to the service (5 not_sent)"


def test_a_late_answer_counts_as_failed_when_asked_so() -> None:
    samples = make_samples(GOOD + "....." + GOOD)
    for sample in samples[20:25]:
        sample["ended"] = sample["scheduled"] + 2
    assert measure.outages(samples) == []
    (outage,) = measure.outages(samples, slow=1.0)
    assert outage.seconds() == pytest.approx(0.5) and outage.errors == {"slow": 5}


@pytest.mark.parametrize(
    ("pattern", "objective", "expected"),
    [
        (GOOD * 3, 1.0, 0.0),
        (GOOD + "x" * 10 + "." * 60, 1.0, 1.0),
        (GOOD + "x" * 10 + "." * 10 + "x" + "." * 60, 1.0, 2.1),
        (GOOD + "x" * 10 + "." * 10 + "x" + "." * 60, 0.95, 1.0),
        (GOOD + "x" * 10 + "." * 30, 1.0, None),
        (GOOD + "x" * 60, 1.0, None),
    ],
)
def test_recovery_reaches_to_the_first_whole_window_at_the_objective(
    pattern: str, objective: float, expected: float | None
) -> None:
    found = measure.recovery_time(make_samples(pattern), window=5.0, objective=objective)
    assert found == (expected if expected is None else pytest.approx(expected))


def test_failures_before_the_fault_do_not_count_for_recovery() -> None:
    samples = make_samples("xx" + GOOD + "xxx" + "." * 60)
    assert measure.recovery_time(samples, since=1002.0, window=5.0) == pytest.approx(0.3)


def test_a_brown_out_is_counted_in_seconds_and_a_whole_outage_is_not_in_it() -> None:
    assert measure.brown_out_seconds(make_samples("." * 10 + "x.x.x.x.x." + "x" * 10 + "." * 10)) == 1.0


def test_latency_counts_from_the_moment_when_the_sample_was_due() -> None:
    samples = make_samples("." * 100)
    for number, sample in enumerate(samples):
        sample["started"] = sample["scheduled"] + 0.5
        sample["ended"] = sample["scheduled"] + (number + 1) / 100
    assert measure.latencies(samples) == pytest.approx({"p50": 0.5, "p95": 0.95, "p99": 0.99})
    assert measure.latencies([]) == {"p50": None, "p95": None, "p99": None}


def test_a_fast_refusal_does_not_make_the_service_look_fast() -> None:
    samples = make_samples("." * 10 + "x" * 90)
    for sample in samples[:10]:
        sample["ended"] = sample["scheduled"] + 1
    assert measure.latencies(samples)["p50"] == pytest.approx(1)


def test_the_upper_bound_without_a_failure_is_the_rule_of_three() -> None:
    assert measure.failure_bound(10_000, 0) == pytest.approx(3 / 10_000, rel=0.01)
    assert measure.failure_bound(0, 0) == 1.0
    assert measure.failure_bound(10, 10) == 1.0
    assert measure.failure_bound(1, 0) == pytest.approx(0.95)


@pytest.mark.parametrize(("asked", "failed", "bound"), [(100, 1, 0.04656), (100, 5, 0.10225), (20, 10, 0.69805)])
def test_the_upper_bound_with_failures_is_the_one_of_the_tables(asked: int, failed: int, bound: float) -> None:
    """Clopper-Pearson, one-sided, 95 %: the 0.95 quantile of Beta(failed + 1, asked - failed)."""
    assert measure.failure_bound(asked, failed) == pytest.approx(bound, abs=2e-4)


def test_the_upper_bound_has_no_step_where_it_becomes_an_approximation() -> None:
    exact, approximate = measure.failure_bound(20_000, 1000), measure.failure_bound(20_000, 1001)
    assert 0.05 < exact < approximate < exact + 1e-4


def test_an_outage_is_a_share_of_the_error_budget() -> None:
    assert measure.budget_share(120, 0.999) == pytest.approx(0.0463, abs=1e-4)
    assert measure.budget_share(120, 0.9999) == pytest.approx(0.463, abs=1e-3)


def served(pattern: str, names: str) -> list[Sample]:
    samples = make_samples(pattern)
    for sample, name in zip(samples, names, strict=True):
        sample["server"] = None if name == "-" else name
    return samples


def test_says_who_answered_when_and_how_much() -> None:
    assert measure.by_identity(served("....xx..", "aaab--bb"), "server") == [
        {"name": "a", "first": 1000.0, "last": 1000.2, "requests": 3, "failed": 0, "share": 0.5},
        {"name": "b", "first": 1000.3, "last": 1000.7, "requests": 3, "failed": 0, "share": 0.5},
    ]


def test_a_switch_lies_between_the_last_answer_of_the_old_and_the_first_of_the_new() -> None:
    (switch,) = measure.switches(served("...xx...", "aaa--bbb"))
    assert switch == {"time": 1000.51, "last_before": 1000.21, "before": "a", "after": "b"}


def test_windows_split_at_start_and_end() -> None:
    found = measure.windows(make_samples("." * 30), 1001.0, 1002.0)
    assert {name: len(samples) for name, samples in found.items()} == {"before": 10, "during": 10, "after": 10}


def test_markers_that_were_acknowledged_and_are_absent_are_lost() -> None:
    samples = make_samples("......xxxx....")
    states = "aaaaaafuufaaaa"
    words = {"a": "acknowledged", "f": "failed", "u": "unknown"}
    for sample, state in zip(samples, states, strict=True):
        sample["marker"] = {"n": sample["number"], "state": words[state]}
    surviving = {0, 1, 2, 3, 7, 10, 11, 12, 13}
    found = measure.markers(samples, surviving)
    assert found == {
        "acknowledged": 10,
        "surviving": 8,
        "lost": 2,
        "lost_markers": [4, 5],
        "unknown": 2,
        "unknown_found": 1,
        "failed": 2,
        "failed_found": 0,
        "rpo_seconds": pytest.approx(0.2),
    }
    assert measure.markers(samples, set(range(20)))["rpo_seconds"] == 0.0
    assert measure.markers(samples, set(range(20)))["failed_found"] == 2


def test_doubts_name_gaps_and_lateness() -> None:
    samples = make_samples("." * 100)
    assert measure.doubts(samples, 10.0) == []
    assert measure.doubts([], 10.0) == ["There are no samples"]
    assert "For 1.10 s there are no samples" in measure.doubts(samples[:40] + samples[50:], 10.0)[0]
    assert "For 5.10 s" in measure.doubts(samples, 10.0, end=1015.0)[0]
    for sample in samples[:5]:
        sample["started"] = sample["scheduled"] + 0.3
    assert "0.30 s late" in measure.doubts(samples, 10.0)[0]


def test_one_late_sample_casts_doubt_only_at_the_edge_of_an_outage() -> None:
    samples = make_samples("." * 100 + "xxxxx" + "." * 100)
    samples[50]["started"] += 0.3
    assert measure.doubts(samples, 10.0) == []
    samples[105]["started"] += 0.3
    (doubt,) = measure.doubts(samples, 10.0)
    assert "outage was started 0.30 s late" in doubt


def test_a_probe_in_figures() -> None:
    spec = ProbeSpec("web", "http", url="http://a.example/")
    other = make_samples("xxxx", probe="other")
    found = measure.summary(spec, make_samples(GOOD + "xxxxx" + GOOD) + other)
    assert (found["requests"], found["failed"], found["blind"]) == (45, 5, 0)
    assert found["longest_outage"] == pytest.approx(0.5)
    assert found["errors"] == {"refused": 5}
    assert len(found["outages"]) == 1 and found["doubts"] == []
