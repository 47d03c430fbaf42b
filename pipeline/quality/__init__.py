"""Quality: expectation suites, enforced row by row on events and run over the regions' tables."""
