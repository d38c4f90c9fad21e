"""Which social worker looks after which case."""
