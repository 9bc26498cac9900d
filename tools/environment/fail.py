"""Ending the set-up with an error."""

import sys
from typing import NoReturn


def fail(message: str, status: int = 1) -> NoReturn:
    """Print one line and exit with the status."""
    print(f'setup: {message}', file=sys.stderr)
    sys.exit(status)
