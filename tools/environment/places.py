"""Locations of the environment, its logs and its pinned versions."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / '.venv'
CONSTRAINTS = ROOT / 'requirements' / 'constraints.txt'


def python() -> str:
    """The environment's interpreter."""
    return str(VENV / 'bin' / 'python')


def logs() -> Path:
    """Folder of stamps and logs."""
    return VENV / 'setup'


def log(name: str) -> Path:
    """Log file of a step."""
    return logs() / f'{name}.log'
