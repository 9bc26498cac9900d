"""What a selection hook puts into a checkpoint, and takes from one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner

from ies_mm.core.removed import GONE, check_no_denoised
from ies_mm.errors import ConfigError
from ies_mm.training.data.names import check_same
from ies_mm.training.state.session import Session

KEY = 'ies'

VERSION = 2
"""Of the state; 0.1.0 wrote none."""

_WRITTEN_SINCE = (
    'length',
    'batch_samples',
    'since',
    'latest',
    'pipeline',
    'loss_modules',
    'switched',
    'begun',
)
"""What earlier versions did not write, and need not be known."""


def save(session: Session, checkpoint: dict[str, Any]) -> None:
    """Put the state of a session into a checkpoint.

    Args:
        session (Session): Since its training began.
        checkpoint (dict): MMEngine's; tensors, numbers, strings and None are
            added, which ``torch.load(weights_only=True)`` takes.
    """
    checkpoint[KEY] = _state(session)


@dataclass(frozen=True)
class Loaded:
    """What a checkpoint said of the run that it is of.

    Attributes:
        iterations (int): That the run had behind it.
        state (dict, optional): Of :func:`save`; None where it has none.
    """

    iterations: int = 0
    state: dict[str, Any] | None = None

    @classmethod
    def of(cls, checkpoint: dict[str, Any]) -> 'Loaded':
        """Read a checkpoint of MMEngine, or mere weights."""
        meta = checkpoint.get('meta') or {}
        return cls(meta.get('iter') or 0, checkpoint.get(KEY))

    def is_resumed_by(self, runner: Runner) -> bool:
        """Whether the loop stands where the checkpoint was saved.

        With ``load_from`` it stands at its beginning.
        """
        return 0 < self.iterations == runner.iter


def carried_over(session: Session) -> dict[str, Any]:
    """What a training that goes on in the same process had reached.

    To be called on all ranks.

    Args:
        session (Session): Before another one of the same training begins.
    """
    session.pace.withdraw()
    session.observed.gather()
    return {**_state(session), 'again': True}


def load(session: Session, loaded: dict[str, Any]) -> None:
    """Go on from what :func:`save` put into a checkpoint.

    Arguments of the hook that have changed hold from its next decision on;
    the log names them.

    Args:
        session (Session): At the start of a training.
        loaded (dict): ``checkpoint[KEY]``.

    Raises:
        ConfigError: It is of another method, data set or kind of loop, or
            was written by another version.
    """
    loaded = _as_of_today(session, loaded)
    _check(session, loaded)
    state, pace = session.state, session.pace
    state.load_state_dict(loaded)
    if pace.loop_ends_epochs:
        # MMEngine counts one epoch more in a checkpoint saved by hand.
        state.epochs = pace.epochs_behind
    pace.load_state_dict(loaded)
    # MMEngine draws another one where the config has none.
    session.method.seed = loaded['method_seed']
    for part in session.of_method:
        part.load_state_dict(loaded['of_method'])
    session.sampler.set_selection(state.selection)
    session.observed.load_state_dict(
        loaded['observed'], state.absent, loaded['latest']
    )
    _say_what_was_taken_over(session)


def _state(session: Session) -> dict[str, Any]:
    # An epoch-based loop saves between epochs, where nothing is unfinished.
    unfinished = not session.pace.loop_ends_epochs
    return {
        'version': VERSION,
        **_origin(session),
        **session.state.state_dict(),
        **session.pace.state_dict(),
        'images': session.instances.checksums(),
        'arguments': _plain(session.arguments),
        'method_seed': session.method.seed,
        'of_method': _plain(_of_method(session)),
        'observed': session.observed.state_dict() if unfinished else {},
        'latest': session.observed.latest,
    }


def _of_method(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in session.of_method:
        found |= part.state_dict()
    return found


def _say_what_was_taken_over(session: Session) -> None:
    state = session.state
    saved = state.excluded / max(state.instances * state.epochs, 1)
    session.runner.logger.info(
        f'{session.method.name} goes on after epoch {state.epochs}: '
        f'{int((state.history.count > 0).sum())} of {state.instances} images '
        f'have a loss history, {len(state.selection.excluded)} are left out '
        f'of the next epoch, saved {saved:.1%} so far'
    )


def _plain(value: Any) -> Any:
    """In Python's own types: NumPy's numbers would have to be unpickled."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        entries = map(_plain, value)
        return tuple(entries) if isinstance(value, tuple) else list(entries)
    return value.item() if isinstance(value, np.generic) else value


def _as_of_today(session: Session, loaded: dict[str, Any]) -> dict[str, Any]:
    """A state with what earlier versions did not write.

    Version 0.1.0 had one hash of all whole paths, so the data must not have
    moved.
    """
    images = session.instances
    if 'dataset' in loaded and 'images' not in loaded:
        paths = '\n'.join(images.paths()).encode(errors='surrogatepass')
        if loaded['dataset'] != hashlib.sha256(paths).hexdigest():
            raise ConfigError(
                'cannot resume: the checkpoint is of another dataset, or its '
                'images were moved; resume with the same data at the same '
                'place, or start anew with load_from'
            )
        loaded = {**loaded, 'images': images.checksums()}
    elif 'length' not in loaded:
        # Files that several parts show were not told apart.
        before = loaded['images'].cpu()
        if torch.equal(images.checksums_of_paths(), before):
            loaded = {**loaded, 'images': images.checksums()}
    check_no_denoised(loaded['arguments'])
    unknown = dict.fromkeys(_WRITTEN_SINCE)
    return {'version': 1, 'absent': [], **unknown, **loaded}


def _check(session: Session, loaded: dict[str, Any]) -> None:
    if loaded['version'] > VERSION:
        raise ConfigError(
            f'cannot resume: the state in the checkpoint has version '
            f'{loaded["version"]}, and this ies_mm knows {VERSION}; update '
            'ies_mm, or start anew with load_from'
        )
    for key, found in _origin(session).items():
        if loaded.get(key) != found:
            raise ConfigError(
                f'cannot resume: the checkpoint is of another {key} '
                f'({loaded.get(key)}, here {found}); resume with the same '
                'config, or start anew with load_from'
            )
    ours, theirs = _state(session), loaded.get('of_method', {})
    missing = sorted(
        (ours.keys() - loaded.keys())
        | (ours['of_method'].keys() - theirs.keys())
    )
    if missing:
        raise ConfigError(
            f'cannot resume: the state in the checkpoint has no {missing[0]!r}'
            ', another version of ies_mm wrote it; resume with that version, '
            'or start anew with load_from'
        )
    images = session.instances
    check_same(
        images.names(),
        images.checksums(),
        loaded['images'].cpu(),
        loaded.get('again', False),
    )
    before, now = loaded['arguments'], session.arguments
    changed = [
        f'{name}={now[name]} (was {before[name]})'
        for name in sorted(now.keys() & before.keys())
        if now[name] != before[name]
    ]
    changed += [
        f'{name} is gone (was {before[name]})'
        for name, default in GONE.items()
        if before.get(name, default) != default
    ]
    if changed:
        session.runner.logger.warning(
            f'{session.method.name} goes on with other arguments than the '
            f'checkpoint: {", ".join(changed)}; they hold from the next '
            'decision on'
        )


def _origin(session: Session) -> dict[str, str]:
    """What a checkpoint and a run that goes on from it must share."""
    loop = 'epochs' if session.pace.loop_ends_epochs else 'iterations'
    return {
        'method': session.method.name,
        'loop': f'a training loop that counts {loop}',
    }
