"""Replication of integration events into the stores of regions."""
