"""What an agency writes down for itself and tells nobody: kinds of facts that no peer can give back after a restore.

Every kind of agency names its own in its `Look`; those of all agencies stand in `losses.py`.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """One kind of them. `name`: what people call it, marked for translation; `at`: the column with the time at which a row was
    written down; `only`: conditions that leave out of the table what is no such fact."""

    name: str
    at: Any
    only: tuple[Any, ...] = ()
