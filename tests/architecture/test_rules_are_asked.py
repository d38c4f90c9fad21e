"""The vocabulary of rules is closed, and all of it is heard: every act is asked about by the feature that it names, and nothing
that a rule may answer is lost on the way to a page, a refusal or an alarm."""

import ast
from functools import cache
from pathlib import Path

from shared.casework.acts import ADVICE, REFUSALS
from shared.programmes.asked import BEFORE, WRITTEN_DOWN
from shared.programmes.situation import Message
from shared.programmes.terms import Act

ROOT = Path(__file__).parents[2]
# What is allowed, and what a route or a clock says of itself: nobody needs to read a sentence of it.
SAYS_NOTHING = {
    Message.CERTIFICATE_HELD, Message.WINDOW_OPEN, Message.STOCK_THERE, Message.REFERRAL_THERE, Message.STAY_WITHIN_LIMIT,
    Message.MUST_ACCEPT,
}  # fmt: skip
# Of a route the desk is what is read (hotline.domain.route).
READ_OTHERWISE = {Message.ROUTED_FALL_BACK, Message.NO_DESK_READY}


@cache
def trees() -> list[ast.Module]:
    """The modules of agencies that name anything of the programmes at all."""
    files = [file for folder in ("services", "shared/casework") for file in (ROOT / folder).rglob("*.py")]
    return [ast.parse(text) for file in files if "shared.programmes" in (text := file.read_text())]


def named(kind: str, beside: str = "") -> set[str]:
    """The members of an enumeration of the programmes that an agency's code names, under whatever name it has there; of modules
    that name something else beside it, where that is said."""
    found: set[str] = set()
    for tree in trees():
        if beside and not any(isinstance(node, ast.Name) and node.id == beside for node in ast.walk(tree)):
            continue
        names = {
            one.asname or one.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shared.programmes")
            for one in node.names
            if one.name == kind
        }
        attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute)) if names else ()
        found |= {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id in names}
    return found


def test_every_act_has_somebody_who_asks() -> None:
    assert {act.name for act in Act} - named("Act") == set()


def test_where_the_checks_say_that_a_rule_is_asked_it_is_asked() -> None:
    """A profile is refused what nobody asks (`programmes.asked`): what that says of the features is so of them."""
    assert {act.name for act in BEFORE} - named("Act", beside="ask_first") == set()
    assert {act.name for act in WRITTEN_DOWN} - named("Act", beside="record_breach") - named("Act", beside="RecordBreach") == set()


def test_everything_that_a_rule_answers_is_read() -> None:
    heard = {Message[name] for name in named("Message") if name in Message.__members__} | set(REFUSALS) | set(ADVICE)
    assert set(Message) - heard - SAYS_NOTHING - READ_OTHERWISE == set()
