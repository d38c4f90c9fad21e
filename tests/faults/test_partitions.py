"""Each agency in turn is cut off for an hour, wholly and in one direction: both ends of each pair show what is not confirmed, and
all is made good. Security.md section 7 number 16.

In the long tier: it makes network namespaces, which only root may. The hour passes on the clock that all of them go by.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from desks import in_step, issue, open_case
from islands import IslandNetwork, Islands, at_desk, islands, postgresql_at_desks
from processes import KINDS, Process, everyone_is_ready, until
from servers import kafka_of
from signing_in import PASSWORD, PIN, sign_in
from visitor import Page, Visitor
from walls import Wall

from services.runtime import build
from shared.casework.accounts.commands import add_account
from shared.casework.accounts.credentials import Issued, one_time, set_own_secrets
from shared.casework.accounts.credentials import issue as issue_card
from shared.casework.here import Actor
from shared.contracts.casework.codes import Role
from shared.exchange.herald import HEARTBEAT_S
from shared.kit.local.cache import default_cache
from shared.kit.local.kafka import PORTS, KafkaNode
from shared.kit.local.ports import free_ports

HOUR = timedelta(hours=1)  # of each cut, by the agencies' clock
LASTS_S = 3 * HEARTBEAT_S  # of each cut in truth, so that whoever hears anything at all has heard it
CUTS: dict[str, Callable[[Islands, str], AbstractContextManager[None]]] = {
    "is cut off": Islands.cut_off,
    "hears nothing": Islands.deaf,
    "says nothing that arrives": Islands.mute,
}
NOT_CONFIRMED = ("has not left yet", "passed on, not yet received")  # beside a word of one's own, on the page of its referral
CONFIRMED = "passed on, received"
pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]  # a minute a cut, and nine of them


@dataclass
class InCharge:
    """Who looks at an agency's pages, and signs in again where an hour has passed."""

    process: Process
    card: Issued
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def sees(self, path: str) -> Page:
        page = asyncio.run(self._open(path))
        assert (page.status, page.path) == (200, path), page.words
        return page

    async def _open(self, path: str) -> Page:
        at = Visitor(None, base=f"http://{self.process.network.host(self.process.kind)}:{self.process.port}")
        at.client.cookies = self.cookies
        try:
            page = await at.open(path)
            if page.path.startswith("/sign-in"):
                await sign_in(at, self.card, "in-charge")
                page = await at.open(path)
            self.cookies = at.client.cookies
            return page
        finally:
            await at.close()


def put_in_charge(process: Process) -> InCharge:
    """Somebody who sees every place of an agency."""

    async def hire() -> Issued:
        agency, name = build(process.network.settings(process.kind), process.agency), "in-charge"
        first = await one_time()
        async with agency.database.write() as tx:
            account = await add_account(tx, agency.here, name, Role.SUPERVISOR, None)
            card = await issue_card(tx, account, first)
        await set_own_secrets(agency.database, Actor(account.id, name, Role.SUPERVISOR, None), PASSWORD, PIN)
        await agency.database.close()
        return card

    return InCharge(process, asyncio.run(hire()))


def row_of(page: Page, name: str) -> str:
    """What the page of lines says of an agency."""
    rows = re.split(r'<li class="app-row">', page.text)[1:]
    (row,) = [re.sub(r"<[^>]+>", " ", row) for row in rows if f"<strong>{name}</strong>" in row]
    return " ".join(row.split())


def is_not_confirmed(process: Process, peer: str) -> bool:
    """Silent, and something is not signed for."""
    (line,) = [line for line in process.get("/peers")["items"] if line["agency"] == peer]
    return bool(line["state"] == "silent" and line["undelivered"] > 0)


@dataclass
class Pair:
    """Two agencies, one of which refers to the other: what both have said, before a cut and in it."""

    here: Process
    there: Process
    case: str
    known: str = ""
    new: str = ""

    def before(self) -> None:
        self.known = issue(self.here, self.case, self.there.kind)

    def meanwhile(self) -> None:
        """A desk notices nothing."""
        self.new = issue(self.here, self.case, self.there.kind)
        self.there.post(f"/referrals/{self.known}/accept")

    def ends(self) -> list[tuple[Process, Process, str]]:
        """Either end: who looks, whom its word is for, and the referral that it is about."""
        return [(self.here, self.there, self.new), (self.there, self.here, self.known)]

    def check_both_ends_say_so(self, in_charge: dict[str, InCharge], words: str) -> None:
        for process, other, _ in self.ends():
            until(lambda p=process, o=other: is_not_confirmed(p, o.agency), f"{process.kind} to know it while {words}")  # type: ignore[misc]
        network = self.here.network
        for process, other, referral in self.ends():
            entry = build(network.settings(process.kind), process.agency).here.network.agencies[other.agency]
            row = row_of(in_charge[process.kind].sees("/lines"), entry.name)
            assert "Silent" in row, row
            assert "Not signed for: 0" not in row, row
            page = in_charge[process.kind].sees(f"/referrals/{referral}").words
            assert any(said in page for said in NOT_CONFIRMED), page
        assert self.here.get(f"/referrals/{self.new}")["delivered_at"] is None
        # A receipt that is late alarms whoever waits for it.
        key = self.new.replace("-", "") if network.urls[self.here.kind].startswith("sqlite") else self.new
        late = f"SELECT 1 FROM casework_alarms WHERE about = '{key}' AND kind = 'undelivered'"
        until(lambda: bool(network.rows(self.here.kind, late)), f"{self.here.kind}'s alarm that a receipt is late while {words}")

    def check_all_is_made_good(self, in_charge: dict[str, InCharge]) -> None:
        for process, _, referral in self.ends():
            page = in_charge[process.kind].sees(f"/referrals/{referral}").words
            assert CONFIRMED in page, page
            assert not any(said in page for said in NOT_CONFIRMED), page
            assert self.here.network.facts_of(process.kind, self.known) == ["issued", "accepted"]
            assert self.here.network.facts_of(process.kind, self.new) == ["issued"]


@contextmanager
def town_at_work(folder: Path, unique: str, on_postgresql: tuple[str, ...]) -> Iterator[tuple[Islands, IslandNetwork, Wall]]:
    """A broker on the bridge, and every agency's database, in this test's own namespaces."""
    with ExitStack() as going:
        town = going.enter_context(islands(KINDS))
        port, mutual, controller = free_ports(PORTS)
        listeners = {
            "listeners": f"CLIENT://0.0.0.0:{port},MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENT://{town.town(1)}:{port},MUTUAL://127.0.0.1:{mutual}",
        }
        at, reached = (port, mutual, controller), town.town(1)
        node = KafkaNode(folder / "kafka", cache=default_cache(folder), overrides=listeners, ports=at, addresses=(reached,))
        going.enter_context(node)
        urls = {kind: f"sqlite:///{folder / kind}.db" for kind in KINDS}
        if on_postgresql:
            cluster = going.enter_context(postgresql_at_desks(town, on_postgresql))
            urls |= {kind: at_desk(town, kind, cluster.fresh_database()) for kind in on_postgresql}
        network = IslandNetwork(folder, replace(kafka_of(node), bootstrap_servers=f"{town.town(1)}:{port}"), unique, urls, town)
        wall = Wall(folder / "clock")
        network.go_by(wall)
        going.enter_context(wall.running())
        asyncio.run(network.set_up())
        yield town, network, wall


@pytest.mark.parametrize(
    ("on_postgresql", "victims"), [((), KINDS), (("police", "health"), ("police",))], ids=["sqlite", "postgresql"]
)
def test_an_hour_of_cut_lines_is_shown_at_both_ends_of_each_pair_and_made_good_when_they_heal(
    on_postgresql: tuple[str, ...], victims: tuple[str, ...], unique: str, tmp_path: Path, full_cost: None
) -> None:
    with town_at_work(tmp_path, unique, on_postgresql) as (town, network, wall):
        with network.started(*((kind, "serve") for kind in KINDS)) as everyone:
            police, health, welfare = everyone
            everyone_is_ready(everyone)
            case, at_clinic = open_case(police), open_case(health, ["social_welfare"])
            pairs = [Pair(police, health, case), Pair(police, welfare, case), Pair(health, welfare, at_clinic)]
            in_charge = {process.kind: put_in_charge(process) for process in everyone}
            for victim in victims:
                for words, cut in CUTS.items():
                    said = f"{victim} {words}"
                    for pair in pairs:
                        pair.before()
                    until(lambda: in_step(everyone), "all to be in step")
                    with cut(town, victim):
                        for pair in pairs:
                            pair.meanwhile()
                        wall.step(HOUR)
                        over_at = time.monotonic() + LASTS_S
                        until(lambda at=over_at: time.monotonic() >= at, "the hour to pass")  # type: ignore[misc]
                        for pair in pairs:
                            if victim in (pair.here.kind, pair.there.kind):
                                pair.check_both_ends_say_so(in_charge, said)
                            else:  # whom the cut has nothing to do with
                                until(lambda p=pair: in_step([p.here, p.there]), f"the others to go on while {said}")  # type: ignore[misc]
                    until(lambda: in_step(everyone), f"all to be made good after {said}")
                    for pair in pairs:
                        pair.check_all_is_made_good(in_charge)
                    print(f"{said}: both ends of each pair said so, the others went on, and all was made good")
            with town.dumb("police", towards="health"), town.dumb("health", towards="police"):  # the direct line alone
                pairs[0].before()
                until(lambda: in_step([police, health]), "the broker to carry it all the same")
                assert network.facts_of("health", pairs[0].known) == ["issued"]
            until(lambda: in_step(everyone), "what others are told of it to arrive")
        network.check_streams()
