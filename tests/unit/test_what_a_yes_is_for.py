"""Which of her answers about an agency it is told under: each purpose has its last one, and an older one never revives."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.casework.sharing import ASKED_FOR, THERE_FOR, Answer, in_force_of
from shared.contracts.casework.codes import PROVIDED_BY, AgencyKind, Basis, ConsentHow, LegalDuty, Purpose, ServicePackage
from shared.kit.ids import new_id

NOW = datetime(2026, 1, 5, tzinfo=UTC)
CLINIC, OFFICE = AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE
ACUTE, REPORT, CHILD = ServicePackage.ACUTE_CARE, ServicePackage.EXAMINATION_AND_REPORT, ServicePackage.CHILD_PROTECTION


def yes(purpose: Purpose = Purpose.CARE, *, over: bool = False, **more: Any) -> Answer:
    said: dict[str, Any] = {"basis": Basis.CONSENT, "legal_duty": None, "how": ConsentHow.SPOKEN, "expires_at": None, **more}
    return Answer(id=new_id(), purpose=purpose, items=["req"], taken_back_at=NOW if over else None, **said)


def by_law(purpose: Purpose = Purpose.PROTECTION) -> Answer:
    return yes(purpose, basis=Basis.LEGAL_BASIS, legal_duty=LegalDuty.CHILD_PROTECTION_LAW)


def under(kind: AgencyKind | None, answers: list[Answer], *services: ServicePackage) -> int | None:
    """Which of the answers, by its place among them."""
    found = in_force_of(kind, answers, NOW, services)
    return None if found is None else [one.id for one in answers].index(found.consent_id)


def test_a_page_asks_for_what_lets_everything_be_asked_that_such_an_agency_does() -> None:
    for kind, provided in PROVIDED_BY.items():
        assert provided <= ASKED_FOR[THERE_FOR[kind]], kind
    assert ASKED_FOR.keys() == set(Purpose)


def test_each_purpose_has_its_last_answer() -> None:
    court = Purpose.JUSTICE
    assert under(CLINIC, [yes(), yes(court)], ACUTE) == under(CLINIC, [yes(), yes(court)]) == 0
    assert under(CLINIC, [yes(), yes(court), yes()], ACUTE) == 2
    assert under(CLINIC, [yes(), yes(over=True)], ACUTE) is None
    assert under(CLINIC, [yes(), yes(court, over=True)], ACUTE) == 0
    assert under(CLINIC, [yes(over=True), yes(court)], REPORT) == 1
    assert under(CLINIC, [yes(expires_at=NOW), yes(court)], ACUTE) is None
    assert under(CLINIC, [yes(expires_at=NOW + timedelta(seconds=1))], ACUTE) == 0
    assert under(CLINIC, [yes(Purpose.STATISTICS)]) is None
    assert (
        under(OFFICE, [yes(), yes(Purpose.PROTECTION)], CHILD) == 1
    )  # the later is not for the former's services, nor this for it


def test_what_the_law_or_her_life_asks_for_takes_the_place_of_an_answer_for_what_an_agency_is_there_for() -> None:
    support = yes(Purpose.SUPPORT)
    assert under(OFFICE, [support, by_law()]) == under(OFFICE, [by_law(), support]) == 1
    assert under(OFFICE, [by_law(), yes(Purpose.SUPPORT, over=True)], CHILD) is None
    assert under(CLINIC, [yes(Purpose.CARE, basis=Basis.VITAL_INTEREST), yes(over=True)], ACUTE) is None


def test_what_a_restore_brought_back_may_have_been_for_anything() -> None:
    home, gone = yes(Purpose.JUSTICE, how=ConsentHow.NOT_KNOWN), yes(how=ConsentHow.NOT_KNOWN, over=True)
    assert under(CLINIC, [yes(), home], ACUTE) is None
    assert under(CLINIC, [yes(), home], REPORT) == 1
    assert under(CLINIC, [yes(), gone]) is None
    assert under(CLINIC, [home, yes(over=True)], REPORT) is None


def test_one_that_has_left_the_network_is_there_for_nothing_and_its_last_answer_counts() -> None:
    assert under(None, [yes(), yes(Purpose.JUSTICE)]) == 1
    assert under(None, [yes(), yes(over=True)]) is None
