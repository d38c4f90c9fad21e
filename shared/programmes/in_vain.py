"""What a profile would say in vain: a word where nobody asks about it, a fact that nobody tells, a place that there is not.

No rule may be good to read and do nothing. Where each word is asked, `asked` says.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.contracts.casework.codes import CHILD_BANDS, ServicePackage
from shared.programmes import vocabulary
from shared.programmes.asked import (
    ACTS,
    GIVING,
    IN_AND_OUT,
    IN_GENERAL,
    LINES_AT,
    MAY_FOLLOW_AT,
    OF_A_PATHWAY,
    OF_ACT,
    TOLD_AT,
    facts_at,
)
from shared.programmes.care import When
from shared.programmes.places import FacilityKind, FacilityStatus, RoutingKey
from shared.programmes.reading import Found, Way
from shared.programmes.terms import Act, Fact

if TYPE_CHECKING:
    from shared.programmes.profile import Programme


def in_vain(programme: "Programme") -> Found:
    """Everything of a programme of which nothing would come, by the keys that lead to it, with a sentence."""
    for check in (
        _where_nobody_asks, _of_one_act, _blocked, _needs, _watched, _conditions_that_nobody_knows, _ages, _readiness,
        _said_in_vain, _offered_by_nobody,
    ):  # fmt: skip
        yield from check(programme)


SHUT_OUT = "whoever comes is received, heard, examined and sheltered, whatever a programme says; leave the rule out"
SHUT_IN = "a request that somebody could not end would stay open for ever; leave the rule out"


def _where_nobody_asks(programme: "Programme") -> Found:
    """A rule about an act at which nobody asks a rule of its kind, or hears what it says."""
    for id_, rule in programme.rules.items():
        act, acts = getattr(rule, "act", None), ACTS.get(type(rule))
        if act is None or acts is None or act in acts or isinstance(rule, vocabulary.RouteBy):
            continue  # of that one it is said in words of its own
        if isinstance(rule, vocabulary.ActNeeds) and act is not Act.CLOSE:
            continue  # and of each fact that it needs
        listed = ", ".join(sorted(acts))
        if isinstance(rule, vocabulary.CertificateRequired):
            words = f"nobody's certificates are looked at for '{act}'; write one of: {listed}"
        elif isinstance(rule, vocabulary.BlockedAct) and act in IN_AND_OUT:
            words = SHUT_OUT if act is not Act.CLOSE else SHUT_IN
        elif isinstance(rule, vocabulary.ActNeeds):
            words = SHUT_IN
        else:
            words = f"nobody hears a `{rule.rule}` at '{act}', so it would do nothing; write one of: {listed}"
        yield ("rules", id_, "act"), words


def _of_one_act(programme: "Programme") -> Found:
    """A rule about giving one product names that product and its window; and nobody gives one without a certificate."""
    rules = programme.rules.items()
    certified = {rule.act for _id, rule in rules if isinstance(rule, vocabulary.CertificateRequired)}
    for id_, rule in rules:
        act: Act | None = getattr(rule, "act", None)
        if act not in OF_ACT or isinstance(rule, vocabulary.BlockedAct):
            continue
        product, window = OF_ACT[act]
        if isinstance(rule, vocabulary.StockNeeded | vocabulary.RepeatWarns) and rule.product is not product:
            yield ("rules", id_, "product"), f"'{act}' gives '{product}', and not '{rule.product}'"
        if isinstance(rule, vocabulary.WithinWindow) and rule.window is not window:
            yield ("rules", id_, "window"), f"the window of '{act}' is '{window}', and not '{rule.window}'"
        if act not in certified:
            yield ("rules", id_, "act"), f"nobody may do '{act}' yet; add a `certificate_required` that says with which certificate"


# Where an attempt is refused and nothing else happens: no post is told of it.
UNHEARD = GIVING | {Act.RETURN_TO_FAMILY, Act.TELL_STATUS}


def _blocked(programme: "Programme") -> Found:
    if not any(isinstance(rule, vocabulary.BlockedAct) and rule.act is Act.MEDIATE for rule in programme.rules.values()):
        yield (
            ("rules",),
            "nobody would be told of an attempt to mediate; write `extends: base`, or a `blocked_act` of it",
        )
    for id_, rule in programme.rules.items():
        if not isinstance(rule, vocabulary.BlockedAct):
            continue
        if rule.act is Act.MEDIATE and (rule.when is not None or not rule.alarm):
            name = "when" if rule.when is not None else "alarm"
            yield ("rules", id_, name), "there is no mediation, and every attempt at one is told; leave the line out"
        elif rule.act is Act.REFER and (rule.when is None or not rule.when.packages):
            words = "people could be sent for nothing but care at once; say with `when: {packages: …}` which requests there are not"
            yield ("rules", id_, "act" if rule.when is None else "when"), words
        elif rule.act is Act.REFER and rule.when is not None and (rule.when.within_h is not None or rule.when.after_h is not None):
            name = "within_h" if rule.when.within_h is not None else "after_h"
            yield ("rules", id_, "when", name), "no time refuses a referral; leave the line out"
        elif rule.act in UNHEARD and rule.alarm:
            yield ("rules", id_, "alarm"), f"no post is told of an attempt at '{rule.act}'; write `alarm: false`"


def _needs(programme: "Programme") -> Found:
    """What must be there first, or may follow: that somebody can show it, and that somebody is told while it lacks."""
    for id_, rule in programme.rules.items():
        if not isinstance(rule, vocabulary.ActNeeds):
            continue
        if rule.act is Act.CLOSE:
            continue  # said already: nobody asks it there
        way, told = ("rules", id_), TOLD_AT.get(rule.act, frozenset())
        if rule.act is Act.REFER and not rule.may_follow:
            words = "who cannot show it could not be sent; write `may_follow: true`, and the page of the request says that it lacks"
            yield (*way, "facts"), words
        follow = MAY_FOLLOW_AT.get(rule.act, frozenset())
        for fact in rule.facts:
            if fact not in told:
                known = ", ".join(sorted(told)) or "nothing"
                yield (*way, "facts"), f"nobody can show '{fact}' at '{rule.act}', so it would lack for ever; known there: {known}"
            elif rule.may_follow and fact not in follow:
                words = f"'{fact}' cannot follow at '{rule.act}', because nobody would be told that it lacks; {_follows()}"
                yield (*way, "may_follow"), words
        is_order = rule.act is Act.EXAMINE and Fact.POLICE_ORDER in rule.facts
        if rule.within_h is not None and not (is_order and rule.may_follow):
            words = "only for the order of an examination that may follow somebody is told when its time has passed; leave it out"
            yield (*way, "within_h"), words
        if rule.when is not None and is_order:
            yield (*way, "when"), "the order of an examination is asked for of everybody, or of nobody; leave the condition out"


def _follows() -> str:
    return "; ".join(f"at '{act}' may follow: {', '.join(sorted(facts))}" for act, facts in MAY_FOLLOW_AT.items())


def _watched(programme: "Programme") -> Found:
    """A watcher looks after one thing by the clock: what she asked back and has not got."""
    for id_, rule in programme.rules.items():
        if isinstance(rule, vocabulary.BreachWhen) and rule.within_h is not None:
            whole = When(facts=(Fact.RETURN_ASKED_FOR,), without=(Fact.HANDED_BACK,))
            if rule.act is not Act.RETURN_PROPERTY or rule.when != whole:
                words = (
                    "only what she asked back and has not got is watched by the clock: `act: return_property`, with "
                    "`when: {facts: [return_asked_for], without: [handed_back]}`; leave it out elsewhere"
                )
                yield ("rules", id_, "within_h"), words


def _conditions(programme: "Programme") -> Iterator[tuple[Way, When, frozenset[Fact], frozenset[str]]]:
    """Every condition, with the facts and the lines that are known where it is asked."""
    for id_, one in programme.pathways.items():
        if one.when is not None:
            yield ("pathways", id_, "when"), one.when, TOLD_AT[Act.REFER], OF_A_PATHWAY
    for id_, rule in programme.rules.items():
        when: When | None = getattr(rule, "when", None)
        if when is None:
            continue
        act: Act | None = getattr(rule, "act", None)
        if act is not None:
            yield ("rules", id_, "when"), when, facts_at(act, type(rule)), LINES_AT.get(act, frozenset())
        elif isinstance(rule, vocabulary.FastTrack):  # at the door nobody has asked anything yet
            yield ("rules", id_, "when"), when, frozenset(), IN_GENERAL
        else:  # what is proposed is asked about where she is sent on
            yield ("rules", id_, "when"), when, TOLD_AT[Act.REFER], IN_GENERAL


def _conditions_that_nobody_knows(programme: "Programme") -> Found:
    """What nobody tells where a condition is asked about is never known, so that the condition never holds."""
    for way, when, facts, lines in _conditions(programme):
        for name in ("facts", "without"):
            for fact in getattr(when, name):
                if fact not in facts:
                    known = ", ".join(sorted(facts)) or "nothing"
                    yield (*way, name), f"nobody tells '{fact}' where this is asked, so nobody can know it; told there: {known}"
        for name in type(when).model_fields:
            if name not in ("facts", "without") and name not in lines and getattr(when, name) not in (None, ()):
                known = ", ".join(sorted(lines)) or "no line but facts"
                yield (*way, name), f"nobody knows '{name}' where this is asked, so it would never hold; known there: {known}"


def _ages(programme: "Programme") -> Found:
    for id_, rule in programme.rules.items():
        if isinstance(rule, vocabulary.AgeRoutesTo) and rule.when is not None and rule.when.child is not None:
            for age in rule.ages:
                if (age in CHILD_BANDS) is not rule.when.child:
                    words = f"it is about '{age}' and says `child: {str(rule.when.child).lower()}`; leave one of the two out"
                    yield ("rules", id_, "when", "child"), words


def _readiness(programme: "Programme") -> Found:
    """How a place stands is known of those to which calls go, because they say it; so only there something may come of it."""
    routes = {id_: rule for id_, rule in programme.rules.items() if isinstance(rule, vocabulary.RouteBy)}
    asked = {id_: rule for id_, rule in programme.rules.items() if isinstance(rule, vocabulary.ReadinessRequired)}
    for id_, ready in programme.readiness.items():
        by = [name for name, one in asked.items() if one.readiness == id_]
        if ready.kind in programme.facilities and not any(ready.kind in route.to for route in routes.values()):
            words = f"nobody knows how a '{ready.kind}' stands, because no call goes there; name a kind that a `route_by` leads to"
            yield ("readiness", id_, "kind"), words
        elif not by:
            yield (
                ("readiness", id_),
                "no rule speaks of it, so that nothing would come of it; add a `readiness_required` that names it",
            )
        if not (ready.assets or ready.certificates or ready.female_staff):
            yield (
                ("readiness", id_),
                "it names nothing, and that somebody is there is always asked; say what else must be, or leave it out",
            )
        for name in by[1:]:
            yield ("rules", name, "readiness"), f"'{by[0]}' speaks of '{id_}' already; leave one of the two out"
    for id_, rule in asked.items():
        of = programme.readiness.get(rule.readiness)
        if of is not None and rule.is_routable_without and (of.certificates or of.female_staff):
            words = f"only things are shown beside a call, and '{rule.readiness}' asks for people; put these in one of their own"
            yield ("rules", id_, "is_routable_without"), words
        for by_route, route in routes.items():
            if of is not None and of.kind in route.to and not rule.is_routable_without and RoutingKey.READINESS not in route.keys:
                yield (
                    ("rules", by_route, "keys"),
                    f"'{id_}' says when a desk gets no calls, and no call is routed by it; add `readiness`",
                )


def _said_in_vain(programme: "Programme") -> Found:
    """What is passed over, because another one stands before it, or because nobody is where it leads."""
    stays = [id_ for id_, rule in programme.rules.items() if isinstance(rule, vocabulary.StayLimit)]
    for id_ in stays[1:]:
        yield ("rules", id_), f"a stay has one limit, and '{stays[0]}' says it; leave one of the two out"
    led: list[tuple[Way, tuple[str, ...]]] = [(("pathways", id_, "to"), way.to) for id_, way in programme.pathways.items()]
    for id_, rule in programme.rules.items():
        led += [(("rules", id_, name), getattr(rule, name)) for name in ("to", "at") if getattr(rule, name, ())]
    if programme.hotline is not None:
        led.append((("hotline", "at"), programme.hotline.at))
    for way, kinds in led:
        known = [programme.facilities[kind] for kind in kinds if kind in programme.facilities]
        if known and not any(_is_there(kind) for kind in known):
            yield way, "no place of these kinds is open, so that nobody is there; name one that is"


def _is_there(kind: FacilityKind) -> bool:
    return kind.status is FacilityStatus.OPEN and kind.count > 0


def _offered_by_nobody(programme: "Programme") -> Found:
    """What a rule proposes and no open place offers. What the base proposes for every child is not looked at: a country in which
    nobody protects children is to see that."""
    offered = {package for kind in programme.facilities.values() if _is_there(kind) for package in kind.services}
    for id_, rule in programme.rules.items():
        proposed: dict[str, tuple[ServicePackage, ...]] = {}
        if isinstance(rule, vocabulary.SuggestWhen | vocabulary.NeverReplacesReferral):
            proposed = {"packages": rule.packages}
        elif isinstance(rule, vocabulary.StockNeeded):
            proposed = {"otherwise": rule.otherwise}
        for name, packages in proposed.items():
            for package in packages:
                if package not in offered:
                    yield (
                        ("rules", id_, name),
                        f"no open place offers '{package}'; add it to the `services` of one, or leave it out",
                    )
