"""A partner: an NGO, a shelter or legal aid that works under an agreement."""
