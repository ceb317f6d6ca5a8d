"""Each kernel against a few lines of NumPy."""
