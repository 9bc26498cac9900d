"""Call tools/make_voc.py, and read back its files."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
VOC_CLASSES = [
    'background',
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
]
IMAGES = 40
"""Number of training images in the fixture ``devkit``."""


def run(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLS / 'make_voc.py'), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def files(folder: Path) -> list[str]:
    found = (p for p in folder.rglob('*') if p.is_file())
    return sorted(str(p.relative_to(folder)) for p in found)


def ids(path: Path) -> list[str]:
    return path.read_text().split()


def boxes(xml: Path) -> list[tuple[str, list[int]]]:
    sides = ('xmin', 'ymin', 'xmax', 'ymax')
    return [
        (
            str(item.findtext('name')),
            [int(item.findtext(f'bndbox/{side}', '')) for side in sides],
        )
        for item in ET.parse(xml).iter('object')
    ]


def extent(pixels: np.ndarray) -> list[int]:
    """First and last column and row with a pixel, counted from 1."""
    columns = np.flatnonzero(pixels.any(axis=0)) + 1
    rows = np.flatnonzero(pixels.any(axis=1)) + 1
    return [columns[0], rows[0], columns[-1], rows[-1]]
