"""`python -m palate` is `palate`."""

from palate.cli import console

console()
