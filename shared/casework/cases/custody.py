"""What a case's custody bundle is about: the subjects of everything that was said and heard on a case."""

from uuid import UUID

from sqlalchemy import ColumnElement, select, union
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.sessions import actor_from
from shared.casework.accounts.tables import Account
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.consents.tables import Consent
from shared.casework.exports.commands import Wish, encrypt_export, export_row
from shared.casework.exports.domain import What
from shared.casework.exports.tables import Export
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.referrals.tables import Referral
from shared.exchange.custody import MARK, make_bundle
from shared.exchange.evidence import make_evidence
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import InboxRow, OutboxRow
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.errors import NotFound

EXPORTED = "custody"  # what the log of who looked says of it


async def bundle_of(tx: Transaction, here: Here, seal: KeyedSeal, case: str, by: str) -> tuple[Actor, Case, bytes]:
    """The bytes of the bundle of a case, named by its number or id, with the case and whoever asks; raises RefnetError. That it was
    made, and by whom, is kept as a look."""
    account = await supervisor_named(tx, by)
    actor = actor_from(here, account, ())
    actor.may_work()
    actor.may_supervise()
    found = (await tx.session.execute(select(Case).where(_named(case), scope.this_case(actor)))).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such case here; name it by its number or its id.")
    await note_read(tx, found.id, actor, EXPORTED)
    return actor, found, (await make_bundle(tx, seal, found.id, await _subjects(tx, found))).to_bytes()


async def supervisor_named(tx: Transaction, name: str) -> Account:
    """The account on whose word it is made; raises NotFound."""
    account = await find_account(tx, name)
    if account.is_disabled:
        raise NotFound("There is no account “%(name)s”; `refnet users list` shows them.", name=name)
    return account


async def export_bundle(tx: Transaction, here: Here, seal: KeyedSeal, case: str, by: str, wish: Wish) -> bytes:
    """The bundle as it leaves: marked with who took it and what for, encrypted to whoever shall read it, with a row among the
    exports. Raises RefnetError, NoKey."""
    actor, found, data = await bundle_of(tx, here, seal, case, by)
    actor.may_let_out()
    return await _marked(tx, here, export_row(tx, actor, What.BUNDLE, wish, case_id=found.id), by, wish, data)


async def export_evidence(tx: Transaction, here: Here, seal: KeyedSeal, by: str, wish: Wish) -> bytes:
    """What other agencies signed and cannot stand by, as it leaves; raises RefnetError, NoKey. It may hold words of any case, so
    only whoever supervises the whole agency takes it."""
    actor = actor_from(here, await supervisor_named(tx, by), ())
    actor.may_work()
    actor.may_supervise()
    actor.may_let_out()
    if actor.facility is not None:
        raise Forbidden("It may hold words of every place's cases; a supervisor of the whole agency takes it.")
    data = await make_evidence(tx, seal)
    return await _marked(tx, here, export_row(tx, actor, What.EVIDENCE, wish, period=f"{tx.clock.now():%Y-%m}"), by, wish, data)


async def _marked(tx: Transaction, here: Here, export: Export, by: str, wish: Wish, data: bytes) -> bytes:
    said = " ".join(wish.because.split())
    mark = (
        f"{MARK}export {export.id}; {here.entry.name}; handed out by {by} at {export.made_at.isoformat()}; {wish.purpose}: {said}\n"
    )
    return await encrypt_export(tx, export, mark.encode() + data)


def _named(case: str) -> ColumnElement[bool]:
    try:
        return col(Case.id) == UUID(case)
    except ValueError:
        return col(Case.number) == case


async def _subjects(tx: Transaction, case: Case) -> set[UUID]:
    referrals = select(col(Referral.id)).where(col(Referral.case_id) == case.id)
    about = {case.circle, *(await tx.session.execute(referrals)).scalars()}
    own = select(col(Consent.id)).where(col(Consent.case_id) == case.id)
    # That a consent was taken back, and what became of its copies, is said of the consent; what rested on it may have been a step,
    # a conference or membership alone, of which no record is left here.
    under = [select(col(table.consent_id)).where(among(tx, col(table.subject), about)) for table in (InboxRow, OutboxRow)]
    consents: set[UUID | None] = set((await tx.session.execute(union(own, *under))).scalars())
    return {*about, *(consent_id for consent_id in consents if consent_id is not None)}
