"""CIFAR-10 in memory for the trainings on a GPU: data, tests, a control."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES
from mmpretrain.registry import DATASETS
from torch import Tensor

from ies_mm.commands.image_files import image_files
from ies_mm.core import Standing
from ies_mm.errors import ConfigError
from ies_mm.methods.random_removal.rule import RandomRemoval
from ies_mm.report.earlier import EPOCHS
from ies_mm.training.hook.selection_hook import SelectionHook

PAD = 4
ACCURACY = 'accuracy.jsonl'


def decode(source: Path, out: Path) -> None:
    """Decode the JPEG files once, into arrays that can be memory-mapped.

    Args:
        source (Path): A folder or an archive of
            ``{train,test}/<class>/*.jpg``.
        out (Path): Folder of ``{train,test}_{images,labels}.npy``.

    Raises:
        ConfigError: The source has no such files.
    """
    found: dict[str, list[tuple[str, str, bytes]]] = {'train': [], 'test': []}
    for split, name, file, data in image_files(source):
        found[split].append((name, file, data))
    if not all(found.values()):
        raise ConfigError(
            f'--data {source}: needs train/<class>/*.jpg and '
            'test/<class>/*.jpg, in a folder or a tar archive'
        )
    classes = sorted({name for name, _, _ in found['train']})
    out.mkdir(parents=True, exist_ok=True)
    for split, files in found.items():
        files.sort(key=lambda file: file[:2])
        with ThreadPoolExecutor() as pool:
            images = list(pool.map(_decoded, (data for *_, data in files)))
        rgb = np.stack(images)[..., ::-1]
        np.save(out / f'{split}_images.npy', rgb)
        labels = [classes.index(name) for name, *_ in files]
        np.save(out / f'{split}_labels.npy', np.array(labels))


def _decoded(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def arrays(folder: str | Path, split: str, images: int | None) -> Any:
    """Images (N, H, W, 3) and labels (N,), balanced over classes."""
    pixels, labels = (
        np.load(Path(folder, f'{split}_{part}.npy'), mmap_mode='r')
        for part in ('images', 'labels')
    )
    if images is None:
        return pixels, labels
    # The files are sorted by class.
    chosen = np.linspace(0, len(labels) - 1, images).astype(int)
    return pixels[chosen], labels[chosen]


@DATASETS.register_module()
class CifarInMemory(BaseDataset):
    """The images that :func:`decode` wrote.

    Args:
        folder (str): The arrays' folder.
        images (int, optional): Number of images. Defaults to None, all.
    """

    METAINFO = {'classes': CIFAR10_CATEGORIES}

    def __init__(
        self, folder: str, images: int | None = None, **kwargs: Any
    ) -> None:
        self.folder = folder
        self.images = images
        super().__init__(ann_file='', serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """One entry per image, with its pixels and its label."""
        pixels, labels = arrays(self.folder, 'train', self.images)
        return [
            dict(
                img=np.array(image),
                img_path=f'{number:05}',
                gt_label=int(label),
            )
            for number, (image, label) in enumerate(
                zip(pixels, labels, strict=True)
            )
        ]


@HOOKS.register_module()
class TestAccuracyHook(Hook):
    """Test on clean and on augmented images after every epoch.

    The authors' program tests on images with the training transform and
    reports the best epoch. Results go to ``accuracy.jsonl``; ``seconds`` is
    the training time without tests.

    Args:
        folder (str): The arrays' folder.
        images (int, optional): Number of images. Defaults to None, all.
    """

    priority = 'LOWEST'

    def __init__(self, folder: str, images: int | None = None) -> None:
        pixels, labels = arrays(folder, 'test', images)
        self.pixels = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(np.array(labels))

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        Path(runner.work_dir, ACCURACY).unlink(missing_ok=True)
        self.seconds = 0.0

    def before_train_epoch(self, runner: Runner) -> None:
        """Resume the clock."""
        self._started = time.perf_counter()

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop the clock, test, and write a line."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - self._started
        epoch = runner.epoch + 1
        line = dict(
            epoch=epoch,
            seconds=self.seconds,
            clean=self._accuracy(runner, self.pixels),
            augmented=self._accuracy(runner, augmented(self.pixels, epoch)),
        )
        with Path(runner.work_dir, ACCURACY).open('a') as file:
            file.write(json.dumps(line) + '\n')

    def _accuracy(self, runner: Runner, pixels: Tensor) -> float:
        model = runner.model
        model.eval()
        right = 0
        with torch.no_grad():
            for part, labels in zip(
                pixels.split(1000), self.labels.split(1000), strict=True
            ):
                data = model.data_preprocessor({'inputs': part}, False)
                scores = model(data['inputs'], mode='tensor')
                right += int((scores.argmax(1).cpu() == labels).sum())
        model.train()
        return right / len(self.labels)


def augmented(pixels: Tensor, seed: int) -> Tensor:
    """Pad by 4, crop and flip at random, as in training."""
    generator = torch.Generator().manual_seed(seed)
    count, _, height, width = pixels.shape
    padded = torch.nn.functional.pad(pixels, [PAD] * 4)
    top, left = (
        torch.randint(0, 2 * PAD + 1, (count, 1), generator=generator)
        for _ in range(2)
    )
    columns = (left + torch.arange(width))[:, None, :]
    flipped = torch.rand(count, generator=generator) < 0.5
    columns[flipped] = columns[flipped].flip(2)
    rows = (top + torch.arange(height))[:, :, None]
    images = torch.arange(count)[:, None, None]
    chosen = padded.permute(0, 2, 3, 1)[images, rows, columns]
    return chosen.permute(0, 3, 1, 2).contiguous()


class RemoveAsMany(RandomRemoval):
    """Random removal of as many images as another run pruned, by epoch.

    Args:
        run (str): The other run's work directory.
    """

    def __init__(self, run: str) -> None:
        super().__init__(0.0)
        self.run = run
        lines = Path(run, 'ies', EPOCHS).read_text().splitlines()
        self._excluded = [json.loads(line)['excluded'] for line in lines]

    def share(self, standing: Standing) -> float:
        """The share that the other run pruned from the next epoch."""
        if standing.epoch >= len(self._excluded):
            return 0.0
        return self._excluded[standing.epoch] / self.instances


@HOOKS.register_module()
class RemoveAsManyHook(SelectionHook):
    """The hook of :class:`RemoveAsMany`.

    Args:
        run (str): The other run's work directory.
    """

    def __init__(self, run: str) -> None:
        super().__init__(RemoveAsMany(run))
