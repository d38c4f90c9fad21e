"""Who may say what, and of what: declared with each event, looked at once by whoever hears it, before any handler.

A signature says who spoke. It does not say that this was for them to say.
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal

from shared.contracts.casework import minimal_data
from shared.contracts.casework.codes import PROVIDED_BY, AgencyKind, ProgressCode

Party = Literal[
    "opener", "issuer", "recipient", "holder", "named", "joiner", "member", "keeper", "reader", "itself", "station",
    "invited", "caller",
]  # fmt: skip
Way = tuple[AgencyKind, AgencyKind]  # from which kind of agency to which

SERVING = frozenset(kind for kind, services in PROVIDED_BY.items() if services)  # who serves nobody says nothing of anybody
EVERY_WAY: frozenset[Way] = frozenset(product(SERVING, SERVING))


@dataclass(frozen=True, slots=True)
class Authority:
    """What its sender must be to what an event is about, and from which kinds of agencies to which it may be said at all."""

    party: Party
    ways: frozenset[Way] = EVERY_WAY


OPENER = Authority("opener")  # of a referral: nobody has issued another under its id
ISSUER = Authority("issuer")  # of the referral
RECIPIENT = Authority("recipient")  # of the referral
HOLDER = Authority("holder")  # of the consent: what rests on it here, if anything, was said by the sender
NAMED = Authority("named")  # by the consent, as its recipient: it is the reader's, and was taken back
JOINER = Authority("joiner")  # says of itself that it is in a circle, whose reference only members are told
MEMBER = Authority("member")  # of the circle: it has joined, or has sent or been sent a referral in it
KEEPER = Authority("keeper")  # of the facility
TO_OVERSIGHT: frozenset[Way] = frozenset((kind, AgencyKind.OVERSIGHT) for kind in SERVING)
FROM_OVERSIGHT: frozenset[Way] = frozenset((AgencyKind.OVERSIGHT, kind) for kind in SERVING)
READER = Authority("reader", EVERY_WAY | TO_OVERSIGHT | FROM_OVERSIGHT)  # of our event that it is about

# The oversight body publishes protocols, whoever keeps a place confirms that it works by one, and agencies tell it their released
# figures. Of rules, places and sums: nothing else is said to it or by it, and none of it is about a person.
PUBLISHES = Authority("itself", FROM_OVERSIGHT)
ADOPTS = Authority("keeper", TO_OVERSIGHT)
TELLS_FIGURES = Authority("itself", TO_OVERSIGHT)

# What police give before care comes from health: stations ask and account for it, places of care answer. Of products, and never of
# a person.
KEEPS_A_BOX = Authority("keeper", frozenset({(AgencyKind.POLICE, AgencyKind.HEALTH)}))
SUPPLIES = Authority("keeper", frozenset({(AgencyKind.HEALTH, AgencyKind.POLICE)}))

# A station numbers what it registers, and tells the agency that the network file names as its mother station, and nobody else.
STATION = Authority("station", frozenset({(AgencyKind.POLICE, AgencyKind.POLICE)}))

# How a medical report stands is told by whoever writes it, to the police that asked for it, and by nobody else.
TELLS_OF_A_REPORT = Authority("recipient", frozenset({(AgencyKind.HEALTH, AgencyKind.POLICE)}))

TELLS_THE_WAY = Authority("issuer", frozenset(way for way, rows in minimal_data.CROSSES.items() if "travel" in rows))
TELLS_STEPS = Authority("member", frozenset(minimal_data.PROGRESS_CROSSES))
TELLS_HEARINGS = Authority(
    "member", frozenset(way for way, told in minimal_data.PROGRESS_CROSSES.items() if ProgressCode.HEARING_DATE in told)
)
TELLS_OF_OTHER_PLACES = Authority("member", minimal_data.REFERRAL_PROGRESS_CROSSES)

# A case conference is called by social welfare, answered by whoever was asked, and concluded by whoever called it.
CALLS_A_CONFERENCE = Authority("member", frozenset(minimal_data.AGENDA_CROSSES))
ANSWERS_A_CONFERENCE = Authority("invited", frozenset((to, sender) for sender, to in minimal_data.AGENDA_CROSSES))
CONCLUDES_A_CONFERENCE = Authority("caller", frozenset(minimal_data.AGENDA_CROSSES))
