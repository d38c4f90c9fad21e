"""What was given lies sealed under the key of the case that it was given for."""

import sqlalchemy as sa

from shared.casework.migrations.sealing import seal

revision = "0003_care_keys"
down_revision = "0002_care_of_walk_ins"
branch_labels = None
depends_on = "0017_case_keys"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    of_case = "LEFT JOIN casework_referrals AS r ON r.id = t.referral_id LEFT JOIN casework_walk_ins AS w ON w.id = t.walk_in_id"
    seal(
        "health_care_given", [("id", sa.Uuid())], [("care", sa.String(), "json"), ("result", sa.String(), "json")],
        "coalesce(r.case_id, w.case_id)", join=of_case, unchecked=["ck_health_care_given_result"],
    )  # fmt: skip
