"""Relays the event store to Kafka, in order, and never loses an event."""
