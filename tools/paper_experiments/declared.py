"""All figures and tables by name."""

from paper_experiments import (
    dynamics,
    forgetting,
    over_epochs,
    sweeps,
    times,
    variation,
)
from paper_experiments.experiment import Experiment
from paper_experiments.trainings import ADAM, SGD_E

EXPERIMENTS = {
    one.name: one
    for one in (
        Experiment(
            'figure1',
            'accuracy and excluded images over epochs',
            lambda scale: [
                training
                for _, *pair in over_epochs.figure1_pairs(scale)
                for training in pair
            ],
            over_epochs.figure1,
            differs='the paper names neither network nor optimiser: SGD(E)',
        ),
        Experiment(
            'figure2',
            'mastered images with and without training on them',
            lambda scale: [
                over_epochs.dry_of(SGD_E),
                *(own for _, own in over_epochs.figure2_pairs(scale)),
            ],
            over_epochs.figure2,
            columns=1,
            differs='the curves of images that stay in training are counted '
            'from the losses of one run, which the criterion does not change',
        ),
        Experiment(
            'figure3',
            'coefficient of variation of the orders, SGD',
            lambda scale: [over_epochs.dry_of(SGD_E)],
            variation.variations(SGD_E),
            columns=1,
            differs='the paper does not say which SGD: SGD(E)',
        ),
        Experiment(
            'figure4',
            'gradient norm and sharpness over backpropagated instances',
            dynamics.trainings,
            dynamics.figure4,
            columns=5,
            differs='the paper does not say which SGD: SGD(E)',
        ),
        Experiment(
            'figure5',
            'accuracy over excluded images by method; the effect of delta',
            sweeps.figure5_trainings,
            sweeps.figure5,
            columns=4,
            differs='the paper chose every delta by hand to meet the shares '
            'saved, and does not give them: a sweep by factors of ten',
        ),
        Experiment(
            'figure6',
            'coefficient of variation of the orders, Adam',
            lambda scale: [over_epochs.dry_of(ADAM)],
            variation.variations(ADAM),
            columns=1,
        ),
        Experiment(
            'figure7',
            'wall time beside InfoBatch',
            times.figure7_trainings,
            times.figure7,
        ),
        Experiment(
            'table12',
            'loss and accuracy of the images pruned first',
            lambda scale: [forgetting.training(scale)],
            forgetting.table12,
            differs='the paper does not say which SGD: SGD(E)',
        ),
        Experiment(
            'table13',
            'how often they are re-included',
            lambda scale: [forgetting.training(scale)],
            forgetting.table13,
            differs='the paper does not say which SGD: SGD(E)',
        ),
    )
}

TABLES, FIGURES = 14, 7
NAMES = (
    *(f'figure{number}' for number in range(1, FIGURES + 1)),
    *(f'table{number}' for number in range(1, TABLES + 1)),
)
"""All figures and tables of the paper, built or not."""
