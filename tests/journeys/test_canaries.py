"""A thousand planted words, in every personal field and every note of every journey: none lies anywhere at rest, or on the broker.

Real processes, a real Kafka and a real PostgreSQL of the test's own, with a database for each agency, so that every file that any
of them writes may be read whole; what is typed into pages, and files of SQLite, are tests/pages/test_no_typed_word_lies_open.py's.
The same search is then shown a word in the clear in each of these places, and must find it there.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from desks import in_step
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, today, until
from servers import KafkaNodeFactory, kafka_of
from sqlmodel import SQLModel

from services.police.offenders.commands import WHO_CHARACTERS_MAX
from services.social_welfare.returns.domain import Question
from shared.casework.sharing import THERE_FOR
from shared.contracts.casework.codes import AgencyKind, ConsentItem
from shared.exchange.access import topics_of
from shared.kit.local.kafka import KafkaNode
from shared.kit.local.postgres import PostgresCluster
from shared.kit.sealed import Sealed

pytestmark = pytest.mark.timeout(900)  # a minute when quiet

CASES = 7
EVERYBODY = (*KINDS, "justice")
WORDS_A_NOTE = 16
PLANTED_MIN = 1_000
EXPECTED = "2031-05-04T03:02:01Z"  # when she is expected: a day of which nothing else speaks
CODED = (
    b"age_band", b"safe_to_return", b"alone_on_phone", b"safe_hours", b"hepatitis_b_vaccine", b"physical_assault", b"accused_side",
    b"asked_alone", b"permission_demanded", b"acquitted", b"clothing", b"childcare", b"she_does_not_want_it", b"handed_to_another",
    b"at_home_with_safe_person",
    b"met_wishes_no_more", b"doer_lives_there", b"support_for_children", EXPECTED[:10].encode(),
)  # fmt: skip
WITHDRAWN = {"asked_by": "accused_side", "pressure": "yes", "asked_alone": True, "is_safe": "no"}


class Planter:
    """Gives out words that nobody else writes, and counts them."""

    def __init__(self, unique: str) -> None:
        self.mark = f"cnry{unique}"
        self.count = 0
        self.shorts = list[str]()

    def word(self) -> str:
        self.count += 1
        return f"{self.mark}-{self.count:05d}"

    def short(self) -> str:
        """A word where few letters have room, which is looked for as it is."""
        self.shorts.append(self.word()[-12:].upper())
        return self.shorts[-1]

    def note(self) -> str:
        return "Synthetic Person, Plot 12: " + " ".join(self.word() for _ in range(WORDS_A_NOTE))


def journey(desk: Process, clinic: Process, office: Process, court: Process, plant: Planter, number: int) -> None:
    """Everything that is typed about one survivor, at four agencies, with what is refused."""
    names = desk.network.names
    person = {
        "needs": {"age_band": "10-14", "sex": "female", "language": "bem"},
        "safety": {"safe_to_return": "no", "alone_on_phone": "no"}, "relay": {"safe_hours": "morning"},
        "child": {"assent": "yes", "safe_adult_present": "yes"}, "dependants": {"age_bands": ["0-9"]},
    }  # fmt: skip
    case = desk.post("/cases", {"note": plant.note(), "came_with": plant.word(), **person})["id"]
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    incident = desk.post(f"/cases/{case}/incidents", {"incident_type": "physical_assault", "note": plant.note(), **times})["id"]
    body = {"items": [str(item) for item in ConsentItem], "how": "spoken", "language": "bem"}
    for kind in ("health", "social_welfare", "justice"):
        agreed = {"recipient": names[kind], "purpose": THERE_FOR[AgencyKind(kind)], **body}
        desk.post(f"/cases/{case}/consents", {**agreed, "note": plant.note()})
    desk.post(f"/cases/{case}/docket", {"number": plant.word().upper()})
    complaint = desk.post(f"/cases/{case}/complaints", {"number": plant.word().upper()})["id"]
    desk.post(f"/cases/{case}/complaints/{complaint}/withdrawals", WITHDRAWN)
    warned = {"what": "warned", "on": today(), "facility": "ndola_central_vsu"}
    desk.post("/offenders", {"who": plant.note()[:WHO_CHARACTERS_MAX], **warned})
    desk.post(f"/cases/{case}/breaches", {"code": "permission_demanded", "by_whom": "community"})
    sent = {}
    for kind, place, service in (
        ("health", "ndola_clinic", "acute_care"), ("social_welfare", "ndola_district_office", "psychosocial"),
    ):  # fmt: skip
        asked = {
            "case_id": case, "incident_id": incident, "to_agency": names[kind], "to_facility": place, "services": [service],
            "urgency": "urgent", "note": plant.note(),
            **({"report_form": {"form": "zp_form_32", "form_version": 1}} if kind == "health" else {}),
        }  # fmt: skip
        sent[kind] = desk.post("/referrals", asked)["id"]
        desk.post(
            f"/referrals/{sent[kind]}/set-out", {"mode": "car", "escort": "officer", "expected_at": EXPECTED, "note": plant.note()}
        )
    desk.post(f"/cases/{case}/progress", {"code": "statement_taken", "note": plant.note()})
    for wrong in ({"name": plant.note()}, {"note": plant.note() * 20}, {"needs": {"age_band": plant.word()}}):
        assert desk.once("POST", "/api/v1/cases", wrong).status_code == 422
    assert desk.once("POST", f"/api/v1/referrals/{sent['health']}/cancel", {"reason_code": plant.word()}).status_code == 422
    came = clinic.post("/arrivals", {"note": plant.note(), "facility": "ndola_clinic"})["arrival_id"]
    clinic.post(f"/arrivals/{came}/care", {"care": "hepatitis_b_vaccine", "result": "given"})
    for kind, at in (("health", clinic), ("social_welfare", office)):
        until(lambda k=kind, p=at: p.network.facts_of(k, sent[k])[:1] == ["issued"], "the referral to arrive")  # type: ignore[misc]
        for move, more in (("accept", {}), ("arrive", {"feedback": True}), ("start", {})):
            at.post(f"/referrals/{sent[kind]}/{move}", {**more, "note": plant.note()})
    a_report(desk, clinic, plant, sent["health"])
    a_trial(desk, court, plant, {"case_id": case, "incident_id": incident})
    social_work(office, plant, sent["social_welfare"])
    clinic.post(f"/referrals/{sent['health']}/care", {"care": "hepatitis_b_vaccine", "result": "given"})
    clinic.post(f"/referrals/{sent['health']}/close", {"outcome_code": "served", "note": plant.note()})
    if number == 0:
        assert clinic.once("POST", f"/api/v1/referrals/{sent['health']}/start", {"note": plant.note()}).status_code == 409
        what_few_need(desk, clinic, plant, case, clinic.get(f"/referrals/{sent['health']}")["case_id"])


def what_few_need(desk: Process, clinic: Process, plant: Planter, case: str, there: str) -> None:
    """What the other survivors of this test are not asked or given; `there` is her case at the clinic."""
    desk.post(
        f"/cases/{case}/incidents",
        {"incident_type": "denial_of_resources", "hurt_now": False, "urgent_mental_health": False, "note": plant.note()},
    )
    said = {"language": "bem", "interpreter": False, "post": "duty_officer"}
    desk.post(f"/cases/{case}/legal-information", {"topics": ["may_withdraw"], **said})
    box = {"product": "emergency_contraception", "batch": plant.short()}
    desk.post("/dispensing/reports", {**box, "code": "allergic_reaction", "case_id": case})
    nurse = {"post": "duty_nurse", "name": plant.word()}
    sample = clinic.post(f"/cases/{there}/specimens", {"kind": "swab", **nurse})["id"]
    clinic.post(f"/specimens/{sample}/entries", {"act": "sealed", "seal": plant.short(), **nurse})
    clinic.post(f"/specimens/{sample}/entries", {"act": "stored", "place": plant.word(), **nurse})
    clinic.post(f"/cases/{there}/medical-certificates", {"number": plant.word().upper(), "copy_kept": True, **nurse})
    clinic.post(f"/cases/{there}/follow-ups", {"which": "pep_day_28", "due_on": today()})
    walked_in = clinic.post("/arrivals", {"note": plant.note(), "facility": "ndola_clinic"})["arrival_id"]
    clinic.post(f"/arrivals/{walked_in}/end", {"outcome_code": "she_declined"})


def social_work(office: Process, plant: Planter, referral: str) -> None:
    """Whatever is typed at the office about a plan, visits, a return and a conference; only the conference is told of, as codes."""
    case = f"/cases/{office.get(f'/referrals/{referral}')['case_id']}"
    told = {"how": "spoken", "language": "bem"}
    goal, step = {"need": "legal", "note": plant.note()}, {"what": "safety_plan", "who": "she", "note": plant.note()}
    office.post(
        f"{case}/plan", {"needs": ["childcare"], "review_on": today(), "note": plant.note(), "goals": [goal], "steps": [step]}
    )
    office.post(f"{case}/plan/answer", {"number": 1, "agrees": True, **told})
    (plan,) = office.get(f"{case}/plans")["items"]
    marked = [{"step": one, "state": "she_does_not_want_it", "note": plant.note()} for one in plan["open_steps"]]
    office.post(f"{case}/plan/close", {"why": "handed_to_another", "steps": marked, "note": plant.note()})
    office.post(f"{case}/visiting", {"is_safe": True, "way": "at_home_with_safe_person", "hours": "evening", "language": "bem"})
    visit = office.post(f"{case}/visits", {"kind": "home", "due_on": today(), "part": "evening", "knows": "social_worker_on_duty"})[
        "id"
    ]
    office.post(f"/visits/{visit}/answer", {"state": "kept", "outcome": "met_wishes_no_more", "note": plant.note()})
    questions = dict.fromkeys(map(str, Question), "unknown")
    office.post(f"{case}/returns", {"where": "community", "answers": questions, "note": plant.note()})
    office.post(f"{case}/returns/end", {"why": "did_not_go", "note": plant.note()})
    police = office.network.names["police"]
    office.post(f"{case}/consents", {"recipient": police, "purpose": "protection", "items": ["req", "needs"], **told})
    called = {"on_date": today(), "part": "afternoon", "agenda": ["needs"], "agencies": [police], "note": plant.note()}
    conference = office.post(f"{case}/conferences", called)["id"]
    decided = {"item": "needs", "code": "support_for_children", "responsible": police, "due_on": today()}
    office.post(f"/conferences/{conference}/conclude", {"outcome": "held", "decisions": [decided], "note": plant.note()})


def a_report(desk: Process, clinic: Process, plant: Planter, referral: str) -> None:
    """The way of a medical report, with every name typed on it: the desk hears the steps, each end keeps its names."""
    written, asked = (at.post(f"/referrals/{referral}/report")["id"] for at in (clinic, desk))
    handed = {"holder": "desk", "ground": "consent", "how": "spoken", "language": "bem", "other_post": "duty_officer"}
    for step, more in (("examined", {}), ("signed", {}), ("ready", {}), ("collected", {**handed, "other_name": plant.word()})):
        named = {} if step == "ready" else {"name": plant.word()}
        view = clinic.post(f"/reports/{written}/steps", {"step": step, "post": "duty_nurse", **named, **more})
    until(lambda: desk.get(f"/reports/{asked}")["status"] == "collected", "the desk to hear that it was handed over")
    taken = {"step": "collected", "post": "duty_officer", "custody_code": view["custody_code"], "name": plant.word()}
    assert desk.post(f"/reports/{asked}/steps", taken)["gaps"] == []
    with_order = {"step": "collected", "post": "duty_nurse", "holder": "court", "ground": "court_order", "order": plant.word()}
    clinic.post(f"/reports/{written}/steps", with_order)


def a_trial(desk: Process, court: Process, plant: Planter, of: dict[str, str]) -> None:
    """A hand-over, an examination with its order and a sample, hearing and verdict, with everything that is typed on the way."""
    to = {"to_agency": desk.network.names["justice"], "to_facility": "office", "services": ["prosecution"], "urgency": "urgent"}
    sent = desk.post("/referrals", {**of, **to, "note": plant.note()})["id"]
    until(lambda: court.network.facts_of("justice", sent)[:1] == ["issued"], "the hand-over to arrive")
    court.post(f"/referrals/{sent}/accept", {"note": plant.note()})
    there = court.get(f"/referrals/{sent}")["case_id"]
    told = {"recipient": desk.network.names["police"], "items": ["req", "prog"], "purpose": "justice", "how": "spoken"}
    court.post(f"/cases/{there}/consents", {**told, "language": "bem", "note": plant.note()})
    begun = court.post(f"/cases/{there}/examinations", {"agreed": True, "post": "examiner", "order_number": plant.word().upper()})
    court.post(f"/examinations/{begun['id']}/done")
    sample = court.post(f"/cases/{there}/specimens", {"kind": "clothing", "post": "examiner", "name": plant.word()})["id"]
    court.post(f"/specimens/{sample}/entries", {"act": "stored", "post": "examiner", "place": plant.word(), "name": plant.word()})
    hearing = court.post(f"/cases/{there}/hearings", {"on_date": today()})
    court.post(f"/hearings/{hearing['id']}/answer", {"state": "put_off"})
    court.post(f"/cases/{there}/verdicts", {"outcome": "acquitted"})


@contextmanager
def at_work(factory: KafkaNodeFactory, cluster: PostgresCluster, unique: str, home: Path) -> Iterator[Any]:
    node = factory()
    urls = {kind: cluster.fresh_database() for kind in EVERYBODY}
    network = ProcessNetwork(home, kafka_of(node), unique, urls, beside=["justice"])
    asyncio.run(network.set_up())
    with network.started(*((kind, "serve") for kind in EVERYBODY)) as processes:
        everyone_is_ready(processes)
        yield network, node, processes


def test_no_planted_word_lies_at_rest_or_leaves(
    kafka_node_factory: KafkaNodeFactory, postgres_cluster: PostgresCluster, unique: str, tmp_path: Path
) -> None:
    plant = Planter(unique)
    with at_work(kafka_node_factory, postgres_cluster, unique, tmp_path) as (network, node, processes):
        desk, clinic, office, court = processes
        for number in range(CASES):
            journey(desk, clinic, office, court, plant, number)
        until(lambda: in_step(processes), "everything to be signed for")
        assert plant.count >= PLANTED_MIN
        (note,) = {line["text"] for line in desk.get("/cases?limit=1")["items"] if "text" in line} or {""}
        assert not note  # the list tells no note
        asyncio.run(checkpoint(network))
        places = {**files_of(network, node, postgres_cluster), **asyncio.run(told_of(network, processes))}
        # There are no traces: nothing here collects any.
        assert {"database", "write-ahead log", "broker", "log", "topics", "headers", "metrics", "addresses", "process list"} <= {
            kind for kind, _ in places
        }
        assert where(places, plant.mark.encode()) == []
        # The lot number tells of nobody: it lies open at the clinic, which may have to call the lot back, and nowhere else.
        lot, seal = (where(places, short.encode()) for short in plant.shorts)
        assert ({kind for kind, _ in lot} <= {"database", "write-ahead log"}, seal) == (True, [])
        for field in CODED:
            assert where({p: c for p, c in places.items() if p[0] in AT_REST}, field) == []
        assert never_filled(network) - set(ELSEWHERE) == set()
        # The words are there all the same, for whoever has the keys.
        held = network.rows("police", "SELECT count(*) FROM casework_notes")
        assert held[0][0] > CASES * 5

        asyncio.run(plant_in_the_clear(network, plant.mark))
        asyncio.run(checkpoint(network))
        found = where(files_of(network, node, postgres_cluster), plant.mark.encode())
        assert {kind for kind, _ in found} == {"database", "write-ahead log", "broker", "log"}
        of_databases = {Path(file).parent.name for kind, file in found if kind == "database"}
        assert len(of_databases) == len(EVERYBODY)  # a folder each
        assert where({("process list", "x"): f"run --note={plant.mark.upper()}".encode().lower()}, plant.mark.encode())


# What this journey fills no row of, and why: it lies sealed by its type like the rest, and its own tests drive it.
_OF_OTHERS = "a feature that this programme has not"
_OF_PAGES = "typed into pages alone, or by a supervisor"
_OF_TIME = "made when time has passed, or when something is wrong"
ELSEWHERE = {
    **dict.fromkeys(
        [
            "police_calls.said", "police_counsellings.language", "police_counsellings.note", "police_counsellings.what",
            "police_enquiries.said", "police_own_words.phone", "police_property.kind", "police_property.note",
            "police_property_entries.said", "police_stay_facts.said", "police_stay_refusals.with_her", "police_stays.with_her",
            "casework_register_entries.said",
        ],
        _OF_OTHERS,
    ),
    **dict.fromkeys(
        [
            "casework_alarms.resolution", "casework_decoys.which", "casework_drafted_referrals.answers",
            "casework_exports.because", "casework_holds.order", "casework_refusals.language", "casework_cases.adult",
            "police_doses.given_at", "police_doses.said", "casework_messages.code", "casework_messages.on_at",
        ],
        _OF_PAGES,
    ),
    **dict.fromkeys(
        [
            "casework_figure_releases.counted", "casework_held_copies.kept", "exchange_forks.inner", "casework_reports.form",
            "social_welfare_returns.said",
        ],
        _OF_TIME,
    ),
}  # fmt: skip


def never_filled(network: ProcessNetwork) -> set[str]:
    """The sealed columns, as table.column, that no row of any agency fills: what was planted there was never looked for."""
    columns = {(t.name, c.name) for t in SQLModel.metadata.tables.values() for c in t.c if isinstance(c.type, Sealed)}
    filled = set[tuple[str, str]]()
    for kind in network.urls:
        there = {name for (name,) in network.rows(kind, "SELECT table_name FROM information_schema.tables")}
        for table, column in sorted(columns - filled):
            if table in there and network.rows(kind, f'SELECT 1 FROM {table} WHERE "{column}" IS NOT NULL LIMIT 1'):
                filled.add((table, column))
    return {".".join(one) for one in columns - filled}


AT_REST = ("database", "write-ahead log", "broker")
Places = dict[tuple[str, str], bytes]  # kind of place and where: what is there, in small letters


def where(places: Places, word: bytes) -> list[tuple[str, str]]:
    """Where a word is, in small letters or capitals."""
    return sorted(place for place, content in places.items() if word.lower() in content)


def files_of(network: ProcessNetwork, node: KafkaNode, cluster: PostgresCluster) -> Places:
    """Every file that the agencies, PostgreSQL and the broker have written."""
    folder = cluster._folder
    assert folder is not None
    return {
        **contents("write-ahead log", [f for f in folder.rglob("pg_wal/*") if f.is_file()]),
        **contents("database", [f for f in folder.rglob("*") if f.is_file() and "pg_wal" not in f.parts]),
        **contents("keystore", (network.home / "casekeys").glob("*")),
        **contents("broker", [f for f in node._directory.rglob("*") if f.is_file()]),
        **contents("log", [*network.home.glob("*.log"), node.log]),
    }


def contents(kind: str, files: Iterable[Path]) -> Places:
    return {(kind, str(file)): file.read_bytes().lower() for file in files if file.exists() and file.is_file()}


async def told_of(network: ProcessNetwork, processes: list[Process]) -> Places:
    """What the broker tells of its records beside their values, what figures say, and what anybody here sees of processes."""
    access = network.kafka.operator
    topics = sorted(await topics_of(access))
    told: Places = {("topics", "names"): " ".join(topics).encode()}
    told |= {("addresses", one.kind): " ".join(one.addresses).encode() for one in processes}
    consumer = AIOKafkaConsumer(*topics, **access.options(), auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        left = {partition for partition, end in ends.items() if end > 0}
        for partition in consumer.assignment():
            await consumer.seek_to_beginning(partition)
        async with asyncio.timeout(60):
            while left:
                for partition, records in (await consumer.getmany(timeout_ms=1_000)).items():
                    for record in records:
                        place = ("headers", f"{partition.topic}/{partition.partition}/{record.offset}")
                        told[place] = b"|".join([record.key or b"", *(n.encode() + v for n, v in record.headers)])
                    if await consumer.position(partition) >= ends[partition]:
                        left.discard(partition)
    finally:
        await consumer.stop()
    for process in processes:
        told[("metrics", process.agency)] = process._http.get("/metrics").content
    for name in ("cmdline", "environ"):
        for file in Path("/proc").glob(f"[0-9]*/{name}"):
            try:
                told[("process list", str(file))] = file.read_bytes()
            except OSError:
                continue  # it has ended, or is another user's
    return {place: content.lower() for place, content in told.items()}


async def checkpoint(network: ProcessNetwork) -> None:
    """PostgreSQL writes what it holds, of all databases, to its files."""
    connection = await asyncpg.connect(network.urls["police"])
    await connection.execute("CHECKPOINT")
    await connection.close()


async def plant_in_the_clear(network: ProcessNetwork, word: str) -> None:
    """What the search must find: the word in a column, on a topic and in a log."""
    for kind in EVERYBODY:
        connection = await asyncpg.connect(network.urls[kind])
        await connection.execute("CREATE TABLE planted (word text)")
        await connection.execute("INSERT INTO planted VALUES ($1)", word)
        await connection.close()
    topic = next(t for t in sorted(await topics_of(network.kafka.operator)) if t.startswith("refnet."))
    producer = AIOKafkaProducer(**network.kafka.operator.options())
    await producer.start()
    await producer.send_and_wait(topic, word.encode())
    await producer.stop()
    with (network.home / "planted.log").open("w") as log:
        log.write(word)
