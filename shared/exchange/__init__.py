"""Carries events between agencies: outbox, relay, inbox, streams and receipts."""
