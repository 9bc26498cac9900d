"""The detector whose losses are captured."""

import pytest
from torch import nn

from small import build, faster_rcnn_config


@pytest.fixture
def model() -> nn.Module:
    """Evaluation mode: BatchNorm frozen, so that images do not mix."""
    return build(faster_rcnn_config()).eval()
