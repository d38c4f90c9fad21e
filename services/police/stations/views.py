"""A station's register as its desk sees it, and stations as their mother station sees them. Reads only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlmodel import col

from services.police.stations.domain import gaps, stretches
from services.police.stations.tables import InformedCount, Registration, StationCounter, StationEntry, StationStated
from shared.casework import scope
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Registered
from shared.exchange.tables import OutboxRow, Peer
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _

LISTED_MAX = 200  # of a page, newest first; older ones that nobody has confirmed are always on it
INFORMED_BACK = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Line:
    """A registration, and who has confirmed what of it: `mother_at` when the mother station signed for its number, kind and times,
    `recipient_at` when whoever was asked signed for the request. Nobody is ever told the rest of a file."""

    row: Registration
    mother_at: datetime | None
    recipient: str | None
    recipient_at: datetime | None

    @property
    def is_confirmed(self) -> bool:
        """Whether anybody beyond this station has signed for its number, or for the request."""
        return self.mother_at is not None or self.recipient_at is not None

    @property
    def is_file_here_only(self) -> bool:
        """Whether what the number stands for is here and nobody beyond this station holds any of it: a complaint, or a request for
        which its recipient has not signed."""
        return self.row.about is not None and self.recipient_at is None


@dataclass(frozen=True, slots=True)
class Register:
    """What a station has numbered. `missing` are numbers that were given and of which no row is left here."""

    lines: Sequence[Line]
    last: int
    missing: Sequence[tuple[int, int]]
    unconfirmed: int

    @property
    def cases(self) -> set[UUID]:
        """The cases that its lines show."""
        return {one.row.case_id for one in self.lines if one.row.case_id is not None}


async def register_of(tx: Transaction, here: Here, by: Actor) -> Register:
    """The register as far as an account may see its cases; the numbers themselves are the whole station's."""
    told = (
        select(col(OutboxRow.event_id), func.max(col(OutboxRow.delivered_at)).label("delivered_at"))
        .join(Registration, col(Registration.event_id) == col(OutboxRow.event_id))
        .group_by(col(OutboxRow.event_id)).subquery()
    )  # fmt: skip
    is_seen = or_(col(Registration.case_id).is_(None), scope.sees_case(by, col(Registration.case_id)))
    query = (
        select(Registration, told.c.delivered_at, col(Referral.recipient), col(Referral.delivered_at))
        .outerjoin(told, told.c.event_id == col(Registration.event_id))
        .outerjoin(Referral, col(Referral.id) == col(Registration.about))
        .where(is_seen)
    )
    nobody = (told.c.delivered_at.is_(None), col(Referral.delivered_at).is_(None))
    newest = col(Registration.number).desc()
    open_ones = (await tx.session.execute(query.where(*nobody).order_by(newest).limit(LISTED_MAX))).tuples().all()
    rest = (await tx.session.execute(query.order_by(newest).limit(LISTED_MAX))).tuples().all()
    lines = {row.number: Line(row, at, recipient, got_at) for row, at, recipient, got_at in [*open_ones, *rest]}
    unconfirmed = (await tx.session.execute(select(func.count()).select_from(query.where(*nobody).subquery()))).scalar_one()
    async with scope.whole_agency(tx):  # which numbers there are tells nothing of any case
        last = int((await tx.session.execute(select(col(StationCounter.last)))).scalar_one_or_none() or 0)
        held = (await tx.session.execute(select(col(Registration.number)))).scalars()
    return Register([lines[number] for number in sorted(lines, reverse=True)], last, gaps(held, last), int(unconfirmed))


async def number_of(tx: Transaction, about: UUID) -> int | None:
    """The number under which something stands in the station's register; None elsewhere."""
    query = select(col(Registration.number)).where(col(Registration.about) == about).order_by(col(Registration.number)).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none()


async def own_gaps(tx: Transaction) -> list[tuple[int, int]]:
    """Numbers that this station gave and of which no row is left."""
    last = int((await tx.session.execute(select(col(StationCounter.last)))).scalar_one_or_none() or 0)
    return gaps((await tx.session.execute(select(col(Registration.number)))).scalars(), last)


async def informed(tx: Transaction, here: Here, by: Actor) -> list[tuple[date, str, int]]:
    """How many were informed, by day and kind, the newest day first."""
    since = here.day_of(tx.clock.now()) - INFORMED_BACK
    query = (
        select(col(InformedCount.on_date), col(InformedCount.what), func.sum(col(InformedCount.count)))
        .where(col(InformedCount.on_date) >= since)
        .group_by(col(InformedCount.on_date), col(InformedCount.what))
        .order_by(col(InformedCount.on_date).desc(), col(InformedCount.what))
    )
    if by.facility is not None:
        query = query.where(col(InformedCount.facility).in_(by.desks))
    return [(on, what, int(count)) for on, what, count in (await tx.session.execute(query)).tuples()]


async def work_lines(tx: Transaction, here: Here, by: Actor) -> list[tuple[str, Said]]:
    """What of this station nobody has confirmed; at a mother station which of its stations lacks numbers."""
    found: list[tuple[str, Said]] = []
    if here.entry.mother is not None:
        register = await register_of(tx, here, by)
        if register.unconfirmed:
            words = _("Registered here and not yet confirmed by anybody: %(count)s.")
            found.append(("/register", Sentence(words, {"count": register.unconfirmed})))
    return found


# --- at the mother station -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Station:
    """What is held of a station's numbers. `stated` is the highest that anybody has said and not put right, `missing`
    what is not here up to it.

    Of what is held only numbers, kinds and times are here. `complaints`, as stretches: their files are the station's alone and lost
    with it. `requests`: what was asked is at whoever was asked, if it came there; this agency is not told who that is.

    `twice` are numbers that came in more than one word: each of them is kept.
    """

    agency: str
    last_heard_at: datetime | None
    held: int
    highest: int
    newest: StationEntry | None
    stated: int
    words: Sequence[StationStated]
    corrected: frozenset[UUID]  # of these the mistyped ones, that say nothing any more
    missing: Sequence[tuple[int, int]]
    complaints: Sequence[tuple[int, int]]
    requests: Sequence[tuple[int, int]]
    twice: Sequence[tuple[int, Sequence[StationEntry]]]


async def stations_of(tx: Transaction, here: Here) -> list[Station]:
    """Every station of this agency, by its id."""
    return [await station_of(tx, station) for station in here.stations]


async def station_of(tx: Transaction, station: str) -> Station:
    """One of them."""
    mine = col(StationEntry.station) == station
    held = (await tx.session.execute(select(col(StationEntry.number), col(StationEntry.what)).where(mine))).tuples().all()
    numbers = [number for number, _what in held]
    of_kind = {kind: stretches(number for number, what in held if what == kind) for kind in Registered}
    said = select(StationStated).where(col(StationStated.station) == station).order_by(col(StationStated.stated_at).desc())
    words = list((await tx.session.execute(said)).scalars())
    highest = max(numbers, default=0)
    corrected = frozenset(one.corrects for one in words if one.corrects is not None)
    stated = max([highest, *(one.number for one in words if one.id not in corrected)])
    newest = select(StationEntry).where(mine, col(StationEntry.number) == highest).order_by(col(StationEntry.received_at)).limit(1)
    peer = await tx.session.get(Peer, station, populate_existing=True)
    return Station(
        station, peer.last_heard_at if peer is not None else None, len(set(numbers)), highest,
        (await tx.session.execute(newest)).scalar_one_or_none(), stated, words, corrected,
        gaps(numbers, stated), of_kind[Registered.COMPLAINT], of_kind[Registered.REFERRAL], await _twice(tx, station),
    )  # fmt: skip


async def _twice(tx: Transaction, station: str) -> list[tuple[int, list[StationEntry]]]:
    mine = col(StationEntry.station) == station
    double = select(col(StationEntry.number)).where(mine).group_by(col(StationEntry.number)).having(func.count() > 1)
    query = select(StationEntry).where(mine, col(StationEntry.number).in_(double))
    found: defaultdict[int, list[StationEntry]] = defaultdict(list)
    for row in (await tx.session.execute(query.order_by(col(StationEntry.number), col(StationEntry.recorded_at)))).scalars():
        found[row.number].append(row)
    return sorted(found.items())
