"""What the programme says of products that police give: the one place where dispensing reads the profile."""

from datetime import timedelta

from services.police.dispensing.domain import Course, ProductRule
from shared.contracts.casework.codes import AgeBand, CareProduct, Sex
from shared.programmes.profile import Programme


def rules_of(programme: Programme) -> dict[CareProduct, ProductRule]:
    """By product; empty where police of this programme give none."""
    hours = programme.windows.emergency_contraception_h
    if hours is None:
        return {}
    product = CareProduct.EMERGENCY_CONTRACEPTION
    return {
        product: ProductRule(
            product, Course.EMERGENCY_CONTRACEPTION, timedelta(hours=hours),
            sexes=frozenset({Sex.FEMALE, Sex.OTHER}), youngest=AgeBand.A10_14, assumed=("youngest",),
        )
    }  # fmt: skip
