"""Server time of every page with a full agency: the real application, its real database, no network between.

Each page is opened as whoever works at the desk, and as the supervisor where the desk may not open it.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import UUID

import httpx
import yaml
from fastapi.routing import APIRoute
from sqlalchemy import insert, text

import services.demo
from bench.children import Unmeasured
from bench.payload import referral_data
from services.agency import AgencyParts
from services.kinds import parts_of
from shared.casework.accounts import sessions
from shared.casework.accounts.commands import add_account
from shared.casework.app import create_app
from shared.casework.cases.tables import Case
from shared.casework.directory.network import Network, parse_network
from shared.casework.edge import Edge
from shared.casework.here import Here
from shared.casework.lines.handlers import ExchangeHooks
from shared.casework.migrate import migrate
from shared.casework.pages.frame import Pages
from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral
from shared.casework.vocabulary import subscribe
from shared.contracts.casework.codes import AgencyKind, ReferralState, Role, Urgency
from shared.contracts.casework.events import ReferralIssued
from shared.exchange.inbox import Inbox
from shared.exchange.registry import Registry
from shared.exchange.tables import Activity
from shared.kit.collector import calm_collector
from shared.kit.db import Database
from shared.kit.ids import new_id
from shared.kit.keystore import Keystore
from shared.kit.sealed import named
from shared.programmes.profile import load_programme

OPEN_EVERY = 200  # one in so many is still open: a desk with a hundred open requests is a busy one
BATCH = 1_000  # rows of one insert
LOOKS = 100  # requests of each page: enough for a steady p99
WARM_UPS = 5
OPENED = 200  # what a page that somebody may open answers
PAGE_LIMIT_MS = 100.0  # what a wait that nobody notices may take, of which the network needs its part
DESK = {"health": "ndola_clinic", "police": "ndola_central_vsu", "social_welfare": "ndola_district_office"}
ROLES = {"health": Role.CLINICIAN, "police": Role.OFFICER, "social_welfare": Role.SOCIAL_WORKER}


def _network() -> Network:
    file = Path(services.demo.__file__).parent / "network.yaml"
    return parse_network({**yaml.safe_load(file.read_text()), "purpose": "test"}, file.name)


class FullAgency:
    """One agency with years of referrals behind it."""

    def __init__(self, kind: str, url: str) -> None:
        parts: AgencyParts = parts_of(AgencyKind(kind))
        self.kind, self.parts = kind, parts
        self.database = Database(url, keys=Keystore.in_memory())
        self.here = Here(kind, _network(), load_programme("zm-vsu-ec"), b"bench" * 8)
        self.hooks = ExchangeHooks(self.here)
        self.inbox = Inbox(self.database, Registry(subscribe(self.here, parts.subscriptions)), self.hooks)
        self.pages = Pages(self.here, parts.look, is_secure=False)
        self.app = create_app(Edge(self.database, self.here, self.inbox, self.pages), parts.routers, dict)
        self.open_referral: UUID | None = None
        self.case: UUID | None = None

    async def migrate(self) -> None:
        """Brings its database to the schema."""
        await migrate(self.database, self.parts.migrations, f"{self.parts.kind}_")

    async def fill(self, referrals: int) -> None:
        """Cases, referrals and diary lines, most of them long closed."""
        await self.migrate()
        said = ReferralIssued.model_validate(referral_data())
        direction = "out" if self.kind == "police" else "in"
        for start in range(0, referrals, BATCH):
            async with self.database.write() as tx:
                now = tx.clock.now()
                cases, rows = [], []
                for number in range(start, start + BATCH):
                    at = now - timedelta(hours=4 * (referrals - number))
                    is_open = number % OPEN_EVERY == 0
                    case_id, referral = new_id(), self._referral(said, direction, at, is_open=is_open)
                    cases.append(self._case(case_id, number, at))
                    referral.case_id = case_id
                    rows.append(referral)
                    if is_open:
                        self.open_referral, self.case = referral.id, case_id
                await tx.session.execute(insert(Case), [dict(named(Case, row)) for row in cases])
                tx.session.add_all(rows)
                await tx.session.flush()
                lines = [
                    self._line(referral, kind, about)
                    for referral in rows
                    for kind, about in (("case.opened", referral.case_id), ("referral.issued", referral.id))
                ]
                await tx.session.execute(insert(Activity), [dict(named(Activity, line)) for line in lines])

    def _case(self, case_id: UUID, number: int, at: datetime) -> dict[str, Any]:
        return {
            "id": case_id, "number": f"X-{number:06d}", "circle": new_id(), "facility": DESK[self.kind], "opened_at": at,
            "is_received": self.kind != "police",
        }  # fmt: skip

    def _referral(self, said: ReferralIssued, direction: str, at: datetime, *, is_open: bool) -> Referral:
        to = DESK["health"] if self.kind == "police" else DESK[self.kind]
        places = {"from_facility": DESK["police"], "to_facility": to}
        issuer, recipient = ("police", "health") if self.kind == "police" else ("police", self.kind)
        said = said.model_copy(update=places)
        made = story.new_referral(
            new_id(), Case(id=new_id(), number="", circle=new_id(), facility=to, opened_at=at), direction, issuer, recipient, said,
            new_id(), None, at,
        )  # fmt: skip
        made.urgency, made.sent_at, made.delivered_at = Urgency.ACUTE, at, at
        if not is_open:
            made.standing = made.told = {**made.standing, "state": ReferralState.CLOSED}
            made.state, made.is_open, made.ended_at, made.moved_at = ReferralState.CLOSED, False, at, at
        return made

    def _line(self, referral: Referral, kind: str, about: UUID) -> dict[str, Any]:
        return {
            "kind": kind, "subject": about, "agency": referral.issuer, "is_own": False, "occurred_at": referral.issued_at,
            "recorded_at": referral.issued_at,
            "case_id": referral.case_id, "facility": referral.desk, "detail": {"services": referral.services},
        }  # fmt: skip

    async def browser(self, role: Role | None = None) -> httpx.AsyncClient:
        """Somebody signed in at the desk."""
        role = role or ROLES[self.kind]
        async with self.database.write() as tx:
            account = await add_account(tx, self.here, f"bench-{role}", role, DESK[self.kind])
            token = await sessions.open_session(tx, account, new_id(), needs_code=False)
            account.pin_hash = "set"
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://agency")
        client.cookies.set(self.pages.cookie, token)
        return client

    def paths(self) -> Sequence[str]:
        """Every page about nothing in particular, one open case or one open referral; streams have no end, so no time."""
        routers = [self.app.router, *(one.original_router for one in self.app.routes if hasattr(one, "original_router"))]
        pages = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        found = set()
        for page in pages:
            path = page.path.replace("{case_id}", str(self.case)).replace("{referral_id}", str(self.open_referral))
            if "GET" in (page.methods or ()) and "{" not in path and path != "/live" and not path.startswith("/api/"):
                found.add(path)
        return sorted(found)

    def named(self, path: str) -> str:
        """A path without the ids of this run."""
        return path.replace(str(self.case), "…").replace(str(self.open_referral), "…")


async def page_times(kind: str, url: str, referrals: int) -> tuple[int, str, float]:
    """(how many pages, the slowest, its p99 in ms)."""
    agency = FullAgency(kind, url)
    await agency.fill(referrals)
    async with agency.database.write() as tx:  # as the database does by itself within a minute of such a filling
        await tx.session.execute(text("ANALYZE"))
    calm_collector()  # as a process does when it begins to serve; the filling's own objects are none of a desk's
    people = [await agency.browser(), await agency.browser(Role.SUPERVISOR)]
    found = {}
    for path in agency.paths():
        for client in people:
            if (await client.get(path)).status_code == OPENED:
                found[path] = await _p99_ms(client, path)
                break
    for client in people:
        await client.aclose()
    await agency.database.close()
    if not found:
        raise Unmeasured(f"{kind} shows no page, so there is no figure.")
    slowest = max(found, key=lambda path: found[path])
    return len(found), agency.named(slowest), found[slowest]


async def _p99_ms(client: httpx.AsyncClient, path: str) -> float:
    times = []
    for number in range(WARM_UPS + LOOKS):
        took = await look(client, path)
        if number >= WARM_UPS:
            times.append(took)
    return quantiles(times, n=100)[98]


async def look(client: httpx.AsyncClient, path: str) -> float:
    """One look at a page, in ms; raises Unmeasured."""
    begun = time.perf_counter()
    answer = await client.get(path)
    took = (time.perf_counter() - begun) * 1000
    if answer.status_code != OPENED:
        raise Unmeasured(f"GET {path} answered {answer.status_code}, so there is no figure.")
    return took
