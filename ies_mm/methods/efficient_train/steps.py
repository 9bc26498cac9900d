"""Training steps on images cropped in the Fourier domain."""

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.losses.capture.patching import override
from ies_mm.losses.context import unwrap
from ies_mm.methods.efficient_train.crop import low_frequencies
from ies_mm.methods.efficient_train.rule import EfficientTrain
from ies_mm.training.hook.incoming import Batch
from ies_mm.training.hook.steps import Steps
from ies_mm.training.hook.wrapped_step import Step


class CroppingSteps(Steps):
    """Crops the normalised images that the data preprocessor returns."""

    _pixels = _of_pixels = 0

    @property
    def _method(self) -> EfficientTrain:
        return cast(EfficientTrain, self.session.method)

    def train(self, batch: Batch, step: Step) -> Any:
        """Train on the low frequencies of a batch."""
        model: Any = unwrap(self.session.runner.model)
        # Only within the step, so that validation and scoring see whole
        # images.
        with override(model.data_preprocessor, 'forward', self._cropped):
            return super().train(batch, step)

    def recorded(self) -> dict[str, Any]:
        """``pixels``: fraction of the epoch's pixels that were trained on."""
        share = self._pixels / self._of_pixels if self._of_pixels else 1.0
        self._pixels = self._of_pixels = 0
        return {'pixels': share}

    def _cropped(self, original: Callable, *args: Any, **kwargs: Any) -> Any:
        data = original(*args, **kwargs)
        images = data.get('inputs') if isinstance(data, dict) else None
        if not isinstance(images, Tensor) or images.dim() != 4:
            raise ConfigError(
                f'{self._method.name} crops image batches (B, C, H, W), but '
                'the data preprocessor returns something else; train without '
                'it'
            )
        small = self._crop(images)
        self._pixels += small.numel()
        self._of_pixels += images.numel()
        return data | {'inputs': small}

    def _crop(self, images: Tensor) -> Tensor:
        stage = self._method.stage(self.session.standing())
        try:
            sides = stage.sides(images.shape[-2], images.shape[-1])
        except ValueError as error:
            raise ConfigError(f'{self._method.name}: {error}') from error
        return low_frequencies(images, sides)
