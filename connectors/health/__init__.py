"""How a site's capture is: facts of Connect, legacy database and change log, and what they mean."""
