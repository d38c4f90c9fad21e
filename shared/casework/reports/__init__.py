"""One feature of police and health: the medical report, from the request to the hand that takes it."""
