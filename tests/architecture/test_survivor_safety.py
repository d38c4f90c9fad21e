"""docs/survivor-safety.md: every rule has its test, which exists, or says that it is not met."""

import ast
import re
from itertools import chain
from pathlib import Path

TOP = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) ")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


STORIES = next(  # of modules of many stories, those that `make test` tells
    ast.literal_eval(node.value) for node in ast.parse((TOP / "tests/conftest.py").read_text()).body
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "STORIES" and node.value is not None
)  # fmt: skip


def is_long(file: str, name: str) -> bool:
    """Whether `make test` leaves a test out, on both databases."""
    module = ast.parse((TOP / file).read_text())
    told = tuple(STORIES[Path(file).name]) if Path(file).name in STORIES else None
    marks = [ast.unparse(node.value) for node in module.body if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node)]
    marks += [
        ast.unparse(mark) for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for mark in node.decorator_list
    ]  # fmt: skip
    return any("mark.long" in mark for mark in marks) or (told is not None and not name.startswith(told))


def rules() -> list[list[str]]:
    """The rows of each list, in their order."""
    _, *lists = (TOP / "docs" / "survivor-safety.md").read_text().split("\n## ")
    return [[line for line in part.splitlines() if ROW.match(line)] for part in lists]


def test_both_lists_are_whole() -> None:
    assert [[int(ROW.findall(row)[0]) for row in part] for part in rules()] == [list(range(1, 17)), list(range(1, 18))]


def test_every_rule_has_a_test_or_says_that_it_is_not_met() -> None:
    for row in chain(*rules()):
        assert NAMED.search(row.rsplit(" | ", 1)[1]) or "**Not met**" in row, row


def test_every_test_that_is_named_exists() -> None:
    for row in chain(*rules()):
        for file, name in NAMED.findall(row):
            functions = {node.name for node in ast.walk(ast.parse((TOP / file).read_text())) if hasattr(node, "name")}
            assert not name or name in functions, f"{file} has no {name}"


def test_a_test_of_the_long_tier_is_marked_as_one() -> None:
    for row in chain(*rules()):
        for file, name in NAMED.findall(row):
            assert name == "" or is_long(file, name) == (f"`{file}::{name}` (long)" in row), f"{file}::{name}"
