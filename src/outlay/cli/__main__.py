"""`python -m outlay.cli`."""

from __future__ import annotations

import sys

from outlay.cli import main

if __name__ == "__main__":
    sys.exit(main())
