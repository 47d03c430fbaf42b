"""The supervisor: keeps all processes of a site alive."""
