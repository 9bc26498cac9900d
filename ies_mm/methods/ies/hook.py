"""IES in a config."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.registry import HOOKS

from ies_mm.core.removed import check_removed, renamed_scoring
from ies_mm.methods.ies.rule import IES
from ies_mm.training.hook.common_arguments import check_known
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class IESHook(SelectionHook):
    """Instance-dependent Early Stopping (ICLR 2025, Algorithm 1).

    Judges each image's loss curve after every epoch. An image whose curve is
    flat is pruned from the following epochs, re-checked from time to time,
    and re-included when its loss moves. Needs :class:`IESSampler`. The
    training is the plain one until the first image is pruned.

    Args:
        delta (float or dict): An image is mastered when the mean of its last
            ``window`` absolute loss differences of order ``order`` is below
            ``delta``, in units of the loss. 0 prunes nothing. The paper uses
            1e-3 for CIFAR-10; detectors need far more, see docs/results.md. A
            dict adapts the threshold to the training:
            ``dict(type='Budget', saved=0.2)`` or
            ``dict(type='Relative', factor=4.34e-4)``, see
            :mod:`ies_mm.core.thresholds`.
        order (int): Order of the difference, 0 to 3. Defaults to 2.
        window (int): Number of differences averaged, 1 to 1000. Defaults to
            3.
        terms (str, list of str or dict): What is judged. ``'sum'``: the
            summed loss; ``'all'``: every term must be mastered; ``'any'``: at
            least one; a list of term names: their sum; a dict of weights:
            their weighted sum. Defaults to ``'sum'``.
        refresh_interval (int or dict): When pruned images are re-checked. An
            int: all are scored by a forward pass every so many epochs.
            ``dict(type='Spaced', cap=8)``: each is scored after 1 epoch, then
            after 2 more, 4 more, ..., at most ``cap``, as long as it stays
            mastered; with ``by='training'`` it is trained instead of scored,
            without any scoring pass. With ``delta`` the default is 1, as in
            the paper. See :mod:`ies_mm.core.rechecks`.
        begin (int): First epoch, from 1, after which images may be pruned.
            Defaults to 1.
        anneal (float): Last fraction of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.
        dry_run (bool): Record and decide, but prune nothing. Defaults to
            False.
        saved (float, optional): The default setting, instead of
            ``delta``: the share of the training to prune, 0 to 0.9. Short for
            ``delta=dict(type='Budget', saved=saved)`` and
            ``refresh_interval=dict(type='Spaced', cap=8, by='training')``.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type, or both or
            neither of ``delta`` and ``saved`` are given.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        delta: float | dict | None = None,
        order: int = 2,
        window: int = 3,
        terms: str | Sequence[str] | Mapping[str, float] = 'sum',
        refresh_interval: int | dict | None = None,
        begin: int = 1,
        anneal: float = 0.0,
        *,
        dry_run: bool = False,
        saved: float | None = None,
        **common: Any,
    ) -> None:
        # Before check_known, which would call removed arguments unknown.
        check_removed('IESHook', common)
        scoring = common.pop('scoring', None)
        scoring = renamed_scoring('IESHook', scoring, common)
        # A misspelt delta, before delta is missed.
        check_known(type(self), common)
        method = IES(
            delta,
            order,
            window,
            terms,
            refresh_interval,
            begin,
            anneal,
            dry_run,
            saved,
        )
        super().__init__(method, scoring=scoring, **common)
