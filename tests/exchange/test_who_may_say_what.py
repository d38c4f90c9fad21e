"""A signature is not enough: each kind of agency says each event of each subject, and only what was its to say is applied.

Everything is made from what an agency's registry takes, so that no event that is added later can be left out. All of it is signed
and sealed by who says it. What is foreign is parked with its reason in words, shown, alarmed, and changes no row of casework.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from agencies import SECRET, TestAgency, database_at
from contents import contents
from keys import seal_of
from schema import postgres_at_head, sqlite_at_head
from signing_in import settled_account, sign_in
from sqlalchemy import select, text
from sqlmodel import col
from visitor import Visitor

import services.demo
from services.kinds import parts_of
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import CircleMember
from shared.casework.conferences.tables import Conference, Invitation
from shared.casework.consents.tables import Consent, Erasure
from shared.casework.directory.network import Network, parse_network
from shared.casework.directory.news import place_subject
from shared.casework.here import Here
from shared.casework.lines.views import PARKED_MAX
from shared.casework.messages.tables import Message
from shared.casework.own_words import subject_of
from shared.casework.referrals import story
from shared.casework.sharing import THERE_FOR
from shared.contracts import publish
from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.casework.codes import PROVIDED_BY, AgencyKind, Role
from shared.contracts.wire.envelope import Event, Header, Kind, Reopened
from shared.exchange import outbox
from shared.exchange.tables import InboxRow
from shared.kit.clock import ManualClock
from shared.kit.db import Transaction
from shared.kit.ids import new_id
from shared.programmes.profile import load_programme

LIFE = UUID(int=7)
RUN = (AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE)
# A thousand words each, most of them one by one: on PostgreSQL, where that takes half as long. The rest is tried on SQLite.
# The other kinds hear by the same rules, which are data: in the long tier.
ON_POSTGRESQL, ON_SQLITE = (
    [
        pytest.param((kind, where), marks=() if kind is AgencyKind.HEALTH else pytest.mark.long, id=f"{kind}-{where}")
        for kind in AgencyKind
    ]
    for where in ("postgresql", "sqlite")
)


# --- what there is to speak of -------------------------------------------------------------------------------------------


@dataclass
class Known:
    """What an agency has to do with one other: referrals both ways, circles, consents, words and a place."""

    sent_here: UUID = field(default_factory=new_id)
    sent_there: UUID = field(default_factory=new_id)
    circle_sent_here: UUID = field(default_factory=new_id)
    circle_sent_there: UUID = field(default_factory=new_id)
    joined: UUID = field(default_factory=new_id)
    consent: UUID = field(default_factory=new_id)
    own_consent: UUID = field(default_factory=new_id)
    ended_consent: UUID = field(default_factory=new_id)
    message: UUID = field(default_factory=new_id)
    told: UUID = field(default_factory=new_id)
    told_event: UUID = field(default_factory=new_id)
    asked: UUID = field(default_factory=new_id)
    called: UUID = field(default_factory=new_id)


# Of what may each party speak? Everything else that is listed for another party, or for another sender, is foreign to it.
OWN: dict[str, set[str]] = {
    "opener": {"unknown"},
    "issuer": {"sent here"},
    "recipient": {"sent there"},
    "holder": {"its consent", "unknown"},
    "named": {"our consent, taken back"},
    "joiner": {"joined", "its circle", "anothers circle", "unknown"},
    "member": {"joined", "its circle"},
    "keeper": {"its place"},
    "reader": {"told it"},
    "itself": {"its own word"},
    "invited": {"asked there"},
    "caller": {"called here"},
    "station": set(),  # there is none in this town: tests/api/test_stations.py has who is one
}
REFERRALS = ("sent here", "sent there", "sent here by another", "sent there to another", "unknown")
SUBJECTS = {
    **dict.fromkeys(("opener", "issuer", "recipient"), REFERRALS),
    "holder": ("its consent", "anothers consent", "our consent", "not the one it names", "unknown"),
    "named": (
        "our consent, taken back",
        "our consent to another, taken back",
        "our consent",
        "its consent",
        "not the one it names",
        "unknown",
    ),
    **dict.fromkeys(("joiner", "member"), ("joined", "its circle", "anothers circle", "unknown")),
    "keeper": ("its place", "anothers place", "not the one it names", "unknown"),
    "reader": ("told it", "told another", "not the one it names", "unknown"),
    "itself": ("its own word", "anothers word", "unknown"),
    "invited": ("asked there", "called here", "asked another", "unknown"),
    "caller": ("called here", "called by another", "asked there", "unknown"),
    "station": ("its place", "unknown"),
}


def network_of(kind: AgencyKind) -> Network:
    """An agency of a kind, paired with one of every kind, its own too."""
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    places = {one: content["agencies"][one]["facilities"] for one in RUN}
    places |= {
        one: {f"{one}_place": {"name": one, "district": "ndola", "posts": ["post"], "services": sorted(PROVIDED_BY[one])}}
        for one in AgencyKind if one not in RUN
    }  # fmt: skip
    others = {f"other_{one}": {"kind": str(one), "name": f"Other {one}", "facilities": places[one]} for one in AgencyKind}
    own = content["agencies"][kind] if kind in RUN else others[f"other_{kind}"]
    content["agencies"] = {str(kind): own, **others}
    content["pairs"] = [[str(kind), other] for other in others]
    return parse_network(content | {"purpose": "test"}, "this test's")


class Town:
    """The agency that hears, and who speaks to it."""

    def __init__(self, agency: TestAgency) -> None:
        self.agency, self.here = agency, agency.here
        self.known = {peer: Known() for peer in self.here.peers}
        self.said: dict[str, int] = dict.fromkeys(self.here.peers, 0)

    def kind(self, agency: str) -> AgencyKind:
        return self.here.kind_of(agency)

    def place(self, agency: str) -> str:
        return next(iter(self.here.network.agencies[agency].facilities))

    def another(self, sender: str) -> str:
        peers = self.here.peers
        return peers[(peers.index(sender) + 1) % len(peers)]

    async def settle_in(self) -> None:
        """Referrals and the rest with every other agency, as if they had come about, also where they never could."""
        async with self.agency.database.write() as tx:
            for peer, known in self.known.items():
                await self._referral(tx, peer, known.sent_here, known.circle_sent_here, "in", known.consent)
                case = await self._referral(tx, peer, known.sent_there, known.circle_sent_there, "out", known.own_consent)
                now = tx.clock.now()
                tx.session.add(CircleMember(circle=known.joined, agency=peer, circle_version=1, shares_with=[], announced_at=now))
                for consent, ended_at in ((known.own_consent, None), (known.ended_consent, now)):
                    tx.session.add(
                        Consent(id=consent, case_id=case, recipient=peer, purpose=THERE_FOR[self.here.kind_of(peer)], items=["req"],
                                basis="consent", how="spoken", language="en", explained_by=new_id(), given_at=now,
                                taken_back_at=ended_at),
                    )  # fmt: skip
                own: dict[str, Any] = {"case_id": case, "key_name": case, "desk": self.place(self.here.agency),
                                       "state": "called", "called_at": now,
                       "agenda": ["needs", "given", "type", "safety", "prog"]}  # fmt: skip
                asked = Conference(id=known.asked, caller=self.here.agency, **own)
                tx.session.add_all([asked, Conference(id=known.called, caller=peer, consent_id=known.consent, **own)])
                await tx.session.flush()
                tx.session.add(Invitation(conference_id=known.asked, agency=peer, case_id=case, consent_id=known.own_consent))
                tx.session.add(Erasure(consent_id=known.ended_consent, recipient=peer, case_id=case, told_at=now))
                await tx.session.flush()
                await outbox.lock_subjects(tx, [known.told])
                await outbox.add(
                    tx, outbox.Outgoing(peer, "case.progress", 1, known.told, known.told, {}, now, event_id=known.told_event)
                )

    async def _referral(self, tx: Transaction, peer: str, id_: UUID, circle: UUID, direction: str, consent: UUID) -> UUID:
        here, now = self.here, tx.clock.now()
        ours, theirs = self.place(here.agency), self.place(peer)
        case = Case(id=new_id(), number=str(circle), circle=circle, facility=ours, opened_at=now)
        tx.session.add(case)
        places = (theirs, ours) if direction == "in" else (ours, theirs)
        asked = {"services": ["psychosocial"], "report_form": {"form": "zp_form_32", "form_version": "1"}}
        said = events.ReferralIssued.model_validate(request(circle, *places, here.kind) | asked)
        ends = (peer, here.agency) if direction == "in" else (here.agency, peer)
        tx.session.add(story.new_referral(id_, case, direction, *ends, said, new_id(), consent, now))
        await tx.session.flush()
        if direction == "in":
            known = self.known[peer].message
            tx.session.add(Message(id=known, referral_id=id_, case_id=case.id, direction="out", code="please_call", asked_at=now))
            await tx.session.flush()
        return case.id

    def subject(self, sender: str, of: str) -> UUID:
        mine, theirs = self.known[sender], self.known[self.another(sender)]
        return {
            "sent here": mine.sent_here, "sent there": mine.sent_there, "sent here by another": theirs.sent_here,
            "sent there to another": theirs.sent_there, "its consent": mine.consent, "anothers consent": theirs.consent,
            "our consent": mine.own_consent, "our consent, taken back": mine.ended_consent,
            "our consent to another, taken back": theirs.ended_consent, "joined": mine.joined, "its circle": mine.circle_sent_here,
            "anothers circle": theirs.circle_sent_here, "its place": place_subject(sender, self.place(sender)),
            "anothers place": place_subject(self.another(sender), self.place(self.another(sender))), "told it": mine.told,
            "asked there": mine.circle_sent_there, "called here": mine.circle_sent_there,
            "asked another": theirs.circle_sent_there, "called by another": theirs.circle_sent_there,
            "told another": theirs.told, "not the one it names": new_id(), "unknown": new_id(),
        }[of]  # fmt: skip

    def said_of_itself(self, event: type[events.Event], sender: str, of: str) -> UUID:
        """What a word is about that an agency says of itself."""
        if of == "unknown":
            return new_id()
        return subject_of(sender if of == "its own word" else self.another(sender), event.model_validate(sample_of(event)["data"]))

    def cells(self, sender: str) -> "Iterator[Cell]":
        """Every event of the registry on every subject, and every word that only some kinds may say."""
        way = (self.kind(sender), self.here.kind)
        for event in taken(self.agency):
            party = event.authority.party
            for of in SUBJECTS[party]:
                subject = self.subject(sender, of) if party != "itself" else self.said_of_itself(event, sender, of)
                is_own = way in event.authority.ways and of in OWN[party]
                yield Cell(event, of, subject, self.data(event, sender, of, subject), is_own)
        yield from self._requests(sender)
        yield from self._steps(sender)
        yield from self._other_places(sender)
        yield from self._agenda(sender)

    def _agenda(self, sender: str) -> "Iterator[Cell]":
        """Every item of an agenda: police steps are not spoken of with health, nor care with the police, whoever calls."""
        way, event = (self.kind(sender), self.here.kind), events.ConferenceCalled
        for item in codes.AgendaItem:
            data = self.data(event, sender, "joined", self.known[sender].joined) | {"agenda": [item]}
            is_own = item in minimal_data.AGENDA_CROSSES.get(way, frozenset())
            yield Cell(event, f"speaks of {item}", self.known[sender].joined, data, is_own)

    def _requests(self, sender: str) -> "Iterator[Cell]":
        way, event = (self.kind(sender), self.here.kind), events.ReferralIssued
        sample = sample_of(event)["data"]
        for name in minimal_data.FIELD_CLASS:
            subject = new_id()
            data = self.data(event, sender, "unknown", subject) | {name: sample[name]}
            is_own = way in event.authority.ways and name in minimal_data.CROSSES.get(way, {})
            yield Cell(event, f"with {name}", subject, data, is_own)
        for service in codes.ServicePackage:
            subject = new_id()
            data = self.data(event, sender, "unknown", subject) | {"services": [service]}
            is_own = way in event.authority.ways and service in PROVIDED_BY[self.here.kind]
            yield Cell(event, f"for {service}", subject, data, is_own)

    def _steps(self, sender: str) -> "Iterator[Cell]":
        way, event = (self.kind(sender), self.here.kind), events.CaseProgress
        for code in codes.ProgressCode:
            is_own = code in minimal_data.PROGRESS_CROSSES.get(way, {})
            dated = {"on_date": "2026-02-01"} if code in codes.DATED else {}
            yield Cell(event, f"step {code}", self.known[sender].joined, {"code": code, **dated}, is_own)

    def _other_places(self, sender: str) -> "Iterator[Cell]":
        """How a referral stands is its issuer's to tell: not that of ours, and not that of a third agency's to us."""
        way, event = (self.kind(sender), self.here.kind), events.CircleReferralProgress
        mine, theirs = self.known[sender], self.known[self.another(sender)]
        told = {"its own": (mine.sent_here, way in event.authority.ways), "ours": (mine.sent_there, False),
                "anothers": (theirs.sent_here, False), "ours to another": (theirs.sent_there, False)}  # fmt: skip
        for of, (referral, is_own) in told.items():
            data = self.data(event, sender, "joined", mine.joined) | {"referral": str(referral)}
            yield Cell(event, f"how {of} stands", mine.joined, data, is_own)

    def data(self, event: type[events.Event], sender: str, of: str, subject: UUID) -> dict[str, Any]:
        """The golden sample, with this network's places in it."""
        known, another = self.known[sender], self.another(sender)
        if event is events.ReferralIssued:
            return request(new_id(), self.place(sender), self.place(self.here.agency), self.here.kind)
        data: dict[str, Any] = sample_of(event)["data"]
        more: dict[type[events.Event], dict[str, Any]] = {
            events.ConsentTakenBack: {"consent": str(new_id() if of.startswith("not ") else subject)},
            events.ConsentEnded: {"consent": str(new_id() if of.startswith("not ") else subject)},
            events.ConsentErased: {"consent": str(new_id() if of.startswith("not ") else subject)},
            events.MessageAsked: {"message": str(new_id())},
            events.MessageAnswered: {"message": str(known.message)},
            events.PlaceAnnounced: {"facility": self.place(another if of == "anothers place" else sender)},
            events.ProtocolAdopted: {"facility": self.place(another if of == "anothers place" else sender)},
            events.ExchangeRefused: {"event_id": str(self.known[another].told_event if of == "told another" else known.told_event)},
            events.Suggested: {"to_agency": another, "to_facility": self.place(another)},
            events.Redirected: {"to_facility": self.place(sender)},
            events.Arrived: {"facility": self.place(sender)},
            events.ArrivedInError: {"facility": self.place(sender), "stands": "accepted"},
            events.CameWithoutReferral: {"facility": self.place(sender)},
            events.CaseProgress: first_step((self.kind(sender), self.here.kind)),
        }
        items = minimal_data.AGENDA_CROSSES.get((self.kind(sender), self.here.kind)) or {codes.AgendaItem.TYPE}
        conference = {"asked there": known.asked, "called here": known.called, "asked another": self.known[another].asked,
                      "called by another": self.known[another].called}.get(of, new_id())  # fmt: skip
        if event in events.CONFERENCE_EVENTS:
            more[event] = {"conference": str(conference)}
        if event is events.ConferenceCalled:
            more[event] |= {"facility": self.place(sender), "agenda": sorted(items)}
        if event is events.ConferenceDecided:
            decided = {"item": min(items), "code": "meet_again", "responsible": sender, "due_on": "2026-02-01"}
            more[event] |= {"decisions": [decided]}
        if event in events.SUPPLY_EVENTS:
            place = self.place(another if of == "anothers place" else sender)
            more[event] = {"facility": place, "to_facility": self.place(self.here.agency)}
        return (data if event is not events.CaseProgress else {}) | more.get(event, {})

    def sealed(self, sender: str, cell: "Cell") -> bytes:
        """What the other agency's own keys make of it."""
        self.said[sender] += 1
        now = self.agency.database.clock.now()
        consent = cell.subject if cell.event.type in events.OVER else new_id()
        word = Event(
            id=cell.id, source=sender, type=cell.event.type, dataversion=cell.event.version, subject=cell.subject, time=now,
            recordedtime=now, consentid=consent, circleversion=1, data=cell.data,
        )  # fmt: skip
        header = Header(
            kind=Kind.EVENT, sender=sender, recipient=self.here.agency, incarnation=LIFE, seq=self.said[sender], salt=b"s" * 16
        )
        seal = seal_of(sender)
        return seal.seal(seal.sign(header, word.to_bytes()), self.here.agency)

    async def states(self, sender: str) -> dict[UUID, InboxRow]:
        async with self.agency.database.read() as tx:
            rows = (await tx.session.execute(select(InboxRow).where(col(InboxRow.sender) == sender))).scalars()
            return {row.event_id: row for row in rows}


@dataclass(frozen=True)
class Cell:
    """One event about one subject, and whether it was its sender's to say."""

    event: type[events.Event]
    of: str
    subject: UUID
    data: dict[str, Any]
    is_own: bool
    id: UUID = field(default_factory=new_id)

    def __str__(self) -> str:
        return f"{self.event.type}, {self.of}"


def taken(agency: TestAgency) -> list[type[events.Event]]:
    """The events that the agency's registry knows; what a line says of itself has no party and is not among them."""
    known = {one.event_type for one in agency.inbox._registry.subscriptions} - {Reopened.TYPE}
    return [events.BY_TYPE[name] for name in sorted(known)]


def sample_of(event: type[events.Event]) -> Any:
    return json.loads((publish.SAMPLES / events.file_name(event)).read_text())


def request(circle: UUID, from_facility: str, to_facility: str, to_kind: AgencyKind) -> dict[str, Any]:
    """A request with nothing in it but what every direction may hold."""
    data = {name: value for name, value in sample_of(events.ReferralIssued)["data"].items() if name in minimal_data.REQUEST_FIELDS}
    places = {"from_facility": from_facility, "to_facility": to_facility}
    services = sorted(PROVIDED_BY[to_kind]) or [codes.ServicePackage.LEGAL_AID]  # whoever provides none is asked all the same
    return data | places | {"circle": str(circle), "pairwise_code": str(new_id()), "services": services}


def first_step(way: tuple[AgencyKind, AgencyKind]) -> dict[str, Any]:
    code = next(iter(minimal_data.PROGRESS_CROSSES.get(way, {codes.ProgressCode.CHARGED: None})))
    return {"code": code, **({"on_date": "2026-02-01"} if code in codes.DATED else {})}


@pytest.fixture
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    kind, where = request.param
    if where == "sqlite":
        url = await asyncio.to_thread(sqlite_at_head, tmp_path / "hears.db", kind)
    else:
        url = await asyncio.to_thread(postgres_at_head, request.getfixturevalue("postgres"), kind)
    here = Here(str(kind), network_of(kind), load_programme("zm-vsu-ec"), SECRET)
    made = Town(TestAgency(here, parts_of(kind), database_at(url, ManualClock())))
    await made.settle_in()
    yield made
    await made.agency.close()
    if where == "postgresql":
        request.getfixturevalue("postgres").drop_database(url.rpartition("/")[2])


# --- the matrix ----------------------------------------------------------------------------------------------------------


def test_every_event_says_who_may_say_it_and_every_party_is_tried() -> None:
    assert {event.authority.party for event in events.EVENTS} == set(OWN) == set(SUBJECTS)
    for party, own in OWN.items():
        assert own <= set(SUBJECTS[party])
    assert all(event.authority.ways for event in events.EVENTS)
    for event, kind in product(events.EVENTS, AgencyKind):
        serves = kind is not AgencyKind.OVERSIGHT
        speaks = serves and event in {events.ProtocolPublished, events.ExchangeRefused}
        assert ((AgencyKind.OVERSIGHT, kind) in event.authority.ways) == speaks  # it publishes, and speaks of nobody
        hears = (
            event in {events.ProtocolAdopted, events.FiguresReleased, events.ExchangeRefused} and kind is not AgencyKind.OVERSIGHT
        )
        assert ((kind, AgencyKind.OVERSIGHT) in event.authority.ways) == hears  # places and sums, and nothing of a case


@pytest.mark.parametrize("town", ON_POSTGRESQL, indirect=True)
async def test_whatever_was_not_its_senders_to_say_is_parked_shown_alarmed_and_changes_nothing(town: Town) -> None:
    agency = town.agency
    assert set(taken(agency)) == set(events.EVENTS)
    before = await contents(agency.database, but=BOOKKEEPING)
    foreign: dict[str, list[Cell]] = {s: [cell for cell in town.cells(s) if not cell.is_own] for s in town.here.peers}
    for sender, cells in foreign.items():
        await agency.hear(sender, [town.sealed(sender, cell) for cell in cells])
        states = await town.states(sender)
        assert [str(cell) for cell in cells if states[cell.id].state != "parked"] == [], sender
        assert [str(cell) for cell in cells if not (states[cell.id].reason or "").endswith(".")] == [], sender
        # Nothing was refused for another reason than that it was not the sender's to say.
        assert [row.reason for row in states.values() if "contract" in (row.reason or "") or "handler" in (row.reason or "")] == []
        assert await contents(agency.database, but=BOOKKEEPING) == before, sender
    await check_alarms(town, foreign)
    await check_page(town, sum(map(len, foreign.values())))


# What is kept of an event that is not applied: that it came, where it stands, and that somebody is told.
BOOKKEEPING = {"exchange_inbox", "exchange_slots", "exchange_heads", "exchange_subjects", "casework_alarms", "exchange_activity"}


async def check_alarms(town: Town, foreign: dict[str, list[Cell]]) -> None:
    async with town.agency.database.read() as tx:
        alarms = (await tx.session.execute(select(Alarm).where(col(Alarm.kind) == "parked"))).scalars().all()
        kinds = set((await tx.session.execute(text("SELECT DISTINCT kind FROM exchange_activity"))).scalars())
    assert {alarm.about for alarm in alarms} == {cell.id for cells in foreign.values() for cell in cells}
    assert kinds == {"alarm.raised"}


async def check_page(town: Town, count: int) -> None:
    visitor = Visitor(town.agency.app)
    await sign_in(visitor, await settled_account(town.agency, "in-charge", Role.SUPERVISOR), "in-charge")
    page = await visitor.open("/parked")
    assert len([form for form in page.forms if form.action.endswith("/discard")]) == min(count, PARKED_MAX)
    assert "An agency of its kind may not tell this one" in page.words


@pytest.mark.parametrize("town", ON_SQLITE, indirect=True)
async def test_whatever_was_its_senders_to_say_is_applied(town: Town) -> None:
    for sender in town.here.peers:
        cells = [cell for cell in town.cells(sender) if cell.is_own]
        await town.agency.hear(sender, [town.sealed(sender, cell) for cell in cells])
        states = await town.states(sender)
        assert {str(cell): states[cell.id].reason for cell in cells if states[cell.id].state != "applied"} == {}, sender
        assert cells or AgencyKind.OVERSIGHT is town.kind(sender) is town.here.kind, sender  # they have nothing to tell each other


@pytest.mark.parametrize("town", [(AgencyKind.HEALTH, "sqlite")], ids="-".join, indirect=True)
async def test_what_an_agency_said_that_has_left_the_network_is_parked_with_that_as_its_reason(town: Town) -> None:
    """It waited here when the network file was changed, or still lay on the broker."""
    sender = "other_police"
    cells = [cell for cell in town.cells(sender) if cell.is_own]
    envelopes = [town.sealed(sender, cell) for cell in cells]
    network = town.here.network
    network.agencies.pop(sender)
    left = network.model_copy(update={"pairs": tuple(pair for pair in network.pairs if sender not in pair)})
    object.__setattr__(town.here, "network", left)  # as in a process that has read the changed file
    await town.agency.hear(sender, envelopes)
    reasons = {(row.state, row.reason) for row in (await town.states(sender)).values()}
    assert reasons == {("parked", f"There is no agency “{sender}” in this network.")}
    visitor = Visitor(town.agency.app)
    await sign_in(visitor, await settled_account(town.agency, "in-charge", Role.SUPERVISOR), "in-charge")
    for page in ("/parked", "/alarms", "/lines"):
        assert (await visitor.open(page)).status == 200
