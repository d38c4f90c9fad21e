"""What guards cases from those who work with them: emergencies beyond the own desk, whom a case may never be shown, decoys."""
