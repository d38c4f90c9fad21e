"""docs/survivor-safety.md: every rule has its test, which exists, or says that it is not met."""

import ast
import re
from itertools import chain
from pathlib import Path

TOP = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) ")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


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
