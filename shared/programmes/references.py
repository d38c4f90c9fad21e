"""What no part can see alone: that every name that a profile uses is declared in it, and that its figures fit each other."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING

from shared.contracts.casework.codes import (
    PROVIDED_BY,
    ROLES_OF,
    AgencyKind,
    CareClock,
    ConsentItem,
    FacilityMode,
    Role,
    Urgency,
)
from shared.programmes import vocabulary
from shared.programmes.care import Pathway, ReportForm, When
from shared.programmes.in_vain import in_vain
from shared.programmes.indicators import REPLAYED, Formula, Indicator, Measure, Series
from shared.programmes.places import Agreement, FacilityKind, FacilityStatus, Hotline, Place, Readiness
from shared.programmes.reading import Found, Mistake, Text, Way
from shared.programmes.records import Readers, RecordType
from shared.programmes.staff import Certificate, StaffRole
from shared.programmes.terms import FACT_LETTERS, Act, Part, Sourced, near, shown

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
    found = [*_references(programme), *_twice(programme), *_facilities(programme), *_staff(programme), *_pathways(programme)]
    found += [*_figures(programme), *_registers(programme), *_routes(programme), *_agreements(programme), *in_vain(programme)]
    found += [*_presets(programme), *_shares(programme), *_replays(programme), *_years(programme), *_limits(programme, text)]
    found += _windows(programme)
    marked = [(way, words, text.mark(way)) for way, words in found]
    return [Mistake(mark.file, mark.line, way, words) for way, words, mark in marked]


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


def _staff(programme: "Programme") -> Found:
    """Whoever works somewhere is of that agency, with a role that its kind has."""
    for id_, kind in programme.facilities.items():
        for name in kind.staff:
            one = programme.staff.get(name)
            if one is not None and one.agency != kind.agency:
                words = f"'{name}' is of '{one.agency}', and this is a place of '{kind.agency}'"
                if one.is_seconded:
                    words += f"; a seat of '{one.agency}' in it is a kind of place of its own, with `colocated_with: {id_}`"
                yield ("facilities", id_, "staff"), words
    for id_, one in programme.staff.items():
        yield from _roles(programme, ("staff", id_, "role"), one.agency, (one.role,))


def _roles(programme: "Programme", way: Way, agency: str, roles: tuple[Role, ...]) -> Found:
    of = programme.agencies.get(agency)
    for role in roles if of is not None else ():
        if of is not None and role not in ROLES_OF[of.kind]:
            yield way, f"nobody of '{agency}' has the role '{role}'; write one of: {', '.join(sorted(ROLES_OF[of.kind]))}"


def _twice(programme: "Programme") -> Found:
    """A list that names something twice: a slip, or a sum that counts it twice."""
    for way, part in parts_of(programme):
        for name, field in type(part).model_fields.items():
            value = getattr(part, name)
            if isinstance(value, tuple) and name not in MAY_REPEAT:
                for one in dict.fromkeys(one for number, one in enumerate(value) if one in value[:number]):
                    yield (*way, field.alias or name), f"{shown(one)} stands twice; keep one of them"


MAY_REPEAT = frozenset({"period", "kinds"})  # of one year alone; and what an indicator says of itself


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
        if isinstance(rule, vocabulary.RouteBy) and programme.hotline is None:
            yield ("rules", id_), "there is no hotline of which it would route the calls; add `hotline`, or leave it out"
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


# The longest limit that is published of each (domain guide, section 3): a programme may be stricter. Longer, somebody would be told
# that there is time which there is not.
LONGEST_H = {CareClock.PEP: 72, CareClock.EMERGENCY_CONTRACEPTION: 120}


def _windows(programme: "Programme") -> Found:
    for care, window in programme.windows.items():
        longest = LONGEST_H.get(care)
        if longest is not None and window.hours is not None and window.hours > longest:
            words = f"'{window.hours:g}' is longer than any published limit of '{care}'; write {longest} or less"
            yield ("windows", str(care), "hours"), words


# The longest time after which it is said that a request was lost sight of. Of what is acute, before the shortest window of care has
# closed: PEP's 72 hours. Of anything else, 90 days: later no answer is one.
LAPSE_H_MAX = {Urgency.ACUTE: 72.0, Urgency.URGENT: 2_160.0, Urgency.ROUTINE: 2_160.0}
# Which limit is not above which, and what it is the limit of.
NOT_ABOVE = (
    ("delivered_h", "acknowledge_h"), ("acknowledge_h", "lapse_h"), ("stalled_h", "lapse_h"), ("ladder_step_h", "lapse_h"),
)  # fmt: skip


def _limits(programme: "Programme", text: Text) -> Found:
    """Somebody is told of each step before it is said that all is lost."""
    limits, own = programme.limits, text.mark(()).file
    for urgency in Urgency:
        for earlier, later in NOT_ABOVE:
            sooner, last = (getattr(getattr(limits, name), urgency) for name in (earlier, later))
            if sooner > last:
                words = f"`{earlier}`, {sooner:g} hours, is above `{later}`, {last:g}; what comes first may not take longer"
                ways = [("limits", name, str(urgency)) for name in (earlier, later)]
                at = next((way for way in ways if text.mark(way).file == own), ways[0])  # what this file says, not what it extends
                yield at, words
        most, lapse = LAPSE_H_MAX[urgency], getattr(limits.lapse_h, urgency)
        if lapse > most:
            words = f"after {lapse:g} hours is too late to say that a request may be lost; write {most:,.0f} or less"
            yield ("limits", "lapse_h", str(urgency)), words


def _presets(programme: "Programme") -> Found:
    for kind, items in programme.consent_presets.items():
        if ConsentItem.REQ not in items:
            yield ("consent_presets", str(kind)), "without `req` nothing can be asked of them; write it first"


def _shares(programme: "Programme") -> Found:
    for id_, one in programme.indicators.items():
        if one.at_least is not None and not 0 < one.at_least <= 1:
            words = f"'{one.at_least:g}' is no share; write more than 0 and at most 1, as 0.95 for 95 %"
            yield ("indicators", id_, "at_least"), words
        most = MOST_OF.get(one.formula, inf)
        if one.alarm is not None and one.formula not in BELOW_NOUGHT:
            if one.alarm.below is not None and not 0 < one.alarm.below <= most:
                may = "more than 0" if most == inf else f"more than 0, and {most} at most"
                yield (
                    ("indicators", id_, "alarm", "below"),
                    f"'{one.alarm.below:g}' tells nobody, or always, of the formula {one.formula}; write {may}",
                )
            if one.alarm.above is not None and not 0 <= one.alarm.above < most:
                may = "0 or more" if most == inf else f"0 or more, and less than {most}"
                yield (
                    ("indicators", id_, "alarm", "above"),
                    f"'{one.alarm.above:g}' tells nobody, or always, of the formula {one.formula}; write {may}",
                )
        for part, expect in (("expect", programme.expect), ("expect_unmanned", programme.expect_unmanned)):
            expected = expect.get(id_)
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
    first: dict[tuple[Measure, str, int], str] = {}
    for id_, series in programme.replay.items():
        known = [first.setdefault((series.measure, series.kind, year), id_) for year in series.numbers]
        before = next((one for one in known if one != id_), None)
        if before is not None:
            words = f"'{before}' has '{series.measure}' of '{series.kind}' in one of its years, and both would be added; keep one"
            yield ("replay", id_, "measure"), words
        for year in series.numbers if programme.period is not None else ():
            if programme.period is not None and not programme.period[0] <= year <= programme.period[1]:
                yield ("replay", id_, "numbers", str(year)), _outside(programme.period, year)
        yield from _more_than_came(programme, id_, series)


def _years(programme: "Programme") -> Found:
    years = {series.measure: set(series.numbers) for series in programme.replay.values()}
    for id_, one in programme.indicators.items():
        for name in ("year", "since"):
            year, known = getattr(one, name), years.get(one.of) if one.of is not None else None
            if year is not None and known is not None and year not in known:
                listed = ", ".join(map(str, sorted(known)))
                yield ("indicators", id_, name), f"the replay of '{one.of}' has no numbers of {year}; it has them of {listed}"
            elif year is not None and programme.period is not None and not programme.period[0] <= year <= programme.period[1]:
                yield ("indicators", id_, name), _outside(programme.period, year)


def _outside(period: tuple[int, int], year: int) -> str:
    return f"{year} lies outside the programme's period, {period[0]} to {period[1]}"


CAME = (Measure.REPORTS, Measure.REPORTS_SEXUAL_VIOLENCE)
OF_WHO_CAME = frozenset({Measure.CASES_REFERRED_TO_HEALTH, Measure.DOSES, Measure.STAYS})  # each happens to somebody who reported


def _more_than_came(programme: "Programme", id_: str, series: Series) -> Found:
    came = [one for one in programme.replay.values() if one.measure in CAME and one.kind == series.kind]
    for year, numbers in series.numbers.items() if series.measure in OF_WHO_CAME else ():
        for place, count in enumerate(numbers):
            reports = sum(one.numbers[year][place] for one in came if len(one.numbers.get(year, ())) > place)
            if count > reports:
                words = f"the number {place + 1}, {count}, is more than the {reports} reports there; nobody else can be counted"
                yield ("replay", id_, "numbers", str(year)), words


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
        for name in record.kept_at:
            at = programme.facilities.get(name)
            if at is not None and at.agency != record.agency:
                words = f"'{name}' is a place of '{at.agency}', and '{record.agency}' keeps this"
                yield ("records", id_, "kept_at"), words
        posts = {post for kind in programme.facilities.values() if kind.agency == record.agency for post in kind.posts}
        for way, part in parts_of(record, ("records", id_)):
            if isinstance(part, Readers):
                yield from _roles(programme, (*way, "roles"), record.agency, part.roles)
            for post in part.posts if isinstance(part, Readers) else ():
                if post not in posts:
                    yield (
                        (*way, "posts"),
                        f"there is no post '{post}' at a facility of '{record.agency}'; {near(post, sorted(posts))}",
                    )
