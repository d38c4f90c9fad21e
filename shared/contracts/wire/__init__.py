"""What travels between agencies: envelopes, statements and topic names."""
