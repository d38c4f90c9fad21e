"""The plot of every fourth schedule: desks and clinics at work with the project's own commands, handlers and watchers.

What is done is drawn from the seed. A refusal that is meant (not now, not yours, no consent) is an answer like any other.
"""

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from casefile_oracle import judge, unalarmed
from world import Agency, App, Event, World

import services.demo
from services.health.subscriptions import SUBSCRIPTIONS as HEALTH
from services.police.subscriptions import SUBSCRIPTIONS as POLICE
from services.social_welfare.subscriptions import SUBSCRIPTIONS as SOCIAL_WELFARE
from shared.casework.alarms.watcher import Watcher
from shared.casework.cases.commands import OpenCase, open_case
from shared.casework.circles.commands import RecordProgress, record_progress
from shared.casework.consents.commands import RecordConsent, record_consent, take_back
from shared.casework.directory.network import Network, parse_network
from shared.casework.here import SYSTEM, Here
from shared.casework.lines.handlers import ExchangeHooks
from shared.casework.referrals.commands import IssueReferral, MakeTransition, answer_feedback, issue_referral, make_transition
from shared.casework.sharing import THERE_FOR
from shared.casework.vocabulary import subscribe
from shared.contracts.casework import codes
from shared.contracts.casework.lifecycle import IllegalTransition, MissingDetail, Transition
from shared.exchange.registry import Returned, Subscription
from shared.kit.db import Transaction
from shared.kit.errors import RefnetError
from shared.programmes.profile import Programme, load_programme

NAMES = ("police", "health", "social_welfare")
CONTENTS = {"police": POLICE, "health": HEALTH, "social_welfare": SOCIAL_WELFARE}
PLACES = {
    "police": (("ndola_central_vsu", "report_to_police"), ("masaiti_vsu", "protection")),
    "health": (("ndola_clinic", "acute_care"), ("ndola_hospital", "injury_care")),
    "social_welfare": (("ndola_district_office", "psychosocial"), ("ndola_district_office", "shelter")),
}
SECRET = b"a secret of the simulator, long!"
ACTS_MAX = 3  # of an agency in a row: the peace at the end costs more than what is done before it
OPEN_MAX = 3  # referrals that an agency has sent and that are open: beyond it somebody answers instead
CASES_MAX = 2  # an agency: what happens to few cases meets itself more often
FAILURES = frozenset({"event_parked", "event_unstorable", "word_not_put_home", "watched_row_failed"})  # logged, and no refusal

Move = tuple[Transition, dict[str, Any]]
T = Transition
ISSUERS: tuple[Move, ...] = (
    (T.CANCEL, {"reason_code": "she_changed_her_mind"}),
    (T.CANCEL, {"reason_code": "sent_elsewhere"}),
    (T.SET_OUT, {"mode": "car", "escort": "officer"}),
    (T.TOLD_BY_PHONE, {"post": "duty_nurse"}),
)
ARRIVE: Move = (T.ARRIVE, {})
DECLINE: Move = (T.DECLINE, {"reason_code": "no_place"})
MOVES: dict[str, tuple[Move, ...]] = {
    "issued": ((T.ACKNOWLEDGE, {}), (T.ACCEPT, {}), ARRIVE, DECLINE, (T.REDIRECT, {})),
    "acknowledged": ((T.ACCEPT, {}), ARRIVE, DECLINE, (T.SUGGEST, {"to_agency": "social_welfare"})),
    "accepted": (ARRIVE, (T.HOLD, {}), (T.NOT_ATTENDED, {}), (T.CLOSE, {"outcome_code": "moved_away"}), (T.REDIRECT, {})),
    "arrived": ((T.NOT_HERE, {}), (T.START, {}), (T.CLOSE, {"outcome_code": "served"}), (T.HOLD, {"reason_code": "in_hospital"})),
    "in_service": ((T.CLOSE, {"outcome_code": "admitted"}), (T.HOLD, {}), (T.CLOSE, {"outcome_code": "served"})),
    "on_hold": ((T.RESUME, {}), ARRIVE, (T.CLOSE, {"outcome_code": "she_declined"})),
}
ASKED: tuple[Move, ...] = ((T.CONFIRM_CANCEL, {}), (T.REFUSE_CANCEL, {}))


@cache
def network() -> Network:
    """The demo's network, which is a test's here."""
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    return parse_network(content | {"purpose": "test"}, "the demo's")


@cache
def programme() -> Programme:
    """The demo's programme."""
    return load_programme("zm-vsu-ec")


@dataclass(slots=True)
class Files:
    """What was committed in casework, outside every database."""

    issued: dict[UUID, tuple[str, str]] = field(default_factory=dict)  # referral: who asked whom
    kinds: dict[UUID, tuple[str, UUID | None]] = field(default_factory=dict)  # said event: its type and its consent


class CaseApp(App):
    """An agency with its real hooks, handlers and watcher."""

    def __init__(self, agency: Agency, files: Files) -> None:
        super().__init__(agency)
        self.here = Here(agency.name, network(), programme(), SECRET)
        self.watcher, self._hooks, self._files = Watcher(agency.database, self.here), ExchangeHooks(self.here), files
        self.acts_first = self._hooks.acts_first

    def subscriptions(self) -> list[Subscription]:
        return subscribe(self.here, CONTENTS[self.here.agency])

    def note_said(self) -> None:
        ledger, name = self._agency.world.ledger, self.here.agency
        said = "SELECT event_id, recipient, subject, type, consent_id, is_withheld FROM exchange_outbox ORDER BY position"
        for event_id, recipient, subject, kind, consent, is_withheld in self._agency.database.rows(said):
            if kind in {"unknown", "exchange.reopened"}:
                continue
            event = ledger.said.setdefault(UUID(event_id), Event(name, recipient, UUID(subject), 0))
            event.is_withheld = bool(is_withheld)
            self._files.kinds[UUID(event_id)] = (kind, UUID(consent) if consent else None)

    async def delivered(self, event_ids: list[UUID], at: Any, tx: Transaction) -> None:
        await super().delivered(event_ids, at, tx)
        await self._hooks.delivered(event_ids, at, tx)

    async def sent(self, event_ids: list[UUID], at: Any, tx: Transaction) -> None:
        await self._hooks.sent(event_ids, at, tx)

    async def withheld(self, sender: str, event_id: UUID, subject: UUID, tx: Transaction) -> None:
        await self._hooks.withheld(sender, event_id, subject, tx)

    async def related(self, subjects: list[UUID], tx: Transaction) -> list[UUID]:
        return await self._hooks.related(subjects, tx)

    async def came_home(self, recipient: str, words: list[Returned], tx: Transaction) -> frozenset[UUID]:
        return await self._hooks.came_home(recipient, words, tx)

    async def is_older(self, tx: Transaction) -> None:
        """Nobody is signed in here."""

    async def never_told(self, recipient: str, event_ids: list[UUID], tx: Transaction) -> None:
        await super().never_told(recipient, event_ids, tx)
        await self._hooks.never_told(recipient, event_ids, tx)

    async def trouble(self, kind: str, peer: str, detail: dict[str, Any], tx: Transaction) -> None:
        await super().trouble(kind, peer, detail, tx)
        await self._hooks.trouble(kind, peer, detail, tx)


class _Failures(logging.Handler):
    """What the code says of a failure that it has survived: a finding all the same."""

    def __init__(self, found: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg in FAILURES:
            self._found(f"{record.msg}: {record.__dict__.get('because')} {record.__dict__.get('type', '')}")


class Casefiles:
    """Two or three agencies with the casework of their kinds."""

    pauses: tuple[int, ...] = (1, 11, 61, 400, 8_000)
    backups_below = 0.945
    may_restore: tuple[int, ...] = (1, 1, 2)

    def __init__(self, seed: int, image: bytes, folder: Path) -> None:
        self.files, self.restores = Files(), 0
        self.world = World(seed, NAMES[: 2 if seed % 3 else 3], image, folder, lambda agency: CaseApp(agency, self.files))
        self._failures = _Failures(self.world.ledger.fault)
        logging.getLogger("shared").addHandler(self._failures)

    def close(self) -> None:
        """The schedule is over."""
        logging.getLogger("shared").removeHandler(self._failures)

    def curse(self) -> bool:
        return True  # what casework does about a word that nobody can open is a person's work

    # --- what people do ----------------------------------------------------------------------------------------------------

    async def say(self, agency: Agency) -> None:
        chance = self.world.chance
        acts: list[Callable[[Agency], Callable[[Transaction], Coroutine[Any, Any, Any]] | None]]
        acts = [self._open, self._ask] + [self._issue] * 2 + [self._answer] * 8 + [self._progress, self._feedback]
        if not agency.backups:
            agency.back_up()
        for _ in range(chance.randint(1, ACTS_MAX)):
            work = chance.choice(acts)(agency)
            if work is not None:
                await self._do(agency, work)

    async def take_back(self, agency: Agency) -> None:
        mine = "SELECT case_id, id, version FROM casework_consents WHERE taken_back_at IS NULL ORDER BY id"
        if row := self._one_of(agency, mine):
            case, consent, version = UUID(row[0]), UUID(row[1]), row[2]
            await self._do(agency, lambda tx: take_back(case, consent, tx, _here(agency), SYSTEM, version))

    async def _do(self, agency: Agency, work: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> None:
        actor = self.world.begin(agency.process(), _forgiving(agency, work))
        if self.world.chance.random() < 0.8:
            await self.world.at_once(actor)

    def _one_of(self, agency: Agency, query: str) -> tuple[Any, ...] | None:
        rows = agency.database.rows(query)
        return self.world.chance.choice(rows) if rows else None

    def _open(self, agency: Agency) -> Any:
        if len(agency.database.rows("SELECT 1 FROM casework_cases WHERE NOT is_received")) >= CASES_MAX:
            return self._consent(agency)

        async def work(tx: Transaction) -> None:
            case = await open_case(OpenCase(), tx, _here(agency), SYSTEM)
            for recipient, items in answers:
                await record_consent(case.id, _consent(recipient, items), tx, _here(agency), SYSTEM)

        answers = [(peer, self._items()) for peer in agency.peers]
        return work

    def _items(self) -> tuple[str, ...]:
        return ("req", *(item for item in ("needs", "fb", "prog") if self.world.chance.random() < 0.6))

    def _consent(self, agency: Agency) -> Any:
        row, recipient, items = self._one_of(agency, _CASES), self.world.chance.choice(agency.peers), self._items()
        if row is None:
            return None
        return lambda tx: record_consent(UUID(row[0]), _consent(recipient, items), tx, _here(agency), SYSTEM)

    def _issue(self, agency: Agency) -> Any:
        chance = self.world.chance
        agreed = "SELECT case_id, recipient FROM casework_consents WHERE taken_back_at IS NULL ORDER BY id"
        row = self._one_of(agency, agreed)
        if row is None:
            return self._open(agency)
        if len(agency.database.rows("SELECT 1 FROM casework_referrals WHERE direction = 'out' AND is_open")) >= OPEN_MAX:
            return self._ask(agency)
        (facility, service), urgency = chance.choice(PLACES[row[1]]), chance.choice(tuple(codes.Urgency))
        command = IssueReferral(
            case_id=UUID(row[0]), to_agency=row[1], to_facility=facility, services=(codes.ServicePackage(service),), urgency=urgency
        )

        async def work(tx: Transaction) -> None:
            referral = await issue_referral(command, tx, _here(agency), SYSTEM)
            tx.on_commit(lambda: self.files.issued.update({referral.id: (agency.name, row[1])}))

        return work

    def _answer(self, agency: Agency) -> Any:
        chance = self.world.chance
        row = self._one_of(
            agency, "SELECT id, state, standing FROM casework_referrals WHERE direction = 'in' AND is_open ORDER BY id"
        )
        if row is None:
            return self._issue(agency)
        moves = ASKED if '"cancel_pending": null' not in row[2] and chance.random() < 0.5 else MOVES[row[1]]
        transition, details = chance.choice(moves)
        if transition is T.REDIRECT:
            details = {"to_facility": chance.choice(PLACES[agency.name])[0]}
        if chance.random() < 0.5:
            details = {**details, "feedback": chance.random() < 0.7}
        return self._move(agency, UUID(row[0]), transition, details)

    def _ask(self, agency: Agency) -> Any:
        row = self._one_of(agency, "SELECT id FROM casework_referrals WHERE direction = 'out' AND is_open ORDER BY id")
        return row and self._move(agency, UUID(row[0]), *self.world.chance.choice(ISSUERS))

    def _move(self, agency: Agency, referral: UUID, transition: Transition, details: dict[str, Any]) -> Any:
        return lambda tx: make_transition(referral, transition, MakeTransition(**details), tx, _here(agency), SYSTEM)

    def _feedback(self, agency: Agency) -> Any:
        row = self._one_of(agency, "SELECT id FROM casework_referrals WHERE direction = 'in' ORDER BY id")
        yes = self.world.chance.random() < 0.7
        return row and (lambda tx: answer_feedback(UUID(row[0]), yes, tx, _here(agency), SYSTEM))

    def _progress(self, agency: Agency) -> Any:
        row = self._one_of(agency, _CASES)
        code = self.world.chance.choice(sorted(codes.PROGRESS_OF[_here(agency).kind] - codes.DATED))
        return row and (lambda tx: record_progress(UUID(row[0]), RecordProgress(code=code), tx, _here(agency), SYSTEM))

    # --- time, and the end -------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Every watcher ticks, as it does many times in any such pause; what is late then has its alarm."""
        for agency in self.world.agencies.values():
            app = agency.app
            assert isinstance(app, CaseApp)
            await self.world.at_once(self.world.begin(agency.process(), app.watcher.tick()))
            for words in unalarmed(agency, programme()):
                self.world.ledger.fault(words)

    def judge(self) -> list[str]:
        for agency in self.world.agencies.values():
            agency.app.note_said()
        return judge(self.world, self.files.issued, self.files.kinds)


_CASES = "SELECT id FROM casework_cases ORDER BY id"


def _here(agency: Agency) -> Here:
    assert isinstance(agency.app, CaseApp)
    return agency.app.here


def _consent(recipient: str, items: tuple[str, ...]) -> RecordConsent:
    said = {
        "recipient": recipient,
        "purpose": THERE_FOR[codes.AgencyKind(recipient)],
        "items": items,
        "how": "spoken",
        "language": "bem",
    }
    return RecordConsent.model_validate(said)


async def _forgiving(agency: Agency, work: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> None:
    try:
        async with agency.database.write() as tx:
            await work(tx)
    except (RefnetError, IllegalTransition, MissingDetail):
        return  # nothing has happened
