"""Random Remove in a config."""

from typing import Any

from mmengine.registry import HOOKS

from ies_mm.methods.random_removal.rule import RandomRemoval
from ies_mm.training.hook.common_arguments import check_known
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class RandomRemovalHook(SelectionHook):
    """Random Remove, the control at equal compute (IES, appendix D).

    Every epoch prunes instances at random, drawn anew; the others are not
    weighted. Pruned instances are neither loaded nor scored.

    Args:
        ratio (float or dict): Fraction pruned, from 0 to below 1. With
            ``dict(type='Budget', saved=0.2)`` each epoch prunes as many as an
            IES run with that ``delta``. ``by_class=True`` needs a dataset
            with ``get_cat_ids``, like mmdet's and mmpretrain's.
        begin (int): Number of first epochs, at least 0, that train on
            everything. Defaults to 0. With 6, the number IES needs with its
            defaults, a comparison with IES is about *which* images are
            pruned, not *when*.
        anneal (float): Last fraction of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.
        rescale (bool): Weight the losses of trained images by N / trained, as
            in InfoBatch's ablation of random pruning. Defaults to False.
        static (bool): Draw once: every epoch prunes the same images or, with
            a budget of the course ``'rising'`` or ``'even'``, adds to them;
            its rounding may bring an image (of a class) back. Defaults to
            False.
        saved (float, optional): Short for
            ``ratio=dict(type='Budget', saved=saved)``.
        replacement (bool): Whether each epoch draws from all instances. If
            not, epochs go through the dataset in shuffled passes: no instance
            is trained again before all others (RS2 without replacement,
            Okanovic et al., ICLR 2024). Defaults to True.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type, or both or
            neither of ``ratio`` and ``saved`` are given.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        ratio: float | dict | None = None,
        begin: int = 0,
        anneal: float = 0.0,
        rescale: bool = False,
        static: bool = False,
        saved: float | None = None,
        replacement: bool = True,
        **common: Any,
    ) -> None:
        # A misspelt ratio, before the ratio is missed.
        check_known(type(self), common)
        method = RandomRemoval(
            ratio, begin, anneal, rescale, static, saved, replacement
        )
        super().__init__(method, **common)
