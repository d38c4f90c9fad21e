"""What a browser test walks through: processes, cards and a browser."""

from dataclasses import dataclass
from typing import Any

from people import Person
from playwright.sync_api import Browser
from processes import Process, ProcessNetwork

from shared.casework.accounts.credentials import Issued

KIND_OF = {"officer": "police", "inspector": "police", "nurse": "health", "in-charge": "health", "worker": "social_welfare"}


@dataclass
class Town:
    """Everything that a browser test walks through."""

    network: ProcessNetwork
    processes: dict[str, Process]
    cards: dict[str, Issued]
    browser: Browser

    def person(self, name: str, **how: Any) -> Person:
        """Somebody who has just signed in."""
        person = Person(self.browser, self.processes[KIND_OF[name]], name, self.cards[name], **how)
        person.sign_in()
        return person
