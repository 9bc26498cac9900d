"""Without mmcv's operators, only mmdet's models cannot be loaded."""

import os
from pathlib import Path

from commands import call

TESTS = Path(__file__).resolve().parents[2]
CODE = """
import sys

sys.modules['mmcv._ext'] = None  # as where it was not compiled
import mmpretrain.models
from ies_mm.losses import capture_per_image_losses
from small_cls import build_classifier, cls_batch, cls_head_config

assert 'mmdet' in sys.modules
model = build_classifier(cls_head_config())
data = model.data_preprocessor(cls_batch(4), True)
with capture_per_image_losses(model) as captured:
    loss = model(**data, mode='loss')['loss']
assert captured.losses['loss'].shape == (4,)
assert abs(captured.losses['loss'].mean() - loss) < 1e-6
"""


def test_classifiers_are_captured() -> None:
    path = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
    result = call('-c', CODE, PYTHONPATH=path)
    assert result.returncode == 0, result.stderr[-2000:]
