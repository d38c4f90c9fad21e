"""Every column of every table lies sealed under a case's key, or is declared harmless here with its reason (decision 24).

Whoever adds a column must say which of the two it is; what is declared and does not exist any more fails too.
"""

import json
from typing import Any
from uuid import UUID

import pytest
from keystores import keystore_at
from sqlalchemy import Column, LargeBinary, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from services.kinds import MODULES, parts_of
from shared.casework import migrate as _every_shared_table  # noqa: F401
from shared.kit.sealed import ATTRIBUTE, Sealed, Under

_ = [parts_of(kind) for kind in MODULES]  # every agency's own tables


def each(names: str, reason: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), reason)


# What no table needs to say again: reasons by the name of a column, wherever it stands.
ANYWHERE: dict[str, str] = {
    **dict.fromkeys(
        [
            "id",
            "case_id",
            "circle",
            "account_id",
            "event_id",
            "subject",
            "referral_id",
            "after_referral",
            "incident_id",
            "walk_in_id",
            "consent_id",
            "message",
            "batch",
            "about",
            "device",
            "session_id",
            "after",
            "lane_key",
            "incarnation",
            "peer_incarnation",
            "ended",
            "opened",
            "heard_life",
            "in_place_of",
            "issued_event_id",
            "keystore",
            "complaint_id",
            "offender_id",
            "stay_id",
            "property_id",
        ],
        "a random id; the case numbers and names that it stands for are nowhere in the clear",
    ),
    **dict.fromkeys(
        [
            "opened_by",
            "recorded_by",
            "written_by",
            "released_by",
            "explained_by",
            "kept_by",
            "taken_by",
            "resolved_by",
            "entered_by",
            "printed_by",
            "assigned_by",
            "given_by",
            "placed_by",
            "lifted_by",
            "counted_by",
            "stated_by",
            "asked_by",
            "answered_by",
            "received_by",
            "ended_by",
        ],
        "the id of an account of this agency, who answers for the row",
    ),
    **dict.fromkeys(
        [
            "opened_at",
            "recorded_at",
            "written_at",
            "released_at",
            "kept_at",
            "taken_at",
            "resolved_at",
            "raised_at",
            "climbs_at",
            "entered_at",
            "printed_at",
            "assigned_at",
            "given_at",
            "said_at",
            "asked_at",
            "answered_at",
            "read_at",
            "created_at",
            "expires_at",
            "used_at",
            "seen_at",
            "locked_at",
            "left_at",
            "waits_until",
            "code_waits_until",
            "one_time_until",
            "from_at",
            "until_at",
            "kept_until",
            "announced_at",
            "laid_at",
            "received_at",
            "settled_at",
            "occurred_at",
            "sent_at",
            "delivered_at",
            "returned_at",
            "made_at",
            "heard_at",
            "spoke_at",
            "whole_since",
            "knows_since",
            "in_step_at",
            "behind_since",
            "last_heard_at",
            "last_stated_at",
            "trouble_since",
            "stated_at",
            "first_seen_at",
            "last_seen_at",
            "tried_at",
            "matched_at",
            "ended_at",
            "moved_at",
            "issued_at",
            "respond_by",
            "acknowledged_at",
            "accepted_at",
            "set_out_at",
            "told_by_phone_at",
            "arrived_at",
            "in_service_at",
            "came_at",
            "taken_back_at",
            "told_at",
            "signed_at",
            "placed_at",
            "lifted_at",
            "erased_at",
            "counted_at",
        ],
        "when something was done: lists, clocks and limits go by it; of what happened to her the times are sealed",
    ),
    **dict.fromkeys(
        [
            "facility",
            "desk",
            "from_facility",
            "to_facility",
            "agency",
            "recipient",
            "issuer",
            "sender",
            "peer",
            "post",
            "entered_for",
            "channel",
        ],
        "a place, post or agency of the network file: scopes and lists go by it",
    ),
    **each(
        "digest root leaf frontier root_after body_digest",
        "a digest",
    ),
    **dict.fromkeys(
        [
            "seq",
            "size",
            "held",
            "upto",
            "highest",
            "announced",
            "position",
            "feed_seq",
            "version",
            "circle_version",
            "dataversion",
            "last",
            "said_before",
            "seen_count",
            "asked_count",
            "forks_beyond",
            "traces_beyond",
            "knows_lines",
            "kafka_partition",
            "kafka_offset",
            "level",
            "failed_count",
            "code_failed_count",
            "pin_failed_count",
            "number_of",
            "year",
        ],
        "a number of the exchange or of a version",
    ),
    **dict.fromkeys(
        [
            "is_own",
            "is_open",
            "is_acute",
            "is_express",
            "is_bypassed",
            "is_withheld",
            "is_forked",
            "is_due",
            "is_home",
            "is_kept_back",
            "is_received",
            "is_current",
            "is_parked",
            "is_settled",
            "is_disabled",
            "needs_code",
            "must_renew",
            "interpreter",
            "feedback_agreed",
            "feedback",
        ],
        "a yes or no of the work, by which rows are found",
    ),
    **each(
        "kind type state direction urgency flags status page basis purpose how role",
        "a code of the published language or of the work, by which lists, checks and handlers find rows",
    ),
}

CODES_OF_LISTS = "codes of the published language, which lists and the watcher look for in the database; never words"
EXCHANGE = "the exchange's own, about places, streams and keys; nothing of it is about a person"
LEDGER = dict.fromkeys(
    ["number", "product", "expires_on", "quantity", "balance", "reason"],
    "a line of a ledger of products: what came and went of which batch. It names no case, and no case names it in the clear",
)
OF_PRODUCTS = "doses, batches and codes of a box or a parcel: of a station's month or of its request, never of a person"
HARMLESS: dict[str, dict[str, str]] = {
    "casework_accounts": {
        "name": "who signs in: an account of this agency, not a survivor",
        "password_hash": "a slow hash",
        "pin_hash": "a slow hash",
        "asked_code": "the number of a code on a card, not the code",
    },
    "casework_alarms": {"detail": "ids, peers and codes of the exchange; what a person writes is in resolution"},
    "casework_attempts": {"what": "which route was asked for, with no id in it", "inside_seq": EXCHANGE},
    "casework_card_codes": {"number": "the number of a code on a card, not the code"},
    "casework_case_reads": {"what": "which page or route was read, a code", "inside_seq": EXCHANGE},
    "casework_cases": {
        "number": "this agency's own running number",
        "assigned_to": "the id of an account of this agency, which looks after the case: who sees it is decided in the database",
        "told_under": "names of parts and ids of consents, not what the parts say",
        "not_counted": "a yes or no by which figures leave her out",
    },
    "casework_circle_members": {"shares_with": "agencies"},
    "casework_consents": {
        "items": CODES_OF_LISTS,
        "legal_duty": "the code of a duty of the programme",
        "prolonged_by": "the id of a newer consent of the same case",
    },
    "casework_consent_events": {
        "items": CODES_OF_LISTS,
        "legal_duty": "the code of a duty of the programme",
        "inside_seq": EXCHANGE,
    },
    "casework_drafts": {
        "path": "the address of a form, with ids only",
        "sealed": "sealed already, under the browser's cookie, which the database does not hold",
    },
    "casework_erasures": {"outcome": "destroyed or held, a code"},
    "casework_export_files": {
        "export_id": "a random id",
        "file": "encrypted already, to a key whose private half is nowhere here",
    },
    "casework_exports": {
        "what": "which kind of file, a code",
        "period": "a month, a quarter or a year",
        "recipient_key": "the public key of whoever may read the file",
        "inside_seq": EXCHANGE,
    },
    "casework_protocols": dict.fromkeys(
        ["topic", "from_on", "adopt_by", "text"], "a public document of the oversight body, and from when it holds"
    ),
    "casework_adoptions": dict.fromkeys(["topic", "adopted_on"], "which protocol a place works by, and since when"),
    "oversight_protocols": dict.fromkeys(
        ["topic", "from_on", "adopt_by", "text", "published_at", "published_by"],
        "a public document, and who of this agency published it",
    ),
    "oversight_adoptions": dict.fromkeys(["topic", "adopted_on"], "which protocol a place works by, and since when"),
    "oversight_figures": {
        "period": "a month or a quarter",
        "number": "the how-manieth release of it",
        "programme": "which programme, a code",
        "formulas": "the version of how cubes are counted",
        "shown": "what another agency published, with what is small hidden",
    },
    "casework_figure_releases": {
        "period": "a month, a quarter or a year",
        "number": "the how-manieth release of it",
        "shown": "what was published, with what is small hidden",
        "inside_seq": EXCHANGE,
    },
    "casework_hand_overs": {"open_items": "ids of referrals, cases and alarms, and how many"},
    "casework_idempotency": {
        "route": "method and path, with ids only",
        "key": "what a client chose for a repeat, at random",
        "names": "ids of records, as they stand in their own tables",
    },
    "casework_messages": {"answer": "passed on or not safe, a code; the list of open ones goes by it"},
    "casework_reports": dict.fromkeys(
        ["requested_at", "collected_at", "sign_by", "limit_at"],
        "clocks of a paper, by which lists, alarms and figures go; nothing of what it says, or of whoever is held",
    ),
    "casework_report_facts": {
        "report_id": "a random id",
        "step": "how far a paper has come, a code as the state of a referral; who, how and on what ground lie sealed",
    },
    "casework_opening_reviews": {
        "opening_id": "a random id",
        "was_right": "what a supervisor found of a colleague's looking",
        **dict.fromkeys(["reviewed_by", "reviewed_at"], "which account of this agency looked at it, and when"),
    },
    "casework_openings": {
        "why": "the code of a reason, of four",
        "second": "the id of an account of this agency, which agreed",
        "inside_seq": EXCHANGE,
    },
    "casework_place_news": dict.fromkeys(["staff", "has_female_staff", "waiting"], "about a place"),
    "casework_progress": {
        "code": "a coded step: what is to be told, handed over and counted is found by it (decision 26)",
        "is_ahead": "that a day may not have been yet: the week's calendar opens these, and on which day it is lies sealed",
        **dict.fromkeys(["off_occurred_at", "off_recorded_at"], "when a day was taken off: who is to be told is found by it"),
    },
    "casework_referral_facts": {},
    "casework_referrals": {
        "services": "which packages are asked for: lists and the check for what is asked twice go by it",
        "standing": CODES_OF_LISTS,
        "told": CODES_OF_LISTS,
        "arrival_code_hash": "a salted digest of a code that is good for some days, and tells nothing of her",
        "carries": "card, code or nothing",
    },
    "casework_said_again": {
        "item": CODES_OF_LISTS,
        "agreed": "a yes or no to one of these items, by which it is used or not",
    },
    "casework_sessions": {
        "csrf": "a random token of a session",
        "back_to": "the address of a form, with ids only",
        "language": "of the pages that an account reads",
    },
    "casework_sheet_counts": {},
    "casework_sheets": {"number": "printed on the sheet beforehand"},
    "casework_subscriptions": {"service": "a package of services that an account follows"},
    "exchange_directory_lines": {"number": EXCHANGE, "signed": "a peer's line of public keys"},
    "exchange_inbox": {
        "reason": "our own sentence, with codes, places and agencies in it",
        "reason_said": "the same with its codes apart",
    },
    "exchange_inside": {
        **dict.fromkeys(
            ["source", "row_key", "nodes", "logged_at"], "which row a leaf commits to, by its id, and roots over leaves"
        ),
        "salt": "random; what it is hashed with are ids and a code",
    },
    "exchange_inside_signatures": {"said_size": EXCHANGE, "signed": "a signature under numbers and roots"},
    "exchange_outbox": {"traceparent": "a random id"},
    "exchange_peers": {"trouble": EXCHANGE},
    "exchange_receipts": {"parked": EXCHANGE, "signed": "a signature under numbers and roots"},
    "exchange_recoveries": {"because": EXCHANGE},
    "exchange_signed_heads": {
        "log": "which log: what was said to whom, or what is done inside",
        **dict.fromkeys(["signed", "against"], "a statement: numbers, roots and ids, signed"),
    },
    "exchange_unopenable": {"topic": EXCHANGE, "reason": EXCHANGE},
    "health_store_entries": LEDGER,
    "health_station_requests": dict.fromkeys(
        ["station", "product", "quantity", "reason", "declined_because", "sent", "received"], OF_PRODUCTS
    ),
    "health_station_months": dict.fromkeys(["station", "product", "month", "data"], OF_PRODUCTS),
    "health_station_reports": dict.fromkeys(["station", "product", "code"], OF_PRODUCTS),
    "health_supervision_visits": dict.fromkeys(["station", "visited_on", "findings", "counted"], OF_PRODUCTS),
    "police_box_counts": {"of": "a random id", **dict.fromkeys(["counted", "book", "is_agreed"], OF_PRODUCTS)},
    "police_box_entries": LEDGER,
    "police_box_statements": dict.fromkeys(["product", "month", "data"], OF_PRODUCTS),
    "police_certificates": dict.fromkeys(
        [
            "certificate",
            "trained_on",
            "certified_on",
            "valid_until",
            "certified_by",
            "is_trainer",
            "trainer_id",
            "supervised_acts",
            "ended_on",
        ],
        "what a colleague may do: an account of this agency, not a survivor",
    ),
    "police_resupplies": dict.fromkeys(["product", "quantity", "reason", "declined_because", "sent", "received"], OF_PRODUCTS),
    "police_safety_reports": {
        "is_misuse": "which of two kinds, by which figures count; what it was, and of which product, is sealed",
    },
    "police_calls": {
        "what": "a report, a question, cut off or a wrong number: figures count by it",
        "district": "one of a programme's districts, which says no more than the desk that has the call",
        **dict.fromkeys(["step", "turns", "lacks"], "desks of the network file, how each was found and what it lacked"),
        "key_name": "a random id: of the call, or of its case",
        **dict.fromkeys(["seen_by", "merged_by"], "the id of an account of this agency, which answers for it"),
        **dict.fromkeys(["routed_at", "called_back_at"], "when the desk was found, and when somebody called back"),
        "merged_into": "a random id",
    },
    "health_specimens": {
        "code": "random, written on the sample: all that may be told of it",
        "state": "collected, sealed, handed over, a code: the list of what waits goes by it",
        "has_gap": "whether its chain has a gap: the list of what waits goes by it",
    },
    "health_custody_entries": {
        "specimen_id": "a random id",
        "number": "which line of its book",
        "act": "what happened, a code; who, where and which seal lie sealed",
    },
    "health_medical_certificates": {
        "number_index": "a keyed digest: the same for the same number, and without the keystore nothing else",
        "copy_kept": "whether the clinic kept a copy",
        "given_at": "when it was given into her hand",
    },
    "casework_conferences": {
        "key_name": "the name of a key: made out of random ids, or the case's",
        "caller": "which agency called it",
        "on_date": "the day on which agencies meet; of what lies sealed, and it goes with her consent",
        "part": "morning or afternoon of that day",
        "called_at": "when it was called",
        "answer": "whether this agency comes, a code",
    },
    "casework_conference_invitations": {
        "conference_id": "a random id",
        "answer": "whether that agency comes, a code",
        "withdrawn_at": "when the invitation went with her consent",
    },
    "social_welfare_plans": {
        "review_on": "the day on which a plan is looked at again: the list of what is due goes by it",
        "closed_at": "when it was closed; why lies sealed",
        "closed_by": "the id of an account of this agency",
    },
    "social_welfare_plan_versions": {"plan_id": "a random id", "number": "which version of its plan"},
    "social_welfare_plan_answers": {"version_id": "a random id"},
    "social_welfare_step_marks": {"plan_id": "a random id"},
    "social_welfare_visits": {
        "due_on": "the day of a visit: the list of what is due goes by it; how, when and what for lie sealed",
        "goes": "the id of an account of this agency",
        "second": "the id of an account of this agency",
        "knows": "a post, a code",
        "back_by": "when a worker says at the latest that she is back: the watcher goes by it",
        "back_at": "when she was",
        "return_id": "a random id",
    },
    "social_welfare_returns": {
        "assessed_at": "when the questions before a return were asked; what was answered lies sealed",
        "agreed_at": "when she answered; what she said lies sealed",
    },
    "social_welfare_outreach": {
        "district": "of a session, a public place",
        "held_on": "the day of a session",
        "reached": "how many people came, of nobody in particular",
        "total": "how many people came, of nobody in particular",
        "corrects": "a random id",
    },
    "health_follow_ups": {
        "due_on": "the day of a visit, which this agency set: the list of what is due goes by it; what it is for lies sealed",
        "state": "made, kept or not come yet, a code: the list of what is due goes by it",
        "is_told": "whether its day was recorded as the next clinic date",
    },
    "partner_afterwards": {
        "agreement": "the name of an agreement in the programme",
        "plan": "what is to become of a request when its agreement ends, a code of three: the list of what waits goes by it",
    },
    "justice_hearings": {"on_date": "the day of a hearing, which this agency set: its calendar is found by it"},
    "justice_verdicts": {},
    "justice_examinations": {
        "begun_at": "when it began: the clock of its order counts from it; what was found is nowhere",
        "done_at": "when it was over",
        "order_state": "there, owed, asked for or come, a code: the watcher and the list of what waits go by it",
        **dict.fromkeys(["order_due_at", "order_asked_at", "order_came_at"], "clocks of a paper; its number lies sealed"),
        "order_asked_of": "police, prosecutor or court, a code",
    },
    "justice_specimens": {
        "code": "random, written on the sample: all that may be told of it",
        "state": "collected, sealed, handed over, a code: the list of what waits goes by it",
        "has_gap": "whether its chain has a gap: the list of what waits goes by it",
    },
    "justice_custody_entries": {
        "specimen_id": "a random id",
        "number": "which line of its book",
        "act": "what happened, a code; who, where and which seal lie sealed",
    },
    "police_call_looks": {"call_id": "a random id", "what": "which page or route was read, a code"},
    "police_desk_states": dict.fromkeys(
        ["assets", "is_trained", "has_female_staff", "languages"], "about a desk, not about a person"
    ),
    "police_complaints": {"number_index": "a keyed digest: the same for the same number, and without the keystore nothing else"},
    "police_complaint_steps": {},
    "police_tellings": {
        "outcome": "told or not safe, a code; the list of what is to be told goes by it",
        "is_off": "of a day, or that it does not hold; the same list",
    },
    "police_offenders": {},
    "police_offender_entries": {"on_date": "the day of a visit to the station; who came and why lie sealed"},
    "police_offender_looks": {},
    "police_station_counter": {},
    "police_stations_known": dict.fromkeys(["station", "since"], "whose mother station this is, as the network file says"),
    "police_registrations": {
        "number": "which comes next at a station; of whom and of which case, only the id of the case beside it says",
        "what": "complaint or referral, a code",
    },
    "police_station_entries": {
        "station": "an agency of the network file",
        "number": "a station's own number, which names nobody",
        "what": "complaint or referral, a code",
    },
    "police_station_stated": {
        "station": "an agency of the network file",
        "number": "a station's own number, which names nobody",
        "how": "by phone or on a slip, a code",
        "corrects": "a random id of another such line",
    },
    "police_informed": {
        "on_date": "a day of which is counted how many were informed",
        "what": "what of, a code",
        "count": "how many, of nobody",
    },
    "police_stays": {
        "post": "a post of the place, not a person",
    },
    "police_stay_facts": {"kind": "a plan, a way to the hospital, an extension, the end, a code; where to and why lie sealed"},
    "police_stay_refusals": {},
    "police_property": {
        "number": "which line of the list of a case",
        "breached_at": "since when it is a breach that she has not got it",
    },
    "police_property_entries": {"act": "taken in, handed over, asked for, given back, a code; who signed lies sealed"},
    "police_own_words": {"digest": "a keyed digest of her word with the case's id: without the keystore it says nothing"},
    "police_enquiries": {
        "key_name": "a random id: of the enquiry, or of its case",
        "is_answered": "whether the word was right; who the caller claimed to be lies sealed",
    },
    "casework_register_numbers": {"record": "which register, as the profile names it"},
    "casework_register_entries": {
        "record": "which register of the profile",
        "key_name": "a random id: of the entry, or of its case",
        "entry_id": "a random id",
        "about": "a random id: of an incident or a request of the case",
        "keep_until": "how long the profile keeps an entry",
        "number": "a count of the register's entries, so that a gap shows",
    },
    "police_counsellings": {"interpreter": "whether somebody interpreted", "post": "a post of the place, not a person"},
    "police_seat_days": dict.fromkeys(
        ["seat", "on_date", "presence"], "about a seat, not about a person: no name stands beside it"
    ),
    "police_dockets": {"number_index": "a keyed digest: the same for the same number, and without the keystore nothing else"},
}


def columns() -> list[Column[Any]]:
    return [column for table in SQLModel.metadata.sorted_tables for column in table.columns]


def undeclared(column: Column[Any]) -> bool:
    return not isinstance(column.type, Sealed) and column.name not in HARMLESS.get(column.table.name, {}) | ANYWHERE


def test_every_column_is_sealed_or_declared_harmless_with_its_reason() -> None:
    wrong = [f"{c.table.name}.{c.name}" for c in columns() if undeclared(c)]
    assert not wrong, f"seal {wrong} with shared.kit.sealed.Sealed, or say in HARMLESS why not"


def test_a_new_column_is_seen() -> None:
    table = Table("casework_cases", SQLModel.metadata.__class__(), Column("alias", LargeBinary()), Column("id", LargeBinary()))
    assert [undeclared(column) for column in table.columns] == [True, False]


def test_nothing_is_declared_that_is_not_there_or_is_sealed() -> None:
    there = {f"{c.table.name}.{c.name}" for c in columns() if not isinstance(c.type, Sealed)}
    declared = {f"{table}.{name}" for table, reasons in HARMLESS.items() for name in reasons}
    assert not declared - there
    assert all(reason for reasons in (*HARMLESS.values(), ANYWHERE) for reason in reasons.values())


# What is bound to no row, each with its reason; everything else opens in its own person's rows alone.
UNBOUND = {
    "exchange_outbox.inner": "signed, with its event, place and recipient in it",
    "exchange_inbox.inner": "signed, with its event, place and recipient in it",
    "exchange_forks.inner": "signed, with its event, place and recipient in it",
    "casework_figure_releases.counted": "about nobody: what is counted",
    "casework_decoys.which": "about nobody: a made-up case",
    "casework_idempotency.answer": "under a key of its account and day, and gone after one",
}


def test_every_sealed_column_says_where_it_is_and_what_its_key_is_named_after() -> None:
    for column in columns():
        if isinstance(column.type, Sealed):
            assert column.type.label == f"{column.table.name}.{column.name}"
            assert column.nullable
            assert not column.type.by or column.type.by in column.table.columns
            assert not column.type.of or column.type.of in column.table.columns
            assert bool(column.type.of) != (column.type.label in UNBOUND), column.type.label


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])  # type: ignore[no-untyped-call]
def test_a_value_without_the_name_of_a_key_is_never_written(dialect: Any) -> None:
    setattr(dialect, ATTRIBUTE, keystore_at("architecture"))
    kind, case = Sealed("casework_notes.text", "case_id"), UUID(int=7)
    with pytest.raises(TypeError, match="without the name of its key"):
        kind.process_bind_param("words", dialect)
    with pytest.raises(TypeError, match="without what its row is about"):
        kind.process_bind_param(Under(case, "words"), dialect)
    held = kind.process_bind_param(Under(case, "words", case), dialect)
    assert held is not None
    assert json.dumps("words").encode() not in held
    brought = case.bytes + held
    read = brought.hex().encode() if dialect.name == "sqlite" else brought
    assert kind.process_result_value(read, dialect) == "words"
