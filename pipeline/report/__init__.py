"""The report: one page, one JSON document and one JUnit file that somebody can sign or gate on."""
