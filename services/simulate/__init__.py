"""A programme replayed: a synthetic caseload driven through the agencies' API, and its figures counted from their records."""
