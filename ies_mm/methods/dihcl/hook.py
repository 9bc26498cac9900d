"""DIHCL in a config."""

from typing import Any

from mmengine.registry import HOOKS

from ies_mm.methods.dihcl.rule import DIHCL
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class DIHCLHook(SelectionHook):
    """DIHCL (Zhou et al., NeurIPS 2020), the variant DIHCL-Rand.

    The running hardness of an instance is an exponential average of its
    losses, each divided by the learning rate of its epoch's last step. After
    the warm-up, each epoch trains a *budget* of instances, drawn with
    probabilities proportional to their running hardness. The others are
    neither loaded nor scored, and keep their hardness.

    Args:
        warmup (int): Number of first epochs that train on everything, at
            least 1. Defaults to 5.
        discount (float): Weight of the newest loss, 0 to 1. Defaults to 0.9.
        start (float): Budget of the first epoch after the warm-up, as a
            fraction of all instances. Defaults to 1.
        factor (float): Multiplies the budget after every epoch: below 1 it
            shrinks, above 1 it grows. Defaults to 0.9.
        end (float): Final budget. Defaults to 0.5.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range, or ``factor`` leads away
            from ``end``.
    """

    def __init__(
        self,
        warmup: int = 5,
        discount: float = 0.9,
        start: float = 1.0,
        factor: float = 0.9,
        end: float = 0.5,
        **common: Any,
    ) -> None:
        method = DIHCL(warmup, discount, start, factor, end)
        super().__init__(method, **common)
