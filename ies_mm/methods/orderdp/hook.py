"""OrderDP in a config."""

from typing import Any

from mmengine.registry import HOOKS

from ies_mm.methods.orderdp.rule import OrderDP
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class OrderDPHook(SelectionHook):
    """OrderDP (Jin et al., ICLR 2026): the top losses of a random subset.

    Every epoch draws a random subset of the instances and trains those with
    the largest last losses in it, unweighted. Pruned instances are neither
    loaded nor scored.

    Args:
        random_ratio (float): Size of the subset as a fraction of all
            instances, above 0, at most 1. Defaults to 0.8.
        top_ratio (float): Fraction of the subset that is trained, above 0, at
            most 1. Defaults to 0.375; as in the program, 70% are pruned.
        begin (int): Number of first epochs, at least 0, that train on
            everything. Defaults to 0: the first epoch trains a random subset.
        saved (float, optional): Share of the training to prune, 0 to 0.9, at
            a rising rate. The part that is drawn at random stays that of the
            two ratios. Defaults to None: the same number in every epoch.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        random_ratio: float = 0.8,
        top_ratio: float = 0.375,
        begin: int = 0,
        saved: float | None = None,
        **common: Any,
    ) -> None:
        super().__init__(
            OrderDP(random_ratio, top_ratio, begin, saved), **common
        )
