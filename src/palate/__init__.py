"""Palate learns what people prefer."""

__version__ = "0.1.0"
