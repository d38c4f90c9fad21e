"""What every kind of agency counts of a programme's measures; each kind adds its own in its main.py.

Reports, and the rate of referral to health, are the police's alone: two agencies that are told of the same incident would count it
twice. Who comes to a place of health by herself is in its cube of arrivals (`figures.domain`).
"""

from shared.casework.breaches import figures as breaches
from shared.casework.circles import figures as circles
from shared.casework.consents import figures as consents
from shared.casework.directory import figures as directory
from shared.casework.paper import figures as paper
from shared.casework.referrals import figures as referrals
from shared.casework.referrals import silence
from shared.casework.reports import figures as reports

EVERYWHERE = (
    directory.counts,
    referrals.counts,
    referrals.came,
    referrals.received,
    silence.counts,
    consents.counts,
    consents.adults,
    circles.counts,
    breaches.counts,
    reports.counts,
    paper.counts,
)
