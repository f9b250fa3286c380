"""What really happens, as the data plane sees it. Without a data plane nothing is known, and the services count time instead.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Reality:
    """Facts of the last round, kept by the data plane under the lab's lock; read by the services under the same lock."""

    on: bool = False
    # (ARN of the target group, target id): state, reason and description, as DescribeTargetHealth answers them.
    targets: dict[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)
    # Deregistered targets that no request is using any more.
    drained: set[tuple[str, str]] = field(default_factory=set)
    # Instances whose program answers.
    serving: set[str] = field(default_factory=set)

    def enable(self) -> None:
        """From now on the services answer from here."""
        self.clear()
        self.on = True

    def disable(self) -> None:
        """Back to counting time."""
        self.clear()
        self.on = False

    def clear(self) -> None:
        """Nothing is known."""
        self.targets.clear()
        self.drained.clear()
        self.serving.clear()


now = Reality()
