"""`python -m palate` is `palate`."""

import sys

from palate.cli import main

sys.exit(main())
