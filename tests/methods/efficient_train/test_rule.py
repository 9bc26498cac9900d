"""The image size of every epoch."""

from typing import Any

import pytest

from ies_mm.core import Standing
from ies_mm.methods.efficient_train.rule import EfficientTrain, Stage

STAGES = [
    dict(part=0.5, size=16, magnitude=1),
    dict(part=0.3, size=0.75),
    dict(part=0.2, size=1.0, magnitude=9),
]


def sizes(rule: EfficientTrain, epochs: int) -> list[float]:
    return [rule.stage(Standing(4, k, epochs)).size for k in range(epochs)]


def test_stages_follow_each_other_by_their_parts() -> None:
    rule = EfficientTrain(STAGES)
    assert sizes(rule, 10) == [16] * 5 + [0.75] * 3 + [1.0] * 2
    assert rule.stage(Standing(4, 10, 10)).size == 1.0
    for epochs in (1, 2, 3, 7, 100):
        found = sizes(rule, epochs)
        assert len(found) == epochs
        assert abs(found.count(16) - 0.5 * epochs) <= 0.5


def test_the_published_curriculum() -> None:
    """Sides 160, 192 and 224 for 60, 20 and 20 percent of 300 epochs."""
    rule = EfficientTrain()
    stages = [rule.stage(Standing(4, k, 300)) for k in range(300)]
    sides = [stage.sides(224, 224) for stage in stages]
    expected = [(160, 160)] * 180 + [(192, 192)] * 60 + [(224, 224)] * 60
    assert sides == expected
    assert rule.forecast(Standing(4, 0, 300)) == (
        'size 0.714 until epoch 180, size 0.857 until epoch 240, size 1 until '
        'epoch 300'
    )
    strengths = [stage.magnitude for stage in stages[::60]]
    assert strengths == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ('size', 'image', 'sides'),
    [
        (16, (32, 32), (16, 16)),
        (16, (32, 64), (16, 32)),
        (15, (15, 15), (15, 15)),
        (1.0, (15, 13), (15, 13)),
        (0.5, (30, 31), (16, 16)),
        (0.01, (32, 32), (2, 2)),
    ],
)
def test_sides(size: float, image: tuple, sides: tuple) -> None:
    assert Stage(1.0, size).sides(*image) == sides


def test_images_are_not_enlarged() -> None:
    with pytest.raises(ValueError, match=r'size=40, .* 32x64 pixels'):
        Stage(1.0, 40).sides(32, 64)


@pytest.mark.parametrize(
    ('stages', 'error', 'reason'),
    [
        ([dict(part=0.5, size=16)], ValueError, 'add up to 0.5'),
        ([], ValueError, 'give at least one stage'),
        (0.5, TypeError, 'give a list of dicts'),
        ([dict(part=1.0)], TypeError, 'give a dict of part, size'),
        ([dict(part=1.0, size=1.0, m=3)], TypeError, 'give a dict of part'),
        ([16], TypeError, 'give a dict of part, size'),
        ([dict(part=1.0, size=1.5)], ValueError, r'stages\[0\].size=1.5'),
        ([dict(part=1.0, size=0)], ValueError, r'stages\[0\].size=0'),
        (
            [dict(part=1.0, size=16, magnitude=-1)],
            ValueError,
            r'stages\[0\].magnitude=-1',
        ),
    ],
)
def test_bad_stages(stages: Any, error: type, reason: str) -> None:
    with pytest.raises(error, match=reason):
        EfficientTrain(stages)
