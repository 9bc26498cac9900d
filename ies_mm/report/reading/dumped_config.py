"""The config that MMEngine dumps next to a run's scalars.

It is parsed, never executed: a work directory may come from anywhere.
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.reading.sections import fault_of

OF_PATHS = ('data_root', 'ann_file', 'data_prefix')
"""Settings of a dataset, or of a metric, that are paths."""


def read_config(path: Path) -> dict[str, Any]:
    """Read the settings of a dumped config.

    A value that is not a literal (a class, ``inf``) becomes its source text.

    Raises:
        ConfigError: The file does not exist, is not Python, or has a setting
            in a form that MMEngine does not write.
    """
    if not path.is_file():
        raise ConfigError(
            f'{path} is missing, so the settings of the run are unknown; '
            'give a work directory that MMEngine wrote'
        )
    try:
        settings = dict(_assignments(ast.parse(path.read_bytes())))
    # Invalid UTF-8, null bytes; brackets or signs nested too deeply.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = ' '.join(str(error).split()) or 'nested too deeply'
        raise _no_config(path, reason) from error
    if fault := fault_of(settings):
        raise _no_config(path, fault)
    return settings


def _no_config(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        f'{path} is not a config that MMEngine dumped: {reason}; '
        'fix it, or leave the run out'
    )


def flatten(value: Any, prefix: str = '') -> dict[str, Any]:
    """Flatten nested dicts and lists of dicts into dotted keys."""
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
        # Keys that are not identifiers: MMEngine writes dict({'a b': 1}).
        settings = _value(node.args[0]) if node.args else {}
        if isinstance(settings, dict):
            named = {str(k.arg): _value(k.value) for k in node.keywords}
            return settings | named
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):  # TypeError: a set of lists
        return ast.unparse(node)


def _key(node: ast.expr) -> Any:
    """A dict key; its source text if the value is unhashable."""
    key = _value(node)
    return ast.unparse(node) if isinstance(key, list | dict | set) else key


def one_spelling(key: str, value: Any) -> Any:
    """The setting of a path without the choices of its spelling.

    'data/voc/' and './data/voc' are the same folder.

    Args:
        key (str): Its flat key.
        value (Any): Anything but the setting of a local path stays.
    """
    is_path = any(part in OF_PATHS for part in key.split('.'))
    if not (is_path and isinstance(value, str) and value) or '://' in value:
        return value
    return os.path.normpath(value)
