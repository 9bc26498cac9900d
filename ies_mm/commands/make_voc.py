"""Generate a small dataset in PASCAL VOC format from a seed.

OUT/VOCdevkit has the same scenes with the same ids in two folders:

* VOC2007: detection. Main/{train,val,trainval,test}.txt
* VOC2012: segmentation. Segmentation/{train,val,trainval}.txt; val is the
  VOC2007 test set. Main/{train,val,trainval}.txt contains none of its scenes,
  so training on VOC2007 and VOC2012 never sees a test scene.
* difficulty.txt: the id of every scene, and easy or hard.

The class names and mask values are VOC's own, so dataset classes written for
VOC read it unchanged.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ies_mm.commands.parser import Parser, integer
from ies_mm.commands.voc_images.scenes import (
    Instances,
    Scene,
    Seen,
    make_scene,
)

MASK_VALUES = {
    'bicycle': 2,
    'bird': 3,
    'boat': 4,
    'bottle': 5,
    'car': 7,
    'cat': 8,
}
VOID = 255
FOLDERS = {
    'VOC2007': ('JPEGImages', 'Annotations'),
    'VOC2012': (
        'JPEGImages',
        'Annotations',
        'SegmentationClass',
        'SegmentationObject',
    ),
}
MARK = 'made_by_make_voc.txt'


class UsageError(Exception):
    """The command cannot be carried out as given."""


def voc_palette() -> list[int]:
    """VOC's mask palette: the bits of the value, dealt out to r, g, b."""
    colours = []
    for value in range(256):
        rgb = [0, 0, 0]
        for bit in range(8):
            rgb[bit % 3] |= (value >> bit & 1) << (7 - bit // 3)
        colours += rgb
    return colours


def with_void(instances: Instances, values: list[int]) -> Image.Image:
    """A palette mask: `values[instance]`, with void just around each object.

    The void covers what is behind, so the mask keeps the object's extent.
    """
    padded = np.pad(instances, 1)
    height, width = instances.shape
    around = [
        padded[y : y + height, x : x + width]
        for y in range(3)
        for x in range(3)
    ]
    mask = np.array(values, np.uint8)[instances]
    mask[np.max(around, axis=0) > instances] = VOID
    image = Image.fromarray(mask)
    image.putpalette(voc_palette())
    return image


def object_xml(seen: Seen) -> str:
    """One object of an annotation."""
    left, top, right, bottom = seen.box
    return f"""\
\t<object>
\t\t<name>{seen.name}</name>
\t\t<pose>Unspecified</pose>
\t\t<truncated>{int(seen.share < 0.95)}</truncated>
\t\t<difficult>{int(seen.difficult)}</difficult>
\t\t<bndbox>
\t\t\t<xmin>{left}</xmin>
\t\t\t<ymin>{top}</ymin>
\t\t\t<xmax>{right}</xmax>
\t\t\t<ymax>{bottom}</ymax>
\t\t</bndbox>
\t</object>
"""


def annotation_xml(scene: Scene, folder: str, name: str) -> str:
    """The annotation file of one picture."""
    width, height = scene.picture.size
    objects = ''.join(object_xml(seen) for seen in scene.objects)
    return f"""\
<annotation>
\t<folder>{folder}</folder>
\t<filename>{name}.jpg</filename>
\t<source>
\t\t<database>Generated scenes</database>
\t\t<annotation>PASCAL {folder}</annotation>
\t\t<image>generated</image>
\t</source>
\t<size>
\t\t<width>{width}</width>
\t\t<height>{height}</height>
\t\t<depth>3</depth>
\t</size>
\t<segmented>{int(folder == 'VOC2012')}</segmented>
{objects}</annotation>
"""


def write_scene(scene: Scene, folder: Path, name: str) -> None:
    """Write one scene into a VOC folder, with masks only into VOC2012."""
    scene.picture.save(folder / 'JPEGImages' / f'{name}.jpg', quality=92)
    xml = annotation_xml(scene, folder.name, name)
    (folder / 'Annotations' / f'{name}.xml').write_text(xml)
    if folder.name == 'VOC2007':
        return
    values = [0, *(MASK_VALUES[seen.name] for seen in scene.objects)]
    by_class = with_void(scene.instances, values)
    by_class.save(folder / 'SegmentationClass' / f'{name}.png')
    by_object = with_void(scene.instances, list(range(len(values))))
    by_object.save(folder / 'SegmentationObject' / f'{name}.png')


def write_sets(folder: Path, sets: dict[str, list[str]]) -> None:
    """Write lists of ids as <folder>/<set>.txt."""
    folder.mkdir(parents=True)
    for name, ids in sets.items():
        (folder / f'{name}.txt').write_text(''.join(f'{i}\n' for i in ids))


def write_all_sets(devkit: Path, trainval: list[str], test: list[str]) -> None:
    """Write which scene belongs to which set, for both years."""
    half = len(trainval) // 2
    main = {
        'train': trainval[:half],
        'val': trainval[half:],
        'trainval': trainval,
    }
    masks = {'train': trainval, 'val': test, 'trainval': trainval + test}
    sets07, sets12 = (devkit / y / 'ImageSets' for y in ('VOC2007', 'VOC2012'))
    write_sets(sets07 / 'Main', {**main, 'test': test})
    write_sets(sets12 / 'Main', main)
    write_sets(sets12 / 'Segmentation', masks)


def write_devkit(devkit: Path, images: int, seed: int) -> None:
    """Write the whole dataset into a new folder."""
    names = [f'{n:06d}' for n in range(1, images + images // 2 + 1)]
    for folder, kinds in FOLDERS.items():
        for kind in kinds:
            (devkit / folder / kind).mkdir(parents=True)
    write_all_sets(devkit, names[:images], names[images:])
    lines = ['id,difficulty\n']
    for index, name in enumerate(names):
        scene = make_scene(seed, index)
        for folder in FOLDERS:
            write_scene(scene, devkit / folder, name)
        lines.append(f'{name},{"hard" if scene.hard else "easy"}\n')
    (devkit / 'difficulty.txt').write_text(''.join(lines))
    files = ''.join(f'{name}\n' for name in files_below(devkit))
    (devkit / MARK).write_text(files)


def files_below(folder: Path) -> list[str]:
    """The files of a folder, as sorted relative paths."""
    files = (path for path in folder.rglob('*') if not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def check_replaceable(devkit: Path) -> None:
    """Refuse to replace anything that make_voc did not write."""
    if not devkit.exists():
        return
    if not devkit.is_dir():
        raise UsageError(f'{devkit} is not a folder: not touched')
    mark = devkit / MARK
    mine = [MARK, *mark.read_text().splitlines()] if mark.exists() else []
    others = sorted(set(files_below(devkit)) - set(mine))
    if others:
        raise UsageError(
            f'{devkit} holds {others[0]}, which make_voc did not write:'
            ' not touched'
        )


def make_voc(out: Path, images: int, seed: int) -> Path:
    """Make or replace OUT/VOCdevkit, in one step at the end."""
    devkit = out / 'VOCdevkit'
    check_replaceable(devkit)
    out.mkdir(parents=True, exist_ok=True)
    # Inside OUT, since a folder is renamed only within one file system.
    with tempfile.TemporaryDirectory(dir=out, prefix='.make_voc-') as folder:
        fresh = Path(folder) / 'VOCdevkit'
        write_devkit(fresh, images, seed)
        if devkit.exists():
            # Deleted with the temporary folder.
            devkit.rename(Path(folder) / 'old')
        fresh.rename(devkit)
    return devkit


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm make-voc'
) -> int:
    """Run the command and return its exit status."""
    parser = Parser(prog=prog, description=(__doc__ or '').splitlines()[0])
    parser.add_argument('out', type=Path, metavar='OUT')
    parser.add_argument('--images', type=integer(4), default=160)
    parser.add_argument('--seed', type=integer(0), default=0)
    args = parser.parse_args(argv)
    try:
        devkit = make_voc(args.out, args.images, args.seed)
    except (UsageError, OSError) as error:
        print(f'{parser.prog}: error: {error}', file=sys.stderr)
        return 2
    test = args.images // 2
    print(f'{devkit}: {args.images} trainval and {test} test images')
    return 0
