"""Boxes and maps are drawn where they belong."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ies_mm.report.reading.annotations import Annotation
from ies_mm.report.reading.run_instances import Instances
from ies_mm.report.showing.pictures import SIZE, drawn, loss_curve


def pixels(path: Path, annotation: Annotation | None) -> np.ndarray:
    picture = drawn(path, annotation)
    assert picture is not None
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert('RGB')).astype(int)


def black(path: Path, size: tuple[int, int]) -> Path:
    Image.new('RGB', size).save(path)
    return path


@pytest.mark.parametrize(
    ('size', 'shown'),
    [((960, 720), SIZE), ((64, 64), (192, 192)), ((2000, 1), (480, 1))],
)
def test_the_size_on_the_page(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    found = pixels(black(tmp_path / 'a.png', size), None)
    assert found.shape == (*shown[::-1], 3)


def test_boxes_are_drawn_in_the_picture_s_own_scale(tmp_path: Path) -> None:
    file = black(tmp_path / 'a.png', (960, 720))
    found = pixels(file, Annotation([(200, 200, 600, 500)], ['x']))
    lit = found.max(axis=2) > 60
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    ends = [columns[0], rows[0], columns[-1], rows[-1]]
    np.testing.assert_allclose(ends, [100, 100, 300, 250], atol=3)
    assert not lit[150:240, 150:290].any()


@pytest.mark.parametrize(('kind', 'label'), [('uint8', 3), ('uint16', 800)])
def test_a_map_colours_what_has_a_class(
    tmp_path: Path, kind: str, label: int
) -> None:
    file = black(tmp_path / 'a.png', (480, 360))
    labels = np.full((360, 480), 255, dtype=kind)
    labels[:, :240] = label
    Image.fromarray(labels).save(tmp_path / 'map.png')
    found = pixels(file, Annotation(seg_map=tmp_path / 'map.png'))
    assert (found[:, :230].max(axis=2) > 10).all()
    assert (found[:, 250:] < 10).all()


def test_no_picture_of_what_is_none(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_text('no image')
    assert drawn(tmp_path / 'a.png', None) is None
    assert drawn(tmp_path / 'b.png', None) is None


def test_a_nearly_flat_curve_is_not_the_upper_edge() -> None:
    losses = np.array([[2.0], [2.01]] * 4, dtype=np.float32)
    none = np.zeros((8, 1), dtype=bool)
    run = Instances(['x.png'], np.arange(1, 9), losses, none, ['loss'])
    with Image.open(io.BytesIO(loss_curve(run, 0))) as image:
        found = np.asarray(image.convert('RGB')).astype(int)
    blue = (found[..., 2] - found[..., 0] > 120).any(axis=1)
    axis = (found.max(axis=2) < 60).any(axis=1)
    assert np.flatnonzero(blue)[0] > np.flatnonzero(axis)[0] + 5
