"""What page 3 offers to choose from, in its order: on the screen, and on the sheet of paper that is entered there afterwards."""

from shared.contracts.casework.codes import AgencyKind, Escort, ServicePackage, TravelMode

CARE_ORDER = {
    AgencyKind.HEALTH: (ServicePackage.ACUTE_CARE, ServicePackage.INJURY_CARE, ServicePackage.MENTAL_HEALTH_CARE,
                        ServicePackage.FOLLOW_UP_CARE),
    AgencyKind.SOCIAL_WELFARE: (ServicePackage.PSYCHOSOCIAL, ServicePackage.SHELTER, ServicePackage.CHILD_PROTECTION,
                                ServicePackage.COURT_SUPPORT, ServicePackage.FAMILY_VISIT, ServicePackage.LEGAL_AID),
    AgencyKind.PARTNER: (ServicePackage.SHELTER, ServicePackage.LEGAL_AID, ServicePackage.PSYCHOSOCIAL,
                         ServicePackage.MENTAL_HEALTH_CARE, ServicePackage.REINTEGRATION),
    AgencyKind.JUSTICE: (ServicePackage.PROSECUTION, ServicePackage.EXAMINATION_AND_REPORT),
    AgencyKind.POLICE: (ServicePackage.REPORT_TO_POLICE, ServicePackage.STATEMENT_AT_CLINIC, ServicePackage.PROTECTION),
}  # fmt: skip
MODES = (TravelMode.POLICE_VEHICLE, TravelMode.CAR, TravelMode.ON_FOOT, TravelMode.NONE_AVAILABLE)
ESCORTS = (Escort.OFFICER, Escort.SAFE_ADULT, Escort.ALONE)
