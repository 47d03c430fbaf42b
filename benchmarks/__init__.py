"""How fast each stage and the whole are, on the real programs."""
