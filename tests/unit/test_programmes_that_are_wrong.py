"""A profile that is wrong says so with file, line and field, in words for its writer: all mistakes at once, never a traceback."""

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.casework.codes import CareClock
from shared.programmes import (
    asked,
    care,
    in_vain,
    indicators,
    mistakes,
    places,
    profile,
    reading,
    records,
    references,
    staff,
    terms,
    vocabulary,
)
from shared.programmes.asked import CERTIFIED_AT
from shared.programmes.profile import PROFILES, Checked, ProfileError, check_file, load_programme

SKETCHES = Path(__file__).parents[1] / "support" / "programmes"
GOOD = (SKETCHES / "xx-anywhere.yaml").read_text()
JARGON = (
    "input should",
    "pydantic",
    "validation error",
    "valid dictionary",
    "instance of",
    "traceback",
    "keyerror",
    "nonetype",
    "cannot be used here",
)


def checked(tmp_path: Path, text: str | bytes) -> Checked:
    file = tmp_path / "xx-anywhere.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return check_file(file)


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


# What is written instead of what, where in the new text the mistake stands, in which field, and the sentence.
WRONG: dict[str, tuple[str, str, str, str, str]] = {
    "no number of hours": (
        "consent_days: 91",
        "consent_days: 91\nlimits: {acknowledge_h: {acute: soon, source: D}}",
        "limits:",
        "limits, acknowledge_h, acute",
        "'soon' is no number of hours; write one, as 1 or 0.5",
    ),
    "hours below nought": (
        "hours: 96",
        "hours: -4",
        "hours: -4",
        "windows, emergency_contraception, hours",
        "'-4' is too small or too large; write more than 0, and 100,000 at most",
    ),
    "a yes that is a text": (
        "inclusive: false",
        "inclusive: no",
        "inclusive: no",
        "windows, emergency_contraception, inclusive",
        "'no' is neither true nor false; write one of the two",
    ),
    "a field misspelt": (
        "    posts: [warden]",
        "    post: [warden]",
        "    post: [warden]",
        "facilities, lantern_home, post",
        "there is no field 'post' here; did you mean 'posts'?",
    ),
    "a field missing": (
        "  lantern: {kind: partner, name: Lantern trust, source: S2}",
        "  lantern: {kind: partner, source: S2}",
        "  lantern: {kind: partner",
        "agencies, lantern, name",
        "'name' is missing; add it",
    ),
    "a source missing": (
        "  lantern: {kind: partner, name: Lantern trust, source: S2}",
        "  lantern: {kind: partner, name: Lantern trust}",
        "  lantern: {kind: partner",
        "agencies, lantern, source",
        "'source' is missing; add it, as `source: S` (the report), `O19` (another published source), `K` (an assumption) or "
        "`D` (our design)",
    ),
    "a code misspelt": (
        "kind: health, name: Atoll",
        "kind: helth, name: Atoll",
        "kind: helth",
        "agencies, healers, kind",
        "'helth' is no kind of agency; did you mean 'health'?",
    ),
    "a package of no list": (
        "services: [prosecution]",
        "services: [singing]",
        "services: [singing]",
        "facilities, court_house, services, entry 1",
        "'singing' is no package of services; write one of: acute_care, child_protection, court_support, examination_and_report, "
        "family_visit, follow_up_care, injury_care, legal_aid, mental_health_care, prosecution, protection, psychosocial, …",
    ),
    "a package that its agency does not provide": (
        "services: [prosecution]",
        "services: [shelter]",
        "  court_house:",
        "facilities, court_house, services",
        "an agency of kind justice does not provide 'shelter'; write one of: examination_and_report, prosecution",
    ),
    "a number where a field's name is": (
        "assets: {boat: {name: Boat},",
        "assets: {boat: {name: Boat, 7: Boats},",
        "assets: {boat",
        "assets, boat, 7",
        "a number or an answer stands where a field's name is expected; write the name first",
    ),
    "a key twice": (
        "direction: rtl",
        "direction: rtl\ndirection: ltr",
        "direction: ltr",
        "direction",
        "'direction' stands twice, first in line 8; keep one of them",
    ),
    "a kind of facility that is not declared": (
        "to: [sick_bay, reef_clinic]",
        "to: [sick_bey, reef_clinic]",
        "  to_care:",
        "pathways, to_care, to",
        "there is no kind of facility 'sick_bey' in `facilities`; did you mean 'sick_bay'?",
    ),
    "a certificate that is not declared": (
        "certificate: listener, source",
        "certificate: hearer, source",
        "  certified:",
        "rules, certified, certificate",
        "there is no certificate 'hearer' in `certificates`; write one of: listener",
    ),
    "an asset that is not declared": (
        "assets: [closed_door], cert",
        "assets: [open_door], cert",
        "  room: {kind: quiet_room",
        "readiness, room, assets",
        "there is no asset 'open_door' in `assets`; did you mean 'closed_door'?",
    ),
    "a record that is not declared": (
        "    keep_days: 30",
        "    apart_from: [tide_book]",
        "    apart_from: [tide_book]",
        "records, tide_log, apart_from",
        "there is no record 'tide_book' in `records`; did you mean 'tide_log'?",
    ),
    "a post that nobody has": (
        "posts: [harbour_captain], certificates",
        "posts: [harbor_captain], certificates",
        "    readers: {posts",
        "records, tide_log, readers, posts",
        "there is no post 'harbor_captain' at a facility of 'guardians'; did you mean 'harbour_captain'?",
    ),
    "a rule of no vocabulary": (
        "rule: fee_blocks",
        "rule: fee_block",
        "  free: {rule",
        "rules, free",
        "'fee_block' is no rule of the vocabulary; did you mean 'fee_blocks'?",
    ),
    "a rule that does not say which": (
        "{rule: must_accept, at: [jetty_post], source: S2}",
        "{at: [jetty_post], source: S2}",
        "  no_one_away:",
        "rules, no_one_away",
        "it does not say which rule it is; add `rule:` and its name",
    ),
    "a parameter of a rule misspelt": (
        "extended_by: supervisor",
        "extended_bye: supervisor",
        "  house_stay:",
        "rules, house_stay, extended_bye",
        "there is no field 'extended_bye' here; did you mean 'extended_by'?",
    ),
    "an act of no list": (
        "act: store_address",
        "act: store_adress",
        "  no_address:",
        "rules, no_address, act",
        "'store_adress' is no act; did you mean 'store_address'?",
    ),
    "a fact of no list": (
        "facts: [police_order]",
        "facts: [police_orders]",
        "  order_may_follow:",
        "rules, order_may_follow, facts, entry 1",
        "'police_orders' is no fact; did you mean 'police_order'?",
    ),
    "a language of no shape": (
        "languages: [dv, ar, en]",
        "languages: [dv, arabic, en]",
        "languages: [dv, arabic",
        "languages, entry 2",
        "'arabic' is no language tag (BCP 47); write one, as en, fa-AF or uz-Arab",
    ),
    "a time zone of no name": (
        "time_zone: Indian/Maldives",
        "time_zone: Maldives",
        "time_zone: Maldives",
        "time_zone",
        "'Maldives' is not the IANA name of a time zone, as Africa/Lusaka is",
    ),
    "a country in words": (
        "country: XX",
        "country: Anywhere",
        "country: Anywhere",
        "country",
        "'Anywhere' is no country code (ISO 3166-1); write two capitals, as ZM",
    ),
    "an opening time of no shape": (
        'hours: "06:00-22:00"',
        "hours: all day",
        "  care_to_room:",
        "pathways, care_to_room, hours",
        '\'all day\' is no opening time; write "24 h", or as "08:00-16:00"',
    ),
    "a day of the week that there is not": (
        "source: {count: S2, places: S2}",
        "open_days: [mondays, tuesday]\n    source: {count: S2, places: S2}",
        "open_days: [mondays",
        "facilities, family_house, open_days, entry 1",
        "'mondays' is no day of the week; did you mean 'monday'?",
    ),
    "a hotline of which no rule says where its calls go": (
        "one_room: {rule: route_by, act: route_call",
        "one_room: {rule: route_by, act: refer",
        "hotline:",
        "hotline",
        "0 rules say where its calls go; write exactly one `route_by` for `route_call`",
    ),
    "a telephone number without its marks": (
        'number: "1900"',
        "number: 1900",
        "  number: 1900",
        "hotline, number",
        "'1900' is no telephone number; write digits in quotation marks, as \"3512\"",
    ),
    "a short name that is none": (
        "  bench: {kind",
        "  Bench!: {kind",
        "  Bench!",
        "agencies, Bench!",
        "'Bench!' is no short name; write small letters, digits and _, as vsu_station",
    ),
    "a mapping where a list is": (
        "languages: [dv, ar, en]",
        "languages: {dv: 1}",
        "languages: {dv",
        "languages",
        "a mapping stands where a list is expected; write it in brackets, as [a, b]",
    ),
    "a word where fields are": (
        "assets: {boat: {name: Boat},",
        "assets: {boat: Boat,",
        "assets: {boat: Boat",
        "assets, boat",
        "'Boat' stands where fields are expected; write them beneath, each on a line of its own",
    ),
    "an empty list": (
        "languages: [dv, ar, en]",
        "languages: []",
        "languages: []",
        "languages",
        "it is empty; it needs one entry at least",
    ),
    "a source of no shape": (
        "  bench: {kind: justice, name: Atoll court, source: S2}",
        "  bench: {kind: justice, name: Atoll court, source: hearsay}",
        "  bench:",
        "agencies, bench, source",
        "'hearsay' is no source; write S (the programme's report), O and a number (another published source), "
        "K (an assumption) or D (our design), and words after a colon where they help",
    ),
    "a source that nobody explains": (
        "  bench: {kind: justice, name: Atoll court, source: S2}",
        "  bench: {kind: justice, name: Atoll court, source: O77}",
        "  bench:",
        "agencies, bench, source",
        "the source O77 is not explained; add it to `sources`, with what it is",
    ),
    "a source for some figures only": (
        "source: {count: S2, places: S2}",
        "source: {count: S2}",
        "  family_house:",
        "facilities, family_house",
        "its source does not say where places comes from; add it, as {places: D}",
    ),
    "a source of a figure that is not there": (
        "source: {count: S2, places: S2}",
        "source: {count: S2, places: S2, doors: S2}",
        "  family_house:",
        "facilities, family_house",
        "its source speaks of 'doors', which it does not have; write one of: agency, assets, colocated_with, count, hub, "
        "is_specialist, mandate, mode, name, open_days, open_hours, places, …",
    ),
    "a figure of the base changed without a source": (
        "consent_days: 91",
        "consent_days: 91\nlimits: {acknowledge_h: {acute: 2}}",
        "limits:",
        "limits, acknowledge_h, acute",
        "it changes '1' and does not say where '2' comes from; add its `source:`",
    ),
    "days that no page offers": (
        "consent_days: 91",
        "consent_days: 90",
        "consent_days: 90",
        "consent_days",
        "'90' is none of 30, 91, 182, 365, which the page that asks her offers",
    ),
    "a period of one year": (
        "period: [2020, 2030]",
        "period: 2020",
        "period: 2020",
        "period",
        "'2020' is no period; write its first and last year, as [2005, 2008]",
    ),
    "a period that ends before it begins": (
        "period: [2020, 2030]",
        "period: [2030, 2020]",
        "period: [2030",
        "period",
        "it ends in 2020, before it begins",
    ),
    "more places named than there are": (
        "    name: Quiet room\n    count: 2",
        "    name: Quiet room\n    count: 0",
        "    count: 0",
        "facilities, quiet_room, count",
        "there are 0, and 1 are named: harbour_room",
    ),
    "a hub of another agency": (
        "    hub: sick_bay",
        "    hub: jetty_post",
        "    hub: jetty_post",
        "facilities, reef_clinic, hub",
        "its hub 'jetty_post' is no kind of the same agency that is online",
    ),
    "a pathway to nobody who has it": (
        "packages: [acute_care, injury_care], urgency",
        "packages: [acute_care, legal_aid], urgency",
        "  to_care:",
        "pathways, to_care, packages",
        "'legal_aid' is offered by none of sick_bay, reef_clinic; add it to their `services`",
    ),
    "a deadline of a rule that has none": (
        "before: house_stay",
        "before: no_address",
        "  onward:",
        "pathways, onward, before",
        "'no_address' has no deadline; name a rule that is a stay_limit",
    ),
    "a plan after the limit": (
        "plan_by_days: 6,",
        "plan_by_days: 16,",
        "  house_stay:",
        "rules, house_stay, plan_by_days",
        "the plan is due on day 16, after the limit of 10 days",
    ),
    "a formula without what it needs": (
        "formula: rate, of: stays_within_limit, over: stays,",
        "formula: rate, of: stays_within_limit,",
        "  stays_kept:",
        "indicators, stays_kept",
        "the formula rate needs of, over; over is missing",
    ),
    "a formula with what it does not have": (
        "formula: count, of: facilities, kind",
        "formula: count, of: facilities, within_h: 3, kind",
        "  rooms: {name",
        "indicators, rooms",
        "the formula count has no within_h; leave it out",
    ),
    "a measure of no list": (
        "of: stays_within_limit",
        "of: stay_within_limit",
        "  stays_kept: {name",
        "indicators, stays_kept, of",
        "'stay_within_limit' is no measure; did you mean 'stays_within_limit'?",
    ),
    "an expectation of no indicator": (
        "expect:\n  rooms:",
        "expect:\n  roms:",
        "  roms:",
        "expect, roms",
        "there is no indicator 'roms' in `indicators`; did you mean 'rooms'?",
    ),
    "a fact without a report": (
        "value: 2, why: fact, source: S2",
        "value: 2, why: fact, source: D",
        "  rooms: {value",
        "expect, rooms",
        "it is called a fact, and its source is none; name the report (S, O…), or write `why: design`",
    ),
    "a zero target that is not 0": (
        "value: 2, why: fact, source: S2",
        "value: 2, why: zero_target, source: D",
        "  rooms: {value",
        "expect, rooms",
        "a zero target is 0, and this is 2; write 0, or `why: design`",
    ),
    "a made-up series that is called a fact": (
        "is: synthetic, source: D",
        "is: fact, source: D",
        "  reports: {measure",
        "replay, reports",
        "it is called a fact, and its source is none; name the report (S, O…), or write `is: synthetic`",
    ),
    "a series of another length": (
        "numbers: {2021: [3, 2]}",
        "numbers: {2021: [3, 2, 1]}",
        "  reports: {measure",
        "replay, reports, numbers, 2021",
        "3 numbers stand here for the 2 of 'quiet_room'; write one for each",
    ),
    "a choice without choices": (
        "type: choice, choices: {boat: Boat, swam: Swam}, required",
        "type: choice, required",
        "      came_by:",
        "records, tide_log, fields, came_by",
        "a choice takes either its own `choices` or a list of `codes`, one of the two",
    ),
    "a text with choices": (
        "type: local_text, readers",
        "type: local_text, codes: sex, readers",
        "      told:",
        "records, tide_log, fields, told",
        "a field of type local_text has no choices; write `type: choice`, or leave them out",
    ),
    "a date with a most": (
        "type: place}",
        "type: place, most: 3}",
        "      where_to:",
        "records, tide_log, fields, where_to",
        "a field of type place has no least and most; only a count, or hours, has",
    ),
    "a least above its most": (
        "least: 1, most: 40",
        "least: 50, most: 40",
        "      people:",
        "records, tide_log, fields, people",
        "its least, 50, is more than its most, 40",
    ),
    "a type of field of no list": (
        "type: local_text, readers",
        "type: local_tekst, readers",
        "      told:",
        "records, tide_log, fields, told, type",
        "'local_tekst' is no type of a field; did you mean 'local_text'?",
    ),
    "a telephone number that would be kept": (
        "  answer_s: 20",
        "  answer_s: 20\n  caller_id_stored: true",
        "  caller_id_stored: true",
        "hotline, caller_id_stored",
        "the number that she calls from is kept nowhere; write false, or leave it out",
    ),
    "a call that goes to a clinic": (
        "to: [quiet_room], keys",
        "to: [quiet_room, sick_bay], keys",
        "  one_room:",
        "rules, one_room, to",
        "a call goes to a place of 'guardians', and 'sick_bay' is one of 'healers'; what is referred has a pathway",
    ),
    "a call that a clinic answers": (
        "  at: [quiet_room]",
        "  at: [sick_bay]",
        "  at: [sick_bay]",
        "hotline, at",
        "a call is answered at a place of 'guardians', and 'sick_bay' is one of 'healers'; what is referred has a pathway",
    ),
    "a route of something else": (
        "act: route_call, to",
        "act: refer, to",
        "  one_room:",
        "rules, one_room, act",
        "only calls are routed, and this is about 'refer'; write `act: route_call`, or a pathway for what is referred",
    ),
    "a thing that no desk of the kind has": (
        "assets: [closed_door], certificates",
        "assets: [closed_door, boat], certificates",
        "  room: {kind",
        "readiness, room, assets",
        "'quiet_room' does not have 'boat'; add it to its `assets`, or leave it out",
    ),
    "a product that anybody would give": (
        "rule: certificate_required, act: dispense_emergency_contraception",
        "rule: certificate_required, act: train_others",
        "  in_time:",
        "rules, in_time, act",
        "nobody may do 'dispense_emergency_contraception' yet; add a `certificate_required` that says with which certificate",
    ),
    "a certificate that nobody keeps": (
        "  certified: {rule:",
        "  found_able: {rule: certificate_required, act: examine, certificate: listener, source: S2}\n  certified: {rule:",
        "  found_able:",
        "rules, found_able, act",
        f"nobody's certificates are looked at for 'examine'; write one of: {', '.join(sorted(CERTIFIED_AT))}",
    ),
    "the product of another act": (
        "product: emergency_contraception, otherwise",
        "product: pep_starter, otherwise",
        "  in_the_box:",
        "rules, in_the_box, product",
        "'dispense_emergency_contraception' gives 'emergency_contraception', and not 'pep_starter'",
    ),
    "the window of another act": (
        "window: emergency_contraception, source",
        "window: pep, source",
        "  in_time:",
        "rules, in_time, window",
        "the window of 'dispense_emergency_contraception' is 'emergency_contraception', and not 'pep'",
    ),
    "a share in per cent": (
        "indicators:\n",
        "indicators:\n  sites: {name: Sites, formula: sites_ge, of: referrals_served, over: referrals_issued, at_least: 95}\n",
        "  sites: {name",
        "indicators, sites, at_least",
        "'95' is no share; write more than 0 and at most 1, as 0.95 for 95 %",
    ),
    "a share above the whole": (
        "stays_kept: {value: 0.9,",
        "stays_kept: {value: 90,",
        "  stays_kept: {value",
        "expect, stays_kept, value",
        "'90' cannot come of the formula rate; write 0 to 1",
    ),
    "a count below nought": (
        "rooms: {value: 2, why",
        "rooms: {value: -2, why",
        "  rooms: {value: -2",
        "expect, rooms, value",
        "'-2' cannot come of the formula count; write 0 or more",
    ),
    "a band in which nothing lies": (
        "indicators:\n",
        "indicators:\n  early: {name: Early, formula: timely, durations: report_delay, after_h: 72, within_h: 72}\n",
        "  early: {name",
        "indicators, early",
        "nothing is above 72 and within 72 hours; write an after_h below within_h",
    ),
    "a kind that would count twice": (
        "indicators:\n",
        "indicators:\n  posts: {name: Posts, formula: count, of: facilities, kinds: [jetty_post, quiet_room, jetty_post]}\n",
        "  posts: {name",
        "indicators, posts",
        "'jetty_post' stands twice in kinds, and would count twice; keep one of them",
    ),
    "a window longer than any that is published": (
        "hours: 96",
        "hours: 121",
        "hours: 121",
        "windows, emergency_contraception, hours",
        "'121' is longer than any published limit of 'emergency_contraception'; write 120 or less",
    ),
    "a window of PEP longer than any that is published": (
        "windows:\n",
        "windows:\n  pep: {hours: 73, source: S2}\n",
        "  pep: {hours",
        "windows, pep, hours",
        "'73' is longer than any published limit of 'pep'; write 72 or less",
    ),
    "a second limit of a stay": (
        "rules:\n",
        "rules:\n  first_stay: {rule: stay_limit, days: 20, plan_by_days: 3, extended_by: supervisor, source: D}\n",
        "  house_stay:",
        "rules, house_stay",
        "a stay has one limit, and 'first_stay' says it; leave one of the two out",
    ),
    "an age that goes where nothing is open": (
        "ages: [0-9, 10-14], to: [sick_bay]",
        "ages: [0-9, 10-14], to: [lantern_home_to_come]",
        "  small_ones:",
        "rules, small_ones, to",
        "no place of these kinds is open, so that nobody is there; name one that is",
    ),
    "hours that end when they begin": (
        '"06:00-22:00"',
        '"06:00-06:00"',
        '"06:00-06:00"',
        "pathways, care_to_room, hours",
        '\'06:00-06:00\' ends when it begins; write "24 h" for day and night, or as "08:00-16:00"',
    ),
    "a year that is not replayed": (
        "indicators:\n",
        "indicators:\n  change: {name: Change, formula: change_pct, of: reports, year: 2021, since: 2020}\n",
        "  change: {name",
        "indicators, change, since",
        "the replay of 'reports' has no numbers of 2020; it has them of 2021",
    ),
    "a year outside the period": (
        "indicators:\n",
        "indicators:\n  change: {name: Change, formula: change_pct, of: stays, year: 2021, since: 2019}\n",
        "  change: {name",
        "indicators, change, since",
        "2019 lies outside the programme's period, 2020 to 2030",
    ),
    "a need that nobody can show": (
        "act: examine, facts: [police_order], may_follow: true",
        "act: refer, facts: [police_order]",
        "  order_may_follow:",
        "rules, order_may_follow, facts",
        "nobody can show 'police_order' at 'refer', so it would lack for ever; known there: assent, caregiver_suspected, hurt_now, "
        "safe_adult",
    ),
    "a condition of which nobody knows": (
        "when: {without: [hurt_now]}",
        "when: {without: [signed]}",
        "  unhurt:",
        "rules, unhurt, when, without",
        "nobody tells 'signed' where this is asked, so nobody can know it; told there: assent, caregiver_suspected, hurt_now, "
        "safe_adult",
    ),
    "a condition of a pathway of which nobody knows": (
        "packages: [prosecution], respond_h: 24",
        "packages: [prosecution], when: {facts: [signed]}, respond_h: 24",
        "  to_court:",
        "pathways, to_court, when, facts",
        "nobody tells 'signed' where this is asked, so nobody can know it; told there: assent, caregiver_suspected, hurt_now, "
        "safe_adult",
    ),
    "a queue by what nobody has asked yet": (
        "when: {incidents: [rape]}",
        "when: {facts: [hurt_now]}",
        "  at_once:",
        "rules, at_once, when, facts",
        "nobody tells 'hurt_now' where this is asked, so nobody can know it; told there: nothing",
    ),
    "a consent without a request": (
        "consent_days: 91",
        "consent_days: 91\nconsent_presets: {partner: [needs]}",
        "consent_presets:",
        "consent_presets, partner",
        "without `req` nothing can be asked of them; write it first",
    ),
    "a series that cannot be replayed": (
        "measure: reports, kind",
        "measure: mediations, kind",
        "  reports: {measure",
        "replay, reports, measure",
        "'mediations' cannot be replayed; write one of: calls, cases_referred_to_health, doses, reports, "
        "reports_sexual_violence, stays",
    ),
    "a band with neither end": (
        "indicators:\n",
        "indicators:\n  early: {name: Early, formula: timely, durations: report_delay}\n",
        "  early: {name",
        "indicators, early",
        "the formula timely needs within_h, after_h or both; both are missing",
    ),
    "a place without a ladder of posts": (
        "services: [prosecution], posts: [clerk], source",
        "services: [prosecution], source",
        "  court_house:",
        "facilities, court_house, posts",
        "'posts' is missing; add it, as `posts: [duty_officer, inspector]`, the lowest first",
    ),
    "a programme's name of no shape": (
        "id: xx-anywhere",
        "id: Any_Where",
        "id: Any",
        "id",
        "'Any_Where' is no programme's name; write small letters, digits and -, as zm-vsu-ec",
    ),
    "a tag of a source of no shape": (
        "sources: {S2:",
        "sources: {Q7: A rumour, S2:",
        "sources: {Q7",
        "sources, Q7",
        "'Q7' is no source's tag; write S, or O and a number, as O19",
    ),
    "a field without its colon": (
        "direction: rtl",
        "direction rtl",
        "time_zone:",
        "",
        "it is no YAML here: look at the spaces before the words of this line and of the one above, and at colons and brackets",
    ),
    "an open quotation mark": (
        'hours: "06:00-22:00"',
        'hours: "06:00-22:00',
        "  care_to_room:",
        "",
        "a quotation mark is not closed",
    ),
    "a list where a field's name is": (
        "assets: {boat: {name: Boat},",
        "assets: {[boat]: {name: Boat},",
        "assets: {[boat]",
        "assets",
        "a field's name is a word, not a list or a mapping",
    ),
    "an agreement about a place of somebody else": (
        "windows:\n",
        "agreements:\n  home: {partner: lantern, signed_with: [hearth], begins_on: 2021-01-01, services: [shelter], "
        "facilities: [lantern_hall], source: S2}\nwindows:\n",
        "  home: {partner",
        "agreements, home, facilities",
        "there is no kind of facility, and no place, 'lantern_hall' of 'lantern'; did you mean 'lantern_home'?",
    ),
    "an agreement with whoever is no partner": (
        "windows:\n",
        "agreements:\n  home: {partner: healers, signed_with: [hearth], begins_on: 2021-01-01, services: [shelter], source: S2}\n"
        "windows:\n",
        "  home: {partner",
        "agreements, home, partner",
        "'healers' is of kind health; an agreement is with an agency of kind partner",
    ),
    "an agreement that ends before it begins": (
        "windows:\n",
        "agreements:\n  home: {partner: lantern, signed_with: [hearth], begins_on: 2021-01-01, ends_on: 2020-12-31, "
        "services: [shelter], source: S2}\nwindows:\n",
        "  home: {partner",
        "agreements, home, ends_on",
        "it ends on 2020-12-31, before it begins",
    ),
    "an agreement about what no partner provides": (
        "windows:\n",
        "agreements:\n  home: {partner: lantern, signed_with: [hearth], begins_on: 2021-01-01, "
        "services: [acute_care], source: S2}\nwindows:\n",
        "  home: {partner",
        "agreements, home, services",
        "an agency of kind partner does not provide 'acute_care'",
    ),
    "an agreement from no day on": (
        "windows:\n",
        "agreements:\n  home: {partner: lantern, signed_with: [hearth], begins_on: soon, services: [shelter], source: S2}\n"
        "windows:\n",
        "  home: {partner",
        "agreements, home, begins_on",
        "'soon' is no day; write year, month and day, as 2010-03-31",
    ),
    "a pathway to whoever offers nothing of it": (
        "to: [court_house], packages",
        "to: [court_house, family_house], packages",
        "  to_court:",
        "pathways, to_court, to",
        "'family_house' offers nothing of what is asked for; leave it out, or add to its `services`",
    ),
    "a form where none is declared": (
        "report_forms:\n  atoll_form: {name: Atoll form, version: 4, signers: [healer], detention_limit_days: 7, "
        "sign_within_h: 48, fee: 0, source: S2}\n",
        "",
        "  form_in_use:",
        "rules, form_in_use, form",
        "there is no report form 'atoll_form' in `report_forms`; there is none to name yet",
    ),
    "a name that is a number": (
        "{name: Atoll form,",
        "{name: 7,",
        "  atoll_form:",
        "report_forms, atoll_form, name",
        "'7' is no text; write some words, in quotation marks where they hold a colon",
    ),
    "a text without end": (
        "{name: Atoll form,",
        f"{{name: {'Atoll' * 81},",
        "  atoll_form:",
        "report_forms, atoll_form, name",
        "the text has 405 characters; 400 is the most",
    ),
    "a name in no language": (
        "{name: Atoll form,",
        "{name: {},",
        "  atoll_form:",
        "report_forms, atoll_form, name",
        "it is empty; write a text, or one for each language, as {en: Clinic, fr: Clinique}",
    ),
    "an empty list of sources": (
        "  bench: {kind: justice, name: Atoll court, source: S2}",
        "  bench: {kind: justice, name: Atoll court, source: []}",
        "  bench:",
        "agencies, bench, source",
        "it is empty; write where the figure comes from, as S or D",
    ),
    "a tab": (
        "direction: rtl",
        "\tdirection: rtl",
        "\tdirection",
        "",
        "a tab stands where spaces must; put two spaces for each step inwards",
    ),
    "an anchor of nobody": (
        "direction: rtl",
        "direction: *writing",
        "direction: *writing",
        "",
        "it uses an anchor that is not set before; write the value out",
    ),
    "a merge": (
        "assets: {boat",
        "assets: {<<: {oar: {name: Oar}}, boat",
        "assets: {<<",
        "assets",
        "`<<` is not used here; a profile that shares something says `extends:`",
    ),
    "an instruction": (
        "direction: rtl",
        "direction: !!python/object/apply:os.system [rtl]",
        "direction: !!python",
        "direction",
        "'tag:yaml.org,2002:python/object/apply:os' is an instruction to a program; write the value alone",
    ),
    "an instruction about a word": (
        "direction: rtl",
        "direction: !rtl rtl",
        "direction: !rtl",
        "direction",
        "'!rtl' is an instruction to a program; write the value alone",
    ),
    "an open bracket": (
        "languages: [dv, ar, en]",
        "languages: [dv, ar, en",
        "direction: rtl",
        "",
        "a bracket [ or { is not closed, or a comma is missing",
    ),
    "a colon in a text": (
        "  hearth: {kind: social_welfare, name: House of families,",
        "  hearth:\n    kind: a: b\n  hearths: {",
        "    kind: a: b",
        "",
        "a colon stands within a value; put the value in quotation marks, or look at the line before",
    ),
    "a base that is not there": (
        "extends: base",
        "extends: bass",
        "extends: bass",
        "extends",
        "'bass' is no profile; known are: af-fru, base, bd-vsc, latam-wps, rw-gender-desk, sl-fsu, zm-vsu-ec",
    ),
    "a base that is itself": (
        "extends: base",
        "extends: xx-anywhere",
        "extends: xx-anywhere",
        "extends",
        "it extends itself in a circle; name a profile that stands by itself",
    ),
    "a base that is a list": (
        "extends: base",
        "extends: [base]",
        "extends: [base]",
        "extends",
        "a list is no profile; known are: af-fru, base, bd-vsc, latam-wps, rw-gender-desk, sl-fsu, zm-vsu-ec",
    ),
    "a condition that says nothing": (
        "when: {without: [hurt_now]}",
        "when: {}",
        "  unhurt:",
        "rules, unhurt, when",
        "it says nothing; write a line of it, or leave it out",
    ),
    "a condition of what nobody knows of her": (
        "when: {without: [hurt_now]}",
        "when: {ages: [unknown]}",
        "  unhurt:",
        "rules, unhurt, when",
        "'unknown' is what is not known, and a condition holds of what is known; leave it out",
    ),
    "a child of thirty": (
        "when: {without: [hurt_now]}",
        "when: {child: true, ages: [10-14, 25-49]}",
        "  unhurt:",
        "rules, unhurt, when",
        "it names '25-49' and says `child: true`; leave one of the two out",
    ),
    "a fact that is so and is not so": (
        "when: {without: [hurt_now]}",
        "when: {facts: [hurt_now], without: [hurt_now]}",
        "  unhurt:",
        "rules, unhurt, when",
        "'hurt_now' cannot be so and not be so; leave it out of `facts` or of `without`",
    ),
    "a time that is later and sooner": (
        "when: {without: [hurt_now]}",
        "when: {after_h: 72, within_h: 72}",
        "  unhurt:",
        "rules, unhurt, when",
        "no time is later than 72 and within 72 hours; write an after_h below within_h",
    ),
    "what is acute after what is urgent": (
        "consent_days: 91",
        "consent_days: 91\nlimits: {acknowledge_h: {acute: 30, source: D}}",
        "limits:",
        "limits, acknowledge_h",
        "acute, 30 hours, is more than urgent, 24; what is sooner may not take longer",
    ),
    "lost before anybody is told that it stands still": (
        "consent_days: 91",
        "consent_days: 91\nlimits: {lapse_h: {routine: 200, source: D}}",
        "limits:",
        "limits, lapse_h, routine",
        "`stalled_h`, 336 hours, is above `lapse_h`, 200; what comes first may not take longer",
    ),
    "what is acute open after the window of care": (
        "consent_days: 91",
        "consent_days: 91\nlimits: {lapse_h: {acute: 73, source: D}}",
        "limits:",
        "limits, lapse_h, acute",
        "after 73 hours is too late to say that a request may be lost; write 72 or less",
    ),
    "what is open for years": (
        "consent_days: 91",
        "consent_days: 91\nlimits: {lapse_h: {routine: 20000, source: D}}",
        "limits:",
        "limits, lapse_h, routine",
        "after 20000 hours is too late to say that a request may be lost; write 2,160 or less",
    ),
    "an alarm at no value": (
        "alarm: {below: 1, source: D}",
        "alarm: {source: D}",
        "  stays_kept: {name",
        "indicators, stays_kept, alarm",
        "it has neither below nor above, so that nobody would ever be told; write one of them",
    ),
    "an alarm at every value": (
        "alarm: {below: 1, source: D}",
        "alarm: {below: 0.9, above: 0.5, source: D}",
        "  stays_kept: {name",
        "indicators, stays_kept, alarm",
        "every value is below 0.9 or above 0.5; write a below that is less than above",
    ),
    "an alarm below a share in per cent": (
        "alarm: {below: 1, source: D}",
        "alarm: {below: 95, source: D}",
        "  stays_kept: {name",
        "indicators, stays_kept, alarm, below",
        "'95' tells nobody, or always, of the formula rate; write more than 0, and 1 at most",
    ),
    "an alarm above the whole": (
        "alarm: {below: 1, source: D}",
        "alarm: {above: 1, source: D}",
        "  stays_kept: {name",
        "indicators, stays_kept, alarm, above",
        "'1' tells nobody, or always, of the formula rate; write 0 or more, and less than 1",
    ),
    "a proposal of nothing": (
        "packages: [family_visit], to: [family_house], source",
        "source",
        "  unhurt:",
        "rules, unhurt",
        "it proposes nothing; write `packages`, `to`, or both",
    ),
    "a rule of the base taken away": (
        "rules:\n",
        "rules:\n  no_mediation: null\n",
        "  no_mediation:",
        "rules, no_mediation",
        "'no_mediation' stands in 'base' and cannot be taken away; leave the line out",
    ),
    "a window of the base taken away": (
        "windows:\n",
        "windows:\n  pep: null\n",
        "  pep:",
        "windows, pep",
        "'pep' stands in 'base' and cannot be taken away; leave the line out",
    ),
    "a safeguard of the base weakened": (
        "rules:\n",
        "rules:\n  no_mediation: {alarm: false, source: D}\n",
        "  no_mediation:",
        "rules, no_mediation, alarm",
        "'no_mediation' is a safeguard of 'base', and no profile changes it; leave the line out",
    ),
    "a nought of the base that may be five": (
        "expect:\n",
        "expect:\n  mediations: {value: 5, compared: at_most, why: design, source: D}\n",
        "  mediations:",
        "expect, mediations, value",
        "'mediations' is a safeguard of 'base', and no profile changes it; leave the line out",
    ),
    "a figure of the base that counts something else": (
        "indicators:\n",
        "indicators:\n  mediations: {of: calls}\n",
        "  mediations:",
        "indicators, mediations, of",
        "'mediations' is a safeguard of 'base', and no profile changes it; leave the line out",
    ),
    "a safeguard of the base for some only": (
        "rules:\n",
        "rules:\n  no_mediation: {when: {child: true}}\n",
        "  no_mediation:",
        "rules, no_mediation, when",
        "'no_mediation' is a safeguard of 'base', and no profile changes it; leave the line out",
    ),
    "a safeguard of the base that is none any more": (
        "rules:\n",
        "rules:\n  care_first: {safeguard: false, source: D}\n",
        "  care_first:",
        "rules, care_first, safeguard",
        "'care_first' is a safeguard of 'base', and no profile changes it; leave the line out",
    ),
    "a field added to what the base has, without a source": (
        "windows:\n",
        "windows:\n  pep: {counted_from: latest}\n",
        "  pep:",
        "windows, pep, counted_from",
        "it adds `counted_from` and does not say where 'latest' comes from; add its `source:`",
    ),
    "a source of another field": (
        "windows:\n",
        "windows:\n  pep: {inclusive: false, source: {hours: D}}\n",
        "  pep:",
        "windows, pep, inclusive",
        "it adds `inclusive` and does not say where 'false' comes from; add its `source:`",
    ),
    "a list of the base changed without a source": (
        "rules:\n",
        "rules:\n  child_protection: {packages: [child_protection, psychosocial]}\n",
        "  child_protection:",
        "rules, child_protection, packages",
        "it changes the list `packages` and does not say where it comes from; add its `source:`",
    ),
    "a condition added to a rule of the base, without a source": (
        "rules:\n",
        "rules:\n  child_protection: {to: [family_house]}\n",
        "  child_protection:",
        "rules, child_protection, to",
        "it adds the list `to` and does not say where it comes from; add its `source:`",
    ),
    "a preset changed without a source": (
        "consent_days: 91",
        "consent_days: 91\nconsent_presets: {partner: [req]}",
        "consent_presets:",
        "consent_presets, partner",
        "it changes the list `partner` and does not say where it comes from; add its `source:`",
    ),
    "a language twice": (
        "languages: [dv, ar, en]",
        "languages: [dv, ar, en, dv]",
        "languages:",
        "languages",
        "'dv' stands twice; keep one of them",
    ),
    "staff of another agency": (
        "    staff: [healer]",
        "    staff: [guardian]",
        "guardian]\n    source: {count: S2}\n  reef_clinic",
        "facilities, sick_bay, staff",
        "'guardian' is of 'guardians', and this is a place of 'healers'",
    ),
    "a seconded worker at the place of those whom she sits with": (
        "    staff: [healer]",
        "    staff: [healer, house_worker]",
        "house_worker]\n    source: {count: S2}\n  reef_clinic",
        "facilities, sick_bay, staff",
        "'house_worker' is of 'hearth', and this is a place of 'healers'; a seat of 'hearth' in it is a kind of place of its own, "
        "with `colocated_with: sick_bay`",
    ),
    "a role that an agency of its kind does not have": (
        "agency: guardians, role: officer",
        "agency: guardians, role: clinician",
        "  guardian: {name",
        "staff, guardian, role",
        "nobody of 'guardians' has the role 'clinician'; write one of: administrator, officer, supervisor",
    ),
    "a register read by a role that nobody there has": (
        "readers: {posts: [harbour_captain], cert",
        "readers: {roles: [clinician], posts: [harbour_captain], cert",
        "    readers: {roles",
        "records, tide_log, readers, roles",
        "nobody of 'guardians' has the role 'clinician'; write one of: administrator, officer, supervisor",
    ),
    "a register kept at another agency": (
        "kept_at: [jetty_post]",
        "kept_at: [sick_bay]",
        "    kept_at:",
        "records, tide_log, kept_at",
        "'sick_bay' is a place of 'healers', and 'guardians' keeps this",
    ),
    "a measure twice": (
        "replay:\n",
        "replay:\n  before: {measure: reports, kind: quiet_room, numbers: {2021: [1, 1]}, is: synthetic, source: D}\n",
        "  reports: {measure",
        "replay, reports, measure",
        "'before' has 'reports' of 'quiet_room' in one of its years, and both would be added; keep one",
    ),
    "a year that is replayed outside the period": (
        "numbers: {2021: [3, 2]}",
        "numbers: {2031: [3, 2]}",
        "  reports: {measure",
        "replay, reports, numbers, 2031",
        "2031 lies outside the programme's period, 2020 to 2030",
    ),
    "more referred than came": (
        "replay:\n",
        "replay:\n  sent: {measure: cases_referred_to_health, kind: quiet_room, numbers: {2021: [3, 4]}, is: "
        "synthetic, source: D}\n",
        "  sent: {measure",
        "replay, sent, numbers, 2021",
        "the number 2, 4, is more than the 2 reports there; nobody else can be counted",
    ),
    "a route of calls without a line": (
        'hotline:\n  number: "1900"\n  agency: guardians\n  channels: [voice]\n  at: [quiet_room]\n  answer_s: 20\n  source: S2\n',
        "",
        "  one_room:",
        "rules, one_room",
        "there is no hotline of which it would route the calls; add `hotline`, or leave it out",
    ),
    "calls that go where nothing is open yet": (
        "    name: Quiet room\n    count: 2",
        "    name: Quiet room\n    count: 2\n    status: planned",
        "  one_room:",
        "rules, one_room, to",
        "no place of these kinds is open, so that nobody is there; name one that is",
    ),
    "a pathway to where nothing is open yet": (
        "to: [lantern_home, lantern_home_to_come]",
        "to: [lantern_home_to_come]",
        "  onward:",
        "pathways, onward, to",
        "no place of these kinds is open, so that nobody is there; name one that is",
    ),
    "what nobody could ever end": (
        "act: store_address",
        "act: close",
        "  no_address:",
        "rules, no_address, act",
        "a request that somebody could not end would stay open for ever; leave the rule out",
    ),
    "a door that is closed": (
        "act: store_address",
        "act: receive",
        "  no_address:",
        "rules, no_address, act",
        "whoever comes is received, heard, examined and sheltered, whatever a programme says; leave the rule out",
    ),
    "a complaint that nobody takes": (
        "act: store_address",
        "act: register_complaint, when: {contexts: [family_dispute]}",
        "  no_address:",
        "rules, no_address, act",
        "whoever comes is received, heard, examined and sheltered, whatever a programme says; leave the rule out",
    ),
    "an end that somebody cannot come to": (
        "rules:\n",
        "rules:\n  ends: {rule: act_needs, act: close, facts: [assent], source: D}\n",
        "  ends:",
        "rules, ends, act",
        "a request that somebody could not end would stay open for ever; leave the rule out",
    ),
    "who cannot be sent": (
        "rules:\n",
        "rules:\n  sent: {rule: act_needs, act: refer, facts: [safe_adult], source: D}\n",
        "  sent:",
        "rules, sent, facts",
        "who cannot show it could not be sent; write `may_follow: true`, and the page of the request says that it lacks",
    ),
    "nobody sent anywhere": (
        "act: store_address",
        "act: refer",
        "  no_address:",
        "rules, no_address, act",
        "people could be sent for nothing but care at once; say with `when: {packages: …}` which requests there are not",
    ),
    "nobody sent after a time": (
        "act: store_address",
        "act: refer, when: {packages: [shelter], after_h: 72}",
        "  no_address:",
        "rules, no_address, when, after_h",
        "no time refuses a referral; leave the line out",
    ),
    "most people not sent": (
        "act: store_address",
        "act: refer, when: {sexes: [female, male]}",
        "  no_address:",
        "rules, no_address, when",
        "people could be sent for nothing but care at once; say with `when: {packages: …}` which requests there are not",
    ),
    "a mediation of which nobody is told": (
        "rules:\n",
        "rules:\n  settle: {rule: blocked_act, act: mediate, alarm: false, source: D}\n",
        "  settle:",
        "rules, settle, alarm",
        "there is no mediation, and every attempt at one is told; leave the line out",
    ),
    "an attempt of which nobody is told": (
        "act: store_address",
        "act: tell_status",
        "  no_address:",
        "rules, no_address, alarm",
        "no post is told of an attempt at 'tell_status'; write `alarm: false`",
    ),
    "a rule where nobody asks it": (
        "rule: stock_needed, act: dispense_emergency_contraception",
        "rule: stock_needed, act: refer",
        "  in_the_box:",
        "rules, in_the_box, act",
        "nobody hears a `stock_needed` at 'refer', so it would do nothing; write one of: "
        "dispense_emergency_contraception, dispense_pep_starter",
    ),
    "a breach of which nobody hears": (
        "rules:\n",
        "rules:\n  home: {rule: breach_when, act: return_to_family, when: {without: [she_agrees]}, source: D}\n",
        "  home: {rule",
        "rules, home, act",
        "nobody hears a `breach_when` at 'return_to_family', so it would do nothing; write one of: admit_to_stay, "
        "call_back, close, continue_stay, examine, hand_over_to_prosecutor, link_files, mediate, receive, "
        "record_moral_offence, record_suspect, refer, register_complaint, return_property, sign_medical_report, "
        "store_address, take_medical_report, take_statement, train_others",
    ),
    "what follows and nobody is told that it lacks": (
        "facts: [she_agrees, risk_checked], source",
        "facts: [she_agrees, risk_checked], may_follow: true, source",
        "  home_only_checked:",
        "rules, home_only_checked, may_follow",
        "'she_agrees' cannot follow at 'return_to_family', because nobody would be told that it lacks; at 'refer' "
        "may follow: assent, caregiver_suspected, hurt_now, safe_adult; at 'examine' may follow: police_order",
    ),
    "a need by a time that nobody watches": (
        "facts: [police_order], may_follow: true",
        "facts: [police_order], within_h: 48",
        "  order_may_follow:",
        "rules, order_may_follow, within_h",
        "only for the order of an examination that may follow somebody is told when its time has passed; leave it out",
    ),
    "a need of a request by a time that nobody watches": (
        "act: examine, facts: [police_order], may_follow: true",
        "act: refer, facts: [safe_adult], may_follow: true, within_h: 48",
        "  order_may_follow:",
        "rules, order_may_follow, within_h",
        "only for the order of an examination that may follow somebody is told when its time has passed; leave it out",
    ),
    "an order that only some need": (
        "facts: [police_order], may_follow: true",
        "facts: [police_order], when: {child: true}, may_follow: true",
        "  order_may_follow:",
        "rules, order_may_follow, when",
        "the order of an examination is asked for of everybody, or of nobody; leave the condition out",
    ),
    "a breach by a time that nobody watches": (
        "rules:\n",
        "rules:\n  late: {rule: breach_when, act: refer, when: {child: true}, within_h: 5, source: D}\n",
        "  late: {rule",
        "rules, late, within_h",
        "only what she asked back and has not got is watched by the clock: `act: return_property`, with `when: "
        "{facts: [return_asked_for], without: [handed_back]}`; leave it out elsewhere",
    ),
    "a breach by another condition than is watched": (
        "when: {facts: [return_asked_for], without: [handed_back]}",
        "when: {facts: [return_asked_for]}, within_h: 24",
        "  property_back:",
        "rules, property_back, within_h",
        "only what she asked back and has not got is watched by the clock: `act: return_property`, with `when: "
        "{facts: [return_asked_for], without: [handed_back]}`; leave it out elsewhere",
    ),
    "a line of which nobody knows": (
        "when: {without: [hurt_now]}",
        "when: {packages: [shelter]}",
        "  unhurt:",
        "rules, unhurt, when, packages",
        "nobody knows 'packages' where this is asked, so it would never hold; known there: after_h, ages, at, "
        "child, contexts, incidents, sexes, within_h",
    ),
    "a line where nothing is known of her": (
        "act: store_address",
        "act: store_address, when: {child: true}",
        "  no_address:",
        "rules, no_address, when, child",
        "nobody knows 'child' where this is asked, so it would never hold; known there: no line but facts",
    ),
    "children who are none": (
        "to: [sick_bay], source",
        "to: [sick_bay], when: {child: false}, source",
        "  small_ones:",
        "rules, small_ones, when, child",
        "it is about '0-9' and says `child: false`; leave one of the two out",
    ),
    "the readiness of a place of which nobody knows it": (
        "room: {kind: quiet_room, assets: [closed_door], certificates: [listener], female_staff: true",
        "room: {kind: sick_bay, female_staff: true",
        "  room: {kind",
        "readiness, room, kind",
        "nobody knows how a 'sick_bay' stands, because no call goes there; name a kind that a `route_by` leads to",
    ),
    "a readiness of which nothing comes": (
        "  room_ready: {rule: readiness_required, readiness: room, source: S2}\n",
        "",
        "  room: {kind",
        "readiness, room",
        "no rule speaks of it, so that nothing would come of it; add a `readiness_required` that names it",
    ),
    "a readiness without anything": (
        "room: {kind: quiet_room, assets: [closed_door], certificates: [listener], female_staff: true",
        "room: {kind: quiet_room",
        "  room: {kind",
        "readiness, room",
        "it names nothing, and that somebody is there is always asked; say what else must be, or leave it out",
    ),
    "a readiness that two rules speak of": (
        "rules:\n",
        "rules:\n  room_shown: {rule: readiness_required, readiness: room, source: D}\n",
        "  room_ready:",
        "rules, room_ready, readiness",
        "'room_shown' speaks of 'room' already; leave one of the two out",
    ),
    "people who would be shown beside a call": (
        "readiness: room, source",
        "readiness: room, is_routable_without: true, source",
        "  room_ready:",
        "rules, room_ready, is_routable_without",
        "only things are shown beside a call, and 'room' asks for people; put these in one of their own",
    ),
    "a readiness by which no call is routed": (
        "keys: [district, mandate, readiness]",
        "keys: [district, mandate]",
        "  one_room:",
        "rules, one_room, keys",
        "'room_ready' says when a desk gets no calls, and no call is routed by it; add `readiness`",
    ),
    "a package that is proposed and nobody offers": (
        "packages: [family_visit], to: [family_house]",
        "packages: [mental_health_care], to: [family_house]",
        "  unhurt:",
        "rules, unhurt, packages",
        "no open place offers 'mental_health_care'; add it to the `services` of one, or leave it out",
    ),
    "a second document": (
        "direction: rtl",
        "---\ndirection: rtl",
        "---",
        "",
        "a second document begins; a profile is one, without a line of ---",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_each_kind_of_mistake_has_its_sentence(kind: str, tmp_path: Path) -> None:
    before, after, stands, field, words = WRONG[kind]
    assert before in GOOD
    wrong = GOOD.replace(before, after, 1)
    found = [str(one) for one in checked(tmp_path, wrong).mistakes]
    end = "" if words[-1] in "?…" else "."
    assert f"xx-anywhere.yaml, line {line_of(wrong, stands)}{', ' if field else ''}{field}: {words}{end}" in found
    assert not [one for one in found if any(word in one.lower() for word in JARGON)]


def test_all_mistakes_are_said_at_once_in_the_order_of_the_text(tmp_path: Path) -> None:
    wrong = (
        GOOD.replace("country: XX", "country: Anywhere").replace("hours: 96", "hours: many").replace("act: store_address", "act: x")
    )
    found = checked(tmp_path, wrong).mistakes
    assert [one.field for one in found] == [
        ("country",), ("windows", "emergency_contraception", "hours"), ("rules", "no_address", "act"),
    ]  # fmt: skip
    assert [one.line for one in found] == sorted(one.line for one in found)


def test_a_mistake_in_the_base_is_said_of_the_base(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text(
        (PROFILES / "base.yaml").read_text().replace("id: base", "id: low").replace("{hours: 12,", "{hours: x,")
    )
    (tmp_path / "high.yaml").write_text("id: high\nname: High\nextends: low\n")
    (found,) = check_file(tmp_path / "high.yaml").mistakes
    assert (found.file, found.field) == ("low.yaml", ("limits", "window_warning", "hours"))


MISNAMED = "its file is called 'low', and by that it is found; call both alike"


def test_a_profile_that_others_extend_is_called_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text((PROFILES / "base.yaml").read_text().replace("id: base", "id: lowest"))
    (tmp_path / "high.yaml").write_text("id: high\nname: High\nextends: low\n")
    (found,) = check_file(tmp_path / "high.yaml").mistakes
    assert (found.file, found.line, found.field, found.words) == ("low.yaml", 3, ("id",), MISNAMED)
    assert check_file(tmp_path / "low.yaml").programme, "of a file that is named by itself nobody looks for its id"


AS_OURS = "'base' is a profile of this software, and one beside this file is called the same; give that another name"


def test_no_profile_takes_the_name_of_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text((PROFILES / "base.yaml").read_text().replace("  no_mediation:", "  none:"))
    (found,) = checked(tmp_path, GOOD).mistakes
    assert (found.field, found.words) == (("extends",), AS_OURS)


UNTOLD = "nobody would be told of an attempt to mediate; write `extends: base`, or a `blocked_act` of it"


def test_a_profile_that_stands_by_itself_has_the_rule_of_the_base_too(tmp_path: Path) -> None:
    alone = (PROFILES / "base.yaml").read_text().replace("id: base", "id: alone").replace("  no_mediation:", "#")
    (tmp_path / "alone.yaml").write_text(alone)
    (found,) = check_file(tmp_path / "alone.yaml").mistakes
    assert (found.field, found.words) == (("rules",), UNTOLD)


def test_one_series_a_year_is_no_measure_twice(tmp_path: Path) -> None:
    another = "replay:\n  reports_2022: {measure: reports, kind: quiet_room, numbers: {2022: [3, 2]}, is: synthetic, source: D}\n"
    assert checked(tmp_path, GOOD.replace("replay:\n", another, 1)).programme


def test_a_pathway_may_hold_where_some_of_its_packages_are_asked_for(tmp_path: Path) -> None:
    way = "to_family: {when: {packages: [shelter]}, "
    assert checked(tmp_path, GOOD.replace("to_family: {", way, 1)).programme


def test_a_safeguard_that_is_said_once_more_is_the_same(tmp_path: Path) -> None:
    again = "rules:\n  no_mediation: {rule: blocked_act, act: mediate, source: [S, O14, O15]}\n"
    assert checked(tmp_path, GOOD.replace("rules:\n", again, 1)).programme


def test_what_a_layer_changes_with_a_source_of_its_own_is_its_own(tmp_path: Path) -> None:
    text = GOOD.replace("windows:\n", "windows:\n  pep: {counted_from: latest, source: {counted_from: K}}\n", 1)
    programme = checked(tmp_path, text).programme
    assert programme is not None
    assert programme.windows[CareClock.PEP].is_assumption("counted_from")
    assert not programme.windows[CareClock.PEP].is_assumption("hours")


def test_profiles_that_extend_each_other_are_a_circle(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("id: one\nextends: two\n")
    (tmp_path / "two.yaml").write_text("id: two\nextends: one\n")
    (found,) = check_file(tmp_path / "one.yaml").mistakes
    assert "circle" in found.words


BOMBS = {
    "depth": (
        "id: x\na: " + "[" * 5_000 + "]" * 5_000,
        f"things stand within things more than {reading.DEPTH_MAX} deep; a profile is flatter",
    ),
    "laughs": (
        "id: x\na0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
        f"its anchors make more than {reading.VALUES_MAX:,} values; write them out",
    ),
    "aliases": (
        "id: x\na: &a 1\nb: [" + ", ".join(["*a"] * (reading.ALIASES_MAX + 1)) + "]",
        f"anchors are used more than {reading.ALIASES_MAX} times; write the values out",
    ),
    "itself": ("id: x\na: &a\n  b: *a\n", "an anchor holds itself; write the values out"),
    "values": (
        "id: x\na: [" + "1, " * (reading.VALUES_MAX + 1) + "1]",
        f"it holds more than {reading.VALUES_MAX:,} values; a profile is smaller",
    ),
    "size": (
        "id: x\n#" + "x" * reading.FILE_BYTES_MAX,
        f"it has more than {reading.FILE_BYTES_MAX // 1024} KiB; a profile is smaller",
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_are_refused_before_anything_is_built(kind: str, tmp_path: Path) -> None:
    text, words = BOMBS[kind]
    (found,) = checked(tmp_path, text).mistakes
    assert found.words == words


NO_FIELDS = "it holds no fields; begin with `id:` and the programme's short name"
NO_PROFILE = {
    b"": NO_FIELDS,
    b"- a\n": NO_FIELDS,
    b"just words": NO_FIELDS,
    b"\xff\xfe\x00": "a letter is not written in UTF-8; save the file as UTF-8",
    b"id: x\x00y": "it holds a character that YAML does not allow; remove it",
    b"%YAML 9.9\n---\nid: x": WRONG["a field without its colon"][-1],
}


@pytest.mark.parametrize("raw", NO_PROFILE)
def test_what_is_no_profile_at_all_is_said_in_a_sentence(raw: bytes, tmp_path: Path) -> None:
    (found,) = checked(tmp_path, raw).mistakes
    assert found.words == NO_PROFILE[raw]


NO_FILE = "it cannot be read (No such file or directory)"


def test_a_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    (found,) = check_file(tmp_path / "nowhere.yaml").mistakes
    assert found.words == NO_FILE


# Where a sentence is no mistake of a file: what a network, or whoever names a programme, is told.
OF_NO_FILE = {"ProfileError", "UnknownProgramme", "check_purpose"}
A_SENTENCE = 4  # words; and fewer are a noun within one


def sentences() -> dict[str, str]:
    """Every sentence that the checks of a profile have: where it stands, and a pattern of it."""
    found = {}
    for module in (
        asked,
        care,
        in_vain,
        indicators,
        mistakes,
        places,
        profile,
        reading,
        records,
        references,
        staff,
        terms,
        vocabulary,
    ):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        passed = {id(within) for node in ast.walk(tree) for within in _no_sentences(node)}
        for node in ast.walk(tree):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [one.value if isinstance(one, ast.Constant) else None for one in parts]
            said = " ".join(text for text in texts if isinstance(text, str))
            if id(node) not in passed and len(said.split()) >= A_SENTENCE:
                where = f"{module.__name__}:{getattr(node, 'lineno', 0)}"
                found[where] = "".join(re.escape(text) if isinstance(text, str) else ".*" for text in texts)
    return found


def _no_sentences(node: ast.AST) -> Iterator[ast.AST]:
    """Within a node, texts that are none: what describes the code, pieces of a text, nouns, and what is looked for."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in OF_NO_FILE:
        yield from ast.walk(node)
    elif isinstance(node, ast.Expr):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from node.values
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"OneOf", "Number"}:
        yield from node.args
    elif isinstance(node, ast.Compare):
        yield node.left


def test_each_sentence_has_a_mistake_that_is_told_with_it() -> None:
    told = (
        [MISNAMED, AS_OURS, UNTOLD, *(row[-1] for row in WRONG.values())]
        + [words for _text, words in BOMBS.values()]
        + [*NO_PROFILE.values(), NO_FILE]
    )
    without = {at: one for at, one in sentences().items() if not any(re.search(one, words) for words in told)}
    # The last resort of a mistake that nobody has thought of; no test above lets it be shown.
    assert [one for one in without.values() if "cannot be used here" not in one.replace("\\", "")] == [], without


PIECES = [
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    "\n",
    "  ",
    "null",
    "0",
    "-1",
    "1e9",
    "true",
    "'",
    '"',
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "x",
    "é",
]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_text_whatever_makes_a_traceback_or_shows_jargon(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    chance = random.Random(seed)
    text = GOOD
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text))
        text = text[:start] + chance.choice(["", chance.choice(PIECES)]) + text[start + chance.choice([0, 1, 5, 40]) :]
    said = checked(tmp_path_factory.getbasetemp(), text)
    sentences = [str(one) for one in said.mistakes]
    assert (said.programme is None) == bool(sentences)
    assert not [one for one in sentences if any(word in one.lower() for word in JARGON)]
    assert all(one.line >= 1 and one.file.endswith(".yaml") for one in said.mistakes)


def test_loading_says_the_first_mistake_and_how_many_more(tmp_path: Path) -> None:
    file = tmp_path / "xx-anywhere.yaml"
    file.write_text(GOOD.replace("country: XX", "country: Anywhere").replace("hours: 96", "hours: many"))
    with pytest.raises(ProfileError) as raised:
        load_programme(str(file))
    assert str(raised.value) == (
        "The profile is wrong at xx-anywhere.yaml, line 6, country: 'Anywhere' is no country code (ISO 3166-1); write two "
        "capitals, as ZM. There is one more; `refnet programme validate` lists all."
    )


def test_an_unknown_programme_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ProfileError, match="known are: af-fru, base, bd-vsc, latam-wps, rw-gender-desk, sl-fsu, zm-vsu-ec"):
        load_programme("zm-vsu")
