"""Observation in a config."""

from typing import Any

from mmengine.registry import HOOKS

from ies_mm.core.arguments import check_integer
from ies_mm.methods.per_image_loss.reporter import HardestReporter
from ies_mm.methods.per_image_loss.rule import Observation
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.hook.selection_hook import SelectionHook
from ies_mm.training.state.session import Session


@HOOKS.register_module()
class PerImageLossHook(SelectionHook):
    """Records every image's loss; the training stays the plain one.

    It needs no ``IESSampler`` and keeps the config's sampler. It writes the
    same files as the selection hooks (``ies/epochs.jsonl`` and
    ``ies/instances.npz`` in the work directory), and after each epoch the log
    names the images with the highest loss.

    Args:
        keep_history (bool): Keep all epochs in ``ies/instances.npz``, not
            just the last one. Defaults to True.
        hardest (int): Number of images that the log names each epoch.
            Defaults to 5; 0 for none.
        **common: ``allow_batch_augments``, ``fallback``, ``observe`` and
            ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: ``hardest`` is negative.
    """

    needs_sampler = False

    def __init__(
        self, keep_history: bool = True, hardest: int = 5, **common: Any
    ) -> None:
        check_integer('hardest', hardest, 0)
        super().__init__(Observation(), keep_history=keep_history, **common)
        self.hardest = hardest

    def _new_reporter(self, session: Session, keep: int | None) -> Reporter:
        return HardestReporter(
            session.instances, session.runner, keep, self.hardest
        )
