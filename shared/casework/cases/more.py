"""What a new case asks behind "More": what was given before care, who comes along, and what it was part of. Codes, never a name."""

from datetime import datetime, time, timedelta
from typing import Annotated

from pydantic import Field

from shared.casework.here import Here
from shared.contracts.casework import events, minimal_data
from shared.contracts.casework.codes import AgeBand, AgencyKind, CareProduct, IncidentContext
from shared.kit.bodies import Body
from shared.kit.i18n import Times
from shared.kit.i18n import mark as _
from shared.programmes.terms import Act
from shared.programmes.vocabulary import CertificateRequired

Count = Annotated[int, Field(ge=0, le=events.DEPENDANTS_MAX)]
BANDS = {  # the field of the form that counts each band
    "with_0_9": AgeBand.A0_9, "with_10_14": AgeBand.A10_14, "with_15_17": AgeBand.A15_17, "with_18_24": AgeBand.A18_24,
    "with_25_49": AgeBand.A25_49, "with_50": AgeBand.A50,
}  # fmt: skip
PRODUCTS = {"given_ec": CareProduct.EMERGENCY_CONTRACEPTION, "given_pep": CareProduct.PEP_STARTER}  # each with its time
# Asked where the programme tells them apart. That a child was abused follows from age and kind; pressure to settle is a step apart.
CONTEXTS = (
    IncidentContext.DOMESTIC_VIOLENCE, IncidentContext.FAMILY_DISPUTE, IncidentContext.EARLY_MARRIAGE, IncidentContext.TRAFFICKING,
    IncidentContext.HARMFUL_PRACTICE,
)  # fmt: skip
DISPENSING = frozenset({Act.DISPENSE_EMERGENCY_CONTRACEPTION, Act.DISPENSE_PEP_STARTER})
WORDS = {
    **dict.fromkeys(BANDS, _("Type how many, as a number up to 20, or leave it empty.")),
    **dict.fromkeys(PRODUCTS, _("Type the time as 08:15, or leave it empty.")),
}
TOO_MANY = _("At most 20 people can be written down here.")


class GivenBefore(Body):
    """When each product was given before care; empty where it was not."""

    given_ec: time | None = None
    given_pep: time | None = None

    def products(self, here: Here, times: Times, said_at: datetime) -> tuple[events.Given, ...]:
        """What was given; a clock time is the last one before it was said. Nothing where this agency may not tell of it."""
        if not may_give(here):
            return ()
        asked = {PRODUCTS[name]: getattr(self, name) for name in PRODUCTS}
        return tuple(
            events.Given(product=product, given_at=_last(at, times, said_at)) for product, at in asked.items() if at is not None
        )


class WhoComesAlong(Body):
    """How many of each age group come with her and need care or a place too."""

    with_0_9: Count = 0
    with_10_14: Count = 0
    with_15_17: Count = 0
    with_18_24: Count = 0
    with_25_49: Count = 0
    with_50: Count = 0

    def dependants(self) -> events.Dependants | None:
        """Their age groups, one by one; None where nobody comes along. Raises pydantic's ValidationError beyond the limit."""
        bands = tuple(band for name, band in BANDS.items() for _one in range(getattr(self, name)))
        return events.Dependants(age_bands=bands) if bands else None

    def is_too_many(self) -> bool:
        """Whether more were counted than a request can say."""
        counts: list[int] = [getattr(self, name) for name in BANDS]
        return sum(counts) > events.DEPENDANTS_MAX


def may_give(here: Here) -> bool:
    """Whether an agency of this kind gives products before care, of which the place of care is told."""
    return any("given" in rows for (sender, _to), rows in minimal_data.CROSSES.items() if sender == here.kind)


def keeps_a_box(here: Here) -> bool:
    """Whether this programme's police give products from a box with a register: what is given from it is written there, and what
    the form asks was given somewhere else."""
    rules = here.programme.rules.values()
    return here.kind is AgencyKind.POLICE and any(
        isinstance(rule, CertificateRequired) and rule.act in DISPENSING for rule in rules
    )


def _last(at: time, times: Times, said_at: datetime) -> datetime:
    today = times.local(said_at).date()
    moment = times.moment(today, at)
    return moment if moment <= said_at else times.moment(today - timedelta(days=1), at)
