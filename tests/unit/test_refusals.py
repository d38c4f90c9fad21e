"""Refusals that reach a page: the sentence is a literal, its params are apart, the catalogues have it, its problem has a title."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from shared.casework.accounts.credentials import WeakSecret
from shared.casework.cases.commands import InTheFuture
from shared.casework.edge import REFUSALS
from shared.casework.pages.frame import PLAIN_PARAMS
from shared.casework.pages.refusals import TITLES
from shared.casework.pages.words import GROUPS
from shared.casework.sharing import ConsentMissing
from shared.contracts.casework import minimal_data
from shared.contracts.casework.lifecycle import Details, IllegalTransition, MissingDetail
from shared.exchange.registry import Unappliable, Unauthorised
from shared.kit import catalogues
from shared.kit.errors import Coded, Conflict, from_json, to_json

ROOT = Path(__file__).parents[2]
FOLDERS = ("shared/casework", "shared/contracts/casework", "shared/exchange", "services/police", "services/health",
           "services/social_welfare")  # fmt: skip
SAY_THEMSELVES = {InTheFuture.__name__, ConsentMissing.__name__}  # their sentence stands in the class
SPOKEN = {kind.__name__: 0 for kind, *_ in REFUSALS} | {
    WeakSecret.__name__: 1, MissingDetail.__name__: 1, IllegalTransition.__name__: 0, Unauthorised.__name__: 0,
    Unappliable.__name__: 0, "StaleForm": 0,
}  # fmt: skip
FROM_A_TABLE = {
    "refused[1]",  # of dispensing's rules, whose sentences are marked there and hold no placeholder
    "WRONG[wrong.kind]",  # of registers, whose sentences are marked there and hold no placeholder
    "BACK_BY",  # of home visits, marked where it is defined, without a placeholder
    "WHY_NOT[refused]",  # of home visits, whose sentences hold no placeholder
    "said.sentence",  # of agreements, whose placeholders tests/unit/test_agreements.py compares
}
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in the folders, with its place and the name that is called."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", name, node


@cache
def constants(path: Path) -> dict[str, ast.expr]:
    """What a module gives a name at its top."""
    body = ast.parse(path.read_text()).body
    given = [(one.targets[0], one.value) for one in body if isinstance(one, ast.Assign)]
    return {name.id: value for name, value in given if isinstance(name, ast.Name)}


def literal(node: ast.expr, path: Path) -> str | None:
    """The text of a literal, of a marked one, or of a name that stands for one in its module."""
    if isinstance(node, ast.Name):
        node = constants(path).get(node.id, node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_no_refusal_is_put_together_before_it_is_said() -> None:
    wrong, seen = [], 0
    for place, name, call in calls():
        if name not in SPOKEN or name in SAY_THEMSELVES or len(call.args) <= SPOKEN[name]:
            continue
        seen += 1
        if ast.unparse(call.args[SPOKEN[name]]) in FROM_A_TABLE:
            continue
        sentence = literal(call.args[SPOKEN[name]], ROOT / place.split(":")[0])
        if sentence is None:
            wrong.append(f"{place}: {name} is given {ast.unparse(call.args[SPOKEN[name]])[:80]}")
        elif set(PLACEHOLDER.findall(sentence)) != {k.arg for k in call.keywords}:
            wrong.append(f"{place}: the params are not those of {sentence!r}")
    assert not wrong, "\n".join(wrong)
    assert seen > 80


def test_no_form_is_given_a_sentence_that_is_put_together() -> None:
    def is_made(text: ast.expr) -> bool:
        return isinstance(text, ast.JoinedStr | ast.BinOp) or ast.unparse(text).startswith("str(")

    wrong = [place for place, name, call in calls() if name == "error" and len(call.args) == 2 and is_made(call.args[1])]
    assert not wrong


def test_every_refusal_is_in_the_catalogues() -> None:
    extracted = {name: catalogues.REFUSALS.get(name) for name in SPOKEN if name not in SAY_THEMSELVES}
    assert extracted == {name: (SPOKEN[name] + 1,) for name in extracted}


def problem_slugs() -> set[str]:
    found = {slug for _kind, _status, slug, _title in REFUSALS}
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "services").rglob("*.py")]:
        found |= set(re.findall(r"""\bproblem\(\s*\d{3},\s*"([a-z-]+)\"""", path.read_text()))
    found -= {"unopenable", "key-away"}  # of the direct line, which no person reads
    return found | {f"http-{status}" for status in (401, 404, 405)}


def test_every_problem_has_a_title() -> None:
    assert {"unexpected", "not-json", "consent-missing", "invalid", "too-large"} <= problem_slugs()
    assert problem_slugs() <= TITLES.keys()


def test_whatever_a_transition_may_lack_has_a_word() -> None:
    named = set(Details.model_fields) - {"next_agency", "next_facility"}  # both are 'next_place' to whoever asks
    assert named | minimal_data.FIELD_CLASS.keys() | {"next_place"} <= GROUPS["field"].keys()
    assert set(PLAIN_PARAMS.values()) <= GROUPS.keys()


def test_what_a_refusal_said_is_kept_and_said_again() -> None:
    error = Conflict(
        "%(services)s: open already with %(agency)s for this incident; follow that referral.",
        services=(Coded("shelter", "service"), Coded("court_support", "service")), agency=Coded("health", "agency"),
    )  # fmt: skip
    assert str(error) == "shelter, court_support: open already with health for this incident; follow that referral."
    again = from_json(to_json(error))
    assert again.sentence == error.sentence
    assert again.params == error.params
    assert [getattr(one, "group", None) for one in again.params["services"]] == ["service", "service"]  # type: ignore[attr-defined]


NEEDED = MissingDetail("post", "“%(needed)s” is needed for this.", needed="post")


@pytest.mark.parametrize("error", [NEEDED, InTheFuture("occurred_at")])
def test_refusals_of_the_published_language_keep_them_apart_too(error: MissingDetail | InTheFuture) -> None:
    assert "%(" not in str(error)
    assert set(PLACEHOLDER.findall(error.sentence)) == error.params.keys()
