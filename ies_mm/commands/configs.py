"""List the shipped configs by the names that the commands accept."""

import ast
from collections.abc import Sequence
from pathlib import Path

from ies_mm.commands.parser import Parser
from ies_mm.configs import CONFIGS, PREFIX, config_names


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm configs'
) -> None:
    """Print the name and the summary of each config, one per line."""
    Parser(prog=prog, description=__doc__).parse_args(argv)
    for name in config_names():
        print(f'{PREFIX}{name}  {_says(CONFIGS / name)}'.rstrip())


def _says(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    return (docstring or '').partition('\n')[0]
