"""Reporting of an epoch's losses to log and visualizer."""

from typing import Any

import numpy as np
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import readable
from ies_mm.training.hook.reporter import Reporter


class HardestReporter(Reporter):
    """Writes the records, and logs the distribution of the losses.

    Args:
        instances (InstanceMap): Numbering of the dataset's images.
        runner (Runner): Provides log, visualizer and work directory.
        keep (int, optional): Number of epochs whose per-instance values are
            kept; None keeps all.
        hardest (int): Number of images named in the log.
    """

    def __init__(
        self,
        instances: InstanceMap,
        runner: Runner,
        keep: int | None,
        hardest: int,
    ) -> None:
        super().__init__(instances, runner, keep)
        self._hardest = hardest

    def begin(self, **scalars: float) -> None:
        """Report no scalars: nothing is pruned, saved or mastered."""
        return

    def say(
        self, record: dict[str, Any], ids: Tensor, losses: Tensor, decided: str
    ) -> None:
        """Log the distribution of the total losses, and the hardest images."""
        found = f'{len(ids)} of {record["instances"]} images observed'
        if len(ids):
            total = losses.double().sum(dim=1)
            spread = _spread(total)
            self._add_scalars(spread, record['epoch'])
            found += f'; {_words(spread)}{self._named(ids, total)}'
        self.runner.logger.info(
            f'{record["method"]} epoch {record["epoch"]}: {found}'
        )

    def _add_scalars(self, spread: dict[str, float], epoch: int) -> None:
        # Bypass the message hub, which would not log the last epoch.
        scalars = {f'ies/{name}': value for name, value in spread.items()}
        self.runner.visualizer.add_scalars(scalars, step=epoch)

    def _named(self, ids: Tensor, total: Tensor) -> str:
        """The images of highest loss, hardest first."""
        order = total.argsort(descending=True, stable=True)[: self._hardest]
        names = self.instances.names()
        hardest = [
            f'{readable(names[i])} {loss:.4g}'
            for i, loss in zip(
                ids[order].tolist(), total[order].tolist(), strict=True
            )
        ]
        return f'; hardest: {", ".join(hardest)}' if hardest else ''


def _spread(total: Tensor) -> dict[str, float]:
    """Statistics of the summed losses of images, float64 (M,)."""
    median, high = np.quantile(total.numpy(), [0.5, 0.9]).tolist()
    return {
        'loss_mean': float(total.mean()),
        'loss_median': median,
        'loss_p90': high,
        'loss_max': float(total.max()),
    }


def _words(spread: dict[str, float]) -> str:
    return ', '.join(
        f'{name.removeprefix("loss_")} {value:.4g}'
        for name, value in spread.items()
    )
