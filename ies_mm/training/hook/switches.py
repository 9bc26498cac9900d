"""Detects a switched pipeline or loss."""

from typing import Any

from mmengine.dist import broadcast_object_list

from ies_mm.losses.context import unwrap
from ies_mm.training.data.pipeline_switches import (
    LossModules,
    described_pipeline,
    switched,
)
from ies_mm.training.state.session import Session

_IGNORED = (
    'losses before and after it are not compared, so no image is pruned or '
    're-included because of the jump'
)


class Switches:
    """Keeps the jump of all losses at a switch from affecting decisions.

    Args:
        session (Session): The session of the training.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._model = unwrap(session.runner.model)
        self._dataset = session.runner.train_dataloader.dataset
        self._loss_modules = LossModules(self._model)

    def look(self) -> bool:
        """Take in what was switched since the last epoch.

        Returns:
            bool: Whether anything was, which the log says.
        """
        state = self._session.state
        what = self._note_what_is_now()
        if not what:
            return False
        observed, counted = state.note_switch()
        if counted < observed:
            self._session.method.forget_level()
        self._session.runner.logger.info(
            f'{what} was switched in epoch {state.epochs + 1}'
            + _effect(observed, counted)
        )
        return True

    def _note_what_is_now(self) -> str:
        """Note pipeline and losses; say what was switched, '' for nothing."""
        state = self._session.state
        transforms, losses = state.transforms, state.loss_modules
        now: list[Any] = [
            described_pipeline(self._dataset, self._model),
            self._loss_modules.now(losses),
        ]
        # Checkpoints hold the first process's: another's transform may have
        # another path in its arguments, which is no switch.
        broadcast_object_list(now)
        state.transforms, state.loss_modules = now
        what = []
        if transforms not in (None, state.transforms):
            what.append('the pipeline')
        if others := switched(losses, state.loss_modules):
            what.append(f'the loss {", ".join(others)}')
        return ' and '.join(what)


def _effect(observed: int, counted: int) -> str:
    if not counted:
        return f': {_IGNORED}'
    return (
        f' again, soon after the last time: the losses of {counted} of '
        f'{observed} images before and after it are compared, so those whose '
        'loss jumps stay in training'
    )
