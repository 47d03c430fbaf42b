"""The local stack: Kafka, Connect, registry and PostgreSQL as child processes, without Docker."""
