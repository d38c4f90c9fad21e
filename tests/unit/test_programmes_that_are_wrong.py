"""A profile that is wrong says so with file, line and field, in words for its writer: all mistakes at once, never a traceback."""

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.programmes import care, indicators, mistakes, places, profile, reading, records, references, staff, terms, vocabulary
from shared.programmes.profile import PROFILES, Checked, ProfileError, check_file, load_programme
from shared.programmes.references import CERTIFIED_AT

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
        "no place of these kinds is open, so that nobody would be sent there; name one that is",
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
        "nobody can show 'police_order' at 'refer', so it would be refused for ever; known there: assent, "
        "caregiver_suspected, hurt_now, safe_adult; or write `may_follow: true`",
    ),
    "a condition of which nobody knows": (
        "when: {without: [hurt_now]}",
        "when: {without: [transport]}",
        "  unhurt:",
        "rules, unhurt, when, without",
        "nobody tells 'transport' where this is asked, so nobody can know it; told there: assent, caregiver_suspected, hurt_now, "
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
    "a free place where no place is counted": (
        "female_staff: true, source",
        "female_staff: true, places: true, source",
        "  room: {kind",
        "readiness, room, places",
        "'quiet_room' says nothing of its places; add `places:` to it",
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
    for module in (care, indicators, mistakes, places, profile, reading, records, references, staff, terms, vocabulary):
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
    told = [row[-1] for row in WRONG.values()] + [words for _text, words in BOMBS.values()] + [*NO_PROFILE.values(), NO_FILE]
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
