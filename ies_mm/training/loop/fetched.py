"""Samples that workers have fetched and no step has trained, in checkpoints.

They were drawn under earlier selections, which the state does not hold.
"""

from collections.abc import Sequence

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from ies_mm.training.data.stream import Drawn


def packed(samples: Sequence[Drawn]) -> dict[str, Tensor]:
    """As tensors, one row per sample and one column per rank.

    Args:
        samples (sequence of Drawn): M samples of W ranks.

    Returns:
        dict: ``positions`` and ``passes``, int64 (M, W), ``weights``, float32
        (M, W), and ``consumed``, int64 (M,). Empty if there are no samples.
    """
    if not samples:
        return {}
    return {
        'positions': torch.tensor([s.positions for s in samples]),
        'passes': torch.tensor([s.passes for s in samples]),
        'weights': torch.tensor([s.weights for s in samples]),
        'consumed': torch.tensor([s.consumed for s in samples]),
    }


def unpacked(state: dict[str, Tensor]) -> list[Drawn]:
    """What :func:`packed` returned, as samples.

    Empty if the run had another number of processes: they are then drawn
    again, under the selection of the resumed run.
    """
    if not state or state['positions'].shape[1] != get_world_size():
        return []
    columns = ('positions', 'passes', 'consumed', 'weights')
    rows = zip(*(state[name].tolist() for name in columns), strict=True)
    return [Drawn(*row) for row in rows]
