"""EfficientTrain in a config."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ies_mm.errors import ConfigError
from ies_mm.losses.context import unwrap
from ies_mm.methods.efficient_train.augmentation import Augmentation
from ies_mm.methods.efficient_train.rule import EfficientTrain
from ies_mm.methods.efficient_train.steps import CroppingSteps
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class EfficientTrainHook(SelectionHook):
    """EfficientTrain (Wang et al., 2023): all images, at growing size.

    Every epoch trains on every image. Early epochs use only low frequencies,
    by cropping the normalised batch in the Fourier domain, to a size that
    grows from stage to stage. So does the strength of RandAugment, if the
    pipeline has it. Validation uses whole images. For mmpretrain's
    classifiers that take images of several sizes.

    Args:
        stages (sequence of dict, optional): In order, each with ``part``, its
            fraction of the epochs (they sum to 1), ``size``, the shorter side
            of its images in pixels (an integer) or as a fraction of the full
            side (a float up to 1.0), and optionally ``magnitude``, the
            ``magnitude_level`` of RandAugment. Defaults to None, the
            published curriculum: 5/7 of the side for 60% of the epochs, 6/7
            for 20%, then the full side, with magnitudes 1, 3, 5, 7 and 9.
        allow_batch_augments (bool): See :class:`SelectionHook`; no decision
            depends on the losses here. Defaults to True.
        **common: ``keep_history``, ``fallback``, ``observe`` and
            ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    needs_sampler = False
    steps = CroppingSteps
    method: EfficientTrain

    def __init__(
        self,
        stages: Sequence[Mapping[str, Any]] | None = None,
        allow_batch_augments: bool = True,
        **common: Any,
    ) -> None:
        super().__init__(
            EfficientTrain(stages),
            allow_batch_augments=allow_batch_augments,
            **common,
        )

    def before_train(self, runner: Runner) -> None:
        """Refuse non-classifiers, and workers that cannot follow.

        Raises:
            ConfigError: The model is not a classifier.
            ConfigError: RandAugment runs in workers that never restart.
        """
        self._check_model(runner)
        super().before_train(runner)
        loader = runner.train_dataloader
        self._augmentation = Augmentation(loader.dataset)
        # After super(), which closes what an earlier training left in the
        # scope.
        self._scope.enter_context(self._augmentation.kept())
        strengths = {stage.magnitude for stage in self.method.curriculum}
        if not len(self._augmentation) and strengths != {None}:
            runner.logger.info(
                f'{self.method.name}: the pipeline has no RandAugment, so '
                'its strength is not scheduled'
            )
        ends_epochs = self.session.pace.loop_ends_epochs
        if len(self._augmentation) and loader.num_workers and not ends_epochs:
            self._check_strengths(strengths)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the strength of the augmentation before workers start."""
        self._strengthen(runner)
        super().before_train_epoch(runner)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Update the strength if an iteration-based loop began an epoch."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        # Workers would miss a change of the strength, so before_train has
        # refused the two together.
        if not self.session.pace.loop_ends_epochs:
            self._strengthen(runner)

    def _strengthen(self, runner: Runner) -> None:
        stage = self.method.stage(self.session.standing())
        if self._augmentation.set(stage.magnitude):
            # Persistent workers have a copy of the pipeline as it was.
            internals.drop_iterator(runner.train_dataloader)

    def _check_model(self, runner: Runner) -> None:
        # By name, since mmpretrain need not be installed.
        names = {cls.__name__ for cls in type(unwrap(runner.model)).__mro__}
        if 'BaseClassifier' not in names:
            raise ConfigError(
                f'{self.method.name} is for the classifiers of mmpretrain: '
                'boxes and maps of labels are not cropped with the images; '
                f'found {type(unwrap(runner.model)).__name__}'
            )

    def _check_strengths(self, strengths: set[int | None]) -> None:
        if len(strengths) > 1:
            raise ConfigError(
                f'{self.method.name}: in an iteration-based loop the workers '
                'never restart, so that RandAugment would keep its first '
                'strength; give stages without magnitude, or '
                'train_dataloader.num_workers=0'
            )
