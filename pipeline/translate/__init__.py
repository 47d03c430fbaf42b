"""Translates a module's change log into mirror rows and integration events, in the hub."""
