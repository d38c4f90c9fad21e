"""An examination and its order. Where the programme says so, an examination may begin before the order (domain.md 4.6: the
institute accepts her and asks for the order afterwards); what she came for is never put off for a paper.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from shared.programmes.profile import Programme
from shared.programmes.terms import Act, Fact
from shared.programmes.vocabulary import ActNeeds

ORDER_WITHIN = timedelta(hours=72)  # where the programme gives no time: a design of ours, three days as for a forensic sample


class Order(StrEnum):
    """Where the order stands."""

    NOT_NEEDED = "not_needed"  # no rule of the programme asks for one
    THERE = "there"  # it was, before the examination began
    AWAITED = "awaited"  # it may follow, and has not been asked for yet
    ASKED = "asked"
    CAME = "came"


OWED = frozenset({Order.AWAITED, Order.ASKED})


class AskedOf(StrEnum):
    """Who gives an order."""

    POLICE = "police"
    PROSECUTOR = "prosecutor"
    COURT = "court"


def order_rule(programme: Programme) -> ActNeeds | None:
    """The programme's rule by which an examination needs an order; None where it has none."""
    return next(
        (
            rule for rule in programme.rules.values()
            if isinstance(rule, ActNeeds) and rule.act is Act.EXAMINE and Fact.POLICE_ORDER in rule.facts
        ),
        None,
    )  # fmt: skip


def at_begin(rule: ActNeeds | None, *, is_there: bool) -> Order | None:
    """Where the order stands as an examination begins; None where it must be there first."""
    if is_there:
        return Order.THERE
    if rule is None:
        return Order.NOT_NEEDED
    return Order.AWAITED if rule.may_follow else None


def due_at(rule: ActNeeds | None, order: Order, begun_at: datetime) -> datetime | None:
    """By when an order that follows must be there; None where none is owed."""
    if order not in OWED:
        return None
    within = timedelta(hours=rule.within_h) if rule is not None and rule.within_h is not None else ORDER_WITHIN
    return begun_at + within


def is_late(order: Order, due: datetime | None, now: datetime) -> bool:
    """Whether an order is owed and its time has passed; the last moment is in time."""
    return order in OWED and due is not None and now > due
