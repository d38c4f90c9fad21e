"""The published language does not break its readers: schemas, golden samples, and who may say what."""

import copy
import json
from enum import StrEnum
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.contracts import publish
from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.wire import envelope

EACH_EVENT = pytest.mark.parametrize("event", events.EVENTS, ids=lambda e: e.type)


def schema_of(event: type[events.Event]) -> dict[str, Any]:
    schema = publish.published(event)
    assert schema is not None, f"{event.type} v{event.version} is not published; run `python -m shared.contracts.publish`"
    return schema


@EACH_EVENT
def test_a_published_version_still_reads_what_it_read(event: type[events.Event]) -> None:
    assert events.breaks(schema_of(event), events.json_schema(event)) == []


@EACH_EVENT
def test_the_golden_sample_parses_validates_and_is_written_again_the_same(event: type[events.Event]) -> None:
    text = (publish.SAMPLES / events.file_name(event)).read_text()
    sample = envelope.Event.model_validate_json(text)
    assert (sample.type, sample.dataversion) == (event.type, event.version)
    Draft202012Validator(schema_of(event), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(sample.data)
    said = event.model_validate(sample.data)
    assert events.data_of(said) == sample.data
    assert json.loads(sample.to_bytes()) == json.loads(text)


def test_every_file_has_its_event() -> None:
    names = {events.file_name(event) for event in events.EVENTS}
    for folder in (publish.SCHEMAS, publish.SAMPLES):
        assert {path.name for path in folder.glob("*.json")} >= names
        for path in folder.glob("*.json"):
            assert path.name.rsplit(".v", 1)[0] in events.BY_TYPE, f"{path.name} belongs to no event"


def removed_field(schema: dict[str, Any]) -> None:
    del schema["properties"]["urgency"]


def added_field(schema: dict[str, Any]) -> None:
    schema["properties"]["description"] = {"type": "string"}


def now_required(schema: dict[str, Any]) -> None:
    schema["required"].append("needs")


def no_longer_required(schema: dict[str, Any]) -> None:
    schema["required"].remove("circle")


def code_added(schema: dict[str, Any]) -> None:
    schema["$defs"]["Urgency"]["enum"].append("soon")


def code_removed(schema: dict[str, Any]) -> None:
    schema["$defs"]["Urgency"]["enum"].remove("acute")


def type_changed(schema: dict[str, Any]) -> None:
    schema["properties"]["feedback_agreed"]["type"] = "string"


def readers_may_see_more(schema: dict[str, Any]) -> None:
    schema["additionalProperties"] = True


BREAKS = [
    removed_field,
    added_field,
    now_required,
    no_longer_required,
    code_added,
    code_removed,
    type_changed,
    readers_may_see_more,
]


@pytest.mark.parametrize("change", BREAKS, ids=lambda c: c.__name__)
def test_a_planted_break_is_found(change: Any) -> None:
    schema = schema_of(events.ReferralIssued)
    changed = copy.deepcopy(schema)
    change(changed)
    assert events.breaks(schema, changed)


def test_words_for_people_and_the_order_of_codes_break_nobody() -> None:
    schema = schema_of(events.ReferralIssued)
    changed = copy.deepcopy(schema)
    changed["description"] = "Said better."
    changed["$defs"]["Urgency"]["enum"].reverse()
    changed["required"].reverse()
    assert events.breaks(schema, changed) == []


def strings(schema: Any) -> list[dict[str, Any]]:
    """Every place of a schema where a text may stand."""
    found = []
    if isinstance(schema, dict):
        if schema.get("type") == "string":
            found.append(schema)
        found += [place for part in schema.values() for place in strings(part)]
    elif isinstance(schema, list):
        found += [place for part in schema for place in strings(part)]
    return found


@EACH_EVENT
def test_no_event_has_room_for_free_text(event: type[events.Event]) -> None:
    for place in strings(events.json_schema(event)):
        coded = {"enum", "const", "pattern"} & place.keys() or place.get("format") in {"uuid", "date", "date-time"}
        assert coded, f"{event.type} has an open text: {place}"
        assert " " not in place.get("pattern", ""), place


@EACH_EVENT
def test_an_unknown_field_is_refused(event: type[events.Event]) -> None:
    sample = json.loads((publish.SAMPLES / events.file_name(event)).read_text())
    with pytest.raises(ValidationError):
        event.model_validate({**sample["data"], "name": "Synthetic Person"})


def test_every_field_of_a_referral_is_listed_in_the_minimal_data_set() -> None:
    fields = set(events.ReferralIssued.model_fields)
    assert fields == minimal_data.REQUEST_FIELDS | minimal_data.FIELD_CLASS.keys()
    for direction, rows in minimal_data.CROSSES.items():
        assert rows.keys() <= minimal_data.FIELD_CLASS.keys(), direction


def test_police_are_never_told_anything_clinical() -> None:
    for (_, to), rows in minimal_data.CROSSES.items():
        if to is codes.AgencyKind.POLICE:
            assert not [field for field in rows if minimal_data.FIELD_CLASS[field] == "C"]


def test_nothing_about_a_suspect_and_no_pressure_report_crosses() -> None:
    crossing = {code for rows in minimal_data.PROGRESS_CROSSES.values() for code in rows}
    assert not crossing & {codes.ProgressCode.SUSPECT_KNOWN, codes.ProgressCode.PRESSURE_TO_SETTLE}


def test_no_code_speaks_of_mediation() -> None:
    kinds = [kind for kind in vars(codes).values() if isinstance(kind, type) and issubclass(kind, StrEnum) and kind is not StrEnum]
    words = [str(code) for kind in kinds for code in kind]
    assert len(words) > 100
    assert not [w for w in words if "mediat" in w or "reconcil" in w or "compromise" in w]
