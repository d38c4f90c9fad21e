"""A file that is handed out is opened in a spreadsheet, which must run nothing that somebody typed."""

import csv
import io

import pytest

from shared.casework.exports.domain import csv_file, safe_cell


@pytest.mark.parametrize(
    "typed",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1+1", '=HYPERLINK("a","b")', "-2+3+cmd|' /C calc'!A0"],
)
def test_what_a_spreadsheet_would_run_is_text(typed: str) -> None:
    assert safe_cell(typed) == "'" + typed
    (line,) = csv.reader(io.StringIO(csv_file([], [], [[typed]], "id").decode("utf-8-sig"), newline=""))
    assert line == ["'" + typed, "id"]


@pytest.mark.parametrize("typed", ["", "12", "a=b", "–", "15-17", "ارقام"])
def test_what_is_text_or_a_number_stays_as_it_is(typed: str) -> None:
    assert safe_cell(typed) == typed


def test_a_cell_breaks_out_of_no_line() -> None:
    lines = list(csv.reader(io.StringIO(csv_file([], [], [['a","b\r\n"=1'], ["c"]], "id").decode("utf-8-sig"), newline="")))
    assert lines == [['a","b\r\n"=1', "id"], ["c", "id"]]
