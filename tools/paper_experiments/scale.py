"""What a scale of the experiments settles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'cifar'
SWEEP = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Factors of delta in Figure 5."""


@dataclass(frozen=True)
class Scale:
    """Settings that all experiments of a scale share.

    Attributes:
        name (str): ``'small'`` or ``'paper'``.
        configs (dict): (dataset, setting) -> the plain config.
        changes (callable): (dataset, setting, folder of the images) ->
            changes to the config.
        of_figure_4 (dict): Changes made in appendix B.5.
        delta (float): Delta of order 2, in the settings of appendix A.
        delta_of_figure_4 (float): Delta of all orders, in those of B.5.
        deltas (dict): Order -> the middle of Figure 5's sweep.
        factors (dict): Order -> factors of its delta in that sweep.
        ratios (tuple): Ratios of the methods that have one, in Figure 5.
        infobatch (tuple): Ratios of InfoBatch in Figure 7.
        data_sets (tuple): Datasets of Figures 5 and 7.
        dynamics (dict): Arguments of TrainingDynamicsHook.
        epochs (int): Epochs of a training run by appendix A.
        lengths (dict): Dataset -> its epochs, where they differ.
        columns (tuple): Columns of Table 1, (dataset, setting).
        sources (tuple): Pretrainings of Tables 3, 6 and 7, (dataset, setting).
        targets (tuple): Datasets they are transferred to.
        pretrained (int): Epoch of the checkpoint that is transferred.
        pretrained_once (bool): Whether one pretraining serves all seeds.
        device (str): The device of ``epoch_seconds``.
        epoch_seconds (dict): Dataset -> seconds per epoch, on a CPU core of
            its own, or on a GPU next to another training.
        needs (dict): Dataset -> what must be available.
        costs (dict): Network -> its cost relative to the dataset's usual one.
        seeds (dict): Experiment -> number of seeds; one for the others.
        about (str): Description in one sentence.
    """

    name: str
    configs: Mapping[tuple[str, str], Path]
    changes: Callable[[str, str, Path | None], dict[str, Any]]
    of_figure_4: Mapping[str, Any]
    delta: float
    delta_of_figure_4: float
    deltas: Mapping[int, float]
    factors: Mapping[int, tuple[float, ...]]
    ratios: tuple[float, ...]
    infobatch: tuple[float, ...]
    data_sets: tuple[str, ...]
    dynamics: Mapping[str, int]
    epochs: int
    columns: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str], ...]
    targets: tuple[str, ...]
    pretrained: int
    pretrained_once: bool
    device: str
    epoch_seconds: Mapping[str, float]
    needs: Mapping[str, str]
    about: str
    seeds: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)

    def length(self, data: str, of_figure_4: bool) -> int:
        """Number of epochs of a training run."""
        if of_figure_4 and self.has_two_settings:
            return 150
        return self.lengths.get(data, self.epochs)

    @property
    def has_two_settings(self) -> bool:
        """Whether the settings of B.5 differ from those of A."""
        return bool(self.of_figure_4)


def fixed_rate(**optimiser: Any) -> dict[str, Any]:
    """An optimiser with a fixed learning rate."""
    wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=optimiser)
    return dict(optim_wrapper=wrapper, param_scheduler=[])
