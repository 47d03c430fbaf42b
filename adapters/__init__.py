"""What changes mean: change-log decoding, positions, aggregates, contracts and serde."""
