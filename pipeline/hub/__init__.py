"""The hub: mirror, event store, dead letters and every mark, in one PostgreSQL database."""
