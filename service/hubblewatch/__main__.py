"""``python -m hubblewatch`` is the command ``hubblewatch``."""

import sys

from hubblewatch.cli import main

if __name__ == "__main__":
    sys.exit(main())
