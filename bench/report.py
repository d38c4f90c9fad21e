"""What a run says: a small table for people, `results.json` for machines, progress where somebody watches."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).parent / "results.json"
Better = Literal["higher is better", "lower is better"]


@dataclass(frozen=True, slots=True)
class Result:
    """One figure of ours beside the raw limit's; the load average is the machine's before the run."""

    name: str
    value: float
    reference: float
    ratio: float
    unit: str
    load_average: float


def result(name: str, value: float, reference: float, unit: str, load_average: float) -> Result:
    """Rounded to what a run can tell; the ratio is value / reference, whichever way is better."""
    return Result(name, round(value, 2), round(reference, 2), round(value / reference, 3), unit, round(load_average, 2))


def table(results: Sequence[tuple[Result, Better]]) -> str:
    """One line a figure, under a heading."""
    lines = [("name", "value", "reference", "ratio", "unit", "")]
    lines += [(r.name, f"{r.value:,.2f}", f"{r.reference:,.2f}", f"{r.ratio:.3f}", r.unit, better) for r, better in results]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if 1 <= i <= 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def write(results: Sequence[Result], path: Path = RESULTS) -> None:
    """Replaces the results of the run before."""
    path.write_text(json.dumps({"results": [asdict(one) for one in results]}, indent=2) + "\n")


def say(text: str) -> None:
    """Progress, for a person at a terminal only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)
