"""A stream of server-sent events, and how many may be open: each keeps a connection and asks the database four times a second."""

import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from shared.kit.errors import RefnetError
from shared.kit.web import SEND_TIMEOUT_S

STREAMS_ACCOUNT_MAX = 12  # two browsers of six tabs: a browser opens no more than six connections to one place
STREAMS_PROCESS_MAX = 200  # a large agency's desks with some tabs each; the other connections of the port stay free for pages
PING_S = 15  # proxies close a silent line after 30 to 60 s

log = logging.getLogger(__name__)


class TooManyStreams(RefnetError):
    """As many streams are open as there may be."""


class OpenStreams:
    """The streams that are open in this process, by account."""

    def __init__(self) -> None:
        self._by_account: Counter[UUID] = Counter()

    @property
    def total(self) -> int:
        """How many are open."""
        return self._by_account.total()

    @contextlib.contextmanager
    def one_more(self, account_id: UUID) -> Iterator[None]:
        """Counts a stream until the block ends, however it ends; raises TooManyStreams."""
        if self._by_account[account_id] >= STREAMS_ACCOUNT_MAX:
            raise TooManyStreams(
                "This account has %(most)s streams open, as many as it may; close one and try again.", most=STREAMS_ACCOUNT_MAX
            )
        if self.total >= STREAMS_PROCESS_MAX:
            raise TooManyStreams("Too many streams are open here just now; try again in a minute.")
        self._by_account[account_id] += 1
        try:
            yield
        finally:
            self._by_account[account_id] -= 1
            if not self._by_account[account_id]:
                del self._by_account[account_id]


class LiveStream(EventSourceResponse):
    """One account's stream: refused where too many are open, and over for a reader that no longer reads."""

    def __init__(self, streams: OpenStreams, account_id: UUID, lines: AsyncIterator[dict[str, str]]) -> None:
        super().__init__(lines, ping=PING_S, send_timeout=SEND_TIMEOUT_S, headers={"Cache-Control": "no-store"})
        self._streams, self._account_id = streams, account_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the lines, the reader or the process end."""
        with self._streams.one_more(self._account_id):
            try:
                await super().__call__(scope, receive, send)
            except SendTimeoutError:
                log.info("stream_not_read")  # the browser asks again from where it was, if there still is one
