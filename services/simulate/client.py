"""A client of an agency's public API for many desks at once: asynchronous, bounded, each request sent again under its own key where
the line drops, as a desk's program does.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpcore

from shared.kit.errors import RefnetError
from shared.kit.ids import new_id

CONNECTIONS_MAX = 8  # to one agency: it answers one request after the other on SQLite, and more only wait inside it
TRIES_MAX = 8  # of one request: a database that is away for a moment answers 503
AGAIN_AFTER_S = 0.2
TIMEOUT_S = 30.0  # an answer takes milliseconds; a machine that is busy with other things gets more
PAGE = 200  # of a list, as many as a page has at most
FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)


class Refused(RefnetError):
    """An agency answered with a problem."""

    def __init__(self, what: str, status: int, detail: str) -> None:
        super().__init__(f"{what} was refused ({status}): {detail}")
        self.status = status


@dataclass
class Line:
    """The way to one agency. `asked` counts its answers."""

    agency: str
    address: str
    asked: int = 0
    pool: httpcore.AsyncConnectionPool = field(
        default_factory=lambda: httpcore.AsyncConnectionPool(
            max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX
        )
    )

    async def ask(self, method: str, path: str, token: str, body: Any = None, **headers: str) -> Any:
        """One request, until it is answered; raises Refused, or RefnetError where nobody answers."""
        sent: dict[bytes | str, bytes | str] = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        sent.update(headers)
        if method == "POST":
            sent["Idempotency-Key"] = str(new_id())
        content = None if body is None else json.dumps(body).encode()
        what = f"{method} {path} of {self.agency}"
        for again in range(TRIES_MAX):
            await asyncio.sleep(AGAIN_AFTER_S * again)
            try:
                answer = await self.pool.request(
                    method, f"{self.address}/api/v1{path}", headers=sent, content=content,
                    extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)},
                )  # fmt: skip
            except FAILURES:
                continue
            self.asked += 1
            if answer.status == 503:
                continue
            if answer.status >= 400:
                raise Refused(what, answer.status, _detail(answer.content))
            return json.loads(answer.content) if answer.content else None
        raise RefnetError(f"{what} was not answered; the agency's log is beside its database.")

    async def close(self) -> None:
        """Ends it."""
        await self.pool.aclose()


def _detail(content: bytes) -> str:
    try:
        return str(json.loads(content)["detail"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace")


@dataclass
class Desk:
    """One account at work; its token is renewed in time."""

    line: Line
    name: str
    account_id: str
    token: str

    async def get(self, path: str) -> Any:
        """The answer to GET /api/v1/…"""
        return await self.line.ask("GET", path, self.token)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer to POST /api/v1/…"""
        return await self.line.ask("POST", path, self.token, body or {})

    async def delete(self, path: str, version: int) -> Any:
        """The answer to DELETE /api/v1/… of what was read in a version."""
        return await self.line.ask("DELETE", path, self.token, **{"If-Match": f'"{version}"'})

    async def all_of(self, path: str) -> list[Any]:
        """Every item of a list, page by page."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = await self.get(f"{path}{'&' if '?' in path else '?'}limit={PAGE}{cursor}")
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"
