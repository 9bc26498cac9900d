"""Objects that occlude one another or are cut by the image border."""

from types import ModuleType

import pytest
from PIL import Image

from voc_files import extent


def test_hidden_objects_are_taken_out(scenes: ModuleType) -> None:
    def square(left: int, name: str | None) -> object:
        sprite = Image.new('RGBA', (20, 20), (9, 9, 9, 255))
        return scenes.Item(name, sprite, left, 10)

    behind, front = square(0, 'cat'), square(13, None)
    _, instances, seen = scenes.settle([behind, front], (60, 40))
    assert [(s.name, s.box, s.share) for s in seen] == [
        ('cat', (1, 11, 13, 30), 0.65)
    ]
    assert (instances == 1).sum() == 13 * 20
    assert (instances == 2).sum() == 0


def test_share_seen_decides_and_not_only_the_size(scenes: ModuleType) -> None:
    def square(left: int, name: str) -> object:
        sprite = Image.new('RGBA', (40, 20), (9, 9, 9, 255))
        return scenes.Item(name, sprite, left, 10)

    for seen_columns, left_over in ((11, ['car']), (12, ['cat', 'car'])):
        pair = [square(0, 'cat'), square(seen_columns, 'car')]
        items, instances, seen = scenes.settle(pair, (60, 40))
        assert [s.name for s in seen] == left_over
        assert [item.name for item in items] == left_over
        box = [seen_columns + 1, 11, seen_columns + 40, 30]
        assert extent(instances == len(seen)) == box


def test_object_cut_at_the_edge(scenes: ModuleType) -> None:
    sprite = Image.new('RGBA', (20, 20), (9, 9, 9, 255))
    item = scenes.Item('boat', sprite, -8, -10)
    _, _, (seen,) = scenes.settle([item], (60, 40))
    assert seen.box == (1, 1, 12, 10)
    assert seen.share == pytest.approx(0.3)
    assert seen.difficult
