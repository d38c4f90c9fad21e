"""What a referral says: the published sample without what is rare, about 550 bytes of JSON, carried by every pipe alike."""

import json
from typing import Any

from shared.contracts.publish import SAMPLES

RARE_FIELDS = frozenset({"child", "dependants", "given", "report_form", "travel", "relay", "windows"})  # not in most referrals
NOT_TO_CARE = frozenset({"safety", "urgent_mental_health"})  # which the police may not tell a clinic


def referral_data() -> dict[str, Any]:
    """The data of an ordinary referral."""
    sample = json.loads((SAMPLES / "referral.issued.v1.json").read_text())
    return {name: value for name, value in sample["data"].items() if name not in RARE_FIELDS | NOT_TO_CARE}
