"""The deterministic simulator: the real stages on models of the servers, under faults."""
