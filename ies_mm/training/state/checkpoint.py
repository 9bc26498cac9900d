"""Saves the state of a selection hook in checkpoints and restores it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner

from ies_mm.training.state.earlier_states import as_of_today
from ies_mm.training.state.resumable import VERSION, check, origin
from ies_mm.training.state.session import Session

KEY = 'ies'


def save(session: Session, checkpoint: dict[str, Any]) -> None:
    """Put the state of a session into a checkpoint.

    Args:
        session (Session): The session of the training.
        checkpoint (dict): MMEngine's; only tensors, numbers, strings and None
            are added, which ``torch.load(weights_only=True)`` accepts.
    """
    checkpoint[KEY] = _state(session)


@dataclass(frozen=True)
class Loaded:
    """What a loaded checkpoint says about its run.

    Attributes:
        iterations (int): Iterations that the run had completed.
        state (dict, optional): The state of :func:`save`; None if it has
            none.
    """

    iterations: int = 0
    state: dict[str, Any] | None = None

    @classmethod
    def of(cls, checkpoint: dict[str, Any]) -> 'Loaded':
        """Read a checkpoint of MMEngine, or one with only weights."""
        meta = checkpoint.get('meta') or {}
        return cls(meta.get('iter') or 0, checkpoint.get(KEY))

    def is_resumed_by(self, runner: Runner) -> bool:
        """Whether the loop is where the checkpoint was saved.

        With ``load_from``, it is at its beginning.
        """
        return 0 < self.iterations == runner.iter


def carried_over(session: Session) -> dict[str, Any]:
    """The state of a training run that continues in the same process.

    Call it on all ranks.

    Args:
        session (Session): The session, before the training's next one begins.
    """
    session.pace.withdraw()
    session.observed.gather()
    return {**_state(session), 'again': True}


def load(session: Session, loaded: dict[str, Any]) -> None:
    """Continue from what :func:`save` put into a checkpoint.

    Changed arguments of the hook take effect with its next decision; the log
    names them.

    Args:
        session (Session): At the start of a training run.
        loaded (dict): ``checkpoint[KEY]``.

    Raises:
        ConfigError: It belongs to another method, dataset, kind of loop or
            model, or was written by another version.
    """
    loaded = as_of_today(session, _on_cpu(loaded))
    check(session, loaded, _state(session))
    state, pace = session.state, session.pace
    state.load_state_dict(loaded)
    if pace.loop_ends_epochs:
        # MMEngine counts one epoch more in a checkpoint saved by hand.
        state.epochs = pace.epochs_behind
    pace.load_state_dict(loaded)
    # MMEngine draws another one if the config has none.
    session.method.seed = loaded['method_seed']
    for part in session.stateful:
        part.load_state_dict(loaded['of_method'])
    if not state.selection.active.any():
        _decide_anew(session, loaded['arguments'])
    # After the pace, whose new stream selects everything. With another batch
    # size, other images may be needed to fill the batches.
    session.select(state.selection)
    session.observed.load_state_dict(loaded['observed'])
    _say_what_was_taken_over(session)


def _state(session: Session) -> dict[str, Any]:
    # An epoch-based loop resumes at the beginning of an epoch, whose
    # observations start anew.
    unfinished = not session.pace.loop_ends_epochs
    return {
        'version': VERSION,
        **origin(session),
        **session.state.state_dict(),
        **session.pace.state_dict(),
        'images': session.instances.checksums(),
        'arguments': _plain(session.arguments),
        'method_seed': session.method.seed,
        'of_method': _plain(_of_method(session)),
        'observed': session.observed.state_dict() if unfinished else {},
        'built_losses': session.built_losses,
    }


def _of_method(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in session.stateful:
        found |= part.state_dict()
    return found


def _decide_anew(session: Session, before: dict[str, Any]) -> None:
    """Try changed arguments on a run that ended since all was mastered.

    No decision would follow in which they could take effect.
    """
    if before == _plain(session.arguments):
        return
    state = session.state
    decision = session.method.decide(
        state.history, state.names, session.standing()
    )
    state.selection = decision.selection
    state.mastered = int(decision.mastered.sum())


def _say_what_was_taken_over(session: Session) -> None:
    state = session.state
    saved = state.excluded / max(state.instances * state.epochs, 1)
    over = state.epochs >= session.pace.max_epochs
    coming = f'the next epoch prunes {len(state.selection.excluded)}'
    session.runner.logger.info(
        f'{session.method.name} resumes after epoch {state.epochs}: '
        f'{int((state.history.count > 0).sum())} of {state.instances} images '
        f'have a loss history, {"no epoch follows" if over else coming}, '
        f'saved {saved:.1%} so far'
    )


def _on_cpu(value: Any) -> Any:
    """Move all tensors: MMEngine loads checkpoints onto the model's device."""
    if isinstance(value, Mapping):
        return {key: _on_cpu(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_on_cpu, value))
    return value.cpu() if isinstance(value, torch.Tensor) else value


def _plain(value: Any) -> Any:
    """Convert to built-in types: NumPy's numbers would need unpickling."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        entries = map(_plain, value)
        return tuple(entries) if isinstance(value, tuple) else list(entries)
    return value.item() if isinstance(value, np.generic) else value
