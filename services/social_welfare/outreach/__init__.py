"""Outreach: sessions and how many people were reached, as counts and nothing else."""
