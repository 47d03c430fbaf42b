"""Reconciliation: is what arrived what was sent? See docs/operations.md for its verdicts."""
