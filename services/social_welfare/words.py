"""What the codes of social work are called on screen."""

from shared.kit.i18n import mark as _

NEEDS = {
    "safety": _("Safety"), "shelter": _("A safe place to stay"), "health": _("Health"), "support": _("Someone to talk to"),
    "legal": _("Legal aid"), "income": _("Income"), "school": _("School or training"), "childcare": _("Care for the children"),
    "papers": _("Papers"), "other": _("Something else"),
}  # fmt: skip
STEPS = {
    "talk": _("Talk"), "refer": _("Ask another place to help"), "go_with_her": _("Go along"), "visit": _("Visit"),
    "papers": _("Papers"), "goods_or_money": _("Goods or money"), "training_or_school": _("School or training"),
    "safety_plan": _("Safety plan, on paper with the survivor"), "other": _("Something else"),
}  # fmt: skip
WHO = {
    "she": _("The survivor"), "worker": _("Social worker"), "colleague": _("A colleague"), "supervisor": _("Supervisor"),
    "another_agency": _("Another agency"),
}  # fmt: skip
STEP_STATES = {
    "open": _("Open"), "done": _("Done"), "not_possible": _("Not possible"),
    "she_does_not_want_it": _("Is not wanted any more"), "handed_on": _("Handed on"),
}  # fmt: skip
PARTS_OF_A_PLAN = {
    "needs": _("What is needed"), "goals": _("What for"), "steps": _("Steps"), "review_on": _("When it is looked at again"),
    "note": _("Note"),
}  # fmt: skip
CLOSINGS = {
    "goals_reached": _("What was wanted is reached"), "she_asks": _("The survivor asks for it"), "moved_away": _("Moved away"),
    "handed_to_another": _("Handed to another office"), "not_reached_safely": _("Could not be reached safely"), "died": _("Died"),
}  # fmt: skip
VISIT_KINDS = {"office": _("At the office"), "home": _("At home"), "elsewhere": _("At another place")}
VISITS_FOLLOW = {
    "plan": _("A step of the plan"), "after_return": _("After going back"), "follow_up": _("Follow-up"),
    "other": _("Something else"),
}  # fmt: skip
VISIT_STATES = {"made": _("Made"), "kept": _("Took place"), "missed": _("Has not come yet"), "called_off": _("Called off")}
SAFE_WAYS = {
    "at_home_alone": _("At home, when nobody else is there"), "at_home_with_safe_person": _("At home, with somebody who is safe"),
    "at_another_place": _("At another place, agreed by voice"),
}  # fmt: skip
VISIT_OUTCOMES = {
    "met_and_safe": _("Met, and safe"), "met_not_safe": _("Met, and not safe"),
    "met_wishes_no_more": _("Met, and wants no more visits"),
    "not_met": _("Not met"), "broken_off": _("Broken off: it was not safe"),
}  # fmt: skip
RETURNS_TO = {"family": _("To the family"), "community": _("To the community"), "elsewhere": _("To another place")}
RETURN_STATES = {
    "assessed": _("The questions were asked"), "agreed": _("Was agreed to"), "not_agreed": _("Was not agreed to"),
    "returned": _("Went back"),
    "ended": _("Is over"),
}  # fmt: skip
RETURN_QUESTIONS = {
    "doer_lives_there": _("Does whoever did it live there?"),
    "doer_can_come_there": _("Can whoever did it come there?"),
    "threats_since": _("Were there threats since?"),
    "pressed_to_go": _("Does anybody press to go back?"),
    "safe_person_there": _("Is somebody there who is safe?"),
    "can_call_for_help": _("Can help be called from there?"),
    "children_safe_there": _("Are the children safe there?"),
}
RETURN_ENDINGS = {
    "safe_there": _("Safe there, and seen as long as was wanted"), "left_again": _("Left again"),
    "she_asks": _("The survivor asks for it"), "did_not_go": _("Did not go"),
}  # fmt: skip
OUTREACH = {
    "community_meeting": _("Meeting of the community"), "school": _("At a school"), "place_of_worship": _("At a place of worship"),
    "market": _("At a market"), "health_post": _("At a health post"), "home_to_home": _("From home to home"),
    "radio": _("On the radio"),
}  # fmt: skip
WORDS = {
    "need": NEEDS, "plan_step": STEPS, "plan_who": WHO, "step_state": STEP_STATES, "plan_part": PARTS_OF_A_PLAN,
    "plan_closing": CLOSINGS, "visit_kind": VISIT_KINDS, "visit_which": VISITS_FOLLOW, "visit_state": VISIT_STATES,
    "safe_way": SAFE_WAYS, "visit_outcome": VISIT_OUTCOMES, "return_where": RETURNS_TO, "return_state": RETURN_STATES,
    "return_question": RETURN_QUESTIONS, "return_ending": RETURN_ENDINGS, "outreach": OUTREACH,
}  # fmt: skip
