"""Drift of the legacy schema: what a change of a legacy table touches, and in which order to go."""
