"""The users' port keeps its bounds: so many connections, and so much time to send a request and to take its answer.

uvicorn waits for ever for the rest of a request's head and for a reader that has stopped; its limit of connections refuses those
who are being served as well as newcomers.
"""

import asyncio

import h11
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.kit.web import BODY_TIMEOUT_S, SEND_TIMEOUT_S, problem

CONNECTIONS_MAX = 500  # 200 streams and 300 others, of desks or of the proxy before us; half of the 1,024 files of a process
HEAD_TIMEOUT_S = 10.0  # a request's head is a few hundred bytes and comes at once; over the poorest line in a second or two
BODY_END_S = BODY_TIMEOUT_S + 5.0  # whoever was answered that the body is too long or too slow, and goes on sending, is cut off
LINGER_S = 1.0  # what was refused unread is thrown away for this long, so that the answer is not lost in a reset


class BoundedProtocol(H11Protocol):
    """uvicorn's own HTTP/1.1 with bounds."""

    _receiving: asyncio.TimerHandle | None = None  # until then the head, or the body, of a request has come
    _sending: asyncio.TimerHandle | None = None  # until then the reader has taken something
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody connects; answered 503 where too many have."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(
                problem(503, "too-many-connections", "Too many connections", "Too many are connected here; try again in a minute.")
            )
        else:
            self._expect()

    def data_received(self, data: bytes) -> None:
        """A part of a request has come."""
        if not self._is_refused:
            before = self.conn.their_state
            super().data_received(data)
            if self.conn.their_state is not before or self._receiving is None:
                self._expect()

    def _expect(self) -> None:
        """Sets the time by which what is under way must have come."""
        self._receiving = _stopped(self._receiving)
        if self.conn.their_state is h11.IDLE:
            self._receiving = self.loop.call_later(HEAD_TIMEOUT_S, self._head_is_late)
        elif self.conn.their_state is h11.SEND_BODY:
            self._receiving = self.loop.call_later(BODY_END_S, self.transport.abort)

    def _head_is_late(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._refuse(problem(408, "too-slow", "The request came too slowly", "Look at your line, and send the request again."))
        else:
            self.transport.close()  # a browser connects in advance, and takes an answer to nothing for a fault

    def _refuse(self, response: Response) -> None:
        self._is_refused = True
        head = h11.Response(status_code=response.status_code, headers=[*response.raw_headers, (b"connection", b"close")])
        for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.write_eof()
        self._receiving = self.loop.call_later(LINGER_S, self.transport.abort)

    def on_response_complete(self) -> None:
        """An answer has been handed over."""
        super().on_response_complete()
        self._end_if_closing()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more is asked."""
        super().timeout_keep_alive_handler()
        self._end_if_closing()

    def pause_writing(self) -> None:
        """The reader takes nothing just now."""
        super().pause_writing()
        self._send_within()

    def resume_writing(self) -> None:
        """The reader goes on."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._sending = _stopped(self._sending)

    def _end_if_closing(self) -> None:
        # A connection that is closed first sends what is left, for as long as somebody keeps it open without reading.
        if self.transport.is_closing():
            self._send_within()

    def _send_within(self) -> None:
        if self._sending is None:
            self._look_again(self.transport.get_write_buffer_size())

    def _look_again(self, left: int) -> None:
        self._sending = self.loop.call_later(SEND_TIMEOUT_S, self._has_taken_any, left)

    def _has_taken_any(self, left: int) -> None:
        # A poor line takes little at a time; only a reader that takes nothing is cut off.
        now_left = self.transport.get_write_buffer_size()
        if now_left < left:
            self._look_again(now_left)
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._receiving, self._sending = _stopped(self._receiving), _stopped(self._sending)
        super().connection_lost(exc)


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """What is left of a timer: none."""
    if timer is not None:
        timer.cancel()
    return None
