"""What codes are called on screen. Every word is marked for the catalogues and translated where it is shown.

Screen words come from the practice guide: "cannot take", "has not come yet", "time has passed, still open"; never "no-show".
"""

from enum import StrEnum

from shared.contracts.casework import codes
from shared.contracts.casework.minimal_data import OUTCOME_TOLD
from shared.kit.i18n import mark as _

STATES: dict[str, str] = {
    "issued": _("Sent, not seen yet"),
    "acknowledged": _("Seen"),
    "accepted": _("Accepted"),
    "arrived": _("Came"),
    "in_service": _("In care"),
    "on_hold": _("Waits"),
    "declined": _("Cannot take"),
    "cancelled": _("Cancelled"),
    "closed": _("Closed"),
    "undisclosed": _("Has ended there"),
}
URGENCIES: dict[str, str] = {"acute": _("Acute"), "urgent": _("Soon"), "routine": _("Can wait")}
SERVICES: dict[str, str] = {
    "acute_care": _("Acute care after sexual violence"),
    "injury_care": _("Care for injuries"),
    "examination_and_report": _("Examination and report form"),
    "follow_up_care": _("Follow-up care"),
    "mental_health_care": _("Care for the mind"),
    "psychosocial": _("Someone to talk to"),
    "shelter": _("A safe place to stay"),
    "child_protection": _("Child protection"),
    "court_support": _("Support in court"),
    "family_visit": _("A visit to the family"),
    "report_to_police": _("Report to the police"),
    "statement_at_clinic": _("Statement taken at the clinic"),
    "protection": _("Protection"),
    "legal_aid": _("Legal aid"),
    "reintegration": _("Help to begin again"),
    "prosecution": _("Prosecution"),
}
OUTCOMES: dict[str, str] = {
    "served": _("Everything was given"),
    "served_partly": _("Part of it was given"),
    "she_declined": _("Did not want it"),
    "not_available": _("It was not available"),
    "already_received": _("Had received it already"),
    "not_reached_safely": _("Could not be reached safely"),
    "moved_away": _("Moved away"),
    "referred_on": _("Sent on"),
    "admitted": _("Stays in the hospital"),
    "died": _("Died"),
    "not_eligible": _("Another service is right"),
    "duplicate": _("The same request twice"),
}
# The end as another agency tells it, by its coarse word; "cannot take" follows the sex recorded.
ENDS: dict[str, str] = {
    "served": _("Finished"),
    "served_partly": _("Finished; another visit is needed"),
    "not_available": _("Could not take this"),
    "not_available_female": _("Could not take her"),
    "not_available_male": _("Could not take him"),
    "not_reached_safely": OUTCOMES["not_reached_safely"],
    "moved_away": OUTCOMES["moved_away"],
}
DECLINES: dict[str, str] = {
    "no_staff": _("Nobody is here to receive"),
    "no_place": _("No place is free"),
    "no_supplies": _("Supplies are missing"),
    "service_not_offered": _("We do not offer this"),
    "closed_now": _("We are closed"),
    "not_eligible": _("Another service is right"),
    "duplicate": _("The same request twice"),
    "conflict_of_interest": _("Somebody here must not know"),
}
CANCELS: dict[str, str] = {
    "she_changed_her_mind": _("A change of mind"),
    "entered_in_error": _("Entered by mistake"),
    "duplicate": _("The same request twice"),
    "sent_elsewhere": _("Sent to another place"),
    "no_longer_needed": _("No longer needed"),
    "consent_taken_back": _("Consent was taken back"),
}
HOLDS: dict[str, str] = {
    "she_asked": _("She or he asked to wait"),
    "waiting_for_staff": _("Waits for staff"),
    "waiting_for_supplies": _("Waits for supplies"),
    "waiting_for_document": _("Waits for a paper"),
    "in_hospital": _("In the hospital"),
}
ITEMS: dict[str, str] = {
    "req": _("The request, and by when"),
    "needs": _("Age group, sex, language"),
    "type": _("Kind of violence, as a code"),
    "given": _("Care already given here"),
    "safety": _("Whether going back is safe"),
    "relay": _("Messages may be passed on"),
    "fb": _("Came, finished, must come again"),
    "prog": _("Steps with the police and other places"),
    "mlr": _("One medical report, hand to hand"),
    "stat": _("Counted, without a name"),
}
ASKED: dict[str, str] = {"health": _("A clinic"), "social_welfare": _("Social welfare office"), "police": _("The police")}
SPOKEN: dict[str, str] = {  # what a tick adds to a question, as it is read to her; each is true alone
    "needs": _("About how old you are, whether you are a woman or a man, your language, and what you need there."),
    "needs_with": _("About how old you are, who comes with you, whether you are a woman or a man, your language, what you need."),
    "type": _("What kind of violence it was, as one word from a list."),
    "type_gbv": _("That it was gender-based violence; not which kind."),
    "given": _("Which medicine you already got, and when: so that you do not get too much."),
    "given_mind": _("That you need care for the mind soon."),
    "safety": _("Whether going back is safe."),
    "prog": _(
        "How things go on with the police; and which other places are asked to help, and how far that is; not with which care."
    ),
    "prog_court": _("That there is a charge, a hearing with its day, or a verdict; not what it says."),
    "meeting_needs": _("Where those who help you meet: what you need."),
    "meeting_type": _("Where those who help you meet: what kind of violence it was, as one word from a list."),
    "meeting_given": _("Where those who help you meet: which care you got, so that it goes on."),
    "meeting_safety": _("Where those who help you meet: whether you are safe, and what is done for it."),
    "meeting_prog": _("Where those who help you meet: how things go on with the police and in court, and who else helps you."),
    "prog_places": _("Which other places are asked to help, and how far that is; not with which care."),
}
BASES: dict[str, str] = {
    "consent": _("Agreed"),
    "legal_basis": _("By law"),
    "vital_interest": _("To save a life"),
}
HOWS: dict[str, str] = {
    "spoken": _("Spoken"),
    "thumb": _("Thumb on paper"),
    "signature": _("Signed"),
    "none_unconscious": _("Could not answer"),
    "by_law": _("Nobody was asked: the law has it told"),
    "not_known": _("Not known: brought back after a restore"),
}
INCIDENTS: dict[str, str] = {
    "rape": _("Rape"),
    "sexual_assault": _("Sexual assault"),
    "physical_assault": _("Physical assault"),
    "forced_marriage": _("Forced marriage"),
    "denial_of_resources": _("Denial of money, food or school"),
    "psychological_abuse": _("Psychological abuse"),
    "gbv": _("Gender-based violence"),
}
CONTEXTS: dict[str, str] = {
    "domestic_violence": _("Violence by a partner, or in the family"),
    "family_dispute": _("What is called a family dispute"),
    "early_marriage": _("Early marriage"),
    "trafficking": _("Trafficking"),
    "harmful_practice": _("A harmful custom"),
    "child_sexual_abuse": _("Sexual abuse of a child"),
    "pressure_to_settle": _("Pressure to settle"),
}
AGES: dict[str, str] = {
    "0-9": _("0 to 9"),
    "10-14": _("10 to 14"),
    "15-17": _("15 to 17"),
    "18-24": _("18 to 24"),
    "25-49": _("25 to 49"),
    "50+": _("50 or over"),
    "unknown": _("age not known"),
}
SEXES: dict[str, str] = {
    "female": _("Girl or woman"),
    "male": _("Boy or man"),
    "other": _("Other"),
    "unknown": _("Not known"),
}
PEOPLE: dict[str, str] = {  # sex, and whether a child
    "female_child": _("Girl"),
    "female": _("Woman"),
    "male_child": _("Boy"),
    "male": _("Man"),
    "child": _("Child"),
    "person": _("Person"),
}
ACCESS: dict[str, str] = {
    "none": _("Nothing special"),
    "wheelchair": _("Wheelchair"),
    "sign_language": _("Sign language"),
    "low_vision": _("Sees little"),
    "cognitive": _("Needs plain words and time"),
}
STAFF: dict[str, str] = {
    "female": _("Wants a woman"),
    "male": _("Wants a man"),
    "no_preference": _("Woman or man, either"),
}
ANSWERS: dict[str, str] = {"yes": _("Yes"), "no": _("No"), "unknown": _("Not known")}
PRODUCTS: dict[str, str] = {"emergency_contraception": _("Emergency contraception"), "pep_starter": _("First doses of PEP")}
ENTRIES: dict[str, str] = {
    "received": _("Received"), "dispensed": _("Given"), "issued": _("Handed to a station"), "returned": _("Given back"),
    "destroyed": _("Written off and destroyed"), "corrected": _("Corrected"),
}  # fmt: skip
CORRECTIONS: dict[str, str] = {
    "mistyped": _("A line was mistyped: the book has too many"), "too_few": _("A line was mistyped: the book has too few"),
    "counted_less": _("Two have counted less"), "counted_more": _("Two have counted more"), "broken": _("Broken or spoiled"),
}  # fmt: skip
SUPPLY_REASONS: dict[str, str] = {
    "first_stock": _("First stock of a box"), "low": _("Few are left"), "none_left": _("None is left"),
    "expires_soon": _("What is there expires soon"),
}  # fmt: skip
SUPPLY_DECLINES: dict[str, str] = {
    "none_here": _("None here either"), "not_our_station": _("Another place supplies this station"),
    "box_not_counted": _("The box must be counted first"),
}  # fmt: skip
SUPPLY_STATES: dict[str, str] = {
    "asked": _("Asked"), "sent": _("Sent, to be counted there"), "declined": _("Sends none"), "received": _("Counted there"),
}  # fmt: skip
SAFETY: dict[str, str] = {
    "vomiting": _("Vomited"), "heavy_bleeding": _("Heavy bleeding"), "strong_pain": _("Strong pain"),
    "allergic_reaction": _("Allergic reaction"), "other_adverse": _("Something else after it was taken"),
    "given_without_her_yes": _("Given without her yes"), "given_without_certificate": _("Given without a certificate"),
    "sold": _("Sold"), "taken_from_the_box": _("Taken from the box"), "false_entry": _("A false entry in the book"),
}  # fmt: skip
MODES: dict[str, str] = {
    "on_foot": _("On foot"),
    "bicycle": _("Bicycle"),
    "motorcycle": _("Motorcycle"),
    "car": _("Car or taxi"),
    "bus": _("Bus"),
    "police_vehicle": _("Police vehicle"),
    "ambulance": _("Ambulance"),
    "none_available": _("None found"),
}
ESCORTS: dict[str, str] = {
    "alone": _("Comes alone"),
    "safe_adult": _("Safe adult"),
    "officer": _("Officer"),
    "social_worker": _("Social worker"),
    "health_worker": _("Health worker"),
    "other": _("Someone else"),
}
CAREGIVERS: dict[str, str] = {
    "safe": _("Safe, and the child wants this adult"), "not_this_one": _("Not this one: suspected, or not wanted"),
    "nobody": _("There is no adult"),
}  # fmt: skip
STAND_INS: dict[str, str] = {
    "relative": _("Another relative"), "neighbour": _("A neighbour or friend"), "teacher": _("A teacher"),
    "social_worker": _("A social worker"), "health_worker": _("A nurse or doctor"), "not_found": _("Nobody was found yet"),
}  # fmt: skip
SPANS: dict[str, str] = {  # how long what she agrees to holds, in days
    "30": _("One month"), "91": _("Three months"), "182": _("Six months"), "365": _("One year"),
    "never": _("Until it is taken back"),
}  # fmt: skip
SAFE_HOURS: dict[str, str] = {
    "morning": _("in the morning"),
    "afternoon": _("in the afternoon"),
    "evening": _("in the evening"),
    "never": _("never"),
}
PROGRESS: dict[str, str] = {
    "complaint_registered": _("Complaint registered"),
    "statement_taken": _("Statement taken"),
    "medical_report_requested": _("Medical report asked for"),
    "medical_report_received": _("Medical report received"),
    "suspect_known": _("A suspect is known"),
    "charged": _("Charged"),
    "hearing_date": _("Hearing date set"),
    "protection_order": _("Protection order: yes"),
    "verdict": _("Verdict"),
    "complaint_withdrawn": _("Complaint withdrawn"),
    "complaint_reopened": _("Complaint opened again"),
    "next_clinic_date": _("Next clinic date"),
    "visit_kept": _("Came to the visit"),
    "visit_missed": _("Has not come on the day of the visit"),
    "safety_plan_made": _("Safety plan made"),
    "pressure_to_settle": _("Pressure to settle"),
}
FLAGS: dict[str, str] = {
    "undelivered": _("Their machine has not answered"),
    "unacknowledged": _("Nobody has seen it"),
    "stalled": _("Nothing since it was accepted"),
    "window_closing": _("Care works best soon"),
    "lapsed": _("Time has passed, still open"),
}
ALARMS: dict[str, str] = {
    **FLAGS,
    "declined_without_next_place": _("Could not be taken, and no next place was named"),
    "came_after_the_end": _("Came after the request had ended"),
    "came_in_error": _("They had said that somebody came, and it was somebody else: look whether help is still on its way"),
    "nobody_to_tell_by_law": _("The law asks that a child’s safety is told, and no place of theirs offers it: call them"),
    "not_erased": _("Consent was taken back, and they have not confirmed that they destroyed what they held: call them"),
    "consent_ends_soon": _("What was agreed to ends soon, or has ended: ask again, at the next visit. Care goes on in any case"),
    "never_left": _("Was cancelled before it was sent, in records that are lost: ask her, and send it again if she wants it"),
    "opened_beyond": _("A case was opened from another place for an hour"),
    "opened_from_here": _("Somebody of this place opened a case of another place for an hour"),
    "decoy_opened": _(
        "Somebody opened a case about nobody, which nobody has a reason to open. Look today at what else this account opened,"
        " and ask why; it may have been a slip"
    ),
    "dose_adverse": _("Something was noticed after a product was given"),
    "dose_misused": _("A product or its box was misused"),
    "box_variance": _("A locked box does not fit its book, as two have counted"),
    "station_reported": _("A station reports that something went wrong with a product or its box"),
    "parcel_differs": _("What came of a parcel is not what was sent"),
    "call_not_seen": _("A call to the hotline was not seen in time by its desk: telephone the desk"),
    "call_at_last_resort": _("No desk can take a call to the hotline: the room keeps it"),
    "call_unrouted": _("A call to the hotline has no desk"),
    "station_number_lacking": _("A number of a station is not here: it was lost, or is held back"),
    "station_number_twice": _("A number of a station came more than once: all that it was said to be is kept"),
    "desk_unmanned": _("Nobody who can take a call is at this desk"),
    "indicator_past": _("An indicator of the programme is past its limit"),
    "parked": _("A message could not be used"),
    "end_waits": _(
        "Words are kept here beyond their day, because a message under them could not be used: take it up, or give it up"
    ),
    "fork": _("A message came in two versions"),
    "unopenable": _("A message could not be opened"),
    "refused_by_peer": _("The other agency gave a message of ours up"),
    "root_mismatch": _("A receipt does not fit what was sent"),
    "head_refused": _("An agency's records no longer fit what it said before; nothing of it was used"),
    "looks_lost": _("An agency's log of who looked was begun anew, as after a restore, and a part of the one before is not there"),
    "rewritten": _("These records no longer fit what another agency signed; have them checked"),
    "key_given_up": _(
        "Messages that were used here are signed with a key that had been revoked: ask there whether they are theirs"
    ),
    "key_lost": _("A message of ours cannot be sent: the key of its case is not here"),
    "reopened": _("The other agency holds more than these records: they are an older copy"),
    "not_put_home": _("A message of ours that came back could not be put into these records"),
    "overfull": _("More messages of an agency wait or cannot be used than are kept: the others are asked for again later"),
    "cleared": _("Old messages are asked for whose words are no longer kept, after a restore: look for the paper, and phone"),
    "breach": _("Something was done or demanded against the protocol"),
    "agreement_ends": _("An agreement with a partner ends within 30 days, or has ended: renew it, and look at what is open"),
    "hand_over_due": _("A complaint must be handed to the prosecutor soon"),
    "hand_over_late": _("A complaint was not handed to the prosecutor in time: hand it over now, it is never too late"),
    "order_missing": _("An examination began before its order, and the order has not come: ask for it again"),
    "stay_needs_plan": _("A stay needs a plan: where to afterwards is to be agreed"),
    "stay_over_limit": _("A stay is past its time: help to find a place, or extend it. Nobody is sent away"),
    "report_before_limit": _("A medical report is due before the remand limit"),
    "custody_gap": _("The chain of custody of a sample has a gap"),
    "report_custody": _("A medical report may be in another hand than was written down"),
    "protocol_overdue": _("A protocol is not confirmed yet, and its last day has passed"),
    "no_other_desks": _("All referrals of a quarter came from specialised desks: the others may be passing nobody on"),
    "visit_overdue": _("A worker who is out on a visit has not reported back: ask where the worker is"),
    "station_silent": _("A station without a line has brought nothing for longer than it may take: send somebody, or phone"),
    "hearing_without_day": _(
        "A hearing was put off and has no other day: ask the court for one. Do not visit or call the survivor"
    ),
    "visit_not_safe": _("A worker is out on a visit that is not safe any more: say at once that the worker turns back"),
    "met_not_safe": _(
        "On a visit it was found that somebody is not safe: look at the plan together. Nobody goes there for this alarm"
    ),
    "broker_silent": _("Messages came only past the broker: it loses them or holds them back"),
}
SET_ASIDE: dict[str, str] = {
    "old_key": _("It is locked with a key that is not here any more."),
    "given_up": _("It is signed with a key that its owner has given up."),
    "unknown_signer": _("It is signed with a key that is not known here."),
    "another": _("It was meant for another, comes from another, or is damaged."),
    "damaged": _("It is damaged, or has a form that is not known here."),
    "forked": _("It came in two versions: the first stands, the other is kept as evidence."),
}
ERASURES: dict[str, str] = {
    "destroyed": _("destroyed"),
    "held": _("kept by order of a court; nobody reads it"),
}
ROLES: dict[str, str] = {
    "officer": _("Officer"),
    "clinician": _("Nurse or doctor"),
    "social_worker": _("Social worker"),
    "supervisor": _("Supervisor"),
    "administrator": _("Administrator"),
    "escrow": _("Two holders of the escrow"),
}
LOOKS: dict[str, str] = {
    "case": _("Opened it"),
    "referral": _("Opened a request"),
    "timeline": _("Read what has happened since"),
    "incidents": _("Read what happened, as codes"),
    "consents": _("Read who may know what"),
    "call": _("Read what was said on the telephone"),
    "alarm": _("Read what an alarm says of it"),
    "complaint": _("Read the complaint, or what went against the protocol"),
    "report": _("Read how a medical report stands"),
    "conferences": _("Read what a case conference is about"),
    "plan": _("Read the plan of the case"),
    "visits": _("Read which visits are planned"),
    "return": _("Read what was asked before a return home"),
    "specimen": _("Read the custody of a sample"),
    "medical_certificate": _("Read that a medical certificate was issued"),
    "stay": _("Read the stay at a centre"),
    "property": _("Read which things are kept"),
    "own_word": _("Opened the page of the word for the telephone"),
    "counselling": _("Read that somebody was counselled"),
    "register": _("Read what stands in a register of the programme"),
    "enquiry": _("Was told how it stands, by the word that was agreed"),
    "enquiry_missed": _("Asked about it by telephone without the word that was agreed; nothing was said."),
    "docket": _("Read the number in the occurrence book"),
    "holds": _("Read what a court has ordered about it"),
    "hold_form": _("Opened the form for a court’s order; no order was there to be read"),
    "care": _("Read what was given"),
    "doses": _("Read what was given from the locked box"),
    "card": _("Opened the card"),
    "list": _("Saw it in a list of work"),
    "taken_back": _("Read that consent was taken back"),
    "seen_now": _("Began to see her or him"),
    "number": _("Typed a number at a door that was this one’s; nothing was shown."),
    "custody": _("Wrote the case out for a court."),
    "escrow_agency_court": _("Opened what is held, with the keys of the agency and of the court"),
    "escrow_agency_protection_officer": _("Opened what is held, with the keys of the agency and of the data protection officer"),
    "escrow_court_protection_officer": _("Opened what is held, with the keys of the court and of the data protection officer"),
    "export": _("Handed this list over in a file."),
    "log": _("Printed who looked"),
    "look_up": _("Looked for it by two things; was told only where it lies."),
    "look_up_missed": _("Looked for something by two things, and one was this one’s; nothing was shown."),
    "opened": _("Had it opened from another place for an hour"),
    "attempt": _("Tried to open it; nothing was shown."),
}
WHYS: dict[str, str] = {
    "life_threat": _("A life is in danger"),
    "colleague_away": _("Whoever knows the case cannot be reached"),
    "she_asks": _("She or he asks for it here"),
    "court_order": _("A court has ordered it"),
}
POSTS: dict[str, str] = {
    "duty_officer": _("Duty officer"),
    "vsu_inspector": _("Unit inspector"),
    "district_commander": _("District commander"),
    "desk_officer": _("Officer of the desk"),
    "station_commander": _("Commander of the station"),
    "call_taker": _("Who answers the hotline"),
    "hotline_supervisor": _("Supervisor of the hotline"),
    "duty_nurse": _("Nurse on duty"),
    "duty_doctor": _("Doctor on duty"),
    "clinic_in_charge": _("In charge of the clinic"),
    "hospital_in_charge": _("In charge of the hospital"),
    "district_health_officer": _("District health officer"),
    "social_worker_on_duty": _("Social worker on duty"),
    "district_coordinator": _("District coordinator"),
    "centre_in_charge": _("In charge of the centre"),
    "officer_in_charge": _("Officer in charge"),
    "intake_worker": _("Who takes people in"),
    "programme_head": _("Head of the programme"),
    "unit_head": _("Head of the unit"),
    "division_commander": _("Commander of the division"),
    "social_worker": _("Social worker"),
    "district_officer": _("District officer"),
    "regional_officer": _("Regional officer"),
    "lawyer": _("Lawyer"),
    "head_of_ward": _("Head of the ward"),
    "case_worker": _("Case worker"),
    "head_of_office": _("Head of the office"),
    "warden": _("Warden of the shelter"),
    "laboratory_officer": _("Officer of the laboratory"),
    "court_clerk": _("Clerk of the court"),
}
KINDS: dict[str, str] = {
    "police": _("Police"),
    "health": _("Health"),
    "social_welfare": _("Social welfare"),
    "partner": _("Partner"),
    "justice": _("Justice"),
    "oversight": _("Oversight"),
}
MESSAGES: dict[str, str] = {
    "come_on": _("Come on this day"),
    "bring_card": _("Bring the card"),
    "new_time": _("There is a new time"),
    "cancelled": _("The visit is cancelled"),
    "passed_on": _("Passed on"),
    "not_safe": _("Not safe to pass on"),
}
LINES: dict[str, str] = {  # what a line of a timeline says; what its detail adds is put after it
    "station.registered": _("A station has given the next of its numbers"),
    "case.opened": _("Case opened"),
    "case.placed": _("A place looks after this case from now on"),
    "case.released": _("Looked at after a restore, and released"),
    "incident.recorded": _("What happened was recorded"),
    "consent.recorded": _("Asked, and the answer kept"),
    "consent.refused": _("Asked, and the answer was no"),
    "consent.taken_back": _("Consent taken back"),
    "consent.asked_again": _("Asked again here what may be used"),
    "consent.ended": _("The day until which it was agreed has passed"),
    "consent.erased": _("What they had received"),
    "hold.placed": _("A court has forbidden to destroy anything of this case"),
    "hold.lifted": _("The court allows it to be destroyed again"),
    "circle.announced": _("Who works together has changed"),
    "circle.referral_progress": _("Sent to another place"),
    "circle.place_closed": _("This place is closed: nobody is there any more"),
    "case.progress": _("Step"),
    "case.hearing_off": _("A hearing will not be on the day that was told"),
    "referral.drafted": _("Time to think: kept here, nobody was told"),
    "arrival.recorded": _("Came without a request"),
    "arrival.ended": _("Care without a request has ended"),
    "arrival.entered_in_error": _("Entered in error: nobody had come"),
    "referral.issued": _("Sent"),
    "referral.cancel_requested": _("Asked to cancel"),
    "referral.set_out": _("Set out"),
    "referral.told_by_phone": _("Told by phone"),
    "referral.acknowledged": _("Seen"),
    "referral.accepted": _("Accepted"),
    "referral.declined": _("Cannot take"),
    "referral.redirected": _("Another place of the same agency takes it"),
    "referral.suggested": _("Another agency would serve better"),
    "referral.arrived": _("Came"),
    "referral.arrived_in_error": _("Has not come: who came was somebody else"),
    "referral.in_service": _("Care has begun"),
    "referral.on_hold": _("Waits"),
    "referral.resumed": _("Goes on"),
    "referral.not_attended": _("Has not come yet"),
    "referral.closed": _("Closed"),
    "referral.cancelled": _("Cancelled"),
    "referral.cancel_refused": _("Not cancelled: it goes on there"),
    "referral.came_without_referral": _("Came after it had ended"),
    "referral.no_feedback_by_choice": _("No more news: that is a choice"),
    "referral.ended_undisclosed": _("Has ended there"),
    "referral.flagged": _("What needs a look has changed"),
    "referral.transition_refused": _("Could not be cancelled any more"),
    "call.taken": _("Call taken"),
    "call.routed": _("Call sent to a desk"),
    "call.seen": _("Call seen by its desk"),
    "call.merged": _("Call merged into another"),
    "alarm.raised": _("Alarm"),
    "alarm.climbed": _("Alarm told to the next post"),
    "alarm.taken": _("Alarm taken"),
    "alarm.resolved": _("Alarm resolved"),
    "care.recorded": _("What was given was kept here"),
    "case.assigned": _("Has a social worker"),
    "message.asked": _("Message to pass on"),
    "report.moved": _("Medical report"),
    "protocol.published": _("A protocol"),
    "protocol.adopted": _("A place works by a protocol"),
    "figures.released": _("Released figures"),
    "message.answered": _("Answer to the message"),
    "conference.called": _("Case conference called"),
    "conference.answered": _("Answer to a case conference"),
    "conference.decided": _("Case conference"),
    "conference.withdrawn": _("Invitation to a case conference withdrawn"),
}

SHEETS = {"visit": _("Visit sheet"), "request": _("Request sheet")}
STEPS = {
    "acknowledge": _("They have seen it"),
    "accept": _("They take it"),
    "arrive": _("Somebody came"),
    "not-attended": _("Has not come yet"),
    "start": _("Care has begun"),
    "resume": _("It goes on"),
    "confirm-cancel": _("They cancel it"),
    "refuse-cancel": _("They do not cancel it"),
}
PAGES = {"consent": _("Ask: who may know?"), "refer": _("Which care, and where?")}  # on which she stopped to think
FIELDS = {  # what a refusal says is missing, or may not be told
    "reason_code": _("The reason"),
    "outcome_code": _("How it ended"),
    "to_facility": _("The place"),
    "facility": _("The place"),
    "to_agency": _("The agency"),
    "next_place": _("The next place"),
    "post": _("Who answered"),
    "occurred_at": _("When it happened"),
    "respond_by": _("By when"),
    "mode": _("The way"),
    "escort": _("Who goes along"),
    "expected_at": _("When she or he is expected"),
    "windows": _("Until when care works best"),
    "needs": _("Age group, sex, language"),
    "child": _("Facts about a child"),
    "incident_class": _("Kind of violence, as a code"),
    "given": _("Care already given"),
    "travel": _("The way there"),
    "dependants": _("Who comes along"),
    "safety": _("Whether going back is safe"),
    "relay": _("Messages may be passed on"),
    "report_form": _("The report form"),
    "urgent_mental_health": _("Urgent care for the mind"),
}
CUBES: dict[str, str] = {
    "reports": _("What was reported"), "referrals": _("Requests sent"), "offers": _("What was answered when asked"),
    "arrivals": _("Who came"), "breaches": _("Against the protocol"), "alarms": _("Alarms"),
}  # fmt: skip
DIMENSIONS: dict[str, str] = {
    "hours": _("Hours until it was reported"), "incident": _("What happened"), "age": _("Age"), "sex": _("Sex"),
    "again": _("First or again"), "place": _("Place"), "urgency": _("How soon"), "to_kind": _("Asked for"),
    "stage": _("How far it has come"), "offered": _("Answer"), "way": _("On whose request"), "ended": _("How it ended"),
    "step": _("How far the police came"), "from_desk": _("Sent by"), "breach": _("What was done or demanded"),
    "by_whom": _("From whose side"), "alarm": _("Alarm"), "alarm_state": _("Alarm now"),
}  # fmt: skip
COUNTED: dict[str, str] = {
    "72": _("Up to 72 hours"), "120": _("Up to 120 hours"), "later": _("Later"), "unknown": _("Not known"),
    "first": _("First report"), "again": _("Again"), "not_seen": _("Sent, not seen yet"), "seen": _("Seen"),
    "accepted": _("Accepted"), "came": _("Came"), "finished": _("Finished"), "ended_otherwise": _("Ended in another way"),
    "no_news": _("No news, by choice"), "yes": _("Yes"), "taken_back": _("Yes, and taken back"), "no": _("No"),
    "open": _("Not ended yet"), "resolved": _("Resolved"), "reported": _("Reported"), "investigated": _("Under investigation"),
    "charged": _("Charged"), "tried": _("Heard in court"), "verdict": _("Verdict"), "specialist": _("A specialised desk"),
    "other": _("Another desk"),
}  # fmt: skip
PROTOCOLS: dict[str, str] = {
    "referral": _("Referral between agencies"), "care_first": _("Care first, without a police report"),
    "consent": _("Consent, and taking it back"), "children": _("Children"), "medical_report": _("Medical report"),
    "products_at_a_desk": _("Products given at a desk"), "shelter": _("Safe places"),
    "no_settlement": _("No settlement and no pressure"), "no_fees": _("No fees"), "records": _("Records and their protection"),
    "hand_over": _("Hand-over to prosecutor and court"),
}  # fmt: skip
HANDED_OUT: dict[str, str] = {
    "collected": _("Figures of the agencies"),
    "figures": _("Released figures"), "programme": _("Indicators of the programme"),
    "looks": _("Who was told of a case and who looked"),
    "bundle": _("What was said of a case and heard, with proofs"),
    "evidence": _("What other agencies signed and was not used here, as evidence"),
    "held": _("What was held of a case, opened from the escrow"),
}  # fmt: skip
PURPOSES: dict[str, str] = {
    "monthly_report": _("Monthly report to the ministry"), "oversight": _("For the oversight body"), "planning": _("For planning"),
    "she_asked": _("She or he asked for it"), "court_order": _("A court ordered it"), "complaint": _("A complaint is looked into"),
}  # fmt: skip
NOBODY_ELSE = "nobody_else"
AGREEMENTS: dict[str, str] = {
    "not_yet": _("Does not hold yet"), "in_force": _("Holds"), "ends_soon": _("Ends soon"), "ended": _("Has ended"),
    NOBODY_ELSE: _("nobody else"),
}  # fmt: skip
BREACHES: dict[str, str] = {
    "mediation_attempted": _("Somebody tried to mediate"),
    "police_report_demanded": _("A police report was demanded before care"),
    "fee_demanded": _("Money was demanded"), "permission_demanded": _("A permission of husband or family was demanded"),
    "pressure_to_settle": PROGRESS["pressure_to_settle"],
    "sent_on_unrecorded": _("Sent on from a station that wrote nothing down"),
    "property_not_returned": _("Things that were asked for were not given back"),
    "made_an_offence": _("What was done to her or him was entered as an offence of hers or his"),
    "address_stored": _("Where she or he stays was written down where it must not be"),
    "files_linked": _("The file of a survivor was linked to one of somebody accused"),
}  # fmt: skip
BY_WHOM: dict[str, str] = {
    "police": _("Police"), "health": _("Health"), "social_welfare": _("Social welfare"), "justice": _("Court or prosecutor"),
    "partner": _("A partner organisation"),
    "family": _("The family"), "community": _("Elders, a chief or neighbours"), "other": _("Somebody else"),
    "not_known": _("Not known"),
}  # fmt: skip
REPORT_STEPS: dict[str, str] = {
    "requested": _("Asked for"), "handed_back": _("The form was handed back"), "examined": _("Examined"), "signed": _("Signed"),
    "ready": _("Ready to be fetched"), "collected": _("Handed over"), "fee_asked": _("A fee was asked"),
    "fee_paid": _("A fee was paid"), "travelled": _("Somebody travelled for it"), "held": _("Somebody is held"),
    "released": _("Nobody is held any more"),
}  # fmt: skip
REPORT_ACTS: dict[str, str] = {
    "handed_back": _("The form is wrong: hand it back"), "examined": _("The examination took place"), "signed": _("It was signed"),
    "ready": _("It lies ready in an envelope"), "collected": _("It goes from hand to hand"), "fee_asked": _("A fee is asked"),
    "fee_paid": _("A fee was paid"), "travelled": _("Somebody travelled for it"), "held": _("Somebody is held, since when"),
    "released": _("Nobody is held any more"),
}  # fmt: skip
REPORT_GAPS: dict[str, str] = {
    "not_examined": _("It was signed, and no examination before that stands here: enter it, or look at the times."),
    "not_signed": _("It was ready or handed over, and no signature before that stands here: enter it, or look at the times."),
    "collected_twice": _("The one document was handed over twice: look for it, and at the times."),
    "codes_differ": _("The codes on the envelope are not alike: look for it, and at the paper."),
}
REPORT_HOLDERS: dict[str, str] = {
    "desk": _("The police desk that asked"), "court": _("A court"), "herself": _("The patient"),
}  # fmt: skip
REPORT_GROUNDS: dict[str, str] = {
    "consent": _("A yes to this one paper and this one holder"), "court_order": _("A court ordered it"),
}  # fmt: skip
REPORT_TRAVELLERS: dict[str, str] = {"signer": _("Whoever signs"), "she": _("The patient")}
REPORT_REFUSALS: dict[str, str] = {
    "old_version": _("The form is an old version"), "other_form": _("It is another form than the one in use"),
}  # fmt: skip
REPORT_FORMS: dict[str, str] = {  # a test holds every profile's to its words
    "zp_form_32": _("police medical report form (ZP 32)"),
    "medical_form": _("medical report form"),
}
FACTS_KNOWN: dict[str, str] = {  # what rules ask for, as a sentence lists it
    "hurt_now": _("whether there is an injury"),
    "she_agrees": _("her or his own yes"), "assent": _("the child’s own yes"),
    "safe_adult": _("an adult who is safe for the child"),
    "caregiver_suspected": _("whether the adult who looks after the child is suspected"),
    "risk_checked": _("that the risks were looked at"),
    "marked_safe": _("that a call is safe"), "own_word": _("the agreed word"), "safe_phone": _("a telephone that is safe"),
    "return_asked_for": _("that the things were asked for"), "handed_back": _("that they were handed back"),
    "onward_planned": _("a place for afterwards"), "supervisor_agrees": _("the supervisor’s yes"),
    "police_order": _("the order of the police"),
    "signed": _("a signature"), "request_recorded": _("that the request was written down"),
    "police_report_demanded": _("that a police report was demanded"), "is_accused": _("whether somebody is accused as well"),
}  # fmt: skip
DAY_PARTS: dict[str, str] = {"morning": _("In the morning"), "afternoon": _("In the afternoon")}
CONFERENCE_STATES: dict[str, str] = {
    "called": _("Called"), "held": _("It was held"), "called_off": _("It was called off"), "withdrawn": _("Invitation withdrawn"),
}  # fmt: skip
CONFERENCE_ANSWERS: dict[str, str] = {"will_come": _("Somebody comes"), "cannot_come": _("Nobody can come")}
CONFERENCE_DECISIONS: dict[str, str] = {
    "find_a_safe_place": _("Find a safe place to stay"), "support_for_her": _("Support for the survivor"),
    "support_for_children": _("Support for the children"), "legal_aid": _("Legal aid"),
    "follow_up_of_care": _("Follow-up of the care that was given"), "safety_measures": _("Measures for safety"),
    "ask_for_protection_order": _("Ask for a protection order"), "support_in_court": _("Support in court"),
    "tell_her_how_it_stands": _("Tell the survivor how it stands"), "meet_again": _("Meet again"),
    "nothing_further": _("Nothing further is needed"),
}  # fmt: skip
GROUPS: dict[str, dict[str, str]] = {
    "day_part": DAY_PARTS, "conference_state": CONFERENCE_STATES, "conference_answer": CONFERENCE_ANSWERS,
    "conference_decision": CONFERENCE_DECISIONS,
    "state": STATES, "urgency": URGENCIES, "service": SERVICES, "outcome": OUTCOMES, "decline": DECLINES, "cancel": CANCELS,
    "hold": HOLDS, "item": ITEMS, "spoken": SPOKEN, "asked": ASKED, "basis": BASES, "how": HOWS,
    "incident": INCIDENTS, "context": CONTEXTS, "age": AGES, "sex": SEXES, "person": PEOPLE,
    "access": ACCESS, "staff": STAFF, "answer": ANSWERS, "product": PRODUCTS, "mode": MODES, "escort": ESCORTS,
    "safe_hours": SAFE_HOURS, "span": SPANS, "caregiver": CAREGIVERS, "stand_in": STAND_INS,
    "progress": PROGRESS, "flag": FLAGS, "alarm": ALARMS, "set_aside": SET_ASIDE, "erasure": ERASURES,
    "look": LOOKS, "why": WHYS,
    "role": ROLES, "post": POSTS, "kind": KINDS, "line": LINES, "message": MESSAGES, "sheet": SHEETS, "step": STEPS,
    "field": FIELDS, "page": PAGES, "cube": CUBES, "dimension": DIMENSIONS, "counted": COUNTED, "export": HANDED_OUT,
    "entry": ENTRIES, "correction": CORRECTIONS, "supply": SUPPLY_REASONS, "no_supply": SUPPLY_DECLINES,
    "supply_state": SUPPLY_STATES, "safety": SAFETY, "purpose": PURPOSES, "report_form": REPORT_FORMS,
    "another": {"unknown": _("Of another kind")},
    "protocol": PROTOCOLS, "breach": BREACHES, "by_whom": BY_WHOM, "agreement": AGREEMENTS,
    "report_step": REPORT_STEPS, "report_act": REPORT_ACTS, "report_gap": REPORT_GAPS, "report_holder": REPORT_HOLDERS,
    "report_ground": REPORT_GROUNDS, "report_traveller": REPORT_TRAVELLERS, "report_refusal": REPORT_REFUSALS,
    "fact": FACTS_KNOWN,
    "way": {**KINDS, "by_herself": _("By herself or himself")},
}  # fmt: skip

ENUMS: dict[str, type[StrEnum]] = {  # a test holds every code of these to a word
    "urgency": codes.Urgency, "service": codes.ServicePackage, "outcome": codes.OutcomeCode, "decline": codes.DeclineReason,
    "cancel": codes.CancelReason, "hold": codes.HoldReason, "item": codes.ConsentItem, "basis": codes.Basis,
    "how": codes.ConsentHow, "incident": codes.IncidentType, "age": codes.AgeBand, "sex": codes.Sex, "access": codes.AccessNeed,
    "context": codes.IncidentContext,
    "staff": codes.StaffPreference, "answer": codes.Ternary, "product": codes.CareProduct,
    "mode": codes.TravelMode, "escort": codes.Escort, "safe_hours": codes.SafeHours, "progress": codes.ProgressCode,
    "supply": codes.SupplyReason, "no_supply": codes.SupplyDecline, "safety": codes.SafetyCode,
    "protocol": codes.ProtocolTopic, "flag": codes.Flag, "role": codes.Role, "kind": codes.AgencyKind,
    "day_part": codes.DayPart, "conference_answer": codes.ConferenceAnswer, "conference_decision": codes.ConferenceDecision,
}  # fmt: skip


GROUP_OF: dict[type, str] = {kind: group for group, kind in ENUMS.items()} | {
    codes.ReferralState: "state",
    codes.AgendaItem: "item",
}


def word(code: object, group: str) -> str:
    """The word for a code, in the source language; a code that a network file made up is shown as it is written."""
    text = str(code)
    return GROUPS[group].get(text) or text.replace("_", " ")


def end(outcome: str, needs: dict[str, object] | None) -> str:
    """How a referral ended at the other end: came and finished, another visit, cannot take. Nothing finer, whatever was said."""
    told = str(OUTCOME_TOLD[codes.OutcomeCode(outcome)])
    return ENDS.get(f"{told}_{(needs or {}).get('sex')}") or ENDS[told]


def person(needs: dict[str, object] | None) -> str:
    """What somebody is called where a sentence needs a noun: girl, woman, boy, man, child, person."""
    if not needs:
        return PEOPLE["person"]
    sex, age = str(needs.get("sex")), str(needs.get("age_band"))
    is_child = age in {str(band) for band in codes.CHILD_BANDS}
    if sex in {"female", "male"}:
        return PEOPLE[f"{sex}_child" if is_child else sex]
    return PEOPLE["child" if is_child else "person"]
