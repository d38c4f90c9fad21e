"""What is done or demanded against the protocol, in closed lists: any agency may write it down, of any side.

There is no outcome of a mediation, because none exists (practice guide, rule 8): an attempt is a breach.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from shared.contracts.casework.codes import ServicePackage
from shared.programmes.profile import Programme
from shared.programmes.rules import answers
from shared.programmes.situation import Message, Situation
from shared.programmes.terms import Act


class BreachCode(StrEnum):
    """What was done or demanded against the protocol."""

    MEDIATION_ATTEMPTED = "mediation_attempted"
    POLICE_REPORT_DEMANDED = "police_report_demanded"  # before care
    FEE_DEMANDED = "fee_demanded"
    PERMISSION_DEMANDED = "permission_demanded"  # of a husband or of the family
    SENT_ON_UNRECORDED = "sent_on_unrecorded"  # she came to a station, and was sent to another without a line in the register
    PROPERTY_NOT_RETURNED = "property_not_returned"  # she asked for her things, and has not got them
    MADE_AN_OFFENCE = "made_an_offence"  # what was done to her was entered as an offence of hers
    ADDRESS_STORED = "address_stored"  # where she stays was written down where it must not be
    FILES_LINKED = "files_linked"  # her file as a survivor and one of somebody who is accused


class ByWhom(StrEnum):
    """Whose side a breach came from: never a person, never a place."""

    POLICE = "police"
    HEALTH = "health"
    SOCIAL_WELFARE = "social_welfare"
    PARTNER = "partner"
    JUSTICE = "justice"
    FAMILY = "family"
    COMMUNITY = "community"
    OTHER = "other"
    NOT_KNOWN = "not_known"


def is_free(programme: Programme, packages: Iterable[str], now: datetime) -> bool:
    """Whether the programme gives something of this for nothing, so that whoever ends it is asked whether money was taken."""
    asked = frozenset(ServicePackage(one) for one in packages)
    said = answers(programme, Situation(act=Act.CLOSE, now=now, packages=asked, fee=1))
    return any(one.message is Message.FEE_IS_A_BREACH for one in said)
