"""The care of a running site: what happens to its connectors is found, named and answered."""
