"""Steps that observe only the batch loss of each image."""

import torch

from ies_mm.losses import CapturedLosses
from ies_mm.training.hook.incoming import Batch
from ies_mm.training.hook.steps import Steps


class BatchLossSteps(Steps):
    """Observes every image with the mean loss of its batch."""

    def observe(self, batch: Batch, captured: CapturedLosses) -> None:
        """As :meth:`Steps.observe`, with means over the images with a loss."""
        averaged = CapturedLosses()
        for term, losses in captured.losses.items():
            missing = captured.missing.get(term, torch.zeros_like(losses) > 0)
            # Indexing by a mask would wait for the device.
            total = losses.masked_fill(missing, 0).sum()
            # 0 / 0 if no image has the term, which is then missing for all.
            mean = (total / (~missing).sum()).expand_as(losses)
            averaged.note(term, mean, None, missing.all().expand_as(losses))
        super().observe(batch, averaged)
