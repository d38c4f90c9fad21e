"""The occurrence book: docket numbers stay with the police."""
