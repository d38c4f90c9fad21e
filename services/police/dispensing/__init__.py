"""Products that police give before care, from a locked box: certificates, doses, the box's ledger, and what fills it again."""
