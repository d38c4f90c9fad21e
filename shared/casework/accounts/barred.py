"""Which cases an account may never see, as its own row holds them: sealed, and as long as every other account's list."""

from typing import Any
from uuid import UUID

from pydantic_core import to_json

from shared.kit.sealed import Under

BARRED_MAX = 40  # cases of one account: whoever is kept from more should not work here
BYTES = len(to_json([str(UUID(int=0))] * BARRED_MAX))


def kept(never: frozenset[UUID]) -> Any:
    """A list as its column takes it."""
    ids = sorted(map(str, never))
    return Under(None, {"never": ids, "pad": "0" * (BYTES - len(to_json(ids)))})


def never_of(held: dict[str, Any] | None) -> frozenset[UUID]:
    """The cases on a list."""
    return frozenset(map(UUID, (held or {}).get("never", ())))
