"""How the set-up ends where it cannot go on."""

import sys
from typing import NoReturn


def fail(message: str, status: int = 1) -> NoReturn:
    """One line, and the exit status."""
    print(f'setup: {message}', file=sys.stderr)
    sys.exit(status)
