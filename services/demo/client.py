"""A plain client of an agency's public API, as a desk's own program would be."""

import json
import urllib.error
import urllib.request
from typing import Any

from shared.kit.errors import RefnetError
from shared.kit.ids import new_id

TIMEOUT_S = 15.0  # an answer takes milliseconds


class Client:
    """One account at one agency."""

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address, token

    def get(self, path: str) -> Any:
        """The answer to GET /api/v1/…; raises RefnetError."""
        return self._call("GET", f"/api/v1{path}")

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer to POST /api/v1/…, under a fresh idempotency key; raises RefnetError."""
        return self._call("POST", f"/api/v1{path}", body or {})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(new_id())
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, headers, method=method)  # noqa: S310 — loopback
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read() or b"{}")
            raise RefnetError(f"{method} {path}: {problem.get('detail', error.reason)}") from error
        except (urllib.error.URLError, OSError) as error:
            raise RefnetError(f"{self._address} does not answer.") from error
