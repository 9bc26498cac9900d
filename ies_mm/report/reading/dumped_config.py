"""The config that MMEngine dumps beside a run's scalars.

It is read, never executed: a work directory may come from anywhere.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ies_mm.errors import ConfigError


def read_config(path: Path) -> dict[str, Any]:
    """The settings of a dumped config.

    A value that is no literal (a class, ``inf``) becomes its source text.

    Raises:
        ConfigError: The file is not there, or is no Python.
    """
    if not path.is_file():
        raise ConfigError(
            f'{path} is missing, so nothing says what was trained; '
            'give a work directory that MMEngine wrote'
        )
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, ValueError) as error:  # broken UTF-8, null bytes
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'{path} is no config that MMEngine dumped: {reason}; '
            'mend it, or leave the run out'
        ) from error
    return dict(_assignments(tree))


def flatten(value: Any, prefix: str = '') -> dict[str, Any]:
    """Dotted keys instead of nested dicts and lists of dicts."""
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        items = [(str(number), inner) for number, inner in enumerate(value)]
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat |= flatten(inner, f'{prefix}.{key}' if prefix else key)
    return flat


def _assignments(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for line in tree.body:
        if isinstance(line, ast.Assign) and isinstance(
            line.targets[0], ast.Name
        ):
            yield line.targets[0].id, _value(line.value)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=False))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict':
        # Keys that are no names: MMEngine writes dict({'a b': 1}).
        settings = _value(node.args[0]) if node.args else {}
        return settings | {str(k.arg): _value(k.value) for k in node.keywords}
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
