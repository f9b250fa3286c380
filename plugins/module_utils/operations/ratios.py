"""How far a measured ratio of failures can be trusted."""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95
MANY = 1000  # failures


def failure_bound(asked: int, failed: int, confidence: float = CONFIDENCE) -> float:
    """The ratio below which the true ratio of failures lies with the given confidence (Clopper-Pearson, one-sided; Wilson's
    approximation where failures are so many that it does not matter).

    Without a failure this is the rule of three: 3 divided by the number of samples.
    """
    if asked == 0 or failed >= asked:
        return 1.0
    if failed > MANY:
        return _wilson(asked, failed, confidence)
    low, high = failed / asked, 1.0
    for _step in range(60):
        middle = (low + high) / 2
        if _binomial_at_most(failed, asked, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _binomial_at_most(most: int, count: int, ratio: float) -> float:
    """The probability of at most ``most`` hits in ``count`` independent tries."""
    if ratio in (0.0, 1.0):
        return 1.0 if ratio == 0.0 or most >= count else 0.0
    logs = (
        math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
        + hits * math.log(ratio) + (count - hits) * math.log1p(-ratio)
        for hits in range(most + 1)
    )  # fmt: skip
    return math.fsum(math.exp(log) for log in logs)


def _wilson(asked: int, failed: int, confidence: float) -> float:
    """Wilson's one-sided upper bound, https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval"""
    z = NormalDist().inv_cdf(confidence)
    ratio = failed / asked
    spread = z * math.sqrt(ratio * (1 - ratio) / asked + z * z / (4 * asked * asked))
    return (ratio + z * z / (2 * asked) + spread) / (1 + z * z / asked)
