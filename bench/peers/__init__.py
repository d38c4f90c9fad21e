"""What others would use in our place, measured beside us in one run: Debezium's outbox router as relay, and a direct REST hop."""
