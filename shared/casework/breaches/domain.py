"""What is done or demanded against the protocol, in closed lists: any agency may write it down, of any side.

There is no outcome of a mediation, because none exists (practice guide, rule 8): an attempt is a breach.
"""

from enum import StrEnum


class BreachCode(StrEnum):
    """What was done or demanded against the protocol."""

    MEDIATION_ATTEMPTED = "mediation_attempted"
    POLICE_REPORT_DEMANDED = "police_report_demanded"  # before care
    FEE_DEMANDED = "fee_demanded"
    PERMISSION_DEMANDED = "permission_demanded"  # of a husband or of the family
    PROPERTY_NOT_RETURNED = "property_not_returned"  # she asked for her things, and has not got them


class ByWhom(StrEnum):
    """Whose side a breach came from: never a person, never a place."""

    POLICE = "police"
    HEALTH = "health"
    SOCIAL_WELFARE = "social_welfare"
    PARTNER = "partner"
    JUSTICE = "justice"
    FAMILY = "family"
    COMMUNITY = "community"
    OTHER = "other"
    NOT_KNOWN = "not_known"
