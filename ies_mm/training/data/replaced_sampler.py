"""Checks which sampler of a base config the IESSampler replaces."""

import ast
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS
from mmengine.utils import get_installed_path

from ies_mm.errors import ConfigError
from ies_mm.training.data.sampler import (
    REPEATS,
    WHAT_TO_DO,
    IESSampler,
    check_left_over,
)

SAME_ORDER = ('InfiniteSampler', 'DefaultSampler')
"""MMEngine's samplers, whose order the IESSampler reproduces exactly.

The second one only in an epoch-based loop: in an endless one it ends each pass
with a smaller batch.
"""

KEEP_REPEATS = (
    "Write train_dataloader=dict(sampler=dict(type='IESSampler', "
    'num_repeats={})), which keeps its order'
)


def check_replaced(cfg: Config) -> None:
    """Refuse to replace a sampler whose order the IESSampler does not have.

    A child config merges ``sampler=dict(type='IESSampler')`` with its base,
    and would then draw its images differently from the base's own plain run.

    Args:
        cfg (Config): A config with the IESSampler. Its bases are found by the
            files that MMEngine notes in it; a config without files has
            nothing to compare with.

    Raises:
        ConfigError: The base's sampler is not MMEngine's for this loop.
        ConfigError: Arguments of another sampler are left over.
    """
    sampler = cfg.train_dataloader.get('sampler') or {}
    endless = (cfg.get('train_cfg') or {}).get('max_iters')
    same = SAME_ORDER[:1] if endless else SAME_ORDER
    for path in _files(cfg):
        loader = Config.fromfile(path).get('train_dataloader') or {}
        theirs = loader.get('sampler') or {}
        name = _name(theirs.get('type'))
        if name is None or _is_ours(theirs['type']):
            continue
        # 3 is the default of mmpretrain's RepeatAugSampler.
        repeats = theirs.get('num_repeats', 3) if name == REPEATS else 0
        # The nearest one is what a run without the IESSampler would use.
        if name in same or sampler.get('num_repeats') == repeats:
            break
        raise ConfigError(
            f'train_dataloader.sampler: IESSampler takes the place of the '
            f'{name} of {path}, but does not choose images as it does, so '
            'the run without IES would be another one. '
            + (KEEP_REPEATS.format(repeats) if repeats else WHAT_TO_DO)
        )
    known = {*_arguments_of(sampler.get('type')), 'type', '_scope_'}
    check_left_over([key for key in sampler if key not in known])


def _is_ours(kind: Any) -> bool:
    cls = DATA_SAMPLERS.get(kind) if isinstance(kind, str) else kind
    return isinstance(cls, type) and issubclass(cls, IESSampler)


def _arguments_of(kind: Any) -> Iterator[str]:
    """Those of our sampler and, if the type is a subclass, of its own."""
    cls = DATA_SAMPLERS.get(kind) if isinstance(kind, str) else kind
    for part in getattr(cls, '__mro__', ()):
        if issubclass(part, IESSampler):
            yield from signature(part).parameters


def _files(cfg: Config) -> Iterator[str]:
    """The config's file and its bases, the nearest first."""
    # MMEngine keeps the text of all files, bases first, each below a line with
    # its path.
    lines = (cfg.text or '').splitlines()
    for line in reversed(lines):
        if line.endswith('.py') and '=' not in line and Path(line).is_file():
            yield line
    if str(cfg.filename).endswith('.py'):
        yield cfg.filename
        yield from map(str, _read_by(Path(cfg.filename)))


def _read_by(path: Path) -> Iterator[Path]:
    """Files imported under ``read_base``, which MMEngine does not note."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.With) and 'read_base' in ast.dump(node):
            for base in node.body:
                if isinstance(base, ast.ImportFrom) and base.module:
                    found = _file_of(base.module, base.level, path)
                    yield found
                    yield from _read_by(found)


def _file_of(module: str, level: int, importer: Path) -> Path:
    package, *rest = module.split('.')
    if level:
        folder, rest = importer.parents[level - 1], [package, *rest]
    else:
        folder = Path(get_installed_path(package))
    return folder.joinpath(*rest).with_suffix('.py')


def _name(kind: Any) -> str | None:
    if kind is None:
        return None
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]
