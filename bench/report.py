"""What a run says: a small table for people, `results.json` for machines, a table in docs/performance.md, progress on stderr."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.sizes import size_name

RESULTS = Path(__file__).parent / "results.json"
DOCS = Path(__file__).parent.parent / "docs" / "performance.md"
PEERS = ("debezium_", "rest_")  # how the names of `make bench-peers` begin
COLUMNS = ("name", "value", "reference", "ratio", "unit", "promised", "size")
UNTOLD = "–"  # the size of a row from before rows told theirs


@dataclass(frozen=True, slots=True)
class Result:
    """One figure of ours beside its reference: the raw limit's, a peer's, or a limit; with the machine's load average just then,
    and the size of the run, because rows of several runs stand side by side."""

    name: str
    value: float
    reference: float
    ratio: float
    unit: str
    load_average: float
    size: str = UNTOLD


# What the ratio is to be; None where nothing was promised.
PROMISED: dict[str, str] = {
    "exchange_throughput": "≥ 0.25",
    "drain_throughput": "≥ 0.5",
    "drain_memory_growth": "0.9 – 1.1",
    "latency_p50": "≤ 1",
    "latency_p99": "≤ 3",
    "growth_p99": "≤ 1.3",
    "reconcile_payload": "≤ 1",
    "pages_p99_police": "≤ 1",
    "pages_p99_health": "≤ 1",
    "pages_p99_social_welfare": "≤ 1",
    "footprint_rss": "≤ 1",
    "ready_s": "≤ 1",
    "debezium_p50": "< 1",
    "debezium_p99": "< 1",
    "debezium_memory": "≤ 0.1",
    "debezium_memory_apart": "≤ 0.1",
    "rest_p50": "≤ 2",
    "rest_lost": "0 lost",
}


def result(name: str, value: float, reference: float, unit: str) -> Result:
    """Rounded to what a run can tell; the ratio is value / reference, whichever way is better; 0 where there is no reference."""
    ratio = round(value / reference, 3) if reference else 0.0
    return Result(name, round(value, 2), round(reference, 2), ratio, unit, round(os.getloadavg()[0], 2), size_name())


def cells(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """The table's lines, its heading first."""
    yield COLUMNS
    for one in results:
        figures = (f"{one.value:,.2f}", f"{one.reference:,.2f}", f"{one.ratio:.3f}")
        yield (one.name, *figures, one.unit, PROMISED.get(one.name, ""), one.size)


def table(results: Sequence[Result]) -> str:
    """For a terminal."""
    lines = list(cells(results))
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.rjust(w) if 1 <= i <= 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def write(results: Sequence[Result], path: Path = RESULTS) -> list[Result]:
    """Puts results in place of those of the same names from runs before, and the table of all into the page; returns all."""
    before = [Result(**one) for one in json.loads(path.read_text())["results"]] if path.exists() else []
    names = {one.name for one in results}
    kept = [*(one for one in before if one.name not in names), *results]
    path.write_text(json.dumps({"results": [asdict(one) for one in kept]}, indent=2) + "\n")
    return kept


def of_part(part: str, results: Sequence[Result]) -> list[Result]:
    """Those that belong into one part's table, `bench` or `bench-peers`."""
    return [one for one in results if one.name.startswith(PEERS) == (part == "bench-peers")]


def publish(part: str, results: Sequence[Result], told: str, page: Path = DOCS) -> None:
    """Writes one part's table between its markers in docs/performance.md, under a line that tells of the run."""
    begin, end = f"<!-- {part}: written by the bench -->", f"<!-- end of {part} -->"
    text = page.read_text() if page.exists() else ""
    if begin not in text or end not in text:
        return
    lines = list(cells(results))
    rows = [f"| {' | '.join(line)} |" for line in (lines[0], ("---",) * len(COLUMNS), *lines[1:])]
    head, rest = text.split(begin, 1)
    page.write_text("\n".join([head + begin, told, "", *rows, end]) + rest.split(end, 1)[1])


def say(text: str) -> None:
    """Progress, on standard error, so that a run of minutes is never silent."""
    print(text, file=sys.stderr, flush=True)
