"""Outreach: which kinds of session there are, and how many people of which sex and age group. No person, no name, no word typed."""

from enum import StrEnum

from shared.contracts.casework.codes import AgeBand, Sex


class SessionKind(StrEnum):
    """What a session was."""

    COMMUNITY_MEETING = "community_meeting"
    SCHOOL = "school"
    PLACE_OF_WORSHIP = "place_of_worship"
    MARKET = "market"
    HEALTH_POST = "health_post"
    HOME_TO_HOME = "home_to_home"
    RADIO = "radio"  # nobody is counted


SEXES = (Sex.FEMALE, Sex.MALE, Sex.OTHER)
AGES = (AgeBand.A0_9, AgeBand.A10_14, AgeBand.A15_17, AgeBand.A18_24, AgeBand.A25_49, AgeBand.A50)
REACHED_MAX = 5_000  # of one sex and age group at one session; more is a mistyped figure
