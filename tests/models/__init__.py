"""Each model against brute force, and against the known faults of others."""
