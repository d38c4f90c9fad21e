"""Starts the servers that one machine needs: a Kafka broker and a throw-away PostgreSQL."""
