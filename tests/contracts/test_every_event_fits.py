"""Whatever a contract lets anybody say fits into one message: what does not would stand before all else that is told there."""

import re
from typing import Any

import pytest

from shared.casework.figures.cells import packed
from shared.casework.figures.domain import CUBES, DIMENSIONS, keys_of
from shared.contracts.casework import events
from shared.contracts.wire import envelope

COLUMN_DIGITS = 20  # what a database's integer column holds, with its sign; no contract bounds a version
FORMATS = {"uuid": 36, "date": 10, "date-time": len("2199-12-31T23:59:59.999999+00:00")}
BOUNDED = [event for event in events.EVENTS if event is not events.FiguresReleased]  # that one has a test of its own


def most_bytes(schema: dict[str, Any], defs: dict[str, Any]) -> int:
    """How many bytes the longest JSON that fits a schema has; fails where nothing bounds it."""
    if "$ref" in schema:
        return most_bytes(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return max(most_bytes(one, defs) for one in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return max(len(one) for one in schema.get("enum", [schema.get("const")])) + len('""')
    match schema["type"]:
        case "object":
            return 2 + sum(len(f'"{name}":,') + most_bytes(one, defs) for name, one in schema["properties"].items())
        case "array":
            return 2 + schema["maxItems"] * (1 + most_bytes(schema["items"], defs))
        case "string":
            return len('""') + min(longest for longest in lengths(schema) if longest is not None)
        case "integer":
            return max(len(str(schema[key])) for key in ("minimum", "maximum")) if "maximum" in schema else COLUMN_DIGITS
        case "boolean":
            return len("false")
        case "null":
            return len("null")
    raise AssertionError(f"nothing is known of {schema}")


def lengths(schema: dict[str, Any]) -> tuple[int | None, ...]:
    """What bounds a string's length; all that is said is ASCII, because patterns and codes are."""
    pattern = schema.get("pattern")
    longest = re._parser.parse(pattern).getwidth()[1] if pattern else None  # type: ignore[attr-defined]
    return schema.get("maxLength"), FORMATS.get(schema.get("format", "")), longest


@pytest.mark.parametrize("event", BOUNDED, ids=lambda e: e.type)
def test_the_longest_event_that_a_contract_allows_fits(event: type[events.Event]) -> None:
    schema = events.json_schema(event)
    assert most_bytes(schema, schema.get("$defs", {})) <= envelope.DATA_BYTES_MAX


def test_the_figures_of_the_largest_agency_fit() -> None:
    """Every place with the longest name, every number the largest: the tables that there are, not all that a contract allows."""
    places = tuple(f"a{n:039}" for n in range(events.CATEGORIES_MAX))
    shown = {}
    for cube in CUBES:
        categories = {dimension: DIMENSIONS[dimension] or places for dimension in cube.chain}
        shown[cube.id] = {"categories": categories, "values": dict.fromkeys(keys_of(cube.chain, categories), events.COUNT_MAX)}
    word = events.FiguresReleased(
        period="2026-Q4", release=events.VERSIONS_MAX, programme="a" * 40, formulas=events.VERSIONS_MAX,
        cubes=packed(shown, {cube.id: cube.chain for cube in CUBES}),
    )  # fmt: skip
    assert len(word.model_dump_json().encode()) <= envelope.DATA_BYTES_MAX


def test_what_opens_a_life_fits() -> None:
    schema = envelope.Reopened.model_json_schema()
    root = "A" * 44  # 32 bytes in base64
    defs = {name: {**one, "properties": {**one["properties"], "root": {"const": root}}} for name, one in schema["$defs"].items()}
    assert most_bytes(schema, defs) <= envelope.DATA_BYTES_MAX


def test_what_an_event_holds_beside_its_data_has_its_room() -> None:
    schema = envelope.Event.model_json_schema()
    schema["properties"]["data"] = {"type": "null"}
    assert most_bytes(schema, schema.get("$defs", {})) <= envelope.CONTENT_BYTES_MAX - envelope.DATA_BYTES_MAX
