"""What a benchmark found, as JSON can hold it: rows of measured runs, and ratios with what they have to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from world import Played


@dataclass
class Row:
    """One measured thing: the seconds of every run of it, and what its last run asked for."""

    name: str
    seconds: list[float] = field(default_factory=list)
    reads: int = 0
    writes: int = 0
    peak_mb: float = 0.0
    by_service: dict[str, int] = field(default_factory=dict)
    note: str = ""

    def add(self, played: Played) -> Played:
        """Note one more run down."""
        self.seconds.append(round(played.seconds, 2))
        self.reads, self.writes = played.number("read"), played.number("write")
        self.peak_mb = round(max(self.peak_mb, played.peak_mb), 1)
        self.by_service = played.by_service
        return played

    @property
    def median(self) -> float:
        return median(self.seconds)


@dataclass
class Ratio:
    """One number that has to be at most another."""

    name: str
    value: float
    most: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        return self.value <= self.most


@dataclass
class Part:
    """What one scenario found."""

    title: str
    rows: list[Row] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(self, name: str, note: str = "") -> Row:
        """A new row."""
        self.rows.append(Row(name, note=note))
        return self.rows[-1]

    def ratio(self, name: str, above: float, below: float, most: float) -> None:
        """A new ratio of two numbers."""
        self.ratios.append(Ratio(name, round(above / below, 3), most))

    def at_most(self, name: str, value: float, most: float, unit: str = "") -> None:
        """A new number with its limit."""
        self.ratios.append(Ratio(name, value, most, unit))

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "rows": [{**asdict(row), "median": round(row.median, 2)} for row in self.rows if row.seconds],
            "ratios": [{**asdict(one), "holds": one.holds} for one in self.ratios],
            "notes": self.notes,
        }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def as_markdown(found: dict[str, Any]) -> str:
    """The results as people read them. Ratios first: seconds are those of one machine."""
    machine = found["machine"]
    parts = [
        f"Measured {found['date']} on {machine['cores']} cores ({machine['cpu']}), Python {machine['python']}, ansible-core "
        f"{machine['ansible']}. Seconds are medians of so many runs, memory is the highest."
    ]
    ratios = [
        [
            one["name"],
            f"{one['value']:g} {one['unit']}".strip(),
            f"{one['most']:g} {one['unit']}".strip(),
            "yes" if one["holds"] else "**no**",
        ]
        for part in found["scenarios"].values()
        for one in part["ratios"]
    ]
    if ratios:
        parts.append(table(["What must hold", "Measured", "At most", "Holds"], ratios))
    for word, part in found["scenarios"].items():
        rows = [
            [
                row["name"] + (f" ({row['note']})" if row["note"] else ""),
                f"{row['median']:.1f}",
                f"{min(row['seconds']):.1f} – {max(row['seconds']):.1f}",
                str(len(row["seconds"])),
                f"{row['reads']} / {row['writes']}" if row["by_service"] else "not counted",
                f"{row['peak_mb']:.0f}" if row["peak_mb"] else "not measured",
            ]
            for row in part["rows"]
        ]
        shown = [f"### {part['title']} (`WORD={word}`)"]
        if rows:
            shown.append(table(["Run", "Seconds", "From – to", "Runs", "Reads / writes", "Peak MB"], rows))
        parts += [*shown, *("\n".join(f"- {note}" for note in part["notes"]) for _once in range(bool(part["notes"])))]
    return "\n\n".join(parts) + "\n"


BEGIN, END = "<!-- written by make bench: begin -->", "<!-- written by make bench: end -->"


def written_into(page: str, text: str) -> str:
    """The page with the text between its two marks. Raises ValueError where it has none."""
    before, found_begin, rest = page.partition(BEGIN)
    _old, found_end, after = rest.partition(END)
    if not (found_begin and found_end):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"
