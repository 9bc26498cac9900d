"""All figures and tables by name."""

from paper_experiments import (
    dynamics,
    effectiveness,
    fairness,
    forgetting,
    noise,
    over_epochs,
    speed,
    sweeps,
    times,
    transfer,
    variation,
)
from paper_experiments.experiment import Experiment
from paper_experiments.trainings import ADAM, CIFAR10, CIFAR100, SGD_E

_SPEED = (
    'the paper does not say how the methods were set to a speed-up: by their '
    'compute, a forward pass counted as a third of a step'
)

EXPERIMENTS = {
    one.name: one
    for one in (
        Experiment(
            'figure1',
            'accuracy and pruned images over epochs',
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
            'accuracy over the share saved by method; the effect of delta',
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
            'table1',
            'effectiveness on CIFAR: networks and optimisers',
            lambda scale: effectiveness.trainings(
                scale, effectiveness.columns1(scale)
            ),
            lambda runs: effectiveness.table(
                runs,
                effectiveness.columns1(runs.scale),
                effectiveness.TABLE_1,
            ),
            differs='the paper does not say how networks other than ResNet-18 '
            'and -34 were optimised: Adam; our accuracies are of clean test '
            "images, the authors' program gives them the training's transform",
        ),
        Experiment(
            'table2',
            'effectiveness on ImageNet',
            lambda scale: effectiveness.trainings(
                scale, effectiveness.columns2(scale)
            ),
            lambda runs: effectiveness.table(
                runs, effectiveness.TABLE_2, effectiveness.TABLE_2
            ),
            no_small='ImageNet',
        ),
        Experiment(
            'table3',
            'transfer of the backbone: the head alone, one epoch',
            lambda scale: transfer.trainings(scale, 1),
            lambda runs: transfer.table(runs, 1),
            differs='it is the same as Table 6; the paper fine-tunes epoch '
            '100 (B.4), and says the last one beside the table',
        ),
        Experiment(
            'table4',
            'methods set to be twice as fast',
            lambda scale: speed.trainings(scale, [speed.TWICE]),
            lambda runs: speed.table(runs, [speed.TWICE]),
            differs=_SPEED,
        ),
        Experiment(
            'table5',
            'effectiveness on detection and segmentation',
            lambda scale: effectiveness.trainings(
                scale, effectiveness.columns5(scale)
            ),
            lambda runs: effectiveness.table(
                runs, effectiveness.TABLE_5, effectiveness.TABLE_5
            ),
            differs='the paper gives no delta for these tasks: IES is set to '
            'save what it saved there',
            no_small='VOC; docs/results.md has smaller detectors and a '
            'segmentor',
        ),
        Experiment(
            'table6',
            'transfer of the backbone: the head alone, one epoch',
            lambda scale: transfer.trainings(scale, 1),
            lambda runs: transfer.table(runs, 1),
        ),
        Experiment(
            'table7',
            'transfer of the backbone: the head alone, five epochs',
            lambda scale: transfer.trainings(scale, 5),
            lambda runs: transfer.table(runs, 5),
        ),
        Experiment(
            'table8',
            'methods set to be two and three times as fast',
            lambda scale: speed.trainings(
                scale, [speed.TWICE, speed.THREE_TIMES]
            ),
            lambda runs: speed.table(runs, [speed.TWICE, speed.THREE_TIMES]),
            differs=_SPEED,
        ),
        Experiment(
            'table9',
            'noisy labels, CIFAR-10: the best epoch',
            noise.trainings(lambda scale: CIFAR10, (*noise.EARLY[CIFAR10],)),
            noise.until_the_best(CIFAR10),
            differs='the paper does not say which optimiser: SGD(E)',
        ),
        Experiment(
            'table10',
            'noisy labels, CIFAR-100: the best epoch',
            noise.trainings(lambda scale: CIFAR100, (*noise.EARLY[CIFAR100],)),
            noise.until_the_best(CIFAR100),
            differs='the paper does not say which optimiser: SGD(E)',
            no_small='CIFAR-100; table9 is the same on CIFAR-10',
        ),
        Experiment(
            'table11',
            'noisy labels: a long training (double descent)',
            noise.trainings(noise.on_cifar100, (*noise.LATE,)),
            noise.table11,
            differs='the paper does not say which optimiser: SGD(E)',
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
        Experiment(
            'table14',
            'accuracy, recall and parity by group',
            lambda scale: [*fairness.pair(scale).values()],
            fairness.table14,
            differs='the paper gives neither delta, optimiser nor number of '
            'epochs: those of configs/groups',
        ),
    )
}
