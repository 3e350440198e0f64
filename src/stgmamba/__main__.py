"""`python -m stgmamba` is `stgmamba`."""

import sys

from stgmamba.cli import main

if __name__ == "__main__":
    sys.exit(main())
