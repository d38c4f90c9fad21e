"""Hearing how a report of ours stands, and our own words of one that come home after a restore."""

from shared.casework import homecoming
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral
from shared.casework.reports import records
from shared.casework.reports.domain import Step
from shared.casework.reports.records import Kept
from shared.contracts.casework import events
from shared.exchange.registry import Received, Returned, Unauthorised
from shared.kit.db import Transaction


async def on_report_moved(received: Received, tx: Transaction, here: Here) -> None:
    """The place that writes it tells how it stands. Nothing of a referral changes with it."""
    word: events.ReportMoved = received.data
    referral = await tx.session.get(Referral, received.subject)
    if referral is None:
        return  # it went with its consent before this agency was restored: it is about nothing here
    if story.standing_of(referral).consent_taken_back:
        return  # said before the clinic heard of it: nothing of it is kept
    if not (referral.said or {}).get("report_form"):
        raise Unauthorised("No report was asked for with this referral.")
    how = Kept(received.occurred_at, is_own=False, event_id=received.id)
    await _put(tx, here, referral, word, how)


async def _put(tx: Transaction, here: Here, referral: Referral, word: events.ReportMoved, how: Kept) -> None:
    report = await records.ask_along(tx, referral.id, referral.case_id, referral.desk, referral.issued_at)
    said = events.data_of(word)
    step = Step(said.pop("status"))
    await records.keep(tx, here, report, referral, step, said, how)


async def _came_home(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    """Which step and when; who did it is on paper, and is not made up."""
    assert isinstance(fact, events.ReportMoved)
    referral = await tx.session.get(Referral, word.subject)
    if referral is None:
        return False
    report = await records.of_referral(tx, referral.id)
    known = await records.facts_of(tx, report.id) if report is not None else []
    if not any(one.event_id == word.id for one in known):
        await _put(tx, here, referral, fact, Kept(word.occurred_at, event_id=word.id))
    return True


homecoming.comes_home(events.ReportMoved, _came_home)
