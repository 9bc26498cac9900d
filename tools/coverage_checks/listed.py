"""The model families to check, one row each."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage_checks.configs as configs

LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')
_SMALL = ('r18', 'tiny', 's12', 'r50', '-t_', 'small', '-s_', 'base')
_NAMED = dict(
    zip(
        LIBRARIES,
        (configs.MMDET, configs.MMSEG, configs.MMPRETRAIN),
        strict=True,
    )
)
_MORE = dict(
    zip(LIBRARIES, (configs.MMDET_MORE, configs.MMSEG_MORE, {}), strict=True)
)


@dataclass(frozen=True)
class Family:
    """One model family.

    Attributes:
        library (str): 'mmdet', 'mmseg' or 'mmpretrain'.
        name (str): Name of the family.
        config (str): Path of a config in the library's config folder.
        named (bool): Whether it counts as one of the named families.
    """

    library: str
    name: str
    config: str
    named: bool = False

    @property
    def key(self) -> str:
        """Library and name; two libraries share some names."""
        return f'{self.library}/{self.name}'

    @property
    def path(self) -> Path:
        """The config file."""
        return config_root(self.library) / self.config

    @property
    def changes(self) -> dict[str, Any]:
        """Changes to merge into the config's model."""
        return configs.CHANGES.get(self.key, {})

    @property
    def progress(self) -> dict[str, int]:
        """Progress of the training, for MMEngine's message hub."""
        late = dict(epoch=100, iter=99_998, max_epochs=200, max_iters=200_000)
        return late | configs.PROGRESS.get(self.key, {})

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes to set on the built model, by path."""
        return configs.ATTRIBUTES.get(self.key, {})

    @property
    def share_exact(self) -> str:
        """Why an image alone has a different loss; empty if it has not."""
        return configs.SHARE_EXACT.get(self.key, '')

    @property
    def wide(self) -> bool:
        """Whether its backbone keeps its width."""
        return self.key in configs.WIDE

    @property
    def precise(self) -> bool:
        """Whether its features are computed in float64."""
        return self.key in configs.PRECISE

    @property
    def copies(self) -> int:
        """Number of copies of an image in its own batch."""
        return 2 if self.key in configs.TWICE else 1


def config_root(library: str) -> Path:
    """Folder with the configs that a library ships."""
    file = importlib.import_module(library).__file__
    return Path(str(file)).parent / '.mim' / 'configs'


def families(library: str) -> list[Family]:
    """The named families, their variants, and one per other folder."""
    named = [
        Family(library, name, config, named=True)
        for name, config in _NAMED[library].items()
    ]
    more = [Family(library, *item) for item in _MORE[library].items()]
    seen = {Path(family.config).parts[0] for family in named + more}
    rest = [
        Family(library, folder.name, _first(folder))
        for folder in sorted(config_root(library).iterdir())
        if folder.is_dir()
        and folder.name not in seen | {'_base_', 'common'}
        and any(_configs(folder))
    ]
    return named + more + rest


def every_config(library: str) -> list[Family]:
    """A row for every config that the library ships."""
    root = config_root(library)
    paths = [str(path.relative_to(root)) for path in _configs(root)]
    return [Family(library, path, path) for path in paths]


def _first(folder: Path) -> str:
    """The config that is likely the smallest, judging by its name."""

    def rank(path: Path) -> tuple:
        sizes = [i for i, part in enumerate(_SMALL) if part in path.name]
        # Deeper configs use the family's model for something else.
        return len(path.parts), min([*sizes, len(_SMALL)]), len(path.name)

    return str(min(_configs(folder), key=rank).relative_to(folder.parent))


def _configs(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob('*.py')):
        if '_base_' not in path.parts and not path.name.startswith('_'):
            yield path
