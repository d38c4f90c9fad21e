"""What each rule of the vocabulary answers about a situation: pure functions, one a rule.

An answer is a verdict with its reason and its source. No rule raises on late or unknown data, and none closes, downgrades, evicts
or re-addresses anything: it refuses one act, warns, or proposes, and a person decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.contracts.casework.codes import AT_ONCE
from shared.programmes import vocabulary as v
from shared.programmes.asked import GIVING
from shared.programmes.places import FacilityStatus, FallBack, Mandate, Readiness, RoutingKey
from shared.programmes.profile import Programme
from shared.programmes.situation import Answer, DeskNow, Message, Situation, Verdict
from shared.programmes.staff import Standing
from shared.programmes.terms import Act, Fact, Sourced

GRAVITY = {Verdict.REFUSED: 3, Verdict.WARNS: 2, Verdict.PROPOSES: 1, Verdict.ALLOWED: 0}


def answers(programme: Programme, situation: Situation) -> tuple[Answer, ...]:
    """What every rule of the programme that speaks to this situation says, the gravest first."""
    said = [
        answer for id_, rule in programme.rules.items() if (answer := ask(programme, id_, rule, situation)) is not None
    ]  # fmt: skip
    return tuple(sorted(said, key=lambda one: -GRAVITY[one.verdict]))


def ask(programme: Programme, id_: str, rule: v.Rule, situation: Situation) -> Answer | None:
    """What one rule says; None where it does not speak to this situation. No rule keeps anybody from care that cannot wait: what it
    would refuse there it warns of."""
    answer = _FUNCTIONS[type(rule)](programme, rule, situation)
    if answer is None:
        return None
    if answer.verdict is Verdict.REFUSED and situation.act is Act.REFER and AT_ONCE & situation.packages:
        message = Message.MAY_FOLLOW if answer.message is Message.NEEDED_FIRST else answer.message
        answer = replace(answer, verdict=Verdict.WARNS, message=message)
    rests_on = [rule, *_spoken_of(programme, rule)]
    because = tuple(dict.fromkeys(one for part in rests_on for one in part.because()))
    return replace(answer, rule=id_, because=because, is_assumption=any(part.is_assumption() for part in rests_on))


def _spoken_of(programme: Programme, rule: v.Rule) -> list[Sourced]:
    """The other pieces of the profile that a rule's answer rests on."""
    if isinstance(rule, v.WithinWindow):
        return [programme.windows[rule.window]]
    if isinstance(rule, v.CertificateRequired):
        return [programme.certificates[rule.certificate]]
    return [programme.report_forms[rule.form]] if isinstance(rule, v.FormVersionRequired) else []


def is_refused(said: tuple[Answer, ...]) -> bool:
    """Whether an act may not be done now. Whatever was referred stays."""
    return any(one.verdict is Verdict.REFUSED for one in said)


def _says(verdict: Verdict, message: Message, **more: Any) -> Answer:
    return Answer(verdict, message, rule="", **more)


# --- giving a product --------------------------------------------------------------------------------------------------

_UNFIT = {
    Standing.NONE: Message.CERTIFICATE_MISSING,
    Standing.TRAINED: Message.TRAINED_NOT_CERTIFIED,
    Standing.EXPIRED: Message.CERTIFICATE_EXPIRED,
    Standing.REVOKED: Message.CERTIFICATE_REVOKED,
}


def certificate_required(programme: Programme, rule: v.CertificateRequired, s: Situation) -> Answer | None:
    """Refuses an act to whoever holds no valid certificate; a course that was attended is none. An agency that keeps none of its
    people's is not asked."""
    if s.act is not rule.act or s.held is None:
        return None
    certificate = programme.certificates[rule.certificate]
    today = s.now.astimezone(ZoneInfo(programme.time_zone)).date()  # a paper ends with a day of the country, not of Greenwich
    standing = certificate.standing(s.held.get(rule.certificate), today)
    if standing is Standing.VALID:
        return _says(Verdict.ALLOWED, Message.CERTIFICATE_HELD)
    return _says(Verdict.REFUSED, _UNFIT[standing], missing=(rule.certificate,))


def within_window(programme: Programme, rule: v.WithinWindow, s: Situation) -> Answer | None:
    """Refuses to give only where no instant of the incident's range fits; what is not known is asked about, and refuses nothing."""
    if s.act is not rule.act:
        return None
    window = programme.windows[rule.window]
    fits, ends = window.fits(s.earliest_at, s.latest_at, s.now), window.ends_at(s.earliest_at, s.latest_at)
    if fits is None:
        return _says(Verdict.WARNS, Message.WINDOW_NOT_KNOWN)
    if fits:
        return _says(Verdict.ALLOWED, Message.WINDOW_OPEN, until=ends)
    if s.act not in GIVING:  # the only acts that time may refuse
        return _says(Verdict.WARNS, Message.NEVER_TOO_LATE_FOR_CARE, until=ends)
    return _says(Verdict.REFUSED, Message.WINDOW_PASSED, until=ends)


def stock_needed(_programme: Programme, rule: v.StockNeeded, s: Situation) -> Answer | None:
    """Refuses to give what is not in the box, and proposes whom to ask instead."""
    if s.act is not rule.act:
        return None
    count = s.stock.get(rule.product)
    if count is None:
        return _says(Verdict.WARNS, Message.STOCK_NOT_COUNTED, packages=rule.otherwise)
    if count > 0:
        return _says(Verdict.ALLOWED, Message.STOCK_THERE)
    return _says(Verdict.REFUSED, Message.STOCK_NONE, packages=rule.otherwise)


def never_replaces_referral(_programme: Programme, rule: v.NeverReplacesReferral, s: Situation) -> Answer | None:
    """Beside an act, care is still to be offered; whether she wants it is hers."""
    if s.act is not rule.act:
        return None
    lacking = tuple(package for package in rule.packages if package not in s.packages | s.open_packages)
    if not lacking:
        return _says(Verdict.ALLOWED, Message.REFERRAL_THERE)
    return _says(Verdict.PROPOSES, Message.REFERRAL_STILL_NEEDED, packages=lacking)


def repeat_warns(_programme: Programme, rule: v.RepeatWarns, s: Situation) -> Answer | None:
    """Says that a product was given before for this incident; another incident begins anew."""
    if s.act is not rule.act or rule.product not in s.given:
        return None
    return _says(Verdict.WARNS, Message.GIVEN_BEFORE)


# --- what is proposed --------------------------------------------------------------------------------------------------


def _routable(programme: Programme, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(kind for kind in kinds if programme.facilities[kind].status is FacilityStatus.OPEN)


def suggest_when(programme: Programme, rule: v.SuggestWhen, s: Situation) -> Answer | None:
    """Proposes what is not asked for already, under a condition."""
    lacking = tuple(package for package in rule.packages if package not in s.packages | s.open_packages)
    if rule.when.holds(s) is not True or (rule.packages and not lacking):
        return None
    return _says(Verdict.PROPOSES, Message.SUGGESTED, packages=lacking, to_kinds=_routable(programme, rule.to))


def fast_track(_programme: Programme, rule: v.FastTrack, s: Situation) -> Answer | None:
    """Whoever may be covered stands in no queue: what is not known counts for her."""
    here = not rule.at or s.facility_kind is None or s.facility_kind in rule.at
    if s.act not in {Act.RECEIVE, Act.REGISTER_COMPLAINT} or not here or rule.when.holds(s) is False:
        return None
    return _says(Verdict.PROPOSES, Message.NO_QUEUE)


def child_adds(programme: Programme, rule: v.ChildAdds, s: Situation) -> Answer | None:
    """For a child, proposes packages beside what is asked for; where the age is not known it says nothing."""
    lacking = tuple(package for package in rule.packages if package not in s.packages | s.open_packages)
    if not s.is_child or not lacking:
        return None
    return _says(Verdict.PROPOSES, Message.CHILD_ADDS, packages=lacking, to_kinds=_routable(programme, rule.to))


def age_routes_to(programme: Programme, rule: v.AgeRoutesTo, s: Situation) -> Answer | None:
    """Proposes where an age goes straight to."""
    fits = s.age_band in rule.ages and (rule.when is None or rule.when.holds(s) is not False)
    if s.act not in {Act.REFER, Act.RECEIVE} or not fits or s.to_kind in rule.to:
        return None
    return _says(Verdict.PROPOSES, Message.AGE_ROUTES, to_kinds=_routable(programme, rule.to))


# --- routes ------------------------------------------------------------------------------------------------------------


def readiness_of(programme: Programme, desk: DeskNow) -> tuple[bool | None, tuple[str, ...]]:
    """Whether a desk has all that rules require of its kind, and what it lacks; None where something was not reported. What a rule
    only flags (`is_routable_without`) does not count."""
    lacking: list[str] = []
    unknown = desk.is_staffed is None
    rules = (rule for rule in programme.rules.values() if isinstance(rule, v.ReadinessRequired) and not rule.is_routable_without)
    for ready in (programme.readiness[rule.readiness] for rule in rules):
        if ready.kind == desk.kind:
            lacks, is_unknown = _lacks(ready, desk)
            lacking += lacks
            unknown = unknown or is_unknown
    if desk.is_staffed is False:
        lacking.append("staffed")
    return (False if lacking else None if unknown else True), tuple(dict.fromkeys(lacking))


def _lacks(ready: Readiness, desk: DeskNow) -> tuple[list[str], bool]:
    asked: list[tuple[str, bool | None]] = [
        *((asset, None if desk.assets is None else asset in desk.assets) for asset in ready.assets),
        *((one, None if desk.certificates is None else one in desk.certificates) for one in ready.certificates),
    ]
    if ready.female_staff:
        asked.append(("female_staff", desk.has_female_staff))
    return [name for name, there in asked if there is False], any(there is None for _name, there in asked)


def route_by(programme: Programme, rule: v.RouteBy, s: Situation) -> Answer | None:
    """Finds exactly one desk, nearest first, and goes down the chain until there is one: nothing stays unrouted."""
    if s.act is not rule.act:
        return None
    asked = [desk for desk in s.desks if desk.kind in _routable(programme, rule.to)]
    fitting = [desk for desk in asked if all(_fits(programme, key, desk, s) for key in rule.keys)]
    if fitting:
        return _says(Verdict.PROPOSES, Message.ROUTED, to_desks=(fitting[0].id,))
    for step in rule.fall_back:
        found = [desk for desk in asked if _falls(programme, step, desk, s)]
        if RoutingKey.MANDATE in rule.keys:  # whoever has it comes first; any open desk is better than none, ready or not
            having = [desk for desk in found if _fits(programme, RoutingKey.MANDATE, desk, s)]
            found = having if having or step is not FallBack.ANY_OPEN else found
        if found:
            return _says(Verdict.PROPOSES, Message.ROUTED_FALL_BACK, to_desks=(found[0].id,), raises_alarm=True)
    return _says(Verdict.WARNS, Message.NO_DESK_READY, raises_alarm=True)


def _fits(programme: Programme, key: RoutingKey, desk: DeskNow, s: Situation) -> bool:
    if key is RoutingKey.DISTRICT:
        return s.district is None or desk.district == s.district
    if key is RoutingKey.MANDATE:
        mandate = mandate_of(programme, desk.kind)
        return mandate is None or mandate.takes(s.incident_type, s.packages, s.contexts) is not False
    return desk.is_open is not False and readiness_of(programme, desk)[0] is not False


def _falls(programme: Programme, step: FallBack, desk: DeskNow, s: Situation) -> bool:
    is_open = desk.is_open is not False and desk.is_staffed is not False
    is_ready = is_open and readiness_of(programme, desk)[0] is not False
    if step is FallBack.SAME_DISTRICT:
        return is_ready and desk.district == s.district
    if step is FallBack.NEIGHBOUR:
        return is_ready
    return is_open if step is FallBack.ANY_OPEN else False  # the last resort is no desk: the hotline's own post keeps it


def readiness_required(_programme: Programme, _rule: v.ReadinessRequired, _s: Situation) -> None:
    """Says nothing by itself: what it requires `route_by` looks at where a call finds its desk (`readiness_of`), and what it only
    flags stands beside the call. Of any other place nobody here knows how it stands, and whoever is there is received."""


def mandate_of(programme: Programme, kind: str) -> Mandate | None:
    """The mandate of a kind of facility: its own, else its agency's; None where it is not known."""
    facility = programme.facilities[kind]
    return facility.mandate or programme.agencies[facility.agency].mandate


def country_of(programme: Programme, kind: str) -> str | None:
    """In which country a kind of facility is: a mandate ends at its border."""
    return programme.agencies[programme.facilities[kind].agency].country or programme.country


def mandate_transfer(programme: Programme, rule: v.MandateTransfer, s: Situation) -> Answer | None:
    """Outside its mandate a place receives all the same, and hands on warmly to whoever has it in that country."""
    kind = s.facility_kind
    if s.act not in {Act.RECEIVE, Act.REGISTER_COMPLAINT} or kind is None or kind not in programme.facilities:
        return None
    mandate = mandate_of(programme, kind)
    if mandate is None or mandate.takes(s.incident_type, s.packages, s.contexts) is not False:
        return None
    of = country_of(programme, kind)
    there = tuple(one for one in _routable(programme, rule.to) if country_of(programme, one) == of)
    return _says(Verdict.PROPOSES, Message.ANOTHER_MANDATE, to_kinds=there)


def must_accept(_programme: Programme, rule: v.MustAccept, s: Situation) -> Answer | None:
    """These places turn nobody away; one who was sent on without a line in the register is a breach."""
    if s.act is not Act.RECEIVE or s.facility_kind not in rule.at:
        return None
    if s.knows(Fact.REQUEST_RECORDED) is False:
        return _says(Verdict.WARNS, Message.TURNED_AWAY_WITHOUT_RECORD, raises_alarm=True)
    return _says(Verdict.ALLOWED, Message.MUST_ACCEPT)


def absent_routes_to(programme: Programme, rule: v.AbsentRoutesTo, s: Situation) -> Answer | None:
    """Proposes where to go instead of an empty seat."""
    fits = not rule.packages or bool(s.packages & set(rule.packages))
    if rule.staff not in s.absent or not fits or s.act not in {Act.REFER, Act.RECEIVE}:
        return None
    return _says(Verdict.PROPOSES, Message.SEAT_ABSENT, to_kinds=_routable(programme, rule.to), missing=(rule.staff,))


# --- what may not be -----------------------------------------------------------------------------------------------------


def fee_blocks(_programme: Programme, rule: v.FeeBlocks, s: Situation) -> Answer | None:
    """A fee on what is free is refused and an alarm. Care, and its end, go on."""
    asked = (s.packages | s.open_packages) & set(rule.packages)
    if not asked or not s.fee:
        return None
    verdict = Verdict.REFUSED if s.act is Act.CHARGE_FEE else Verdict.WARNS
    return _says(verdict, Message.FEE_IS_A_BREACH, raises_alarm=True)


def form_version_required(programme: Programme, rule: v.FormVersionRequired, s: Situation) -> Answer | None:
    """Hands back another form, or another version of it, and says which is in use."""
    if s.act is not rule.act or s.form is None:
        return None
    if s.form != rule.form:
        return _says(Verdict.REFUSED, Message.FORM_NOT_OURS, missing=(rule.form,))
    if s.form_version == programme.report_forms[rule.form].version:
        return None
    return _says(Verdict.REFUSED, Message.FORM_VERSION_OLD, missing=(rule.form,))


def stay_limit(programme: Programme, rule: v.StayLimit, s: Situation) -> Answer | None:
    """An alarm when a plan is due, and at the limit; never an end. A supervisor's extension moves the limit.

    Days are those of the wall: she came at ten in the morning, and the limit is at ten in the morning, also where clocks were
    changed meanwhile. Each night in hospital moves it by one day.
    """
    if s.stay is None:
        return None
    zone, nights = ZoneInfo(programme.time_zone), 0 if rule.hospital_counts else s.stay.nights_in_hospital
    limit = days_after(s.stay.since, rule.days + nights, zone)
    until = max(limit, s.stay.extended_until or limit)
    days = (until.astimezone(zone).date() - s.stay.since.astimezone(zone).date()).days
    is_planned = s.knows(Fact.ONWARD_PLANNED) is True
    if s.now > until:
        message = Message.STAY_OVER_LIMIT if is_planned else Message.STAY_OVER_LIMIT_WITHOUT_PLAN
        return _says(Verdict.WARNS, message, raises_alarm=True, until=until, days=days)
    if s.now >= days_after(s.stay.since, rule.plan_by_days + nights, zone) and not is_planned:
        return _says(Verdict.WARNS, Message.STAY_NEEDS_A_PLAN, raises_alarm=True, until=until, days=days)
    return _says(Verdict.ALLOWED, Message.STAY_WITHIN_LIMIT, until=until, days=days)


def days_after(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """So many days later at the same time on the wall."""
    return (moment.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


def blocked_act(_programme: Programme, rule: v.BlockedAct, s: Situation) -> Answer | None:
    """Refuses an act that does not exist here; the attempt is an alarm. Where the condition is not known it is refused too."""
    if s.act is not rule.act or (rule.when is not None and rule.when.holds(s) is False):
        return None
    return _says(Verdict.REFUSED, Message.ACT_IS_BLOCKED, raises_alarm=rule.alarm)


def act_needs(_programme: Programme, rule: v.ActNeeds, s: Situation) -> Answer | None:
    """Refuses an act until something is so; with `may_follow` it goes on, and what is needed is brought afterwards."""
    if s.act is not rule.act or (rule.when is not None and rule.when.holds(s) is not True):
        return None
    lacking = tuple(str(fact) for fact in rule.facts if s.knows(fact) is not True)
    if not lacking:
        return None
    if rule.may_follow:
        return _says(Verdict.WARNS, Message.MAY_FOLLOW, missing=lacking)
    return _says(Verdict.REFUSED, Message.NEEDED_FIRST, missing=lacking)


def breach_when(_programme: Programme, rule: v.BreachWhen, s: Situation) -> Answer | None:
    """Tells a post of what must not happen; the act goes on."""
    if s.act is not rule.act or rule.when.holds(s) is not True:
        return None
    return _says(Verdict.WARNS, Message.BREACH, raises_alarm=True)


def files_apart(_programme: Programme, _rule: v.FilesApart, s: Situation) -> Answer | None:
    """Nothing links the file of somebody who is accused to her own as a survivor."""
    if s.act is Act.LINK_FILES:
        return _says(Verdict.REFUSED, Message.FILES_STAY_APART, raises_alarm=True)
    if s.act is Act.RECORD_SUSPECT and s.knows(Fact.IS_ACCUSED):
        return _says(Verdict.REFUSED, Message.FILES_STAY_APART)
    return None


_FUNCTIONS: Mapping[type[v.Rule], Callable[[Programme, Any, Situation], Answer | None]] = {
    v.CertificateRequired: certificate_required,
    v.WithinWindow: within_window,
    v.StockNeeded: stock_needed,
    v.NeverReplacesReferral: never_replaces_referral,
    v.RepeatWarns: repeat_warns,
    v.SuggestWhen: suggest_when,
    v.FastTrack: fast_track,
    v.ChildAdds: child_adds,
    v.AgeRoutesTo: age_routes_to,
    v.RouteBy: route_by,
    v.ReadinessRequired: readiness_required,
    v.FeeBlocks: fee_blocks,
    v.FormVersionRequired: form_version_required,
    v.StayLimit: stay_limit,
    v.MandateTransfer: mandate_transfer,
    v.MustAccept: must_accept,
    v.BlockedAct: blocked_act,
    v.AbsentRoutesTo: absent_routes_to,
    v.ActNeeds: act_needs,
    v.BreachWhen: breach_when,
    v.FilesApart: files_apart,
}
