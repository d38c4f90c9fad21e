"""Agreements as they bear on this agency: what they refuse, whom else the directory has, and how they stand. Reads only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.agreements.domain import Asked, Standing, Uncovered, Why, standing, uncovered
from shared.casework.here import Actor, Here
from shared.casework.pages.words import NOBODY_ELSE
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import AgencyKind, Role, ServicePackage
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Sentence
from shared.kit.i18n import mark as _
from shared.programmes.places import Agreement

OTHERS_MAX = 3  # places that a refusal names; the directory has the rest

SENTENCES = {
    Why.ENDED: _("The agreement with %(agency)s ended on %(day)s; the directory has for this: %(others)s."),
    Why.NOT_YET: _("The agreement with %(agency)s begins only on %(day)s; the directory has for this: %(others)s."),
    Why.SERVICE: _("The agreement with %(agency)s does not cover: %(services)s; the directory has for this: %(others)s."),
    Why.PLACE: _("No agreement with %(agency)s names this place; the directory has for this: %(others)s."),
    Why.AGENCY: _("%(agency)s has signed no agreement with this agency for this place; the directory has for this: %(others)s."),
}


def gap(here: Here, agency: str, facility: str, services: Iterable[ServicePackage], on: date) -> Uncovered | None:
    """What of a request no agreement covers on a day; None of an agency that is no partner."""
    place = here.network.facility(agency, facility)
    if here.known_kind(agency) is not AgencyKind.PARTNER or place is None:
        return None
    kind = place.kind or (named.kind if (named := here.programme.places.get(facility)) is not None else None)
    return uncovered(here.programme.agreements, Asked(here.agency, agency, facility, kind, frozenset(services), on))


def refusal(here: Here, agency: str, facility: str, services: Iterable[ServicePackage], on: date) -> Sentence | None:
    """One sentence that says why a request is outside the agreement, and whom else the directory has; None where it is not."""
    found = gap(here, agency, facility, services, on)
    if found is None:
        return None
    params: dict[str, object] = {
        "agency": Coded(agency, "agency"), "others": _others(here, agency, facility, found.services, on),
    }  # fmt: skip
    if found.why is Why.SERVICE:
        params["services"] = found.services
    if found.day is not None:
        params["day"] = found.day.isoformat()
    return Sentence(SENTENCES[found.why], params)


def _others(here: Here, agency: str, facility: str, services: Sequence[ServicePackage], on: date) -> tuple[Coded, ...]:
    district = here.network.agencies[agency].facilities[facility].district
    fitting = [
        (place.district != district, place.name, f"{peer}/{id_}")
        for peer in here.serving for id_, place in here.network.agencies[peer].facilities.items()
        if (peer, id_) != (agency, facility) and set(services) <= set(place.services) and gap(here, peer, id_, services, on) is None
    ]  # fmt: skip
    return tuple(Coded(key, "place") for _far, _name, key in sorted(fitting)[:OTHERS_MAX]) or (Coded(NOBODY_ELSE, "agreement"),)


@dataclass(frozen=True, slots=True)
class Shown:
    """One agreement at one of its ends. `open_now`: requests under way between the two ends at the account's desks."""

    id: str
    agreement: Agreement
    standing: Standing
    open_now: int


def of_this_agency(here: Here) -> Mapping[str, Agreement]:
    """The agreements that this agency has signed, as a partner or with one."""
    return {
        id_: one for id_, one in here.programme.agreements.items() if here.agency == one.partner or here.agency in one.signed_with
    }  # fmt: skip


def ways_here(here: Here, actor: Actor) -> Sequence[tuple[str, str]]:
    """Where the agreements are, for whoever works where there are any."""
    is_there = actor.role is not Role.ADMINISTRATOR and (here.kind is AgencyKind.PARTNER or of_this_agency(here))
    return [("/agreement", _("Agreement"))] if is_there else []


async def shown(tx: Transaction, here: Here, by: Actor) -> list[Shown]:
    """The agreements of this agency, those that end first first."""
    on = here.day_of(tx.clock.now())
    found = [
        Shown(id_, one, standing(one, on), await _open_now(tx, here, by, one)) for id_, one in of_this_agency(here).items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.agreement.ends_on or date.max, one.id))


async def _open_now(tx: Transaction, here: Here, by: Actor, one: Agreement) -> int:
    is_partner = here.agency == one.partner
    others = (
        col(Referral.issuer).in_(one.signed_with) if is_partner else col(Referral.recipient) == one.partner
    )  # fmt: skip
    query = select(func.count()).select_from(Referral).where(
        col(Referral.is_open), col(Referral.direction) == ("in" if is_partner else "out"), or_(others),
        scope.at_desk(by, col(Referral.desk), col(Referral.case_id)),
    )  # fmt: skip
    return int((await tx.session.execute(query)).scalar_one())
