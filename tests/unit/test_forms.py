"""Forms into models: what was typed is kept, what is wrong is named in words of the catalogues and never in the library's own."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, model_validator

from shared.casework.pages.visits import home_of, inside, page_of
from shared.contracts.casework.codes import Role
from shared.kit.errors import Conflict
from shared.kit.forms import MISSING, WRONG, Filled, Sent, fill


class Asked(BaseModel):
    """A form with every kind of field."""

    count: int = Field(ge=1, le=9)
    answer: Literal["yes", "no"]
    many: list[str] = []
    note: str | None = None

    @model_validator(mode="after")
    def _rule(self) -> "Asked":
        if self.note == "both":
            raise ValueError("rule")
        return self


def test_a_right_form_is_a_model_and_keeps_what_was_typed() -> None:
    form = fill(Asked, {"count": ["3"], "answer": ["no", "yes"], "many": ["a", "b"], "other": ["x"]}, {})
    assert form.model == Asked(count=3, answer="yes", many=["a", "b"])  # the last of several values; all of a list
    assert (form.value("other"), form.value("absent", "-"), form.has("answer", "no")) == ("x", "-", True)
    assert not form.errors


def test_what_is_wrong_is_named_by_field_in_our_own_words() -> None:
    form = fill(Asked, {"count": ["12"], "note": ["kept"]}, {"count": "From one to nine."})
    assert form.model is None
    assert form.errors == {"count": "From one to nine.", "answer": MISSING}
    assert form.value("note") == "kept"
    assert fill(Asked, {"count": ["x"], "answer": ["maybe"]}, {}).errors == {"count": WRONG, "answer": WRONG}


def test_a_rule_between_fields_names_itself_and_given_fields_are_not_the_forms() -> None:
    form = fill(Asked, {"answer": ["yes"], "note": ["both"], "count": ["9"]}, {}, {"count": 2})
    assert form.errors == {"": "rule"}
    assert fill(Asked, {"answer": ["yes"], "count": ["9"]}, {}, {"count": 2}).model == Asked(count=2, answer="yes")


def test_the_first_fault_of_a_field_stands() -> None:
    error = Conflict("A batch has 1 to %(most)s sheets.", most=100)
    form: Filled[Asked] = Filled().error("count", "first").error("count", error)
    assert form.errors == {"count": "first"}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (None, "/"),
        ("", "/"),
        ("/work", "/work"),
        ("//elsewhere", "/"),
        ("/\\elsewhere", "/"),
        ("https://x", "/"),
        ("work", "/"),
    ],
)
def test_a_redirect_never_leaves_the_application(given: str | None, path: str) -> None:
    assert inside(given) == path


def test_a_form_says_on_which_page_it_stands_and_a_button_on_none() -> None:
    assert page_of({"page": ["/paper"]}) == "/paper"
    assert page_of({"page": ["//elsewhere"]}) == "/"
    assert page_of({}) is None


def test_every_role_begins_its_day_somewhere() -> None:
    assert {role: home_of(role) for role in Role} == {
        Role.OFFICER: "/work", Role.CLINICIAN: "/work", Role.SOCIAL_WORKER: "/work", Role.SUPERVISOR: "/alarms",
        Role.ADMINISTRATOR: "/accounts",
    }  # fmt: skip


def test_what_was_cleared_stays_cleared_when_the_page_is_shown_again() -> None:
    form: Filled[Any] = Filled(Sent({"note": ["typed"]}, {"step"}))
    assert [form.value(name, "default") for name in ("note", "step", "other")] == ["typed", "", "default"]
