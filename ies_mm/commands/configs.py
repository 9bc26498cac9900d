"""List the shipped configs by the names that the commands accept."""

import ast
from collections.abc import Sequence
from pathlib import Path

from ies_mm.commands.parser import Parser
from ies_mm.configs import CONFIGS, PREFIX


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm configs'
) -> None:
    """Print the name and the summary of each config, one per line."""
    Parser(prog=prog, description=__doc__).parse_args(argv)
    # rglob does not follow the symlink of a checkout.
    root = CONFIGS.resolve()
    names = [path.relative_to(root) for path in sorted(root.rglob('*.py'))]
    for name in names:
        if name.parts[0] != '_base_':
            print(f'{PREFIX}{name.as_posix()}  {_says(root / name)}'.rstrip())


def _says(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    return (docstring or '').partition('\n')[0]
