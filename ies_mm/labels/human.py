"""Human labels: CIFAR-10N and CIFAR-100N (Wei et al., 2022)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ies_mm.errors import ConfigError
from ies_mm.labels.noise import Labels

CLEAN = 'clean_label'


def read_human(path: Path, column: str | None) -> tuple[Labels, Labels]:
    """Read ``CIFAR-10_human.pt`` or ``CIFAR-100_human.pt``.

    Args:
        path (Path): Path of the file, as published by its authors.
        column (str, optional): Labels to read: ``aggre_label``,
            ``worse_label``, ``random_label1`` to ``3`` or, for CIFAR-100,
            ``noisy_label``. May be None if there is only one.

    Returns:
        tuple: Clean and noisy labels, int64 (N,), in the order of CIFAR's
        training files.

    Raises:
        ConfigError: The file cannot be read, or has no such labels.
    """
    found = _loaded(path)
    columns = [name for name in found if 'label' in name and name != CLEAN]
    if column is None and len(columns) == 1:
        [column] = columns
    if column not in columns:
        raise ConfigError(
            f'{path} has the labels {", ".join(columns)}; name one of them '
            f'with --column, found {column}'
        )
    clean, noisy = (
        np.asarray(found[name], dtype=np.int64) for name in (CLEAN, column)
    )
    return clean, noisy


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        with torch.serialization.safe_globals(_ARRAYS):
            found = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # A broken file may raise anything.
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f'{path} cannot be read: {reason[0]}; give CIFAR-10_human.pt or '
            'CIFAR-100_human.pt as published'
        ) from error
    if not isinstance(found, Mapping) or CLEAN not in found:
        raise ConfigError(
            f'{path} has no {CLEAN}; give CIFAR-10_human.pt or '
            'CIFAR-100_human.pt as published'
        )
    return found


_reconstruct: Any = np.zeros(0).__reduce__()[0]
_ARRAYS: list[Any] = [
    # The published files hold pickled NumPy 1 arrays; allow nothing else.
    np.ndarray,
    np.dtype,
    type(np.dtype(np.int64)),
    _reconstruct,
    # NumPy 2 has moved the function, but the files have its old name.
    (_reconstruct, 'numpy.core.multiarray._reconstruct'),
]
