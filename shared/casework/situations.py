"""What the programme's rules are asked about a case: its coded needs and its incident, as far as they are known here."""

from datetime import datetime
from typing import Any

from shared.casework.consents.her_own import Caregiver, is_child
from shared.casework.here import Here
from shared.contracts.casework.codes import CHILD_BANDS, AgeBand, IncidentContext, IncidentType, Sex, Ternary
from shared.programmes.situation import Situation
from shared.programmes.terms import Act, Fact

KNOWN_TYPES = frozenset(map(str, IncidentType)) - {IncidentType.GBV}  # the coarse word says nothing
CAREGIVER: dict[str, Ternary] = {
    Caregiver.NOT_THIS_ONE: Ternary.YES,
    Caregiver.SAFE: Ternary.NO,
}  # whether somebody is suspected, or not wanted there


def situation_of(
    here: Here, act: Act, now: datetime, desk: str | None, case: Any = None, incident: Any = None, **more: Any
) -> Situation:
    """Of a case or what a referral rests on of it, and one incident of it; `more` adds to what the records say."""
    needs: dict[str, Any] = getattr(case, "needs", None) or {}
    said = getattr(incident, "incident_type", None)
    facts, not_so = _facts(case, incident)
    return Situation(
        act, now,
        earliest_at=getattr(incident, "earliest_at", None), latest_at=getattr(incident, "latest_at", None),
        incident_type=IncidentType(said) if said in KNOWN_TYPES else None,
        contexts=frozenset(map(IncidentContext, getattr(incident, "contexts", None) or ())),
        age_band=_age(case, needs),
        sex=Sex(needs["sex"]) if needs.get("sex") else None,
        facts=facts | more.pop("facts", frozenset()), not_so=not_so | more.pop("not_so", frozenset()),
        agency=here.agency, facility_kind=here.kind_of_place(desk), district=here.district_of(desk), **more,
    )  # fmt: skip


def _age(case: Any, needs: dict[str, Any]) -> AgeBand | None:
    """Which band was not asked on the telephone; that she is a child is known, and any of a child's says so."""
    band = AgeBand(needs["age_band"]) if needs.get("age_band") else None
    return AgeBand.A15_17 if is_child(case) and band not in CHILD_BANDS else band


def _facts(case: Any, incident: Any) -> tuple[frozenset[Fact], frozenset[Fact]]:
    child: dict[str, Any] = getattr(case, "child", None) or {}
    adult: dict[str, Any] = getattr(case, "adult", None) or {}
    caregiver = adult.get("caregiver")
    answers = {
        Fact.ASSENT: child.get("assent"),
        Fact.SAFE_ADULT: child.get("safe_adult_present"),
        Fact.CAREGIVER_SUSPECTED: CAREGIVER.get(caregiver or ""),
        Fact.HURT_NOW: _yes(getattr(incident, "hurt_now", None)),
    }
    so = frozenset(fact for fact, answer in answers.items() if answer == Ternary.YES)
    return so, frozenset(fact for fact, answer in answers.items() if answer == Ternary.NO)


def _yes(known: bool | None) -> Ternary | None:
    return None if known is None else Ternary.YES if known else Ternary.NO
