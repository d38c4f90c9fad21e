"""Profiles load whole, and what they say is what code asks."""

from datetime import timedelta

import pytest

from shared.programmes.profile import PROFILES, check_file, load_programme


@pytest.mark.parametrize("profile", sorted(path.stem for path in PROFILES.glob("*.yaml")))
def test_every_profile_of_ours_is_without_mistakes(profile: str) -> None:
    assert [str(one) for one in check_file(PROFILES / f"{profile}.yaml").mistakes] == []


def test_limits_are_durations() -> None:
    assert load_programme("zm-vsu-ec").limits.acknowledge_h.of("acute") == timedelta(hours=1)
