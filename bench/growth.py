"""What pages cost as an agency grows: the same looks at a small and at a big agency, in turn, on the real application.

Both agencies have as many open referrals; what differs is what lies behind them, stamped from a story that the real handlers wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from bench import stamps
from bench.children import Unmeasured
from bench.pages import FullAgency, look
from bench.payload import referral_data
from bench.pipes import connected
from bench.report import say
from bench.servers import Servers
from services.keys import load_keyring, make_missing
from shared.casework.here import Actor
from shared.casework.referrals.commands import MakeTransition, make_transition
from shared.contracts.casework import codes
from shared.contracts.casework.codes import Role
from shared.contracts.casework.lifecycle import Transition
from shared.contracts.wire.envelope import Event, Header, Kind, unframe
from shared.contracts.wire.merkle import SALT_BYTES
from shared.exchange.feed import number_feed
from shared.exchange.inbox import heard
from shared.exchange.letters import Letters
from shared.exchange.relay import Outbound, Relay
from shared.exchange.seal import KeyedSeal
from shared.kit.collector import calm_collector
from shared.kit.ids import new_id

KIND = "health"  # a clinic: its work list, cases and timelines are what others' words make grow
LETTER_LIMIT = 200  # bytes, of asking whether a stream is in step
OPEN = 100  # referrals that are open at either size: a busy desk
EVENTS_EACH = 10  # of a referral's story: issued, and the nine below
WARM_UPS = 10  # looks that are not counted
# Nine steps of a recipient; with the issue ten events, and none of them is rare.
STEPS: tuple[tuple[Transition, dict[str, Any]], ...] = (
    (Transition.ACKNOWLEDGE, {}),
    (Transition.ACCEPT, {}),
    (Transition.ARRIVE, {"feedback": True}),
    (Transition.START, {}),
    (Transition.HOLD, {"reason_code": codes.HoldReason.WAITING_FOR_SUPPLIES}),
    (Transition.RESUME, {}),
    (Transition.HOLD, {"reason_code": codes.HoldReason.WAITING_FOR_SUPPLIES}),
    (Transition.RESUME, {}),
    (Transition.CLOSE, {"outcome_code": codes.OutcomeCode.SERVED, "feedback": True}),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """One page at either size, in ms."""

    page: str
    small_p50: float
    small_p99: float
    big_p50: float
    big_p99: float


class GrownAgency(FullAgency):
    """A clinic with `referrals` behind it."""

    def __init__(self, kind: str, url: str) -> None:
        super().__init__(kind, url)
        self._keys = TemporaryDirectory()
        make_missing(Path(self._keys.name), self.here.network.agencies, self.database.clock.now())
        self.issuer, self.heard_count = new_id(), 0  # the police's stream, as far as it was heard

    def _seal(self, agency: str) -> KeyedSeal:
        return KeyedSeal(load_keyring(Path(self._keys.name), agency, dict.fromkeys(self.here.network.agencies)))

    async def grow(self, url: str, referrals: int) -> None:
        """Two referrals through the real handlers, one to its end and one still open, then copies of both."""
        await self.migrate()
        ended, waiting = new_id(), new_id()
        for referral in (ended, waiting):
            await self._hear(referral)
        officer = Actor(new_id(), "bench", Role.CLINICIAN, "ndola_clinic")
        for step, body in STEPS:
            async with self.database.write() as tx:
                await make_transition(ended, step, MakeTransition(**body), tx, self.here, officer)
        relay = Relay(self.database, KIND, self._seal(KIND), _nowhere, self.hooks)
        while await relay.cycle() or await number_feed(self.database):
            pass
        keys = self.database.keys
        assert keys is not None
        async with connected(url) as connection:
            await stamps.copy_stories(connection, ended, referrals - OPEN, referrals, keys)
            self.open_referral, self.case = await stamps.copy_stories(
                connection, waiting, OPEN, referrals, keys, after=referrals - OPEN
            )
            await connection.execute("VACUUM ANALYZE")

    async def _hear(self, referral: UUID) -> None:
        now = self.database.clock.now()
        said = referral_data() | {"circle": str(new_id()), "pairwise_code": str(new_id()), "respond_by": now.isoformat()}
        event = Event(
            id=new_id(), source="police", type="referral.issued", dataversion=1, subject=referral, time=now, recordedtime=now,
            consentid=new_id(), circleversion=1, data=said,
        )  # fmt: skip
        self.heard_count += 1
        header = Header(
            kind=Kind.EVENT, sender="police", recipient=KIND, incarnation=self.issuer, seq=self.heard_count, salt=bytes(SALT_BYTES)
        )
        outcome = await self.inbox.receive([heard(unframe(self._seal("police").sign(header, event.to_bytes())))])
        if outcome.applied != 1:
            raise Unmeasured("The clinic did not take the referral that its growth is stamped from; see what its inbox parked.")

    def looks(self) -> Sequence[str]:
        """The work list, a referral, a case's timeline, and what somebody searches by: the list of cases and closed referrals."""
        return (
            "/work", f"/referrals/{self.open_referral}", f"/cases/{self.case}", "/cases",
            "/api/v1/referrals?direction=in&status=closed",
        )  # fmt: skip

    async def letter_bytes(self) -> int:
        """The payload of what is said to a peer, to find that both are in step."""
        letters = Letters(self.database, KIND, ("police",), self._seal(KIND), self.inbox, self.hooks)
        envelope, _digest = await letters.write_short("police")
        return len(self._seal("police").open(envelope, KIND).content)


async def _nowhere(_: Sequence[Outbound]) -> None:
    """What the clinic says here is numbered and marked sent, and goes nowhere."""


async def growth(servers: Servers, small: int, big: int, looks: int) -> tuple[list[Growth], int]:
    """Each page at both sizes, which take turns, so that a machine that slows down slows both; and the big one's `letter_bytes`."""
    agencies, clients = [], []
    for size in (small, big):
        say(f"growth: an agency with {size:,} referrals and {size * EVENTS_EACH:,} events")
        url = servers.database()
        agency = GrownAgency(KIND, url)
        await agency.grow(url, size)
        agencies.append(agency)
        clients.append(await agency.browser())
    calm_collector()  # as a process does when it begins to serve
    found = []
    for paths in zip(*(agency.looks() for agency in agencies), strict=True):
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UPS + looks):
            for client, path, kept in zip(clients, paths, times, strict=True):
                took = await look(client, path)
                if number >= WARM_UPS:
                    kept.append(took)
        found.append(Growth(agencies[0].named(paths[0]), *_p50_p99(times[0]), *_p50_p99(times[1])))
    letter = await agencies[-1].letter_bytes()
    for client, agency in zip(clients, agencies, strict=True):
        await client.aclose()
        await agency.database.close()
    return found, letter


def _p50_p99(times: list[float]) -> tuple[float, float]:
    return median(times), quantiles(times, n=100)[98]
