"""The rules that a profile may name, with their parameters: a small closed vocabulary. What each one answers is in `rules`."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from shared.programmes.care import When
from shared.programmes.places import FallBack, RoutingKey
from shared.programmes.terms import (
    ActCode,
    Age,
    Care,
    Days,
    FactCode,
    Hours,
    Id,
    Named,
    OneOf,
    Package,
    Product,
    RoleCode,
    Sourced,
    YesNo,
    said,
)


class Rule(Sourced):
    """One rule of a programme. `explained` is for whoever reads the profile; screens have their own sentences. A rule that is a
    `safeguard` is changed by no profile that extends the one in which it stands."""

    explained: Named | None = None
    safeguard: YesNo = False


class CertificateRequired(Rule):
    """Refuses an act to whoever of the police does not hold a valid certificate; other agencies keep none of their people's and are
    not asked. What was referred stays."""

    rule: Literal["certificate_required"]
    act: ActCode
    certificate: Id


class WithinWindow(Rule):
    """Refuses an act of giving only where no instant of the incident lies in a window; a referral is never refused for time."""

    rule: Literal["within_window"]
    act: ActCode
    window: Care


class StockNeeded(Rule):
    """Refuses to give a product that is not in the box, unexpired; and proposes whom to ask instead."""

    rule: Literal["stock_needed"]
    act: ActCode
    product: Product
    otherwise: tuple[Package, ...] = ()


class NeverReplacesReferral(Rule):
    """An act is never instead of care: proposes these packages until they are asked for, or she says no."""

    rule: Literal["never_replaces_referral"]
    act: ActCode
    packages: tuple[Package, ...] = Field(min_length=1)


class RepeatWarns(Rule):
    """Warns where a product was given before for the same incident. A new incident always begins anew."""

    rule: Literal["repeat_warns"]
    act: ActCode
    product: Product


class SuggestWhen(Rule):
    """Proposes packages or kinds of facility under a condition. The person decides."""

    rule: Literal["suggest_when"]
    when: When
    packages: tuple[Package, ...] = ()
    to: tuple[Id, ...] = ()

    @model_validator(mode="after")
    def _proposes(self) -> "SuggestWhen":
        if not self.packages and not self.to:
            raise said("it proposes nothing; write `packages`, `to`, or both")
        return self


class FastTrack(Rule):
    """Nobody whom it covers stands in a queue."""

    rule: Literal["fast_track"]
    when: When
    at: tuple[Id, ...] = ()  # kinds of facility; empty: everywhere


class ChildAdds(Rule):
    """For a child, packages are proposed beside what is asked for."""

    rule: Literal["child_adds"]
    packages: tuple[Package, ...] = Field(min_length=1)
    to: tuple[Id, ...] = ()


class AgeRoutesTo(Rule):
    """Some ages go straight to a kind of facility."""

    rule: Literal["age_routes_to"]
    ages: tuple[Age, ...] = Field(min_length=1)
    to: tuple[Id, ...] = Field(min_length=1)
    when: When | None = None


class RouteBy(Rule):
    """Finds one desk by district, mandate and readiness, and goes down a fall-back chain: nothing stays unrouted. Where the mandate
    is among the keys it holds down the chain, until only a desk that is open is looked for."""

    rule: Literal["route_by"]
    act: ActCode
    to: tuple[Id, ...] = Field(min_length=1)
    keys: tuple[Annotated[RoutingKey, BeforeValidator(OneOf(RoutingKey, "key of a route"))], ...] = Field(min_length=1)
    fall_back: tuple[Annotated[FallBack, BeforeValidator(OneOf(FallBack, "step of a fall-back"))], ...] = Field(min_length=1)


class ReadinessRequired(Rule):
    """Where calls are routed, a desk that says that it lacks what makes it ready gets none; or, with `is_routable_without`, it gets
    them, and the nearest desk that has the thing stands beside the call. It is asked there and nowhere else: nobody knows how the
    places of another agency stand, and whoever is at a door is received."""

    rule: Literal["readiness_required"]
    readiness: Id
    is_routable_without: YesNo = False  # of things alone: a room, a vehicle


class FeeBlocks(Rule):
    """A fee on what the programme gives free is a breach: it is never asked for, and care goes on."""

    rule: Literal["fee_blocks"]
    packages: tuple[Package, ...] = Field(min_length=1)


class FormVersionRequired(Rule):
    """Only the version of a report form that is in use is taken in; another is handed back with the reason."""

    rule: Literal["form_version_required"]
    act: ActCode
    form: Id


class StayLimit(Rule):
    """A stay has a limit, and a plan for afterwards before that. An alarm, never an eviction."""

    rule: Literal["stay_limit"]
    figures: ClassVar[tuple[str, ...]] = ("days", "plan_by_days", "hospital_counts")
    days: Days
    plan_by_days: Days
    hospital_counts: YesNo = False  # whether nights in hospital count
    extended_by: RoleCode


class MandateTransfer(Rule):
    """What lies outside a mandate is received all the same, and handed on warmly to whoever has it in the same country."""

    rule: Literal["mandate_transfer"]
    to: tuple[Id, ...] = Field(min_length=1)


class MustAccept(Rule):
    """These places turn nobody away: to send somebody on without writing it down is a breach."""

    rule: Literal["must_accept"]
    at: tuple[Id, ...] = Field(min_length=1)


class BlockedAct(Rule):
    """An act that does not exist here. An attempt is an alarm, but where the act is merely of no use."""

    rule: Literal["blocked_act"]
    act: ActCode
    when: When | None = None
    alarm: YesNo = True


class AbsentRoutesTo(Rule):
    """Where somebody's seat is empty, another kind of facility is proposed. Presence is reported, never assumed."""

    rule: Literal["absent_routes_to"]
    staff: Id
    to: tuple[Id, ...] = Field(min_length=1)
    packages: tuple[Package, ...] = ()


class ActNeeds(Rule):
    """An act needs something to be so first; with `may_follow`, it may be brought afterwards."""

    rule: Literal["act_needs"]
    act: ActCode
    facts: tuple[FactCode, ...] = Field(min_length=1)
    when: When | None = None
    may_follow: YesNo = False  # at `refer`, and of the order at `examine`: there somebody is told what lacks
    within_h: Hours | None = None  # of the order of an examination, where it may follow: in what time, before a post is told


class BreachWhen(Rule):
    """What must not happen: where the condition holds at an act, a post is told. The act itself goes on."""

    rule: Literal["breach_when"]
    figures: ClassVar[tuple[str, ...]] = ("within_h",)
    act: ActCode
    when: When
    within_h: Hours | None = None  # of what she asked back: how long until a watcher says so; left out: only people do


class FilesApart(Rule):
    """Whoever is also accused of something has another file for it, which nothing links to this one."""

    rule: Literal["files_apart"]


RULES: dict[str, type[Rule]] = {
    "certificate_required": CertificateRequired,
    "within_window": WithinWindow,
    "stock_needed": StockNeeded,
    "never_replaces_referral": NeverReplacesReferral,
    "repeat_warns": RepeatWarns,
    "suggest_when": SuggestWhen,
    "fast_track": FastTrack,
    "child_adds": ChildAdds,
    "age_routes_to": AgeRoutesTo,
    "route_by": RouteBy,
    "readiness_required": ReadinessRequired,
    "fee_blocks": FeeBlocks,
    "form_version_required": FormVersionRequired,
    "stay_limit": StayLimit,
    "mandate_transfer": MandateTransfer,
    "must_accept": MustAccept,
    "blocked_act": BlockedAct,
    "absent_routes_to": AbsentRoutesTo,
    "act_needs": ActNeeds,
    "breach_when": BreachWhen,
    "files_apart": FilesApart,
}

AnyRule = Annotated[
    CertificateRequired | WithinWindow | StockNeeded | NeverReplacesReferral | RepeatWarns | SuggestWhen | FastTrack | ChildAdds
    | AgeRoutesTo | RouteBy | ReadinessRequired | FeeBlocks | FormVersionRequired | StayLimit | MandateTransfer | MustAccept
    | BlockedAct | AbsentRoutesTo | ActNeeds | BreachWhen | FilesApart,
    Field(discriminator="rule"),
]  # fmt: skip
