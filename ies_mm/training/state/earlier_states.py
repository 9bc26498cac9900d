"""Checkpoint states written by earlier versions."""

import hashlib
from typing import Any

import torch

from ies_mm.core.removed import check_no_denoised
from ies_mm.errors import ConfigError
from ies_mm.training.state.session import Session

_WRITTEN_SINCE = (
    'length',
    'batch_samples',
    'since',
    'built_losses',
    'transforms',
    'loss_modules',
    'begun',
    'mastered',
    'fetched',
)
"""Optional entries that earlier versions did not write."""


def as_of_today(session: Session, loaded: dict[str, Any]) -> dict[str, Any]:
    """Add to a state what earlier versions did not write.

    Version 0.1.0 stored one hash of all full paths, so the data must not have
    moved.
    """
    images = session.instances
    if 'dataset' in loaded and 'images' not in loaded:
        paths = '\n'.join(images.paths()).encode(errors='surrogatepass')
        if loaded['dataset'] != hashlib.sha256(paths).hexdigest():
            raise ConfigError(
                'cannot resume: the checkpoint is of another dataset, or its '
                'images were moved; resume with the same data in the same '
                'place, or start over with load_from'
            )
        loaded = {**loaded, 'images': images.checksums()}
    elif 'length' not in loaded and torch.equal(
        images.checksums_of_paths(), loaded['images']
    ):
        # Parts that show the same file were not told apart.
        loaded = {**loaded, 'images': images.checksums()}
    check_no_denoised(loaded['arguments'])
    unknown = dict.fromkeys(_WRITTEN_SINCE)
    return {'version': 1, 'absent': [], **unknown, **loaded}
