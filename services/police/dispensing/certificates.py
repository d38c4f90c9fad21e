"""Who may give a product and read the register: whoever holds a valid certificate, at her own desk. A supervisor enters them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from services.police.dispensing import rules
from services.police.dispensing.tables import HeldCertificate
from shared.casework.accounts.commands import accounts_of, load_account
from shared.casework.accounts.tables import Account
from shared.casework.acts import ask_first, keep_certificates
from shared.casework.cases.commands import Form
from shared.casework.directory.news import place_subject
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.scope import OutOfSight
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgencyKind, CareProduct
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id
from shared.programmes.situation import Held, Situation
from shared.programmes.staff import Standing, may_train
from shared.programmes.terms import Act

SUPERVISED_MAX = 1_000  # acts before a certificate; more is a mistyped figure
VALID_AT_MOST = timedelta(days=10 * 365)  # a later end is a mistyped year


class EnterCertificate(Form):
    """What a colleague holds after a course. Trained is not certified: without `certified_on` she may do nothing yet."""

    account_id: UUID
    certificate: events.Code
    trained_on: date
    certified_on: date | None = None
    valid_until: date | None = None
    certified_by: events.AgencyId | None = None
    is_trainer: bool = False
    trainer_id: UUID | None = Field(default=None, description="the colleague who trained her; left out: the certifying agency did")
    supervised_acts: int | None = Field(default=None, ge=0, le=SUPERVISED_MAX, description="done while somebody watched")

    @model_validator(mode="after")
    def _in_order(self) -> "EnterCertificate":
        if (self.certified_on is None) != (self.certified_by is None):
            raise ValueError("'certified_on' and 'certified_by' go together")
        if self.certified_on is not None and self.certified_on < self.trained_on:
            raise ValueError("'certified_on' must not be before 'trained_on'")
        if self.valid_until is not None and (self.certified_on is None or self.valid_until < self.certified_on):
            raise ValueError("'valid_until' goes with 'certified_on', and is not before it")
        return self


async def enter_certificate(command: EnterCertificate, tx: Transaction, here: Here, by: Actor) -> HeldCertificate:
    """Enters one; raises Forbidden below a supervisor, and Conflict."""
    account = await load_account(tx, command.account_id, by)
    by.may_let_out()  # an administrator looks after accounts, and answers for no medicine
    if account.id == by.account_id:
        raise Conflict("Nobody certifies herself; another supervisor enters it.")
    now, on = tx.clock.now(), here.day_of(tx.clock.now())
    if command.certificate not in here.programme.certificates:
        raise Conflict("This programme knows no such certificate.")
    _as_the_programme_certifies(command, here)
    if command.trained_on > on or (command.certified_on or on) > on:
        raise Conflict("A day of training or of the certificate lies in the future.")
    if command.valid_until is not None and command.valid_until > on + VALID_AT_MOST:
        raise Conflict("No certificate holds so long; look at the year.")
    await _by_who_may_train(command, tx, here, by)
    row = HeldCertificate(id=new_id(), **command.model_dump(), entered_at=now, entered_by=by.account_id)
    kind = here.programme.certificates[command.certificate]
    row.valid_until = command.valid_until or kind.ends_on(Held(command.trained_on, command.certified_on))
    tx.session.add(row)
    await tx.session.flush()
    return row


def _as_the_programme_certifies(command: EnterCertificate, here: Here) -> None:
    """By the agency that issues it, after as many acts as it asks for; and only who holds what trainers hold trains others."""
    programme = here.programme
    kind = programme.certificates[command.certificate]
    if command.certified_by is not None and command.certified_by not in programme.agencies:
        raise Conflict("Whoever certifies is an agency of this programme.")
    if command.certified_by is not None and kind.certified_by not in (None, command.certified_by):
        by = str(programme.agencies[str(kind.certified_by)].name)
        raise Conflict("This certificate is issued by %(agency)s alone; enter what stands on its paper.", agency=by)
    needed = kind.supervised_acts or 0
    if command.certified_on is not None and (command.supervised_acts or 0) < needed:
        raise Conflict("It is issued after %(least)s acts that somebody watched; enter how many there were.", least=needed)
    trains = any(other.trained_by == command.certificate for other in programme.certificates.values())
    if command.is_trainer and not trains:
        raise Conflict("Nobody trains others with this certificate; enter the trainer's own.")


async def _by_who_may_train(command: EnterCertificate, tx: Transaction, here: Here, by: Actor) -> None:
    """The cascade: a colleague trains who held, on that day, what the programme asks of trainers. Where this agency certifies its
    own people somebody is named; another agency answers for its own teachers."""
    kind = here.programme.certificates[command.certificate]
    if command.trainer_id is None:
        if kind.trained_by is not None and kind.certified_by in (None, here.agency):
            raise Conflict("Say which colleague trained her; it is one who holds the trainer's certificate.")
        return
    trainer = await load_account(tx, command.trainer_id, by)
    if trainer.id == command.account_id:
        raise Conflict("Nobody trains herself; choose who did.")
    of_trainer = here.programme.certificates.get(kind.trained_by or "")
    held = (await held_by(tx, here, trainer.id, command.trained_on)).get(kind.trained_by or "")
    if not may_train(kind, of_trainer, held, command.trained_on):
        raise Conflict("This colleague held no trainer's certificate on that day, so the course does not count; choose who did.")
    at = datetime.combine(command.trained_on, time(), UTC)
    place = trainer.facility or by.facility or next(iter(here.entry.facilities))
    situation = Situation(Act.TRAIN_OTHERS, at, facility_kind=here.kind_of_place(place))
    await ask_first(tx, here, trainer.id, situation, place, trainer.id)


def _holds(here: Here, row: HeldCertificate, on: date) -> bool:
    return rules.standing(here.programme, row.certificate, held_of(row), on) is Standing.VALID


async def end_certificate(certificate_id: UUID, tx: Transaction, here: Here, by: Actor) -> HeldCertificate:
    """From today on it is none: it was taken away, or entered by mistake."""
    by.may_supervise()
    query = select(HeldCertificate).where(col(HeldCertificate.id) == certificate_id).with_for_update()
    row = (await tx.session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    account = await tx.session.get(Account, row.account_id) if row is not None else None
    if row is None or account is None or not by.sees(account.facility):
        raise OutOfSight("There is no such certificate.", certificate_id)
    by.may_let_out()
    if row.ended_on is None:
        row.ended_on, row.ended_by = here.day_of(tx.clock.now()), by.account_id
        await tx.session.flush()
    return row


async def certificates_of(tx: Transaction, by: Actor) -> list[tuple[HeldCertificate, Account]]:
    """The certificates of the accounts that a supervisor looks after, newest first of each."""
    by.may_let_out()
    accounts = {account.id: account for account in await accounts_of(tx, by)}
    query = select(HeldCertificate).where(col(HeldCertificate.account_id).in_(accounts))
    rows = (await tx.session.execute(query.order_by(col(HeldCertificate.entered_at).desc()))).scalars()
    return sorted(((row, accounts[row.account_id]) for row in rows), key=lambda one: one[1].name)


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Stands:
    """How an account stands, after the best of what it holds."""

    standing: Standing
    held: Held = NOTHING
    until: date | None = None


BEST = (Standing.VALID, Standing.EXPIRED, Standing.REVOKED, Standing.TRAINED, Standing.NONE)


def held_of(row: HeldCertificate) -> Held:
    """The same, for the rules."""
    return Held(row.trained_on, row.certified_on, row.ended_on, row.valid_until)


async def held_by(tx: Transaction, here: Here, account_id: UUID, on: date) -> dict[str, Held]:
    """The best that an account holds of each certificate, as it stands on a day."""
    query = select(HeldCertificate).where(col(HeldCertificate.account_id) == account_id)
    rows = list((await tx.session.execute(query)).scalars())
    rows.sort(key=lambda row: BEST.index(rules.standing(here.programme, row.certificate, held_of(row), on)), reverse=True)
    return {row.certificate: held_of(row) for row in rows}  # the last of each is the best


keep_certificates(AgencyKind.POLICE, held_by)


async def standing_of(tx: Transaction, here: Here, by: Actor, product: CareProduct | None = None) -> Stands:
    """How the account stands for a product: by the worst of the certificates that giving it needs. Without a product, for whichever
    it may give best."""
    papers: dict[str, list[Stands]] = {}
    on = here.day_of(tx.clock.now())
    query = select(HeldCertificate).where(col(HeldCertificate.account_id) == by.account_id)
    for row in (await tx.session.execute(query)).scalars():
        how = rules.standing(here.programme, row.certificate, held_of(row), on)
        papers.setdefault(row.certificate, []).append(Stands(how, held_of(row), row.valid_until))
    found = [Stands(Standing.NONE)]
    for given in rules.products(here.programme):
        if product in (None, given):
            needed = (papers.get(one, [Stands(Standing.NONE)]) for one in rules.certificates(here.programme, given))
            found.append(max((min(held, key=_place) for held in needed), key=_place))
    return min(found, key=_place)


def _place(stands: Stands) -> int:
    return BEST.index(stands.standing)


async def valid_certificates(tx: Transaction, here: Here, by: Actor) -> frozenset[str]:
    """What an account holds that is valid today."""
    today = here.day_of(tx.clock.now())
    query = select(HeldCertificate).where(col(HeldCertificate.account_id) == by.account_id)
    return frozenset(row.certificate for row in (await tx.session.execute(query)).scalars() if _holds(here, row, today))


async def may_give(tx: Transaction, here: Here, by: Actor) -> list[CareProduct]:
    """The products that an account may give today."""
    return [
        product for product in rules.products(here.programme)
        if (await standing_of(tx, here, by, product)).standing is Standing.VALID
    ]  # fmt: skip


async def require(tx: Transaction, here: Here, by: Actor, about: UUID, product: CareProduct | None = None) -> Stands:
    """That an account may give a product, or read the register. Raises Forbidden with the reason to whoever has been on the course;
    to everybody else there is nothing here, and that she asked is kept."""
    by.may_work()
    found = await standing_of(tx, here, by, product)
    match found.standing:
        case Standing.TRAINED:
            raise Forbidden("You were trained and are not certified yet, so nothing is given from the box. Care goes on: send her.")
        case Standing.EXPIRED:
            day = found.until.isoformat() if found.until is not None else "-"
            raise Forbidden("Your certificate ended on %(day)s, so nothing is given from the box. Care goes on: send her.", day=day)
        case Standing.REVOKED:
            raise Forbidden("Your certificate was ended, so nothing is given from the box. Care goes on: send her.")
        case Standing.NONE:
            raise OutOfSight("There is nothing at this address.", about)
    return found


def box_at(here: Here, by: Actor, facility: str | None) -> str:
    """The station whose box is meant: the one that is named, else the account's own. Raises OutOfSight."""
    place = facility or by.facility or next(iter(here.entry.facilities))
    if place not in here.entry.facilities or not by.sees(place):
        raise OutOfSight("There is nothing at this address.", place_subject(here.agency, place))
    return place
