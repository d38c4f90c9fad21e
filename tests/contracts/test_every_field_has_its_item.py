"""Nothing leaves without its item: every field of every event stands in the minimal data set, with its class and consent item."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, create_model

from shared.casework.sharing import OPENED_BY
from shared.contracts.casework import events, minimal_data
from shared.contracts.casework.codes import AgencyKind, ConsentItem, ProgressCode

P, H, W = AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE
WAYS = ((P, H), (P, W), (H, P), (H, W))

# The minimal data set as the practice guide has it, written down from the guide and not from the product: the class of a field, and
# the item under which it passes in each of the ways above. "-": never. "law": only where a law asks for it. "asked": only where she
# asks for what needs it. What the guide says of more than a field (which class is named, one report to one holder) is tested where
# it is kept.
GUIDE = """
    referral.issued circle                          A  req    req     req         req
    referral.issued pairwise_code                   A  req    req     req         req
    referral.issued from_facility                   A  req    req     req         req
    referral.issued to_facility                     A  req    req     req         req
    referral.issued respond_by                      A  req    req     req         req
    referral.issued services                        A  req    req     req         req
    referral.issued urgency                         A  req    req     req         req
    referral.issued windows.care                    A  req    -       -           -
    referral.issued windows.until                   A  req    -       -           -
    referral.issued needs.age_band                  A  needs  needs   needs       needs
    referral.issued needs.sex                       A  needs  needs   needs       needs
    referral.issued needs.language                  A  needs  needs   needs       needs
    referral.issued needs.interpreter               A  needs  needs   needs       needs
    referral.issued needs.access                    A  needs  needs   needs       needs
    referral.issued needs.staff_preference          A  needs  needs   needs       needs
    referral.issued child.assent                    A  req    req     law         req
    referral.issued child.safe_adult_present        A  req    req     law         req
    referral.issued child.legal_duty                A  req    req     law         req
    referral.issued incident_class                  S  type   type    type/asked  type
    referral.issued given.product                   C  given  -       -           -
    referral.issued given.given_at                  C  given  -       -           -
    referral.issued travel.mode                     A  req    req     -           req
    referral.issued travel.escort                   A  req    req     -           req
    referral.issued travel.expected_at              A  req    req     -           req
    referral.set_out mode                           A  req    req     -           req
    referral.set_out escort                         A  req    req     -           req
    referral.set_out expected_at                    A  req    req     -           req
    referral.issued dependants.age_bands            A  -      needs   -           needs
    referral.issued safety.safe_to_return           K  -      safety  safety/asked safety
    referral.issued safety.alone_on_phone           K  -      safety  safety/asked safety
    referral.issued relay.safe_hours                K  relay  relay   relay       relay
    referral.issued arrival_code_hash               A  req    req     req         req
    circle.referral_progress services               A  -      prog    -           prog
    circle.referral_progress state                  A  -      prog    -           prog
    case.progress protection_order                  A  -      prog    -           -
    case.progress hearing_date                      A  -      prog    -           -
    case.hearing_off on_date                        A  -      prog    -           -
    case.progress next_clinic_date                  A  -      -       -           fb
    referral.issued urgent_mental_health            C  -      -       -           given
    referral.issued report_form.form                A  req    -       -           -
    referral.issued report_form.form_version        A  req    -       -           -
    report.moved status                             A  -      -       fb          -
    referral.arrived facility                       A  fb     fb      fb          fb
    referral.closed outcome_code                    A  fb     fb      fb          fb
    referral.not_attended -                         A  fb     fb      fb          fb
    referral.set_out                -                       A  req    req     -           req
    referral.arrived                -                       A  fb     fb      fb          fb
    referral.in_service             -                       A  fb     fb      fb          fb
    referral.closed                 -                       A  fb     fb      fb          fb
    referral.came_without_referral  -                       A  fb     fb      fb          fb
    referral.came_without_referral  facility                A  fb     fb      fb          fb
    message.asked                   -                       K  relay  relay   relay       relay
    message.asked                   code                    K  relay  relay   relay       relay
    message.asked                   message                 K  relay  relay   relay       relay
    message.asked                   on_at                   K  relay  relay   relay       relay
    message.answered                -                       K  relay  relay   relay       relay
    message.answered                answer                  K  relay  relay   relay       relay
    message.answered                message                 K  relay  relay   relay       relay
    report.moved                    -                       A  -      -       fb          -
    report.moved                    form                    A  -      -       fb          -
    report.moved                    form_version            A  -      -       fb          -
    circle.announced                -                       A  req    req     req         req
    circle.announced                circle_version          A  req    req     req         req
    circle.referral_progress        -                       A  -      prog    -           prog
    circle.referral_progress        referral                A  -      prog    -           prog
    circle.referral_progress        to_agency               A  -      prog    -           prog
    case.hearing_off                -                       A  -      prog    -           -
"""

# What is said of her that the guide's table has no row for, as it was when somebody last looked at it, each event with its reason
# below: here the product is held to itself, and whoever changes it changes this with it.
NO_ROW = """
    referral.cancel_requested       -                       A  req    req     req         req
    referral.cancel_requested       reason_code             A  req    req     req         req
    referral.told_by_phone          -                       A  req    req     req         req
    referral.told_by_phone          post                    A  req    req     req         req
    referral.acknowledged           -                       A  req    req     req         req
    referral.accepted               -                       A  req    req     req         req
    referral.declined               -                       A  req    req     req         req
    referral.declined               next_agency             A  req    req     req         req
    referral.declined               next_facility           A  req    req     req         req
    referral.declined               reason_code             A  req    req     req         req
    referral.redirected             -                       A  req    req     req         req
    referral.redirected             to_facility             A  req    req     req         req
    referral.suggested              -                       A  req    req     req         req
    referral.suggested              to_agency               A  req    req     req         req
    referral.suggested              to_facility             A  req    req     req         req
    referral.arrived_in_error       -                       A  fb     fb      fb          fb
    referral.arrived_in_error       facility                A  fb     fb      fb          fb
    referral.arrived_in_error       stands                  A  fb     fb      fb          fb
    referral.on_hold                -                       A  req    req     req         req
    referral.on_hold                reason_code             A  fb     fb      fb          fb
    referral.resumed                -                       A  req    req     req         req
    referral.cancelled              -                       A  req    req     req         req
    referral.cancelled              reason_code             A  req    req     req         req
    referral.cancel_refused         -                       A  req    req     req         req
    referral.cancel_refused         stands                  A  req    req     req         req
    referral.no_feedback_by_choice  -                       A  req    req     req         req
    referral.ended_undisclosed      -                       A  req    req     req         req
    referral.transition_refused     -                       A  req    req     req         req
    referral.transition_refused     outcome_code            A  fb     fb      fb          fb
    referral.transition_refused     reason_code             A  req    req     req         req
    referral.transition_refused     refused                 A  req    req     req         req
    referral.transition_refused     stands                  A  req    req     req         req
    report.moved                    custody_code            A  -      -       fb          -
    report.moved                    post                    A  -      -       fb          -
    report.moved                    reason_code             A  -      -       fb          -
    conference.called               -                       A  -      -       -           -
    conference.called               agenda                  A  -      -       -           -
    conference.called               conference              A  -      -       -           -
    conference.called               facility                A  -      -       -           -
    conference.called               on_date                 A  -      -       -           -
    conference.called               part                    A  -      -       -           -
    conference.answered             -                       A  -      req     -           req
    conference.answered             answer                  A  -      req     -           req
    conference.answered             conference              A  -      req     -           req
    conference.decided              -                       A  -      -       -           -
    conference.decided              conference              A  -      -       -           -
    conference.decided              decisions.code          A  -      -       -           -
    conference.decided              decisions.due_on        A  -      -       -           -
    conference.decided              decisions.item          A  -      -       -           -
    conference.decided              decisions.responsible   A  -      -       -           -
    conference.decided              outcome                 A  -      -       -           -
    circle.announced                shares_with             A  prog   prog    prog        prog
    circle.place_closed             -                       A  req    req     req         req
    circle.place_closed             facility                A  req    req     req         req
"""
WHY_NO_ROW = {
    **dict.fromkeys(
        ("referral.acknowledged", "referral.accepted", "referral.declined", "referral.redirected", "referral.suggested",
         "referral.on_hold", "referral.resumed", "referral.cancel_requested", "referral.cancelled", "referral.cancel_refused",
         "referral.transition_refused", "referral.no_feedback_by_choice", "referral.ended_undisclosed"),
        "how the request itself goes on between the two who have it: that somebody has seen it, takes it, sends it on or ends it",
    ),
    "referral.told_by_phone": "the request again, said by telephone to a post: the guide's first rule",
    "referral.arrived_in_error": "takes back what was said under `fb`: nobody had come",
    "report.moved": "which post signed, why it waits, and the code of the hand-over: the table's row says status and custody only",
    **dict.fromkeys(
        ("conference.called", "conference.answered", "conference.decided"),
        "between welfare, which calls it, and whoever is asked: no way of the table; each item of an agenda has its own item",
    ),
    "circle.announced": "who else the teller shares with: the row of a request to another member, said of membership",
    "circle.place_closed": "that a place of the teller's is closed: about the place, said to a circle",
}  # fmt: skip
# Events about nobody: stock, protocols, figures, places, numbers of a station; and words about other words.
OF_NOBODY = {
    "place.announced", "supplies.requested", "supplies.sent", "supplies.declined", "supplies.received", "supplies.stated",
    "supplies.safety_reported", "protocol.published", "protocol.adopted", "figures.released", "station.registered",
    "consent.taken_back", "consent.ended", "consent.erased", "exchange.refused",
}  # fmt: skip

# What is said beyond the guide's table, and why.
BEYOND = {
    ("referral.issued", "basis"): "on what it rests: the guide's rule 2 for every sharing",
    ("referral.issued", "feedback_agreed"): "whether she agreed that the sender hears back",
    **{
        ("case.progress", str(code)): "a police milestone, as the item `prog` says"
        for code in (
            ProgressCode.COMPLAINT_REGISTERED, ProgressCode.STATEMENT_TAKEN, ProgressCode.CHARGED, ProgressCode.VERDICT,
            ProgressCode.COMPLAINT_WITHDRAWN, ProgressCode.COMPLAINT_REOPENED,
        )
    },
}  # fmt: skip
JUSTICE_TO_POLICE = (AgencyKind.JUSTICE, P)  # a prosecutor, whom the guide does not have, tells of charge, hearing and verdict


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold, behind tuples and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, UnionType, tuple, list} or get_args(annotation):
        for part in get_args(annotation):
            yield from models_in(part)


def paths(model: type[BaseModel]) -> Iterator[str]:
    """Every field that a model can say, by its path."""
    for name, field in model.model_fields.items():
        inner = [path for part in models_in(field.annotation) for path in paths(part)]
        yield from [f"{name}.{path}" for path in inner] or [name]


def unlisted(event: type[events.Event]) -> set[str]:
    return set(paths(event)) - minimal_data.SAID.get(event.type, {}).keys()


def test_every_field_of_every_event_is_listed_and_nothing_else_is() -> None:
    assert {event.type: unlisted(event) for event in events.EVENTS if unlisted(event)} == {}
    assert minimal_data.SAID.keys() == events.BY_TYPE.keys()
    for event in events.EVENTS:
        assert minimal_data.SAID[event.type].keys() - {""} == set(paths(event)), event.type


def test_a_field_that_nobody_listed_is_seen_wherever_it_stands() -> None:
    deeper: Any = create_model("Deeper", __base__=events.PersonNeeds, marital_status=(str, "unknown"))
    planted: Any = create_model("Planted", __base__=events.ReferralIssued, needs=(deeper | None, None), phone=(str | None, None))
    assert unlisted(planted) == {"needs.marital_status", "phone"}


def guided(table: str = GUIDE) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """Class and items of each line of the guide, or of what it has no row for."""
    lines = [line.split() for line in table.strip().splitlines()]
    return {(event, path): (of_class, tuple(items)) for event, path, of_class, *items in lines}


def as_said(event: str, path: str) -> tuple[str, tuple[str, ...]]:
    """The same of the product."""
    of_class = minimal_data.SAID[event]["code" if event == "case.progress" else path.replace("-", "")][0]
    return of_class, tuple(passing(event, path, way) for way in WAYS)


def passing(event: str, path: str, way: tuple[AgencyKind, AgencyKind]) -> str:
    """Under which item a field passes one way."""
    if way not in events.BY_TYPE[event].authority.ways:
        return "-"
    if event == "case.progress":
        return str(minimal_data.PROGRESS_CROSSES.get(way, {}).get(ProgressCode(path), "-"))
    item, field = str(minimal_data.SAID[event][path.replace("-", "")][1]), path.partition(".")[0]
    if event == "referral.issued" and field not in minimal_data.REQUEST_FIELDS | minimal_data.CROSSES[way].keys():
        return "-"
    if event == "referral.issued" and field == "child" and way in minimal_data.CHILD_NEEDS_LEGAL_BASIS:
        return "law"
    return f"{item}/asked" if event == "referral.issued" and (*way, field) in OPENED_BY else item


def test_what_passes_is_what_the_practice_guide_lists() -> None:
    for line, wanted in guided().items():
        assert as_said(*line) == wanted, line


def test_what_the_guide_has_no_row_for_passes_as_it_is_written_down_here_and_is_named_with_its_reason() -> None:
    no_row = guided(NO_ROW)
    for line, wanted in no_row.items():
        assert as_said(*line) == wanted, line
    assert {event for event, _path in no_row} == WHY_NO_ROW.keys()
    written_down = guided().keys() | no_row.keys() | BEYOND.keys()
    for name, said in minimal_data.SAID.items():
        if name == "case.progress":
            continue  # by its codes, below
        missing = {path for path in said if (name, path or "-") not in written_down}
        assert missing == (said.keys() if name in OF_NOBODY else set()), name
        assert name not in OF_NOBODY or {item for _class, item in said.values()} == {None}, name


def test_nothing_passes_that_the_practice_guide_does_not_list() -> None:
    listed = guided().keys() | BEYOND.keys()
    assert {("referral.issued", path) for path in paths(events.ReferralIssued)} - listed == set()
    assert {("referral.set_out", path) for path in paths(events.SetOut)} - listed == set()
    told = {("case.progress", str(code)) for rows in minimal_data.PROGRESS_CROSSES.values() for code in rows}
    assert told - listed == set()
    for _event, code in BEYOND.keys() & told:
        assert [passing("case.progress", code, way) for way in WAYS] == ["-", "prog", "-", "-"], code
    # A way that the guide does not have gets the request alone.
    assert minimal_data.CROSSES.keys() == set(WAYS)
    assert minimal_data.PROGRESS_CROSSES.keys() == {(P, W), (H, W), JUSTICE_TO_POLICE}
    assert set(minimal_data.PROGRESS_CROSSES[JUSTICE_TO_POLICE].values()) == {ConsentItem.PROG}
    assert {(P, W), (H, W)} == minimal_data.REFERRAL_PROGRESS_CROSSES


def test_a_field_passes_under_the_same_item_in_every_direction_that_lists_it() -> None:
    said = minimal_data.SAID[events.ReferralIssued.type]
    for direction, rows in minimal_data.CROSSES.items():
        for field, item in rows.items():
            under = {told for path, (_, told) in said.items() if path.split(".")[0] == field}
            assert under == {item}, (direction, field)
    for field, of_class in minimal_data.FIELD_CLASS.items():
        assert {kind for path, (kind, _) in said.items() if path.split(".")[0] == field} == {of_class}, field


def test_what_is_clinical_never_goes_to_the_police_and_what_is_never_said_has_no_field() -> None:
    clinical = {field for field, of_class in minimal_data.FIELD_CLASS.items() if of_class == "C"}
    for (_, to), rows in minimal_data.CROSSES.items():
        assert to is not AgencyKind.POLICE or not clinical & rows.keys()
    of_facts = {kind for said in minimal_data.SAID.values() for kind, _ in said.values()} - {"A", "K", "S", "C"}
    assert of_facts == set()
    outside_the_request = [
        (name, path) for name, said in minimal_data.SAID.items() for path, (kind, _) in said.items()
        if kind in {"C", "S"} and name != events.ReferralIssued.type
    ]  # fmt: skip
    assert outside_the_request == []
    never = {"name", "birth_date", "phone", "address", "suspect", "narrative", "hiv", "pregnancy", "marital_status", "photo"}
    named = {part for said in minimal_data.SAID.values() for path in said for part in path.split(".")}
    assert not never & named


def test_the_items_that_nothing_passes_under_are_these() -> None:
    used = {item for said in minimal_data.SAID.values() for _, item in said.values()}
    assert set(ConsentItem) - used == {ConsentItem.MLR, ConsentItem.STAT}  # hand to hand; and counted, not told
