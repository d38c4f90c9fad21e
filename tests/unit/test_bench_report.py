"""What the bench writes: results under the names that others read, and a table that replaces only its own part of a page."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.report import Result, cells, publish, result, table, write


def test_a_figure_stands_beside_its_reference_as_a_ratio() -> None:
    one = result("exchange_throughput", 350.0, 1000.0, "referrals/s")
    assert (one.value, one.reference, one.ratio, one.unit) == (350.0, 1000.0, 0.35, "referrals/s")
    assert result("rest_lost", 0, 0, "referrals").ratio == 0.0


def test_results_of_other_parts_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write([Result("ready_s", 1.0, 2.0, 0.5, "s", 0.1), Result("growth_p99", 9.0, 8.0, 1.125, "ms", 0.1)], path)
    write([Result("ready_s", 1.5, 2.0, 0.75, "s", 0.2)], path)
    kept = json.loads(path.read_text())["results"]
    assert {one["name"]: one["ratio"] for one in kept} == {"growth_p99": 1.125, "ready_s": 0.75}
    assert set(kept[0]) == {"name", "value", "reference", "ratio", "unit", "load_average", "size"}


def test_each_row_tells_of_which_size_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.json"
    before = asdict(result("growth_p99", 9.0, 8.0, "ms"))
    del before["size"]
    path.write_text(json.dumps({"results": [before]}))  # as a run wrote it before rows told their size
    for size, name in (("quick", "drain_throughput"), ("default", "ready_s")):
        monkeypatch.setenv("BENCH_SIZE", size)
        write([result(name, 1.0, 2.0, "of something")], path)
    sizes = {name: size for name, *_, size in cells(write([], path))}
    assert sizes == {"name": "size", "growth_p99": "–", "drain_throughput": "quick", "ready_s": "default"}


def test_the_page_keeps_what_is_not_the_benchs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench: written by the bench -->\nold\n<!-- end of bench -->\nafter\n")
    for _ in range(2):
        publish("bench", [Result("ready_s", 1.5, 2.0, 0.75, "s", 0.2, "quick")], "a run.", page)
    words = page.read_text()
    assert words.startswith("before\n<!-- bench")
    assert words.endswith("<!-- end of bench -->\nafter\n")
    assert "old" not in words
    assert words.count("| ready_s | 1.50 | 2.00 | 0.750 | s | ≤ 1 | quick |") == 1


def test_the_table_has_a_line_for_each_figure() -> None:
    lines = table([Result("ready_s", 1.5, 2.0, 0.75, "s", 0.2)]).splitlines()
    assert [line.split()[0] for line in lines] == ["name", "ready_s"]
