"""The config that MMEngine dumps beside a run's scalars.

It is read, never executed: a work directory may come from anywhere.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.reading.sections import fault_of


def read_config(path: Path) -> dict[str, Any]:
    """The settings of a dumped config.

    A value that is no literal (a class, ``inf``) becomes its source text.

    Raises:
        ConfigError: The file is not there, is no Python, or has a setting of
            another form than MMEngine's.
    """
    if not path.is_file():
        raise ConfigError(
            f'{path} is missing, so nothing says what was trained; '
            'give a work directory that MMEngine wrote'
        )
    try:
        settings = dict(_assignments(ast.parse(path.read_bytes())))
    # Broken UTF-8, null bytes; brackets and signs nested too deeply.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = ' '.join(str(error).split()) or 'nested too deeply'
        raise _no_config(path, reason) from error
    if fault := fault_of(settings):
        raise _no_config(path, fault)
    return settings


def _no_config(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        f'{path} is no config that MMEngine dumped: {reason}; '
        'mend it, or leave the run out'
    )


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
        pairs = zip(node.keys, node.values, strict=True)
        return {_key(key): _value(inner) for key, inner in pairs if key}
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict':
        # Keys that are no names: MMEngine writes dict({'a b': 1}).
        settings = _value(node.args[0]) if node.args else {}
        if isinstance(settings, dict):
            named = {str(k.arg): _value(k.value) for k in node.keywords}
            return settings | named
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):  # TypeError: a set of lists
        return ast.unparse(node)


def _key(node: ast.expr) -> Any:
    """What cannot be a key becomes its source text."""
    key = _value(node)
    return ast.unparse(node) if isinstance(key, list | dict | set) else key
