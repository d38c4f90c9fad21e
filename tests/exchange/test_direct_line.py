"""The direct line between two agencies, on real sockets with real certificates: who is let in, what is refused, in which words."""

import asyncio
import io
import json
import logging
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
import uvloop
from direct_ends import DAY, DEADLINE_S, LIFE, Memory, Town, asking, bound, listening, said, statement, url_of
from keys import holder_of

from shared.contracts.wire.directory import Lines
from shared.exchange.direct import (
    ENVELOPE_BYTES_MAX,
    EVENTS_MAX,
    PAGE_BYTES_MAX,
    STATEMENT_BYTES_MAX,
    DirectLine,
    LineAway,
    StreamName,
    pack,
    unpack,
)
from shared.exchange.direct_server import ANSWERING_MAX, CONNECTIONS_MAX, DirectServer
from shared.exchange.direct_tls import Credentials
from shared.exchange.keyring import Keyring
from shared.exchange.seal import KeyedSeal
from shared.kit.certificates import Authority
from shared.kit.errors import RefnetError
from shared.kit.telemetry import set_up_logs

OUT = StreamName("health", "police", LIFE)  # what the clinic has said to the desk


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def raw(url: str, credentials: Credentials | None, town: Town) -> httpx.AsyncClient:
    """A client of no agency's, which may send what ours never would."""
    context = (credentials or town.credentials("police")).client_context()
    if credentials is None:
        context = httpx.create_ssl_context(trust_env=False)
        context.load_verify_locations(town.credentials("police").ca)
    return httpx.AsyncClient(base_url=url, verify=context, trust_env=False, timeout=DEADLINE_S)


async def ask(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    return await client.request(method, path, extensions={"sni_hostname": "health"}, **more)


def one_sentence(words: str) -> bool:
    return words.endswith(".") and ". " not in words and "\n" not in words and "Traceback" not in words


async def why_not(line: DirectLine, peer: str = "health") -> str:
    """The reason that the line gives for not being there."""
    with pytest.raises(LineAway) as away:
        await line.state(peer, statement("police", "health"))
    assert one_sentence(str(away.value)), away.value
    return str(away.value)


async def both_questions(folder: Path) -> None:
    town, health = Town(folder), Memory("health")
    health.slots[OUT] = {slot: b"sealed %d" % slot for slot in (1, 2, 4)}
    async with listening(health, town.credentials("health")) as url, asking(url, town.credentials("police")) as line:
        await line.look("health")
        answer = await line.state("health", statement("police", "health", b'"the desk"'))
        assert said(answer) == b'"the desk"'
        assert health.heard == [("police", b'"the desk"')]
        assert await line.events("health", OUT, 1, 3) == [b"sealed 1", b"sealed 2"]
        assert await line.events("health", OUT, 3, 9) == [b"sealed 4"]
        assert await line.events("health", StreamName("health", "police", UUID(int=8)), 1, 9) == []


async def test_a_statement_is_answered_by_a_statement_and_events_come_in_slot_order(tmp_path: Path) -> None:
    await both_questions(tmp_path)


def test_the_line_works_on_the_loop_that_production_runs(tmp_path: Path) -> None:
    uvloop.run(both_questions(tmp_path))


# --- who is let in -------------------------------------------------------------------------------------------------------


async def stranger_is_refused(folder: Path) -> None:
    town, health = Town(folder), Memory("health")
    other = Authority.make("somebody's", town.now, DAY)
    own = town.credentials("police")
    unknown, expired = town.credentials("police", authority=other), town.credentials("police", ended=True)
    async with listening(health, town.credentials("health")) as url:
        async with raw(url, None, town) as nobody:
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.ConnectError)):
                await ask(nobody, "GET", "/exchange/v1/line")
        async with asking(url, unknown) as line:
            assert "as where it does not trust our certificate; compare REFNET_EXCHANGE_CA" in await why_not(line)
        async with asking(url, expired) as line:
            assert "our certificate has expired; renew it" in await why_not(line)
        async with asking(url, own) as line:
            await line.look("health")  # the others spoiled nothing
    assert health.heard == []


async def test_without_a_certificate_of_the_networks_own_nobody_is_heard(tmp_path: Path) -> None:
    await stranger_is_refused(tmp_path)


def test_a_stranger_is_refused_on_the_loop_that_production_runs(tmp_path: Path) -> None:
    uvloop.run(stranger_is_refused(tmp_path))


async def test_an_agency_that_is_not_paired_is_refused_whatever_its_headers_say(town: Town) -> None:
    health = Memory("health")
    async with listening(health, town.credentials("health")) as url:
        async with asking(url, town.credentials("justice")) as line:
            assert "is not paired with the agency that our certificate names" in await why_not(line)
        claims = {"x-agency": "police", "x-forwarded-for": "127.0.0.1", "x-forwarded-client-cert": "Subject=CN=police"}
        async with raw(url, town.credentials("justice"), town) as client:
            for method, path in (
                ("GET", "/exchange/v1/line"),
                ("POST", "/exchange/v1/statements"),
                ("GET", "/nothing"),
                ("PUT", "/"),
            ):
                answer = await ask(client, method, path, headers=claims)
                assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
                assert one_sentence(answer.json()["detail"])
    assert health.heard == []


async def test_a_certificate_that_names_no_agency_or_a_host_only_is_nobody(town: Town) -> None:
    async with listening(Memory("health"), town.credentials("health")) as url:
        for name in ("clinic.example", "Police"):
            async with raw(url, town.credentials(name), town) as client:
                assert (await ask(client, "GET", "/exchange/v1/line")).status_code == 403


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({"agency": "social_welfare"}, "shows a certificate of another name"),
        ({"agency": "health", "ended": True}, "shows a certificate that has expired"),
        ({"agency": "health", "authority": "other"}, "our REFNET_EXCHANGE_CA has not signed"),
    ],
)
async def test_a_desk_speaks_to_nobody_but_the_agency_it_wants(town: Town, shown: dict[str, Any], words: str) -> None:
    other = Authority.make("somebody's", town.now, DAY)
    shown["authority"] = other if shown.get("authority") else town.authority
    health = Memory("health")
    async with listening(health, town.credentials(**shown)) as url, asking(url, town.credentials("police")) as line:
        assert words in await why_not(line)
    assert health.heard == []


async def test_why_a_line_is_away_is_one_sentence(town: Town) -> None:
    police = town.credentials("police")
    free = bound()
    url = url_of(free)
    free.close()
    async with asking(url, police) as line:
        assert "refuses the connection; start its worker" in await why_not(line)
        assert "There is no direct line to justice" in await why_not(line, "justice")
    plain = await asyncio.start_server(lambda _reader, writer: writer.write(b"HTTP/1.0 200 OK\r\n\r\n"), "127.0.0.1", 0)
    async with plain, asking(url_of(plain.sockets[0]), police) as line:
        assert "does not speak TLS" in await why_not(line)
    async with asking("https://no-such-host.invalid:1", police) as line:
        assert "cannot be reached" in await why_not(line)
    silent = bound()
    silent.listen()
    with silent:
        async with asking(url_of(silent), police, timeout_s=0.1) as line:
            assert "does not answer in time" in await why_not(line)


async def test_both_ends_choose_tls_1_3_take_1_2_and_keep_no_session_to_resume(town: Town) -> None:
    context = town.credentials("police").client_context()
    async with listening(Memory("health"), town.credentials("health")) as url:
        for wanted, spoken in ((ssl.TLSVersion.MAXIMUM_SUPPORTED, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")):
            context.maximum_version = wanted
            port = int(url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="health")
            writer.write(b"GET /exchange/v1/line HTTP/1.1\r\nhost: health\r\n\r\n")
            assert b" 204 " in await asyncio.wait_for(reader.readline(), DEADLINE_S)
            tls = writer.get_extra_info("ssl_object")
            assert tls.version() == spoken
            assert not tls.session.has_ticket
            writer.transport.abort()
    credentials = town.credentials("health")
    for made in (credentials.server_context(), credentials.client_context()):
        assert (made.minimum_version, made.verify_mode) == (ssl.TLSVersion.TLSv1_2, ssl.CERT_REQUIRED)


async def test_credentials_that_cannot_be_used_are_named(town: Town) -> None:
    one, other = town.credentials("police"), town.credentials("police")
    missing = Credentials(one.ca, one.cert, one.key.with_name("none.pem"))
    for wrong in (missing, Credentials(one.ca, one.cert, other.key), Credentials(one.key, one.cert, one.key)):
        with pytest.raises(RefnetError, match="REFNET_EXCHANGE_CA, _CERT and _KEY cannot be used"):
            DirectLine({}, wrong)


# --- bounds --------------------------------------------------------------------------------------------------------------


async def test_a_body_over_the_limit_is_refused_declared_or_not(town: Town) -> None:
    health, police = Memory("health"), town.credentials("police")
    large = b"x" * (STATEMENT_BYTES_MAX + 1)

    async def in_parts() -> Any:
        for start in range(0, len(large), 8_192):
            yield large[start : start + 8_192]

    async with listening(health, town.credentials("health")) as url, raw(url, police, town) as client:
        for content in (large, in_parts()):
            answer = await ask(client, "POST", "/exchange/v1/statements", content=content)
            assert answer.status_code == 413
            assert one_sentence(answer.json()["detail"])
        assert (await ask(client, "POST", "/exchange/v1/statements")).status_code == 400
        async with asking(url, police) as line:
            with pytest.raises(LineAway, match="finds our statement too large"):
                await line.state("health", large)
            await line.look("health")
    assert health.heard == []


async def test_lines_of_a_directory_are_asked_for_from_where_they_are_known(town: Town) -> None:
    health, police = Memory("health"), town.credentials("police")
    async with listening(health, town.credentials("health")) as url, asking(url, police) as line:
        told = Lines.model_validate_json(await line.directory("health", 0))
        assert (told.agency, told.first, len(told.lines)) == ("health", 1, 2)
        assert await line.directory("health", 2) == b""
        async with raw(url, police, town) as client:
            assert (await ask(client, "GET", "/exchange/v1/directory?from=first")).status_code == 400


async def test_an_answer_over_the_limit_is_not_read_to_its_end(town: Town) -> None:
    class Boaster(Memory):
        async def take_statement(self, peer: str, envelope: bytes) -> bytes:
            return b"x" * (STATEMENT_BYTES_MAX + 1)

    async with listening(Boaster("health"), town.credentials("health")) as url, asking(url, town.credentials("police")) as line:
        assert f"answers with more than {STATEMENT_BYTES_MAX} bytes" in await why_not(line)


async def test_a_page_holds_a_bounded_number_of_events_and_of_bytes(town: Town) -> None:
    health, police = Memory("health"), town.credentials("police")
    health.slots[OUT] = {slot: b"%d" % slot for slot in range(1, EVENTS_MAX + 100)}
    large = StreamName("health", "police", UUID(int=9))
    health.slots[large] = dict.fromkeys(range(1, 101), b"x" * ENVELOPE_BYTES_MAX)
    async with listening(health, town.credentials("health")) as url, asking(url, police) as line:
        page = await line.events("health", OUT, 3, 10_000)
        assert page == [b"%d" % slot for slot in range(3, EVENTS_MAX + 3)]
        some = await line.events("health", large, 1, 100)
        assert 1 < len(some) < 100
        assert len(pack(some)) <= PAGE_BYTES_MAX < len(pack(some)) + ENVELOPE_BYTES_MAX + 4


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ({"stream": "health.police"}, 400),
        ({"stream": f"health.health.{LIFE}"}, 400),
        ({"stream": f"health.police.{LIFE.hex}"}, 400),
        ({"stream": f"HEALTH.police.{LIFE}"}, 400),
        ({"stream": f"health.police.{LIFE}\n"}, 400),
        ({"stream": ""}, 400),
        ({"stream": f"health.justice.{LIFE}"}, 404),
        ({"stream": f"police.justice.{LIFE}"}, 404),
        ({"from": "0"}, 400),
        ({"from": "-1"}, 400),
        ({"from": "٣"}, 400),
        ({"from": "1e3"}, 400),
        ({"to": ""}, 400),
        ({"to": "9" * 30}, 400),
        ({"from": "5", "to": "4"}, 400),
        ({"from": "1", "to": str(EVENTS_MAX + 1)}, 400),
        ({"from": "1", "to": str(EVENTS_MAX)}, 200),
        ({"from": str(2**63 - 1), "to": str(2**63 - 1)}, 200),
        ({"stream": f"police.health.{LIFE}"}, 200),  # a sender may ask for its own words back
    ],
)
async def test_a_question_for_events_is_checked_before_anything_is_looked_up(
    town: Town, question: dict[str, str], status: int
) -> None:
    health = Memory("health")
    health.slots[OUT] = {1: b"sealed"}
    async with listening(health, town.credentials("health")) as url, raw(url, town.credentials("police"), town) as client:
        given = {"stream": str(OUT), "from": "1", "to": "10", **question}
        answer = await ask(client, "GET", "/exchange/v1/events", params=given)
        assert answer.status_code == status
        assert health.entered.is_set() == (status == 200)
        if status != 200:
            assert one_sentence(answer.json()["detail"])
            assert str(LIFE) not in answer.text


async def test_whoever_is_slow_is_let_go(town: Town) -> None:
    health, police = Memory("health"), town.credentials("police")
    health.gate.clear()
    async with listening(health, town.credentials("health"), body_timeout_s=0.1) as url:
        async with asking(url, police, timeout_s=0.3) as line:
            assert "does not answer in time" in await why_not(line)
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=police.client_context(), server_hostname="health")
        writer.write(b"POST /exchange/v1/statements HTTP/1.1\r\nhost: health\r\ncontent-length: 9\r\n\r\nhalf")
        assert b" 408 " in await asyncio.wait_for(reader.readline(), DEADLINE_S)
        writer.close()
        health.gate.set()


async def test_questions_at_the_same_time_are_each_answered_and_only_so_many_of_a_peer_at_once(town: Town) -> None:
    health, police = Memory("health"), town.credentials("police")
    async with listening(health, town.credentials("health")) as url:
        lines = [DirectLine({"health": url}, police) for _ in range(3)]
        health.gate.clear()
        asked = [asyncio.create_task(lines[n % 3].state("health", statement("police", "health", b"%d" % n))) for n in range(30)]
        await asyncio.wait_for(health.entered.wait(), DEADLINE_S)
        health.gate.set()
        for n, answer in enumerate(await asyncio.gather(*asked)):
            assert said(answer) == b"%d" % n
        assert health.at_once_max <= ANSWERING_MAX
        assert len(health.heard) == 30
        for line in lines:
            await line.close()


async def test_one_certificate_holds_a_bounded_number_of_connections(town: Town) -> None:
    police = town.credentials("police").client_context()
    async with listening(Memory("health"), town.credentials("health"), ("police", "justice")) as url:
        port = int(url.rpartition(":")[2])

        async def connect(context: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="health")
            return reader, writer

        held = [await connect(police) for _ in range(CONNECTIONS_MAX)]
        for _, writer in held:
            writer.write(b"GET /exchange/v1/line HTTP/1.1\r\nhost: health\r\n\r\n")
        for reader, _ in held:
            assert b" 204 " in await asyncio.wait_for(reader.readline(), DEADLINE_S)
        one_more, last = await connect(police)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(one_more.readexactly(1), DEADLINE_S)
        async with asking(url, town.credentials("justice")) as line:
            await line.look("health")
        for _, writer in [*held, (one_more, last)]:
            writer.transport.abort()


@pytest.mark.parametrize("body", [b"\0\0", b"\0\0\0\0", b"\0\0\0\5four", b"\xff\xff\xff\xff", pack([b"one"]) + b"\0"])
def test_what_is_no_page_is_not_read_as_one(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"length"):
        unpack(body)
    assert unpack(pack([b"one", b"two"])) == [b"one", b"two"]
    assert unpack(b"") == []


# --- what goes wrong behind it --------------------------------------------------------------------------------------------


async def test_a_database_that_is_away_and_a_statement_that_cannot_be_opened_are_told_apart(town: Town) -> None:
    health = Memory("health")
    async with listening(health, town.credentials("health")) as url, asking(url, town.credentials("police")) as line:
        with pytest.raises(LineAway, match="does not understand what we ask"):
            await line.state("health", statement("justice", "health"))  # from another than the certificate names
        with pytest.raises(LineAway, match="does not understand what we ask"):
            await line.state("health", b"garbage")
        health.is_away = True
        assert "its database is away; it is asked again later" in await why_not(line)
        with pytest.raises(LineAway, match="its database is away"):
            await line.events("health", OUT, 1, 2)
        health.is_away = False
        await line.state("health", statement("police", "health"))


async def test_whoever_has_no_key_to_answer_with_is_asked_again(town: Town) -> None:
    class Keyless(Memory):
        async def take_statement(self, peer: str, envelope: bytes) -> bytes:
            own = holder_of(self.agency)
            return KeyedSeal(Keyring(own.directory, {}, own.signing, own.opening)).seal(envelope, peer)

    async with listening(Keyless("health"), town.credentials("health")) as url:
        async with raw(url, town.credentials("police"), town) as client:
            answer = await ask(client, "POST", "/exchange/v1/statements", content=statement("police", "health"))
            assert answer.status_code == 503
            assert one_sentence(answer.json()["detail"])
        async with asking(url, town.credentials("police")) as line:
            assert "it is asked again later" in await why_not(line)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process would write to its log."""
    root, log = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    set_up_logs("json")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # this test's own client
    cast("logging.StreamHandler[Any]", root.handlers[0]).setStream(log)
    yield log
    root.handlers[:] = before
    root.setLevel(level)


async def test_a_log_never_holds_what_was_asked_or_whose_words_failed(town: Town, written: io.StringIO) -> None:
    health, police = Memory("health"), town.credentials("police")
    async with listening(health, town.credentials("health")) as url:
        async with asking(url, police) as line:
            await line.state("health", statement("police", "health", b'"Mwansa"'))
            await line.events("health", OUT, 1, 5)
            health.is_broken = True
            assert "failed in answering" in await why_not(line)
        async with raw(url, police, town) as client:
            await ask(client, "GET", "/exchange/v1/events", params={"stream": "Mwansa", "from": "Mwansa"})
        async with raw(url, town.credentials("justice"), town) as client:
            await ask(client, "GET", "/Mwansa", headers={"x-name": "Mwansa"})
    entries = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [entry["event"] for entry in entries] == ["direct_line_open", "direct_request_failed"]
    assert not re.search(r"Mwansa|sealed|stream|health\.police", written.getvalue())


# --- its life beside the worker's other work -------------------------------------------------------------------------------


def server_on(port: int, answers: Memory, town: Town) -> DirectServer:
    return DirectServer("health", ("police",), town.credentials("health"), answers, "127.0.0.1", port, take_over_s=0.02)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    except OSError:  # it let go while we were coming
        return True
    writer.close()
    return True


async def test_a_stop_answers_what_is_in_flight_and_then_lets_go_of_the_port(town: Town) -> None:
    health, listener, stop = Memory("health"), bound(), asyncio.Event()
    health.gate.clear()
    port = listener.getsockname()[1]
    url = url_of(listener)
    running = asyncio.create_task(server_on(port, health, town).serve(listener, stop))
    async with asking(url, town.credentials("police")) as line:
        asked = asyncio.create_task(line.state("health", statement("police", "health")))
        await asyncio.wait_for(health.entered.wait(), DEADLINE_S)
        stop.set()
        async with asyncio.timeout(DEADLINE_S):
            while await listens(port):
                await asyncio.sleep(0.01)
        health.gate.set()
        assert said(await asked) == b"{}"
        await asyncio.wait_for(running, DEADLINE_S)
        assert "refuses the connection" in await why_not(line)


async def test_of_several_workers_one_holds_the_port_and_another_takes_it_over(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shared.exchange.direct_server")
    free = bound()
    port, url = free.getsockname()[1], url_of(free)
    free.close()
    workers = [server_on(port, Memory("health"), town) for _ in range(2)]
    stops = [asyncio.Event() for _ in workers]
    running = [asyncio.create_task(worker.run(stop)) for worker, stop in zip(workers, stops, strict=True)]
    async with asyncio.timeout(DEADLINE_S), asking(url, town.credentials("police")) as line:
        await workers[0].listening.wait()
        while "direct_line_elsewhere" not in caplog.text:
            await asyncio.sleep(0.01)
        await line.look("health")
        stops[0].set()
        await running[0]
        await workers[1].listening.wait()
        await line.look("health")
        stops[1].set()
        await running[1]
    elsewhere = [record for record in caplog.records if record.getMessage() == "direct_line_elsewhere"]
    assert [record.levelno for record in elsewhere] == [logging.INFO]
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


async def test_an_address_that_is_not_this_machines_is_said_and_stops_nothing(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    server = DirectServer("health", ("police",), town.credentials("health"), Memory("health"), "192.0.2.1", 9, take_over_s=0.02)
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    async with asyncio.timeout(DEADLINE_S):
        while "direct_line_closed" not in caplog.text:
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert "correct REFNET_EXCHANGE_HOST and _PORT" in caplog.records[-1].words  # type: ignore[attr-defined]
