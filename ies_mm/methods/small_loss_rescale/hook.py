"""Small Loss & Rescale: InfoBatch to the end."""

from mmengine.registry import HOOKS

from ies_mm.methods.infobatch.hook import InfoBatchHook


@HOOKS.register_module()
class SmallLossRescaleHook(InfoBatchHook):
    """Small Loss & Rescale, InfoBatch without annealing (IES, appendix D).

    Args:
        ratio (float): See :class:`InfoBatchHook`. Defaults to 0.5.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'Small Loss & Rescale'

    def __init__(
        self,
        ratio: float = 0.5,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(ratio, 0.0, keep_history, allow_batch_augments)
