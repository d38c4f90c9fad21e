"""One agency, put together: database, exchange, watcher and web, from the settings and the network file."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import asyncpg
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from services.agency import AgencyParts
from services.escrow import look_after_case_keys
from services.keys import KeyFolder
from services.kinds import heard_by, parts_of
from services.retired_keys import keep_destroying
from services.settings import MADE_UP, Settings
from shared.casework.alarms.watcher import Watcher
from shared.casework.app import create_app
from shared.casework.edge import Edge
from shared.casework.here import Here
from shared.casework.inside import INSIDE
from shared.casework.lines.handlers import ExchangeHooks
from shared.casework.pages.frame import Pages
from shared.casework.vocabulary import subscribe
from shared.contracts import asyncapi
from shared.exchange import own_keystore
from shared.exchange.access import Access
from shared.exchange.anchor import Anchor
from shared.exchange.carry import Carrier
from shared.exchange.direct import Answers, DirectLine
from shared.exchange.direct_server import DirectServer
from shared.exchange.inbox import Inbox
from shared.exchange.letters import Letters
from shared.exchange.registry import Registry
from shared.exchange.worker import ExchangeWorker
from shared.kit import crash
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway, RefnetError
from shared.kit.slots import Slot
from shared.programmes.profile import ProfileError, load_programme

NO_CERTIFICATE = (
    "There is no certificate here for the direct line; run `refnet certificates`, or set REFNET_EXCHANGE_CA, _CERT and _KEY."
)
DATABASE_ERRORS = (DBAPIError, OSError, DatabaseAway, asyncpg.PostgresError)  # asyncpg's own come unwrapped while connecting

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Agency:
    """What a process of an agency works with."""

    here: Here
    parts: AgencyParts
    database: Database
    inbox: Inbox
    hooks: ExchangeHooks

    def edge(self, settings: Settings) -> Edge:
        """The edge of the API and the pages."""
        pages = Pages(self.here, self.parts.look, is_secure=self._is_secure(settings))
        return Edge(self.database, self.here, self.inbox, pages, self.parts.migrations, forgets=settings.forgets())

    def _is_secure(self, settings: Settings) -> bool:
        return settings.is_secure(self.here.network.purpose, is_station=self.here.entry.mother is not None)

    def app(self, edge: Edge) -> FastAPI:
        """The web application."""
        return create_app(edge, self.parts.routers, cache(partial(asyncapi_of, self.here)))

    def exchange(self, settings: Settings) -> ExchangeWorker:
        """The exchange at work."""
        here = self.here
        slot = Slot(settings.home, f"{here.agency}.worker")  # its lock is held until the process ends
        seal, no_line = settings.seal(here.agency, here.network), here.entry.mother is not None and not settings.names_broker()
        access = Access("") if no_line else settings.access(here.agency, here.network.purpose)
        return ExchangeWorker(
            self.database, here.agency, here.peers, self.inbox, self.hooks, seal, access, here.lane_secret,
            Anchor(settings.anchor(here.agency)), self.direct_line(settings),
            instance=f"{socket.gethostname()}.{slot.number}", logged=INSIDE,
        )  # fmt: skip

    def carrier(self, settings: Settings) -> Carrier:
        """This agency's end of the stick: no broker is needed for it, nor named."""
        here = self.here
        seal = settings.seal(here.agency, here.network)
        letters = Letters(self.database, here.agency, here.peers, seal, self.inbox, self.hooks)
        kept = settings.home / "carried" / here.agency
        return Carrier(
            self.database, here.agency, here.peers, seal, self.inbox, letters, Anchor(settings.anchor(here.agency)), kept
        )

    def direct_line(self, settings: Settings) -> DirectLine | None:
        """The asking end of the direct lines; None where there is none, which is no error."""
        credentials = settings.credentials(self.here.agency, self.here.network.purpose)
        urls = self.here.network.direct_lines_of(self.here.agency)
        return DirectLine(urls, credentials) if urls and credentials else None

    def direct_server(self, settings: Settings, answers: Answers, users_port: int | None = None) -> DirectServer | None:
        """The listening end of the direct lines; None where this agency has none. Raises RefnetError."""
        here = self.here
        port = settings.exchange_port or here.entry.exchange_port
        if port is None:
            return None
        if port == users_port:
            raise RefnetError(
                f"Port {port} is the pages'; the direct line needs one of its own, in exchange_url or REFNET_EXCHANGE_PORT."
            )
        credentials = settings.credentials(here.agency, here.network.purpose)
        if credentials is None:
            log.warning("direct_line_closed", extra={"words": NO_CERTIFICATE})
            return None
        return DirectServer(here.agency, here.peers, credentials, answers, settings.exchange_host, port)

    def keeper(self, settings: Settings, exchange: ExchangeWorker) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
        """The loop that destroys replaced keys, and brings those of held cases into escrow, beside this exchange."""
        folder, escrow = KeyFolder(settings.home, self.here.agency), settings.escrow(self.here.agency)

        async def keep(stop: asyncio.Event) -> None:
            destroying = keep_destroying(self.database, folder, self.here.peers, exchange.anchored, stop)
            await asyncio.gather(destroying, look_after_case_keys(self.database, self.here, escrow, stop))

        return keep

    def watcher(self) -> Watcher:
        """The watcher."""
        return Watcher(self.database, self.here, self.parts.watched)


def here_of(settings: Settings, agency: str) -> Here:
    """Where an agency's code runs; raises RefnetError."""
    network = settings.network_with(agency)
    try:
        programme = load_programme(settings.programme or network.programme)
        programme.check_purpose(network.purpose)
    except (ProfileError, ValueError) as error:
        raise RefnetError(str(error)) from None
    return Here(agency, network, programme, settings.secret(agency, network.purpose))


def build(settings: Settings, agency: str, *, as_owner: bool = False) -> Agency:
    """Puts an agency together; raises RefnetError. Nothing is connected yet."""
    here = here_of(settings, agency)
    parts = parts_of(here.kind)
    purpose = here.network.purpose
    crash.arm(settings.crash_points(purpose) or "")
    url = settings.owner_database(agency) if as_owner else settings.database(agency)
    if purpose in MADE_UP:  # a real agency's is made by `refnet migrate`, before its database names one
        settings.make_keystore(agency)
    database = Database(url, settings.clock(purpose), settings.keystore(agency))
    hooks = ExchangeHooks(here)
    return Agency(here, parts, database, Inbox(database, Registry(subscribe(here, parts.subscriptions)), hooks), hooks)


def asyncapi_of(here: Here) -> dict[str, object]:
    """What the agency says and hears on Kafka, as AsyncAPI 3."""
    heard = list(heard_by(here.kind))
    said = {peer: list(heard_by(here.kind_of(peer))) for peer in here.peers}
    return asyncapi.document(here.agency, said, dict.fromkeys(here.peers, heard))


def check_peer(agency: Agency, named: str | None) -> None:
    """Raises RefnetError where an agency is named that is none of this one's peers."""
    here = agency.here
    if named is not None and named not in here.peers:
        raise RefnetError(f"'{named}' is no peer of '{here.agency}'; its peers are {', '.join(here.peers)}.")


async def check_database(agency: Agency) -> None:
    """Raises RefnetError with one sentence where the database cannot be worked with, or not with the keystore that is here."""
    from shared.casework.migrate import is_migrated

    try:
        migrated = await is_migrated(agency.database, agency.parts.migrations)
    except DATABASE_ERRORS as error:
        raise RefnetError(why_no_database(error)) from error
    if not migrated:
        raise RefnetError(f"The database is not at this version's schema; run `refnet migrate {agency.here.agency}`.")
    async with agency.database.write() as tx:
        await own_keystore.tie(tx)
        wrong = await own_keystore.trouble(tx)
    if wrong is not None:
        raise RefnetError(wrong)


@contextlib.asynccontextmanager
async def opened(settings: Settings, name: str) -> AsyncIterator[Agency]:
    """An agency whose database can be worked with, until it is let go; raises RefnetError."""
    agency = build(settings, name)
    try:
        await check_database(agency)
        yield agency
    finally:
        await agency.database.close()


async def bring_up_to_date(agency: Agency, settings: Settings) -> None:
    """The newest schema; what lay in the clear is sealed. A database that names no keystore is given one. Raises RefnetError."""
    from shared.casework.migrate import migrate

    if not await own_keystore.is_named(agency.database):
        settings.make_keystore(agency.here.agency)
    await migrate(agency.database, agency.parts.migrations, f"{agency.parts.kind}_")


def why_no_database(error: BaseException) -> str:
    """One sentence for a database that cannot be reached; it never repeats the address, which holds a password."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or getattr(error, "sqlstate", None)
    words = {
        "28P01": "The database refuses the user or its password; correct REFNET_DATABASE_URL.",
        "28000": "The database does not let this user in; correct REFNET_DATABASE_URL or its pg_hba.conf.",
        "3D000": "There is no database of that name on the server; create it, or correct REFNET_DATABASE_URL.",
    }
    return words.get(str(state), "No database answers at REFNET_DATABASE_URL; start it, or correct the address.")
