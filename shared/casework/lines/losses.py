"""What only the lost database knew, as far as the copy that was put back tells: from when to when, and what is here of before.

Nobody can list what is lost. What can be said of each kind of fact that is told to nobody is how many are here from before and
when the last was written, so that paper and people are asked for whatever came after it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import col

from shared.casework.accounts.tables import Account, CaseRead, HandOver
from shared.casework.breaches.tables import Breach
from shared.casework.cases.tables import Case, Incident, Note
from shared.casework.consents.tables import Consent
from shared.casework.exports.tables import Export
from shared.casework.lines.local_facts import LocalFacts
from shared.casework.pages.words import LINES
from shared.casework.paper.tables import Sheet
from shared.casework.referrals.tables import Referral
from shared.casework.registers.tables import RegisterEntry
from shared.contracts.casework.codes import ConsentHow
from shared.exchange.tables import Activity, Incarnation, OutboxRow
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _

LISTED_FOR = timedelta(days=30)  # after a restore: by then paper is entered again, and to count millions of rows takes a second
CASES_MAX = 500  # named on one page
# A life that was opened while the agency was at work already: the copy had been written to since it was put back.
AT_WORK = frozenset({"peer_holds_more", "own_signature"})

OPENED_HERE = select(col(Case.id)).where(~col(Case.is_received))


def _noted(name: str, kind: str, *only: Any) -> LocalFacts:
    """What has no time of its own at which it was written down: the diary has it."""
    return LocalFacts(name, col(Activity.recorded_at), (col(Activity.kind) == kind, *only))


EVERYWHERE = (
    _noted(_("Cases"), "case.opened", col(Activity.subject).in_(OPENED_HERE)),
    LocalFacts(LINES["incident.recorded"], col(Incident.recorded_at)),
    *(_noted(LINES[kind], kind) for kind in ("consent.recorded", "consent.refused", "arrival.recorded")),
    LocalFacts(_("Notes"), col(Note.written_at)),
    LocalFacts(_("Registers"), col(RegisterEntry.recorded_at)),
    LocalFacts(_("Sheets that were printed"), col(Sheet.printed_at)),
    LocalFacts(_("Sheets that were entered"), col(Sheet.entered_at)),
    LocalFacts(_("Against the protocol"), col(Breach.recorded_at)),
    LocalFacts(_("Shifts that were handed over"), col(HandOver.written_at)),
    LocalFacts(_("Files that were handed out"), col(Export.made_at)),
    LocalFacts(_("Looks at cases"), col(CaseRead.read_at)),
    LocalFacts(_("Accounts"), col(Account.created_at)),
)


class HeldHere(Body):
    """Of one kind of fact: how many the copy that was put back held, and when the last of them was written down."""

    name: str
    count: int
    last_at: datetime | None


class Unknown(Body):
    """The time of which only the lost database knew, and what is known beside it.

    `since`: when the copy was last written to, None where it had been at work again before that was noticed; `until`: when this
    life of the database began. `last_sheets`: the last number of each kind of sheet; later ones may lie on paper, and come again.
    `bare_consents`, `bare_requests`: numbers of cases that hold a consent, or a request, of which only what was told is known.
    """

    since: datetime | None
    until: datetime
    held: list[HeldHere]
    last_sheets: list[str]
    bare_consents: list[str]
    bare_requests: list[str]

    @property
    def words(self) -> list[str]:
        """For a terminal."""
        since, until = ("" if at is None else f"{at:%Y-%m-%d %H:%M} UTC" for at in (self.since, self.until))
        first = f"Of what is told to nobody, nothing is known from {since} to {until}."
        if not since:
            first = f"Only at {until} was it noticed that these records are an older copy. When it was put back is not known."
        here = [f"  {one.name}: {one.count}, the last of {one.last_at:%Y-%m-%d %H:%M} UTC" for one in self.held if one.last_at]
        lines = [first, "From before that are here:", *here]
        if none := [one.name for one in self.held if one.last_at is None]:
            lines.append(f"  none of: {'; '.join(none)}.")
        if self.last_sheets:
            last = ", ".join(self.last_sheets)
            lines.append(f"Sheets with later numbers than these may lie printed, and their numbers are given again: {last}.")
        if self.bare_consents:
            lines.append(f"Of a consent only what was told under it is known in: {', '.join(self.bare_consents)}.")
        if self.bare_requests:
            lines.append(f"Of a request it is not known which incident it is about in: {', '.join(self.bare_requests)}.")
        return lines


async def unknown_since_restore(tx: Transaction, because: str, kinds: Sequence[LocalFacts]) -> Unknown | None:
    """What can be said of what is lost; None once the restore lies longer back than it is listed. `kinds`: what this kind of agency
    writes down beside what every agency does."""
    until = (await tx.session.execute(select(col(Incarnation.opened_at)).where(col(Incarnation.is_current)))).scalar_one()
    if tx.clock.now() - until > LISTED_FOR:
        return None
    held = [await _held(tx, kind, until) for kind in (*EVERYWHERE, *kinds)]
    written = select(func.max(col(Activity.recorded_at))).where(col(Activity.recorded_at) < until)
    moments = [(await tx.session.execute(written)).scalar_one(), *(one.last_at for one in held)]
    known = [one for one in moments if one is not None]
    return Unknown(
        since=max(known) if known and because not in AT_WORK else None, until=until, held=held,
        last_sheets=await _last_sheets(tx, until), bare_consents=await _numbers(tx, _bare_consents()),
        bare_requests=await _numbers(tx, _bare_requests()),
    )  # fmt: skip


async def _held(tx: Transaction, kind: LocalFacts, until: datetime) -> HeldHere:
    query = select(func.count(), func.max(kind.at)).where(kind.at < until, *kind.only)
    count, last_at = (await tx.session.execute(query)).one()
    return HeldHere(name=kind.name, count=count, last_at=last_at)


async def _last_sheets(tx: Transaction, until: datetime) -> list[str]:
    # Of one kind the numbers have as many digits until there are 100,000, and then sort by their length.
    last: dict[str, str] = {}
    query = select(col(Sheet.kind), func.max(func.length(col(Sheet.number)))).where(col(Sheet.printed_at) < until)
    for kind, length in (await tx.session.execute(query.group_by(col(Sheet.kind)))).tuples():
        same = (col(Sheet.kind) == kind, func.length(col(Sheet.number)) == length, col(Sheet.printed_at) < until)
        last[kind] = (await tx.session.execute(select(func.max(col(Sheet.number))).where(*same))).scalar_one()
    return [last[kind] for kind in sorted(last)]


def _bare_consents() -> Select[Any]:
    return select(col(Consent.case_id)).where(col(Consent.how) == ConsentHow.NOT_KNOWN)


def _bare_requests() -> Select[Any]:
    returned = select(col(OutboxRow.event_id)).where(col(OutboxRow.returned_at).is_not(None))
    lacks = (col(Referral.direction) == "out", col(Referral.incident_id).is_(None), col(Referral.issued_event_id).in_(returned))
    return select(col(Referral.case_id)).where(*lacks)


async def _numbers(tx: Transaction, cases: Select[Any]) -> list[str]:
    query = select(col(Case.number)).where(col(Case.id).in_(cases)).order_by(col(Case.number)).limit(CASES_MAX)
    return list((await tx.session.execute(query)).scalars())
