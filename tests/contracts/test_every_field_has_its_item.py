"""Nothing leaves without its item: every field of every event stands in the minimal data set, with its class and consent item."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, create_model

from shared.contracts.casework import events, minimal_data
from shared.contracts.casework.codes import AgencyKind, ConsentItem


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold, behind tuples and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, UnionType, tuple, list} or get_args(annotation):
        for part in get_args(annotation):
            yield from models_in(part)


def paths(model: type[BaseModel]) -> Iterator[str]:
    """Every field that a model can say, by its path."""
    for name, field in model.model_fields.items():
        inner = [path for part in models_in(field.annotation) for path in paths(part)]
        yield from [f"{name}.{path}" for path in inner] or [name]


def unlisted(event: type[events.Event]) -> set[str]:
    return set(paths(event)) - minimal_data.SAID.get(event.type, {}).keys()


def test_every_field_of_every_event_is_listed_and_nothing_else_is() -> None:
    assert {event.type: unlisted(event) for event in events.EVENTS if unlisted(event)} == {}
    assert minimal_data.SAID.keys() == events.BY_TYPE.keys()
    for event in events.EVENTS:
        assert minimal_data.SAID[event.type].keys() - {""} == set(paths(event)), event.type


def test_a_field_that_nobody_listed_is_seen_wherever_it_stands() -> None:
    deeper: Any = create_model("Deeper", __base__=events.PersonNeeds, marital_status=(str, "unknown"))
    planted: Any = create_model("Planted", __base__=events.ReferralIssued, needs=(deeper | None, None), phone=(str | None, None))
    assert unlisted(planted) == {"needs.marital_status", "phone"}


def test_a_field_passes_under_the_same_item_in_every_direction_that_lists_it() -> None:
    said = minimal_data.SAID[events.ReferralIssued.type]
    for direction, rows in minimal_data.CROSSES.items():
        for field, item in rows.items():
            under = {told for path, (_, told) in said.items() if path.split(".")[0] == field}
            assert under == {item}, (direction, field)
    for field, of_class in minimal_data.FIELD_CLASS.items():
        assert {kind for path, (kind, _) in said.items() if path.split(".")[0] == field} == {of_class}, field


def test_what_is_clinical_never_goes_to_the_police_and_what_is_never_said_has_no_field() -> None:
    clinical = {field for field, of_class in minimal_data.FIELD_CLASS.items() if of_class == "C"}
    for (_, to), rows in minimal_data.CROSSES.items():
        assert to is not AgencyKind.POLICE or not clinical & rows.keys()
    of_facts = {kind for said in minimal_data.SAID.values() for kind, _ in said.values()} - {"A", "K", "S", "C"}
    assert of_facts == set()
    outside_the_request = [
        (name, path) for name, said in minimal_data.SAID.items() for path, (kind, _) in said.items()
        if kind in {"C", "S"} and name != events.ReferralIssued.type
    ]  # fmt: skip
    assert outside_the_request == []
    never = {"name", "birth_date", "phone", "address", "suspect", "narrative", "hiv", "pregnancy", "marital_status", "photo"}
    named = {part for said in minimal_data.SAID.values() for path in said for part in path.split(".")}
    assert not never & named


def test_the_items_that_nothing_passes_under_are_these() -> None:
    used = {item for said in minimal_data.SAID.values() for _, item in said.values()}
    assert set(ConsentItem) - used == {ConsentItem.MLR, ConsentItem.STAT}  # hand to hand; and counted, not told
