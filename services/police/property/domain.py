"""A thing that is kept for her, as its entries make it by their own times: who has it, whether she asked, whether it is back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.programmes.profile import Programme
from shared.programmes.terms import Act as ProgrammeAct
from shared.programmes.vocabulary import BreachWhen

RECORD = "property"  # the register's name in a profile; a programme that has none has no such pages


class Thing(StrEnum):
    """What kind of thing it is; what it looks like stands in a sealed note."""

    MONEY = "money"
    JEWELLERY = "jewellery"
    CLOTHING = "clothing"
    DOCUMENTS = "documents"
    TELEPHONE = "telephone"
    KEYS = "keys"
    MEDICINE = "medicine"
    OTHER = "other"


class Act(StrEnum):
    """What happens to it."""

    TAKEN_IN = "taken_in"
    HANDED_OVER = "handed_over"  # between two officers
    ASKED_BACK = "asked_back"
    REFUSED = "refused"  # a breach, whatever the reason
    RETURNED = "returned"  # against her sign


class WhyRefused(StrEnum):
    """What was said to her."""

    EVIDENCE = "evidence"
    COURT_ORDER = "court_order"
    NOT_FOUND = "not_found"
    NOBODY_THERE = "nobody_there"
    OTHER = "other"


class HerSign(StrEnum):
    """How she signed that she has it again."""

    SIGNATURE = "signature"
    THUMB = "thumb"


class Gap(StrEnum):
    """Where the way of a thing is broken, because an entry is missing or its time is wrong. It is shown, and refuses nothing."""

    HOLDER_DIFFERS = "holder_differs"
    AFTER_THE_RETURN = "after_the_return"


_RANK = {act: rank for rank, act in enumerate(Act)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `post` has it, or hands it over; `other_post` takes it."""

    act: Act
    at: datetime
    post: str
    other_post: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the entries come to. `asked_at`: she asked and has not got it."""

    holder: str | None
    asked_at: datetime | None
    returned_at: datetime | None
    gaps: frozenset[Gap]


def standing(entries: Iterable[Entry]) -> Standing:
    """The way of a thing, whatever order its entries were typed in. A total function."""
    holder: str | None = None
    asked: datetime | None = None
    returned: datetime | None = None
    gaps: set[Gap] = set()
    for one in sorted(set(entries), key=lambda each: (each.at, _RANK[each.act], each.post, each.other_post or "")):
        if returned is not None:
            gaps.add(Gap.AFTER_THE_RETURN)
        elif one.act is Act.TAKEN_IN:
            holder = one.post
        elif one.act is Act.HANDED_OVER:
            gaps.update({Gap.HOLDER_DIFFERS} if holder != one.post else ())
            holder = one.other_post
        elif one.act is Act.RETURNED:
            gaps.update({Gap.HOLDER_DIFFERS} if holder != one.post else ())
            holder, asked, returned = None, None, one.at
        else:  # asked for; a no is said to whoever asked
            asked = asked or one.at
    return Standing(holder, asked, returned, frozenset(gaps))


def given_back_within(programme: Programme) -> timedelta | None:
    """How long after she asked it is a breach that she has not got it; None where the programme says nothing of it."""
    return min((timedelta(hours=rule.within_h) for rule in _limits(programme) if rule.within_h is not None), default=None)


def is_assumed(programme: Programme) -> bool:
    """Whether that rests on no published source."""
    return any(rule.is_assumption("within_h") for rule in _limits(programme))


def _limits(programme: Programme) -> list[BreachWhen]:
    rules = (rule for rule in programme.rules.values() if isinstance(rule, BreachWhen) and rule.within_h is not None)
    return [rule for rule in rules if rule.act is ProgrammeAct.RETURN_PROPERTY]
