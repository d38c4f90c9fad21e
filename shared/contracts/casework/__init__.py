"""What agencies say to each other about a referral: its lifecycle, events and codes."""
