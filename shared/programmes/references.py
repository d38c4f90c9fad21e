"""What no part can see alone: that every name that a profile uses is declared in it, and that its figures fit each other."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING

from shared.contracts.casework.codes import PROVIDED_BY, AgencyKind, CareClock, CareProduct, ConsentItem, FacilityMode
from shared.programmes import vocabulary
from shared.programmes.care import Pathway, ReportForm, When
from shared.programmes.indicators import REPLAYED, Formula, Indicator, Series
from shared.programmes.places import Agreement, FacilityKind, FacilityStatus, Hotline, Place, Readiness
from shared.programmes.reading import Mistake, Text, Way
from shared.programmes.records import Readers, RecordType
from shared.programmes.staff import Certificate, StaffRole
from shared.programmes.terms import FACT_LETTERS, Act, Fact, Part, Sourced, near, shown

if TYPE_CHECKING:
    from shared.programmes.profile import Programme

# Which field of which part names what: (what a sentence calls it, where the programme declares it).
AGENCY, KIND, PLACE = ("agency", "agencies"), ("kind of facility", "facilities"), ("place", "places")
STAFF, CERTIFICATE, ASSET = ("staff", "staff"), ("certificate", "certificates"), ("asset", "assets")
DISTRICT, RECORD, RULE = ("district", "districts"), ("record", "records"), ("rule", "rules")
FORM, READINESS, WINDOW = ("report form", "report_forms"), ("readiness", "readiness"), ("window", "windows")
Named = tuple[str, str]
REFERS: dict[type[Part], dict[str, Named]] = {
    Agreement: {"partner": AGENCY, "signed_with": AGENCY},
    FacilityKind: {"agency": AGENCY, "hub": KIND, "colocated_with": KIND, "assets": ASSET, "staff": STAFF},
    Place: {"kind": KIND, "district": DISTRICT, "journeys": PLACE},
    Readiness: {"kind": KIND, "assets": ASSET, "certificates": CERTIFICATE},
    Hotline: {"agency": AGENCY, "at": KIND},
    Certificate: {"certified_by": AGENCY, "trained_by": CERTIFICATE},
    StaffRole: {"agency": AGENCY, "certificates": CERTIFICATE},
    Pathway: {"from": KIND, "to": KIND, "before": RULE},
    When: {"at": KIND},
    ReportForm: {"signers": STAFF},
    RecordType: {"agency": AGENCY, "kept_at": KIND, "apart_from": RECORD},
    Readers: {"certificates": CERTIFICATE},
    Indicator: {"kind": KIND, "kinds": KIND},
    Series: {"kind": KIND},
    vocabulary.CertificateRequired: {"certificate": CERTIFICATE},
    vocabulary.WithinWindow: {"window": WINDOW},
    vocabulary.SuggestWhen: {"to": KIND},
    vocabulary.FastTrack: {"at": KIND},
    vocabulary.ChildAdds: {"to": KIND},
    vocabulary.AgeRoutesTo: {"to": KIND},
    vocabulary.RouteBy: {"to": KIND},
    vocabulary.ReadinessRequired: {"readiness": READINESS},
    vocabulary.FormVersionRequired: {"form": FORM},
    vocabulary.MandateTransfer: {"to": KIND},
    vocabulary.MustAccept: {"at": KIND},
    vocabulary.AbsentRoutesTo: {"staff": STAFF, "to": KIND},
}


def mistakes_between(programme: "Programme", text: Text) -> list[Mistake]:
    """Every mistake that only shows when the whole is there."""
    found = [*_references(programme), *_facilities(programme), *_pathways(programme), *_figures(programme), *_registers(programme)]
    found += [*_routes(programme), *_agreements(programme), *_of_one_act(programme), *_needs_that_nobody_meets(programme)]
    found += [*_certificates_that_nobody_keeps(programme), *_conditions_that_nobody_knows(programme)]
    found += [*_presets(programme), *_shares(programme), *_replays(programme), *_windows(programme), *_said_in_vain(programme)]
    marked = [(way, words, text.mark(way)) for way, words in found]
    return [Mistake(mark.file, mark.line, way, words) for way, words, mark in marked]


Found = Iterator[tuple[Way, str]]


def parts_of(part: Part, way: Way = ()) -> Iterator[tuple[Way, Part]]:
    """A part, and every part within it, each with the keys that lead to it."""
    yield way, part
    for name, field in type(part).model_fields.items():
        yield from _within(getattr(part, name), (*way, field.alias or name))


def _within(value: object, way: Way) -> Iterator[tuple[Way, Part]]:
    if isinstance(value, Part):
        yield from parts_of(value, way)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _within(one, (*way, str(key)))


def _references(programme: "Programme") -> Found:
    for way, part in parts_of(programme):
        for name, (noun, where) in REFERS.get(type(part), {}).items():
            field = next(n for n, f in type(part).model_fields.items() if name in (n, f.alias))
            declared = [str(key) for key in getattr(programme, where)]
            value = getattr(part, field)
            listed = [value] if isinstance(value, str) else list(value or ())
            for one in listed:
                if str(one) not in declared:
                    yield (*way, name), f"there is no {noun} {shown(one)} in `{where}`; {near(one, declared)}"
        if isinstance(part, Sourced):
            for because in part.because():
                if because.tag[0] in FACT_LETTERS and because.tag not in programme.sources:
                    words = f"the source {because.tag} is not explained; add it to `sources`, with what it is"
                    yield ((*way, "source") if way else ("source",)), words


def _facilities(programme: "Programme") -> Found:
    for id_, kind in programme.facilities.items():
        agency = programme.agencies.get(kind.agency)
        hub = programme.facilities.get(kind.hub) if kind.hub else None
        for package in kind.services if agency is not None else ():
            allowed = PROVIDED_BY[agency.kind] if agency is not None else frozenset()
            if package not in allowed:
                words = (
                    f"an agency of kind {agency.kind if agency else ''} does not provide '{package}'; {near('', sorted(allowed))}"
                )
                yield ("facilities", id_, "services"), words
        if hub is not None and (hub.agency != kind.agency or hub.mode is not FacilityMode.ONLINE):
            yield ("facilities", id_, "hub"), f"its hub '{kind.hub}' is no kind of the same agency that is online"
        named = [place for place, one in programme.places.items() if one.kind == id_]
        if len(named) > kind.count:
            yield ("facilities", id_, "count"), f"there are {kind.count}, and {len(named)} are named: {', '.join(named)}"
    for id_, ready in programme.readiness.items():
        of = programme.facilities.get(ready.kind)
        for asset in ready.assets if of is not None else ():
            if of is not None and asset not in of.assets:
                words = f"'{ready.kind}' does not have '{asset}'; add it to its `assets`, or leave it out"
                yield ("readiness", id_, "assets"), words
        if ready.places and of is not None and of.places is None:
            yield ("readiness", id_, "places"), f"'{ready.kind}' says nothing of its places; add `places:` to it"


def _pathways(programme: "Programme") -> Found:
    for id_, way in programme.pathways.items():
        kinds = {kind: programme.facilities[kind] for kind in way.to if kind in programme.facilities}
        for package in way.packages:
            if kinds and not any(package in kind.services for kind in kinds.values()):
                yield (
                    ("pathways", id_, "packages"),
                    f"'{package}' is offered by none of {', '.join(kinds)}; add it to their `services`",
                )
        for kind, one in kinds.items():
            if one.status is FacilityStatus.OPEN and not set(one.services) & set(way.packages):
                yield (
                    ("pathways", id_, "to"),
                    f"'{kind}' offers nothing of what is asked for; leave it out, or add to its `services`",
                )
        rule = programme.rules.get(way.before) if way.before else None
        if rule is not None and not isinstance(rule, vocabulary.StayLimit):
            yield ("pathways", id_, "before"), f"'{way.before}' has no deadline; name a rule that is a stay_limit"
    for id_, rule in programme.rules.items():
        if isinstance(rule, vocabulary.StayLimit) and rule.plan_by_days > rule.days:
            yield ("rules", id_, "plan_by_days"), f"the plan is due on day {rule.plan_by_days}, after the limit of {rule.days} days"


def _routes(programme: "Programme") -> Found:
    rules = [rule for rule in programme.rules.values() if isinstance(rule, vocabulary.RouteBy) and rule.act is Act.ROUTE_CALL]
    if programme.hotline is not None and len(rules) != 1:
        words = f"{len(rules)} rules say where its calls go; write exactly one `route_by` for `route_call`"
        yield ("hotline",), words
    for id_, rule in programme.rules.items():
        if isinstance(rule, vocabulary.RouteBy) and rule.act is not Act.ROUTE_CALL:
            words = (
                f"only calls are routed, and this is about '{rule.act}'; write `act: route_call`, or a pathway for what is referred"
            )
            yield ("rules", id_, "act"), words
    if programme.hotline is not None:
        agency = programme.hotline.agency
        yield from _elsewhere(programme, programme.hotline.at, agency, ("hotline", "at"), "is answered at")
        for id_, rule in programme.rules.items():
            if isinstance(rule, vocabulary.RouteBy):
                yield from _elsewhere(programme, rule.to, agency, ("rules", id_, "to"), "goes to")


def _elsewhere(programme: "Programme", kinds: tuple[str, ...], agency: str, way: Way, verb: str) -> Found:
    for kind in kinds:
        found = programme.facilities.get(kind)
        if found is not None and found.agency != agency:
            words = f"a call {verb} a place of '{agency}', and '{kind}' is one of '{found.agency}'; what is referred has a pathway"
            yield way, words


# What a rule about giving a product speaks of: its product, and the care whose window counts.
OF_ACT = {
    Act.DISPENSE_EMERGENCY_CONTRACEPTION: (CareProduct.EMERGENCY_CONTRACEPTION, CareClock.EMERGENCY_CONTRACEPTION),
    Act.DISPENSE_PEP_STARTER: (CareProduct.PEP_STARTER, CareClock.PEP),
}


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


# What the feature that asks about an act can tell of it. A fact that nobody can show would refuse the act for ever.
_OF_A_CASE = frozenset({Fact.ASSENT, Fact.SAFE_ADULT, Fact.CAREGIVER_SUSPECTED})
_OF_AN_INCIDENT = _OF_A_CASE | {Fact.HURT_NOW}
TOLD_AT: dict[Act, frozenset[Fact]] = {
    Act.REFER: _OF_AN_INCIDENT, Act.CLOSE: _OF_AN_INCIDENT, Act.REGISTER_COMPLAINT: _OF_AN_INCIDENT,
    Act.HAND_OVER_TO_PROSECUTOR: _OF_AN_INCIDENT, Act.TAKE_STATEMENT: _OF_A_CASE, Act.ADMIT_TO_STAY: _OF_A_CASE,
    Act.EXAMINE: _OF_A_CASE | {Fact.POLICE_ORDER}, Act.SIGN_MEDICAL_REPORT: _OF_A_CASE | {Fact.SIGNED},
    Act.TAKE_MEDICAL_REPORT: _OF_A_CASE, Act.CONTINUE_STAY: frozenset({Fact.SUPERVISOR_AGREES}),
    Act.RETURN_TO_FAMILY: frozenset({Fact.SHE_AGREES, Fact.RISK_CHECKED}),
    Act.RETURN_PROPERTY: frozenset({Fact.RETURN_ASKED_FOR, Fact.HANDED_BACK, Fact.SIGNED}),
    Act.TELL_STATUS: frozenset({Fact.OWN_WORD, Fact.SAFE_PHONE}), Act.CALL_BACK: frozenset({Fact.MARKED_SAFE}),
    Act.DISPENSE_EMERGENCY_CONTRACEPTION: frozenset({Fact.SHE_AGREES}), Act.DISPENSE_PEP_STARTER: frozenset({Fact.SHE_AGREES}),
}  # fmt: skip


# What somebody who writes a breach down tells of it beside that.
TOLD_OF_A_BREACH: dict[Act, frozenset[Fact]] = {Act.RECEIVE: frozenset({Fact.POLICE_REPORT_DEMANDED, Fact.REQUEST_RECORDED})}


# Where police do it, and it is asked about: they alone keep their people's certificates.
CERTIFIED_AT = frozenset(
    {
        Act.REGISTER_COMPLAINT, Act.TAKE_STATEMENT, Act.DISPENSE_EMERGENCY_CONTRACEPTION, Act.DISPENSE_PEP_STARTER, Act.REFER,
        Act.CLOSE, Act.TAKE_MEDICAL_REPORT, Act.ADMIT_TO_STAY, Act.CONTINUE_STAY, Act.RETURN_PROPERTY, Act.CALL_BACK,
        Act.RECORD_SUSPECT, Act.HAND_OVER_TO_PROSECUTOR, Act.TRAIN_OTHERS,
    }
)  # fmt: skip


def _certificates_that_nobody_keeps(programme: "Programme") -> Found:
    for id_, rule in programme.rules.items():
        if isinstance(rule, vocabulary.CertificateRequired) and rule.act not in CERTIFIED_AT:
            words = f"nobody's certificates are looked at for '{rule.act}'; write one of: {', '.join(sorted(CERTIFIED_AT))}"
            yield ("rules", id_, "act"), words


def _needs_that_nobody_meets(programme: "Programme") -> Found:
    for id_, rule in programme.rules.items():
        if not isinstance(rule, vocabulary.ActNeeds) or rule.may_follow:
            continue
        for fact in rule.facts:
            told = TOLD_AT.get(rule.act, frozenset())
            if fact not in told:
                known = ", ".join(sorted(told)) or "nothing"
                words = (
                    f"nobody can show '{fact}' at '{rule.act}', so it would be refused for ever; known there: {known}; "
                    "or write `may_follow: true`"
                )
                yield ("rules", id_, "facts"), words


def _conditions_that_nobody_knows(programme: "Programme") -> Found:
    """A fact that nobody tells where a condition is asked about is never known, so that the condition never holds."""
    conditions: list[tuple[Way, When | None, frozenset[Fact]]] = [
        (("pathways", id_, "when"), one.when, TOLD_AT[Act.REFER]) for id_, one in programme.pathways.items()
    ]
    for id_, rule in programme.rules.items():
        act = getattr(rule, "act", Act.REFER)  # what is proposed is asked about where she is sent on
        told = TOLD_AT.get(act, frozenset()) | TOLD_OF_A_BREACH.get(act, frozenset())
        if isinstance(rule, vocabulary.FastTrack):
            told = frozenset()  # at the door nobody has asked anything yet
        conditions.append((("rules", id_, "when"), getattr(rule, "when", None), told))
    for way, when, told in conditions:
        for name in ("facts", "without") if when is not None else ():
            for fact in getattr(when, name):
                if fact not in told:
                    known = ", ".join(sorted(told)) or "nothing"
                    yield (*way, name), f"nobody tells '{fact}' where this is asked, so nobody can know it; told there: {known}"


# The longest limit that is published of each (domain guide, section 3): a programme may be stricter. Longer, somebody would be told
# that there is time which there is not.
LONGEST_H = {CareClock.PEP: 72, CareClock.EMERGENCY_CONTRACEPTION: 120}


def _windows(programme: "Programme") -> Found:
    for care, window in programme.windows.items():
        longest = LONGEST_H.get(care)
        if longest is not None and window.hours is not None and window.hours > longest:
            words = f"'{window.hours:g}' is longer than any published limit of '{care}'; write {longest} or less"
            yield ("windows", str(care), "hours"), words


def _said_in_vain(programme: "Programme") -> Found:
    """Rules that are passed over, because another one stands before them, or because nobody is where they lead."""
    stays = [id_ for id_, rule in programme.rules.items() if isinstance(rule, vocabulary.StayLimit)]
    for id_ in stays[1:]:
        yield ("rules", id_), f"a stay has one limit, and '{stays[0]}' says it; leave one of the two out"
    for id_, rule in programme.rules.items():
        kinds = [programme.facilities.get(kind) for kind in rule.to] if isinstance(rule, vocabulary.AgeRoutesTo) else []
        known = [kind for kind in kinds if kind is not None]
        if known and not any(kind.status is FacilityStatus.OPEN and kind.count for kind in known):
            yield ("rules", id_, "to"), "no place of these kinds is open, so that nobody would be sent there; name one that is"


def _presets(programme: "Programme") -> Found:
    for kind, items in programme.consent_presets.items():
        if ConsentItem.REQ not in items:
            yield ("consent_presets", str(kind)), "without `req` nothing can be asked of them; write it first"


def _shares(programme: "Programme") -> Found:
    for id_, one in programme.indicators.items():
        if one.at_least is not None and not 0 < one.at_least <= 1:
            words = f"'{one.at_least:g}' is no share; write more than 0 and at most 1, as 0.95 for 95 %"
            yield ("indicators", id_, "at_least"), words
        for part, expect in (("expect", programme.expect), ("expect_unmanned", programme.expect_unmanned)):
            expected, most = expect.get(id_), MOST_OF.get(one.formula, inf)
            if expected is not None and one.formula not in BELOW_NOUGHT and not 0 <= expected.value <= most:
                may = "0 or more" if most == inf else f"0 to {most}"
                yield (part, id_, "value"), f"'{expected.value:g}' cannot come of the formula {one.formula}; write {may}"


MOST_OF = {Formula.RATE: 1, Formula.TIMELY: 1, Formula.PERCENT: 100}
BELOW_NOUGHT = frozenset({Formula.CHANGE_PCT, Formula.BALANCE})  # what may be less than nothing


def _replays(programme: "Programme") -> Found:
    for id_, series in programme.replay.items():
        if series.measure not in REPLAYED:
            words = f"'{series.measure}' cannot be replayed; write one of: {', '.join(sorted(REPLAYED))}"
            yield ("replay", id_, "measure"), words
    years = {series.measure: set(series.numbers) for series in programme.replay.values()}
    for id_, one in programme.indicators.items():
        for name in ("year", "since"):
            year, known = getattr(one, name), years.get(one.of) if one.of is not None else None
            if year is not None and known is not None and year not in known:
                listed = ", ".join(map(str, sorted(known)))
                yield ("indicators", id_, name), f"the replay of '{one.of}' has no numbers of {year}; it has them of {listed}"
            elif year is not None and programme.period is not None and not programme.period[0] <= year <= programme.period[1]:
                yield (
                    ("indicators", id_, name),
                    f"{year} lies outside the programme's period, {programme.period[0]} to {programme.period[1]}",
                )


def _agreements(programme: "Programme") -> Found:
    for id_, one in programme.agreements.items():
        way, partner = ("agreements", id_), programme.agencies.get(one.partner)
        if partner is not None and partner.kind is not AgencyKind.PARTNER:
            yield (*way, "partner"), f"'{one.partner}' is of kind {partner.kind}; an agreement is with an agency of kind partner"
        if one.ends_on is not None and one.ends_on < one.begins_on:
            yield (*way, "ends_on"), f"it ends on {one.ends_on}, before it begins"
        foreign = sorted(set(one.services) - PROVIDED_BY[AgencyKind.PARTNER])
        if foreign:
            yield (*way, "services"), f"an agency of kind partner does not provide '{foreign[0]}'"
        kinds = {kind for kind, facility in programme.facilities.items() if facility.agency == one.partner}
        own = [*kinds, *(place for place, found in programme.places.items() if found.kind in kinds)]
        for name in one.facilities:
            if name not in own:
                words = f"there is no kind of facility, and no place, {shown(name)} of '{one.partner}'; {near(name, own)}"
                yield (*way, "facilities"), words


def _figures(programme: "Programme") -> Found:
    if programme.period is not None and programme.period[0] > programme.period[1]:
        yield ("period",), f"it ends in {programme.period[1]}, before it begins"
    for part, id_ in [
        *(("expect", one) for one in programme.expect),
        *(("expect_unmanned", one) for one in programme.expect_unmanned),
    ]:
        if id_ not in programme.indicators:
            yield (part, id_), f"there is no indicator '{id_}' in `indicators`; {near(id_, list(programme.indicators))}"
    for id_, series in programme.replay.items():
        kind = programme.facilities.get(series.kind)
        for year, numbers in series.numbers.items() if kind is not None else ():
            if kind is not None and len(numbers) != kind.count:
                words = f"{len(numbers)} numbers stand here for the {kind.count} of '{series.kind}'; write one for each"
                yield ("replay", id_, "numbers", str(year)), words


def _registers(programme: "Programme") -> Found:
    for id_, record in programme.records.items():
        posts = {post for kind in programme.facilities.values() if kind.agency == record.agency for post in kind.posts}
        for way, part in parts_of(record, ("records", id_)):
            for post in part.posts if isinstance(part, Readers) else ():
                if post not in posts:
                    yield (
                        (*way, "posts"),
                        f"there is no post '{post}' at a facility of '{record.agency}'; {near(post, sorted(posts))}",
                    )
