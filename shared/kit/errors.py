"""The root of our errors: every message is one plain sentence that says what is wrong and what to do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Said(Protocol):
    """A sentence that can be said in another language: marked for the catalogues, with `%(name)s` for each of `params`."""

    @property
    def sentence(self) -> str:
        """The text, as it stands in the catalogues."""

    @property
    def params(self) -> Mapping[str, object]:
        """What is put into it."""


class Coded(str):
    """A code inside a sentence: programs read it as it stands, people read the word for it, which `group` finds."""

    __slots__ = ("group",)
    group: str

    def __new__(cls, code: str, group: str) -> "Coded":
        """The code with its group of words."""
        made = super().__new__(cls, code)
        made.group = group
        return made


def filled(sentence: str, params: Mapping[str, object]) -> str:
    """A sentence with its params as programs read them; several of a kind are listed."""
    if not params:
        return sentence
    return sentence % {name: ", ".join(map(str, v)) if isinstance(v, list | tuple) else v for name, v in params.items()}


class RefnetError(Exception):
    """An expected failure; `str(error)` may be shown to a person, so it never holds personal data.

    The sentence is never put together beforehand: a page says it in its own language, with words for the codes in it.
    """

    def __init__(self, sentence: str = "", **params: Any) -> None:
        super().__init__(filled(sentence, params))
        self.sentence, self.params = sentence, params


class KeptRefusal(RefnetError):
    """A refusal of which something is kept: `keep` runs in a transaction of its own after that of the refusal was rolled back."""

    async def keep(self, tx: Any) -> None:
        """Writes down what is kept of it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a refusal said, kept apart from it."""

    sentence: str
    params: Mapping[str, object]


def to_json(said: Said) -> str:
    """What a refusal says, as it is kept in a table."""

    def plain(value: object) -> Any:
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return {"code": str(value), "group": value.group} if isinstance(value, Coded) else str(value)

    return json.dumps({"sentence": said.sentence, "params": {name: plain(value) for name, value in said.params.items()}})


def from_json(kept: str) -> Sentence:
    """The same again."""

    def whole(value: Any) -> object:
        if isinstance(value, list):
            return tuple(whole(one) for one in value)
        return Coded(value["code"], value["group"]) if isinstance(value, dict) else value

    parts = json.loads(kept)
    return Sentence(parts["sentence"], {name: whole(value) for name, value in parts["params"].items()})


class DatabaseAway(RefnetError):
    """The database did not answer, or gave up on a conflict: nothing was written, the same call may be tried again."""


class DatabaseFull(DatabaseAway):
    """The database's disk has no room: nothing was written, and reading goes on."""


class NotFound(RefnetError):
    """The object does not exist, or not within the account's scope: the two are never told apart."""


class Conflict(RefnetError):
    """The request is understood and does not fit what stands now."""
