"""Where changes are born: the legacy database, its definitions, readers and row hashes."""
