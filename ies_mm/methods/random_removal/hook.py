"""Random Remove in a config."""

from mmengine.registry import HOOKS

from ies_mm.methods.random_removal.rule import RandomRemoval
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class RandomRemovalHook(SelectionHook):
    """Random Remove, the control at equal compute (IES, appendix D).

    Every epoch leaves out as many instances, drawn anew, without any weights.
    They are neither loaded nor scored.

    Args:
        ratio (float or dict): The part left out, from 0 to below 1. With
            ``dict(type='Budget', saved=0.2)`` each epoch leaves out as many
            as in a run of IES with that ``delta``; ``by_class=True`` in it
            needs a data set that has ``get_cat_ids``, as those of mmdet and
            mmpretrain.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.
        begin (int): Epochs, at least 0, that train on everything first.
            Defaults to 0. Six, as many as IES needs with its defaults, tells
            *which* images are left out from *when* that is done.
        anneal (float): The last part of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.
        rescale (bool): Weight the losses of what is trained by N / trained,
            as InfoBatch's ablation of random pruning does. Defaults to False.
        static (bool): Draw once: the same images are left out of each epoch,
            or, on a budget, ever more. Defaults to False.
        saved (float, optional): Instead of ``ratio``:
            ``ratio=dict(type='Budget', saved=saved)``.

    Raises:
        TypeError: An argument is of the wrong type, or both or neither of
            ``ratio`` and ``saved`` were given.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        ratio: float | dict | None = None,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
        begin: int = 0,
        anneal: float = 0.0,
        rescale: bool = False,
        static: bool = False,
        saved: float | None = None,
    ) -> None:
        super().__init__(
            RandomRemoval(ratio, begin, anneal, rescale, static, saved),
            keep_history,
            allow_batch_augments,
        )
