"""MariaDB and MySQL as legacy databases: definitions, keys, texts, hashes, barriers."""
