"""Whether training can resume from a state, and what has changed since."""

from typing import Any

from ies_mm.core.removed import GONE
from ies_mm.errors import ConfigError
from ies_mm.training.data.names import check_same
from ies_mm.training.state.session import Session

VERSION = 2
"""Version of the state; 0.1.0 wrote none."""


def check(
    session: Session, loaded: dict[str, Any], ours: dict[str, Any]
) -> None:
    """Reject a state that cannot be resumed; log changed arguments.

    Args:
        session (Session): At the start of a training run.
        loaded (dict): The state, completed by :func:`as_of_today`.
        ours (dict): What the session would save.

    Raises:
        ConfigError: It belongs to another method, dataset, kind of loop or
            model, or was written by another version.
    """
    _check_version(loaded)
    _check_origin(session, loaded)
    _check_complete(loaded, ours)
    _check_losses(loaded['built_losses'] or {}, ours['built_losses'] or {})
    images = session.instances
    check_same(
        images.names(),
        images.checksums(),
        loaded['images'],
        loaded.get('again', False),
    )
    _say_what_changed(session, loaded['arguments'])


def origin(session: Session) -> dict[str, str]:
    """What a checkpoint and a run that resumes from it must share."""
    loop = 'epochs' if session.pace.loop_ends_epochs else 'iterations'
    return {
        'method': session.method.name,
        'loop': f'a training loop that counts {loop}',
    }


def _check_version(loaded: dict[str, Any]) -> None:
    if loaded['version'] > VERSION:
        raise ConfigError(
            f'cannot resume: the state in the checkpoint has version '
            f'{loaded["version"]}, and this ies_mm knows {VERSION}; update '
            'ies_mm, or start over with load_from'
        )


def _check_origin(session: Session, loaded: dict[str, Any]) -> None:
    for key, found in origin(session).items():
        if loaded.get(key) != found:
            raise _of_another(key, loaded.get(key), found)


def _check_losses(theirs: dict[str, int], ours: dict[str, int]) -> None:
    """Refuse a checkpoint of a model with more losses; losses may join.

    Terms say less: one may be absent because its images are all pruned.
    """
    for attribute, number in theirs.items():
        here = ours.get(attribute, 0)
        if here < number:
            losses = f'losses in {attribute}: {number}'
            raise _of_another('model', losses, here)


def _of_another(what: str, theirs: Any, ours: Any) -> ConfigError:
    return ConfigError(
        f'cannot resume: the checkpoint is of another {what} ({theirs}, here '
        f'{ours}); resume with the same config, or start over with load_from'
    )


def _check_complete(loaded: dict[str, Any], ours: dict[str, Any]) -> None:
    theirs = loaded.get('of_method', {})
    missing = sorted(
        (ours.keys() - loaded.keys())
        | (ours['of_method'].keys() - theirs.keys())
    )
    if missing:
        raise ConfigError(
            f'cannot resume: the state in the checkpoint has no {missing[0]!r}'
            ', since another version of ies_mm wrote it; resume with that '
            'version, or start over with load_from'
        )


def _say_what_changed(session: Session, before: dict[str, Any]) -> None:
    now = session.arguments
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
            f'{session.method.name} continues with other arguments than the '
            f'checkpoint: {", ".join(changed)}; they apply from the next '
            'decision on'
        )
