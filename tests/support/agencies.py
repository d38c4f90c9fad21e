"""Agencies in one process, each with its own database and its API, and the lines between them carried by hand.

A test decides when a line delivers, what it doubles, and which waiting batch goes first; nothing is lost by chance.
"""

import asyncio
import contextlib
import copy
import random
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from fastapi import FastAPI
from keys import seal_of
from sqlalchemy import Engine
from starlette.datastructures import State

import services.demo
from services.agency import AgencyParts
from services.kinds import parts_of
from shared.casework.accounts.commands import add_account, make_token
from shared.casework.alarms.watcher import Watcher
from shared.casework.app import create_app
from shared.casework.directory.network import Network, parse_network
from shared.casework.edge import Edge
from shared.casework.here import Here
from shared.casework.lines.handlers import ExchangeHooks
from shared.casework.pages.frame import Pages
from shared.casework.sharing import THERE_FOR
from shared.casework.vocabulary import subscribe
from shared.contracts.casework.codes import AgencyKind, Role
from shared.exchange.feed import number_feed
from shared.exchange.inbox import Inbox, heard
from shared.exchange.incarnations import open_incarnation
from shared.exchange.letters import Letters
from shared.exchange.receipts import ASK_AGAIN
from shared.exchange.registry import Registry
from shared.exchange.relay import Outbound, Relay
from shared.exchange.seal import KeyedSeal
from shared.kit.clock import ManualClock
from shared.kit.db import Database
from shared.kit.ids import new_id
from shared.kit.keystore import Keystore
from shared.programmes.profile import Programme, load_programme

ROLE_OF = {"police": Role.OFFICER, "health": Role.CLINICIAN, "social_welfare": Role.SOCIAL_WORKER,
           "partner": Role.SOCIAL_WORKER, "justice": Role.OFFICER, "oversight": Role.SUPERVISOR}  # fmt: skip
RESTORE_ROUNDS = 6  # asking back, giving back, asking again for what the peers said, and answering
SECRET = b"a secret of the tests, 32 bytes!"


def network(purpose: str = "test") -> Network:
    """The demo's network, for a test."""
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    return parse_network(content | {"purpose": purpose}, "the demo's")


class Refused(AssertionError):
    """An API answered with a problem; `status` and `problem` tell which."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.status_code}: {answer.text[:300]}")
        self.status = answer.status_code
        self.problem = answer.json()


_apps: dict[tuple[str, str], FastAPI] = {}


def app_of(edge: Edge, parts: AgencyParts) -> FastAPI:
    """An agency's application. Its routes are read once for all of a kind, which takes longer than a whole test; an app keeps no
    state but its edge."""
    kind = (parts.kind.value, edge.here.network.purpose)
    if kind not in _apps:
        _apps[kind] = create_app(edge, parts.routers, dict)
        _apps[kind].middleware_stack = _apps[kind].build_middleware_stack()
    app = copy.copy(_apps[kind])
    app.state = State({"edge": edge})
    return app


_engines: dict[str, Engine] = {}
_keys = Keystore.in_memory()  # of all agencies of these tests: an engine's dialect holds its keystore, and they share a dialect


def database_at(url: str, clock: ManualClock) -> Database:
    """A database that knows what the first of its kind has made of each statement: compiling them is a fifth of a small test."""
    database = Database(url, clock, _keys)
    engine = database.engine.sync_engine
    first = _engines.setdefault(engine.name, engine)
    if first.dialect.server_version_info:  # it has asked its server, and knows how to speak to it
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return database


def _image(path: str) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as connection:  # left open it would end the next one's journal under it
        return connection.serialize()


class Desk:
    """One account's client of its agency's API."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client, self.token = client, token

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """The raw answer to a request under /api/v1."""
        given = {"Authorization": f"Bearer {self.token}", **headers}
        return await self.client.request(method, f"/api/v1{path}", json=body, headers=given)

    async def get(self, path: str) -> Any:
        """The answer's JSON; raises Refused."""
        answer = await self.ask("GET", path)
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The answer's JSON, under a fresh idempotency key where none is given; raises Refused."""
        headers.setdefault("Idempotency-Key", str(new_id()))
        answer = await self.ask("POST", path, body if body is not None else {}, **headers)
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer.json()

    async def take_back(self, case_id: str, consent: Any) -> Any:
        """Takes a consent back."""
        answer = await self.ask("DELETE", f"/cases/{case_id}/consents/{consent['id']}", **{"If-Match": f'"{consent["version"]}"'})
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer.json()


class TestAgency:
    """One agency: database, inbox, API, watcher, and a relay whose records go into `line`."""

    __test__ = False

    def __init__(self, here: Here, parts: AgencyParts, database: Database, seal: KeyedSeal | None = None) -> None:
        self.here, self.parts, self.database = here, parts, database
        self.seal = seal or seal_of(here.agency)
        self.hooks = ExchangeHooks(here)
        self.inbox = Inbox(database, Registry(subscribe(here, parts.subscriptions)), self.hooks)
        self.letters = Letters(database, here.agency, here.peers, self.seal, self.inbox, self.hooks)
        self.edge = Edge(database, here, self.inbox, Pages(here, parts.look, is_secure=False), parts.migrations)
        self.app = app_of(self.edge, parts)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://agency")
        self.watcher = Watcher(database, here, parts.watched)
        self.line: list[Outbound] = []
        self.relay = Relay(database, here.agency, self.seal, self._send, self.hooks)

    async def _send(self, outbound: Sequence[Outbound]) -> None:
        self.line += outbound
        self.letters.due |= {one.recipient for one in outbound}

    async def sign_in(self, name: str, role: Role | None = None, facility: str | None = None) -> Desk:
        """A new account's desk."""
        async with self.database.write() as tx:
            await add_account(tx, self.here, name, role or ROLE_OF[self.here.kind], facility)
            return Desk(self.client, await make_token(tx, name))

    async def flush(self) -> None:
        """Numbers and puts on the line everything that was said, and numbers the feed."""
        while await self.relay.cycle():
            pass
        while await number_feed(self.database):
            pass

    async def hear(self, sender: str, envelopes: Sequence[bytes]) -> None:
        """Receives one batch."""
        self.letters.heard_from(sender)
        await self.inbox.receive([heard(self.seal.open(envelope, sender)) for envelope in envelopes])

    async def take_letter(self, peer: str, letter: bytes) -> None:
        """Takes a peer's statement in, or a word of our own that it gives back."""
        inner = self.seal.open(letter, peer)
        if inner.header.sender == self.here.agency:
            await self.letters.take_home(peer, [inner])
        else:
            await self.letters.take(inner)

    async def close(self) -> None:
        """Gives everything back."""
        await self.client.aclose()
        await self.database.close()


class World:
    """All agencies of the network, one clock on all their walls."""

    def __init__(self, agencies: dict[str, TestAgency], clock: ManualClock) -> None:
        self.agencies, self.clock = agencies, clock
        self._compared_at = clock.now()

    def __getitem__(self, agency: str) -> TestAgency:
        return self.agencies[agency]

    @classmethod
    async def make(cls, urls: dict[str, str], programme: Programme | None = None, net: Network | None = None) -> "World":
        """A network's agencies, the demo's unless it is named, on fresh databases that are at the newest schema."""
        clock, net, programme = ManualClock(), net or network(), programme or load_programme("zm-vsu-ec")
        agencies = {}
        for agency, url in urls.items():
            parts = parts_of(net.agencies[agency].kind)
            agencies[agency] = TestAgency(Here(agency, net, programme, SECRET), parts, database_at(url, clock))
            agencies[agency].letters.due.clear()  # nobody has said anything yet
        return cls(agencies, clock)

    async def deliver(self, sender: str, recipient: str, *, chance: random.Random | None = None) -> int:
        """Delivers what lies on one line: as it is, or doubled and in another order as `chance` will have it."""
        await self[sender].flush()
        return await self._carry(sender, recipient, chance)

    async def _carry(self, sender: str, recipient: str, chance: random.Random | None = None) -> int:
        agency = self[sender]
        records = [one for one in agency.line if one.recipient == recipient]
        agency.line = [one for one in agency.line if one.recipient != recipient]
        envelopes = [one.envelope for one in records]
        if chance is not None:
            envelopes += [e for e in envelopes if chance.random() < 0.3]
            chance.shuffle(envelopes)
        for start in range(0, len(envelopes), 3):
            await self[recipient].hear(sender, envelopes[start : start + 3])
        return len(records)

    async def settle(self) -> None:
        """Delivers everything everywhere, receipts included, until nothing moves."""
        while await self._round():
            pass
        for agency in self.agencies.values():
            await agency.inbox.sweep()
            await agency.flush()
        for sender, recipient in self._to_compare():
            for letter in await self[sender].letters.write(recipient):
                await self[recipient].take_letter(sender, letter)
        if await self._round():
            await self.settle()

    async def _round(self) -> int:
        """Delivers what each has to say now."""
        moved = 0
        for sender, agency in self.agencies.items():
            await agency.flush()
            for recipient in agency.here.peers:
                moved += await self._carry(sender, recipient)
        return moved

    def _to_compare(self) -> list[tuple[str, str]]:
        """Who writes to whom: all, when time has passed, and else both ends of each line on which something went or is owed."""
        lines = [(sender, recipient) for sender, agency in self.agencies.items() for recipient in agency.here.peers]
        if self.clock.now() == self._compared_at:
            lines = [(one, other) for one, other in lines if other in self[one].letters.due or one in self[other].letters.due]
        self._compared_at = self.clock.now()
        for agency in self.agencies.values():
            agency.letters.due.clear()
        return lines

    async def back_up(self, agency_id: str) -> bytes:
        """What a backup of an agency's SQLite database holds now."""
        return await asyncio.to_thread(_image, self[agency_id].database.engine.url.database or "")

    async def restore(self, agency_id: str, image: bytes) -> None:
        """The agency's database is an older one and knows it; what lay on its lines has left."""
        await self.put_back(agency_id, image)
        async with self[agency_id].database.write() as tx:
            await open_incarnation(tx, self[agency_id].here.peers, "restored")

    async def put_back(self, agency_id: str, image: bytes) -> None:
        """The agency's database is an older one, and nobody has noticed yet."""
        former = self[agency_id]
        path = Path(former.database.engine.url.database or "")
        await former.close()
        for left in ("-wal", "-shm"):
            Path(f"{path}{left}").unlink(missing_ok=True)
        path.write_bytes(image)
        self.agencies[agency_id] = TestAgency(former.here, former.parts, database_at(f"sqlite:///{path}", self.clock))

    async def settle_restored(self) -> None:
        """Delivers everything until peers have given back what they hold, and their own words have come again."""
        for _ in range(RESTORE_ROUNDS):
            self.clock.advance(ASK_AGAIN + timedelta(seconds=1))
            await self.settle()

    async def close(self) -> None:
        """Gives everything back."""
        for agency in self.agencies.values():
            await agency.close()


async def open_case(desk: Desk, *, needs: bool = True) -> tuple[str, str]:
    """A case with an incident at a police desk: (case id, incident id)."""
    person = {"needs": {"age_band": "10-14", "sex": "female", "language": "bem"}} if needs else {}
    case = await desk.post("/cases", person)
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    incident = await desk.post(f"/cases/{case['id']}/incidents", {"incident_type": "rape", **times})
    return case["id"], incident["id"]


def purpose_of(recipient: str) -> str:
    """What an agency that is named after its kind is asked for; any other is a partner."""
    return THERE_FOR[AgencyKind(recipient) if recipient in set(AgencyKind) else AgencyKind.PARTNER]


async def consent(desk: Desk, case_id: str, recipient: str, *items: str, **more: Any) -> Any:
    """A consent for a recipient, for what that is there for."""
    body = {"recipient": recipient, "purpose": purpose_of(recipient), "items": ["req", *items], "how": "spoken"}
    body |= {"language": "bem", **more}
    return await desk.post(f"/cases/{case_id}/consents", body)


PLACES = {"health": ("ndola_clinic", "acute_care"), "social_welfare": ("ndola_district_office", "psychosocial"),
          "police": ("ndola_central_vsu", "report_to_police")}  # fmt: skip


async def refer(desk: Desk, case_id: str, incident_id: str | None, to: str, **more: Any) -> Any:
    """A referral to an agency's first place."""
    facility, service = PLACES[to]
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": to, "to_facility": facility, "services": [service],
            "urgency": "acute", **more}  # fmt: skip
    return await desk.post("/referrals", body)
