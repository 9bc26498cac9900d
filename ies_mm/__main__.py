"""Run ``ies-mm`` as ``python -m ies_mm``."""

import sys

from ies_mm.commands.program import main

if __name__ == '__main__':
    sys.exit(main())
