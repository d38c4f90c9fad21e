"""What an agreement covers, day by day and service by service, and why something is not covered."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from coast import coast
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.casework.agreements.domain import ENDS_SOON, Asked, Standing, Uncovered, Why, standing, uncovered
from shared.casework.agreements.views import SENTENCES
from shared.contracts.casework.codes import ServicePackage as S
from shared.programmes.places import Agreement
from shared.programmes.profile import check_file

FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)


def agreement(**change: Any) -> Agreement:
    given_ = {"partner": "ngo", "signed_with": ("police",), "begins_on": FIRST, "ends_on": LAST,
              "services": ("shelter", "legal_aid"), "facilities": ("refuge",), "source": "D"}  # fmt: skip
    return Agreement.model_validate({**given_, **change})


def asked(on: date, *services: S, by: str = "police", facility: str = "refuge_1", kind: str | None = "refuge") -> Asked:
    return Asked(by, "ngo", facility, kind, frozenset(services or (S.SHELTER,)), on)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (FIRST - timedelta(days=1), Standing.NOT_YET),
        (FIRST, Standing.IN_FORCE),
        (LAST - ENDS_SOON - timedelta(days=1), Standing.IN_FORCE),
        (LAST - ENDS_SOON, Standing.ENDS_SOON),
        (LAST, Standing.ENDS_SOON),
        (LAST + timedelta(days=1), Standing.ENDED),
    ],
)
def test_it_holds_on_its_first_and_its_last_day(on: date, expected: Standing) -> None:
    one = agreement()
    assert standing(one, on) is expected
    assert (uncovered({"a": one}, asked(on)) is None) == (expected in (Standing.IN_FORCE, Standing.ENDS_SOON))
    assert standing(agreement(ends_on=None), LAST + timedelta(days=9999)) is Standing.IN_FORCE


def test_why_something_is_not_covered() -> None:
    one = {"a": agreement()}
    assert uncovered(one, asked(LAST + timedelta(days=1))) == Uncovered(Why.ENDED, (S.SHELTER,), LAST)
    assert uncovered(one, asked(FIRST - timedelta(days=9))) == Uncovered(Why.NOT_YET, (S.SHELTER,), FIRST)
    assert uncovered(one, asked(FIRST, S.SHELTER, S.PSYCHOSOCIAL)) == Uncovered(Why.SERVICE, (S.PSYCHOSOCIAL,))
    assert uncovered(one, asked(FIRST, by="health")) == Uncovered(Why.AGENCY, (S.SHELTER,))
    assert uncovered(one, asked(FIRST, facility="office_1", kind="office")) == Uncovered(Why.PLACE, (S.SHELTER,))
    assert uncovered({"a": agreement(facilities=())}, asked(FIRST, facility="office_1", kind=None)) is None
    assert uncovered({"a": agreement(facilities=("refuge_1",))}, asked(FIRST)) is None  # a place by its own name


def test_every_why_has_a_sentence_with_what_goes_into_it() -> None:
    day, common = {Why.ENDED, Why.NOT_YET}, {"agency", "others"}
    for why in Why:
        placeholders = set(re.findall(r"%\((\w+)\)s", SENTENCES[why]))
        needed = common | ({"day"} if why in day else set()) | ({"services"} if why is Why.SERVICE else set())
        assert placeholders == needed, why


def test_a_partner_of_which_the_programme_names_no_agreement_is_not_narrowed() -> None:
    assert uncovered({"a": agreement(partner="another")}, asked(FIRST)) is None
    assert uncovered({}, asked(FIRST)) is None


def test_two_agreements_together_cover_what_neither_does() -> None:
    both = {"a": agreement(services=("shelter",)), "b": agreement(services=("legal_aid",))}
    assert uncovered(both, asked(FIRST, S.SHELTER, S.LEGAL_AID)) is None
    renewed = {"a": agreement(), "b": agreement(begins_on=LAST + timedelta(days=1), ends_on=None)}
    assert uncovered(renewed, asked(LAST + timedelta(days=1))) is None


@given(st.lists(st.sampled_from(["shelter", "legal_aid", "psychosocial"]), min_size=1, unique=True), st.integers(-50, 200))
@settings(max_examples=60)
def test_one_more_agreement_never_takes_anything_away(services: list[str], days: int) -> None:
    on, more = FIRST + timedelta(days=days), agreement(services=("psychosocial",), ends_on=None)
    want = asked(on, *map(S, services))
    before, after = uncovered({"a": agreement()}, want), uncovered({"a": agreement(), "b": more}, want)
    assert set(after.services if after else ()) <= set(before.services if before else ())


def test_a_profile_whose_agreement_does_not_fit_says_where(tmp_path: Any) -> None:
    text = (
        "id: xy-wrong\nextends: zm-vsu-ec\nagencies:\n  partner: {kind: partner, name: Trust, source: D}\nagreements:\n"
        "  one: {partner: police, signed_with: [nobody], begins_on: 2026-02-30, services: [shelter], source: D}\n"
    )
    file = tmp_path / "xy-wrong.yaml"
    file.write_text(text)
    assert "'2026-02-30' is no day" in str(check_file(file).mistakes[0])
    file.write_text(
        text.replace("2026-02-30", "2026-02-28, ends_on: 2026-02-01, facilities: [barn]").replace("[shelter]", "[acute_care]")
    )
    said = " ".join(map(str, check_file(file).mistakes))
    for words in (
        "no agency 'nobody'",
        "of kind police",
        "before it begins",
        "does not provide 'acute_care'",
        "'barn' of 'police'",
    ):
        assert words in said, (words, said)
    assert coast().agreements["refuge_2026"].is_assumption()
