"""The direct line's asking end, and what both ends agree on: HTTPS from agency to agency, past the broker.

It carries sealed bytes and never opens them. What a statement does is the exchange's matter (`Answers`), not the line's.
"""

import asyncio
import re
import ssl
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlencode
from uuid import UUID

import httpcore

from shared.contracts.wire.envelope import OUTER_BYTES, PADDED_BYTES
from shared.contracts.wire.topics import AGENCY_ID
from shared.exchange.direct_tls import Credentials
from shared.kit.errors import RefnetError

STATEMENTS = "/exchange/v1/statements"
EVENTS = "/exchange/v1/events"
DIRECTORY = "/exchange/v1/directory"
LINE = "/exchange/v1/line"  # answers 204 to a peer and touches nothing: for whoever asks whether the line works
OCTETS = "application/octet-stream"

SEALING_BYTES_MAX = 1_136  # what sealing adds: an encapsulated key (1,120 bytes with the hybrid suite) and a tag
ENVELOPE_BYTES_MAX = OUTER_BYTES + PADDED_BYTES[-1] + SEALING_BYTES_MAX
STATEMENT_BYTES_MAX = ENVELOPE_BYTES_MAX  # a statement is one envelope
EVENTS_MAX = 500  # events a page, as many as one statement asks for again
PAGE_BYTES_MAX = 1024 * 1024  # a page of events: 500 usual ones are 0.5 MB; of the largest, 15 fit
LINES_BYTES_MAX = 256 * 1024  # TOLD_MAX lines, each of at most SIGNED_BYTES_MAX, in base64
TIMEOUT_S = 20.0  # a question and its whole answer: a page takes 0.1 s, over a poor line some seconds
CONNECTIONS_MAX = 4  # to one peer from one process: a statement and a few pages at a time; more wait
IDLE_S = 20.0  # an unused connection is kept this long, less than the other end keeps it

FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, TimeoutError, OSError)
_LENGTH = struct.Struct(">I")
_STREAM = re.compile(rf"({AGENCY_ID})\.({AGENCY_ID})\.([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})")


class LineAway(RefnetError):
    """The peer could not be asked, or refused us: one sentence that says why and what to do. Nothing is lost; ask again later."""


@dataclass(frozen=True, slots=True)
class StreamName:
    """What one agency has said to one other in one life of its database: `<sender>.<recipient>.<incarnation uuid>`."""

    sender: str
    recipient: str
    incarnation: UUID

    @classmethod
    def parse(cls, name: str) -> "StreamName":
        """Reads a name; ValueError for anything else."""
        match = _STREAM.fullmatch(name)
        if not match or match[1] == match[2]:
            raise ValueError("a stream is named <sender>.<recipient>.<incarnation>, two agencies and a UUID in small letters")
        return cls(match[1], match[2], UUID(match[3]))

    def __str__(self) -> str:
        return f"{self.sender}.{self.recipient}.{self.incarnation}"


class Answers(Protocol):
    """What the listening end asks the exchange. `peer` is the agency that the certificate names."""

    async def take_statement(self, peer: str, envelope: bytes) -> bytes:
        """Takes a peer's sealed statement in and returns ours, sealed; raises Unopenable, DatabaseAway or KeyAway."""
        ...

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        """What is held of slots first..last, sealed, in slot order, EVENTS_MAX at most; raises DatabaseAway or KeyAway."""
        ...

    def directory(self, peer: str, known: int) -> bytes:
        """Lines of our directory of keys after the first `known`, for that peer."""
        ...


def pack(envelopes: Sequence[bytes]) -> bytes:
    """A page's body: each envelope after its length (4 bytes, big-endian), as many as PAGE_BYTES_MAX holds."""
    parts: list[bytes] = []
    size = 0
    for envelope in envelopes:
        size += _LENGTH.size + len(envelope)
        if size > PAGE_BYTES_MAX:
            break
        parts += (_LENGTH.pack(len(envelope)), envelope)
    return b"".join(parts)


def unpack(body: bytes) -> list[bytes]:
    """The envelopes of a page's body; ValueError where it is not one."""
    return list(_envelopes(body))


def _envelopes(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        if len(body) - at < _LENGTH.size:
            raise ValueError("the page ends within a length")
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        if not 0 < length <= ENVELOPE_BYTES_MAX or at + length > len(body):
            raise ValueError("an envelope's length is outside the limits")
        yield body[at : at + length]
        at += length


class DirectLine:
    """One agency's way to ask its peers. `urls` are those of the peers that have a direct line with it, `https://host:port`.

    Raises RefnetError where the credentials cannot be used.
    """

    def __init__(self, urls: Mapping[str, str], credentials: Credentials, *, timeout_s: float = TIMEOUT_S) -> None:
        self._urls, self._timeout_s = dict(urls), timeout_s
        self._context, self._ends = credentials.client_context(), credentials.good_until()
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def state(self, peer: str, envelope: bytes) -> bytes:
        """Hands our sealed statement over and returns the peer's; raises LineAway. `envelope` is STATEMENT_BYTES_MAX at most."""
        return await self._ask(peer, STATEMENTS, STATEMENT_BYTES_MAX, envelope)

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        """Sealed envelopes from slot `first` on, in slot order: one page, which may end before `last`; raises LineAway."""
        assert 1 <= first <= last, "a page has at least one slot"
        last = min(last, first + EVENTS_MAX - 1)
        page = urlencode({"stream": str(stream), "from": first, "to": last})
        body = await self._ask(peer, f"{EVENTS}?{page}", PAGE_BYTES_MAX)
        try:
            envelopes = unpack(body)
        except ValueError as error:
            raise LineAway(
                f"{_at(peer, self._urls[peer])} answers with something that is no page ({error}); update it or us."
            ) from error
        if len(envelopes) > last - first + 1:
            raise LineAway(f"{_at(peer, self._urls[peer])} answers with more events than were asked for; update it or us.")
        return envelopes

    async def directory(self, peer: str, known: int) -> bytes:
        """Lines of the peer's directory of keys after those that are known; raises LineAway."""
        return await self._ask(peer, f"{DIRECTORY}?{urlencode({'from': known + 1})}", LINES_BYTES_MAX)

    async def look(self, peer: str) -> None:
        """Asks whether the line works and whether we are known there; raises LineAway."""
        await self._ask(peer, LINE, 0)

    async def close(self) -> None:
        """Lets go of every connection."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    async def _ask(self, peer: str, path: str, bytes_max: int, content: bytes | None = None) -> bytes:
        """A POST of `content`, or a GET without."""
        if peer not in self._urls:
            raise LineAway(f"There is no direct line to {peer}; name an exchange_url for both agencies in the network file.")
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(peer, path, bytes_max, content)
        except FAILURES as error:
            raise LineAway(_why(error, _at(peer, self._urls[peer]), self._ends)) from error

    async def _exchange(self, peer: str, path: str, bytes_max: int, content: bytes | None) -> bytes:
        # The name in TLS is the agency's, whatever its host is called: OpenSSL compares the certificate with it in the handshake.
        method, headers = ("GET", []) if content is None else ("POST", [("content-type", OCTETS)])
        asked = self._pool(peer).stream(
            method, self._urls[peer] + path, headers=headers, content=content, extensions={"sni_hostname": peer}
        )
        async with asked as answer:
            if answer.status not in {200, 204}:
                raise LineAway(_refused(answer.status, _at(peer, self._urls[peer])))
            body = bytearray()
            async for part in answer.aiter_stream():
                body += part
                if len(body) > bytes_max:
                    raise LineAway(f"{_at(peer, self._urls[peer])} answers with more than {bytes_max} bytes; update it or us.")
        return bytes(body)

    def _pool(self, peer: str) -> httpcore.AsyncConnectionPool:
        # One a peer: connections that were opened to one agency are never used for another at the same address.
        if peer not in self._pools:
            self._pools[peer] = httpcore.AsyncConnectionPool(
                self._context, max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_S
            )
        return self._pools[peer]


# --- why not, in words ---------------------------------------------------------------------------------------------------


def _at(peer: str, url: str) -> str:
    return f"{peer} at {url.removeprefix('https://')}"


_REFUSALS = {
    400: "does not understand what we ask; update it or us",
    403: "is not paired with the agency that our certificate names; correct its network file, or our REFNET_EXCHANGE_CERT",
    408: "waited too long for our question; look at the line between us",
    413: "finds our statement too large; update it or us",
    500: "failed in answering; its log says why, and it is asked again later",
    503: "is too busy, or lacks a key, or its database is away; it is asked again later",
}

# X509_V_ERR_* of OpenSSL, as Python's SSLCertVerificationError.verify_code gives them.
_CERTIFICATE_FAULTS = {
    9: "shows a certificate that is not good yet; correct the clock there or here",
    10: "shows a certificate that has expired; its operator must renew it",
    62: "shows a certificate of another name; correct its exchange_url, or REFNET_EXCHANGE_CERT there",
}
_UNTRUSTED = "shows a certificate that our REFNET_EXCHANGE_CA has not signed; take the same authority at both ends"
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})  # OpenSSL's names, by its version


def _refused(status: int, where: str) -> str:
    other = f"answers with the status {status}, which is no answer of a direct line; correct its exchange_url"
    return f"{where} {_REFUSALS.get(status, other)}."


def _why(error: BaseException, where: str, ends: datetime) -> str:
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{where} {_CERTIFICATE_FAULTS.get(cause.verify_code, _UNTRUSTED)}."
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return f"{where} does not speak TLS; correct its exchange_url."
    kinds = tuple(type(cause) for cause in chain)
    return f"{where} {_without_reason(kinds, has_expired=ends < datetime.now(UTC))}."


def _without_reason(kinds: Sequence[type[BaseException]], *, has_expired: bool) -> str:
    """The other end gave no reason: asyncio ends a failed handshake without the alert that would say it."""

    def any_is(*sought: type[BaseException]) -> bool:
        return any(issubclass(kind, sought) for kind in kinds)

    if any_is(ConnectionRefusedError):
        return "refuses the connection; start its worker, or correct its exchange_url"
    if any_is(TimeoutError, httpcore.TimeoutException):
        return "does not answer in time; look at the line between us, and at its worker"
    if any_is(ssl.SSLError, ConnectionResetError, httpcore.RemoteProtocolError, httpcore.ReadError):
        if has_expired:
            return "ends the connection, because our certificate has expired; renew it (`refnet certificates`)"
        return (
            "ends the connection without a word, as where it does not trust our certificate;"
            " compare REFNET_EXCHANGE_CA at both ends"
        )
    return "cannot be reached; look at the line between us, or correct its exchange_url"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
