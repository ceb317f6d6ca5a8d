"""Tests of Palate: folders mirror `src/palate`; `conformance` is what every model passes."""
