"""Small Loss & Rescale: InfoBatch until the end (IES, appendix D)."""

from ies_mm.methods.infobatch.rule import InfoBatch


class SmallLossRescale(InfoBatch):
    """InfoBatch without annealing.

    Args:
        ratio (float): See :class:`ies_mm.engine.InfoBatchHook`. Defaults to
            0.5.
    """

    name = 'Small Loss & Rescale'

    def __init__(self, ratio: float = 0.5) -> None:
        super().__init__(ratio, anneal=0.0)
