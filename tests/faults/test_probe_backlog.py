import asyncio, os, threading, time
from pathlib import Path
import asyncpg
import pytest
from desks import in_step, issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from bench.pipes import connected
from bench.stamps import issue_many
from shared.kit.local.postgres_databases import PostgresDatabases

N = int(os.environ.get("PROBE_N", "5000"))
OUT = open(os.environ.get("PROBE_OUT", "/tmp/probe.log"), "a", buffering=1)
pytestmark = [pytest.mark.timeout(3000)]


def arrived(network):
    return int(network.rows("health", "SELECT count(*) FROM casework_referrals")[0][0])


def urgent(desk, case):
    place = {"to_agency": desk.network.names["health"], "to_facility": "ndola_clinic"}
    desk.post("/referrals", {"case_id": case, "incident_id": None, **place, "services": ["acute_care"], "urgency": "urgent"})


def say(*a): print(f"{time.time() % 10000:9.2f}", *a, file=OUT)


async def watch(urls, stop):
    p, h = await asyncpg.connect(urls["police"]), await asyncpg.connect(urls["health"])
    while not stop.is_set():
        heads = await h.fetch("select upto,highest,announced,(select max(seq) from exchange_slots) mx,(select count(*) from exchange_slots) n,(select count(*) from exchange_missing) miss, (select state||':'||count(*) from exchange_inbox where state<>'applied' group by state limit 1) odd from exchange_heads where highest>0")
        due = await p.fetchrow("select (select count(*) from exchange_outbox where is_due) due, (select count(*) from exchange_outbox where delivered_at is null) und, (select max(upto) from exchange_receipts) rec")
        say("clinic", [tuple(x) for x in heads], "police", tuple(due))
        await asyncio.sleep(float(os.environ.get("PROBE_STEP", "1")))


def test_probe(kafka: str, postgres: PostgresDatabases, unique: str, tmp_path: Path) -> None:
    urls = {kind: postgres.fresh_database() for kind in ("police", "health")} | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"}
    network = ProcessNetwork(tmp_path, kafka, unique, urls, partitions=4)
    asyncio.run(network.set_up())
    stop = threading.Event()
    with network.started(("police", "web"), ("health", "web"), ("police", "worker"), ("health", "worker")) as everyone:
        desk, clinic, relay, reader = everyone
        everyone_is_ready(everyone)
        case = open_case(desk)
        urgent(desk, case)
        until(lambda: in_step([desk, clinic]), "first")
        for w in (relay, reader):
            assert w.stop() == 0
        async def fill():
            async with connected(urls["police"]) as c:
                await issue_many(c, N)
        t = time.time()
        asyncio.run(fill())
        say("filled", N, time.time() - t)
        t = time.time()
        relay.start()
        unsent = f"SELECT 1 FROM exchange_outbox WHERE recipient = '{clinic.agency}' AND sent_at IS NULL LIMIT 1"
        until(lambda: not network.rows("police", unsent), "sent", 1500)
        say("sent all", time.time() - t)
        th = threading.Thread(target=lambda: asyncio.run(watch(urls, stop))); th.start()
        try:
            reader.start()
            t = time.time()
            until(lambda: arrived(network) > N * 0.1, "begun", 1500)
            say("begun", time.time() - t)
            early = relay.rss_mb(), reader.rss_mb()
            say("rss", early)
            k = 0
            while (before := arrived(network)) < N * 0.8:
                t0 = time.time()
                r = issue(desk, case)
                k += 1
                at_clinic = None
                while True:
                    if at_clinic is None and network.rows("health", f"SELECT 1 FROM casework_referrals WHERE id = '{r}'"):
                        at_clinic = time.time() - t0
                        say(f"acute {k} applied after {at_clinic:.2f}")
                    if desk.get(f"/referrals/{r}")["delivered_at"]:
                        say(f"acute {k} signed after {time.time() - t0:.2f}, passed {arrived(network) - before}")
                        break
                    if time.time() - t0 > 400:
                        say("acute NOT signed in 400 s", network.rows("police", f"select seq,is_express,is_due,sent_at,delivered_at from exchange_outbox where subject='{r}'"))
                        raise AssertionError("not signed")
                    time.sleep(0.1)
            say("rss", relay.rss_mb(), reader.rss_mb())
            until(lambda: arrived(network) == 1 + N + k, "all", 1500)
            say("all arrived", time.time() - t)
            until(lambda: in_step([desk, clinic]), "in step", 1500)
            say("in step", time.time() - t)
            network.check_streams(("police", "health"))
            for p in (relay, reader):
                say(p.agency, p.last_words()[-1500:])
            say("wire", network.rows("police", "select 1"))
        finally:
            stop.set(); th.join()
