"""Run the missing trainings of an experiment, or resume them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from ies_mm.commands.trainings import ENDED, check_same, train_once
from ies_mm.labels.file import write_labels
from ies_mm.labels.make import plant_noise
from paper_experiments.experiment import Experiment, Runs
from paper_experiments.scale import CONFIGS, Scale
from paper_experiments.trainings import Training, config_text

CONFIG = 'config.py'
NOISE_SEED = 0
"""Seed of the label noise, which is the same for all seeds of a run."""


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        training (Training): The training.
        seed (int): Its seed.
        work_dir (Path): Its folder.
        config (str): The text of its config.
        said (str): All its settings, independent of where configs and images
            are.
    """

    training: Training
    seed: int
    work_dir: Path
    config: str
    said: str

    @property
    def ended(self) -> bool:
        """Whether the training is finished."""
        return (self.work_dir / ENDED).exists()


@dataclass(frozen=True)
class Workshop:
    """Where and how to train.

    Args:
        scale (Scale): Scale of the runs.
        out (Path): The scale's folder.
        data (Path, optional): Folder of the images.
        jobs (int): Trainings at a time. Defaults to 2.
        program_test (bool): Whether test images get the training's pipeline,
            as in the authors' program. Defaults to False.
    """

    scale: Scale
    out: Path
    data: Path | None
    jobs: int = 2
    program_test: bool = False

    def jobs_of(self, experiment: Experiment) -> list[Job]:
        """All runs of an experiment, each once."""
        found = {}
        for training, seeds in self._seeds(experiment):
            for seed in seeds:
                job = self._job(training, seed)
                found[job.work_dir] = job
        return list(found.values())

    def make(
        self, experiment: Experiment, say: Callable[[str], object] = print
    ) -> Runs:
        """Train what is missing.

        Args:
            experiment (Experiment): The experiment whose runs are needed.
            say (callable): Called with a line for each trained run.

        Raises:
            ConfigError: A folder holds a run with other settings, or a
                training failed.
        """
        jobs = self.jobs_of(experiment)
        for job in jobs:
            check_same(job.work_dir, job.said)
        missing = [job for job in jobs if not job.ended]
        for job in missing:
            self._make_labels(job)

        def train(job: Job) -> None:
            self._train(job)
            say(f'{job.work_dir.relative_to(self.out)}: trained')

        with ThreadPoolExecutor(self.jobs) as pool:
            # First those that others start from.
            for later in (False, True):
                stage = [j for j in missing if bool(j.training.start) is later]
                list(pool.map(train, stage))
        return Runs(self.scale, dict(self._folders(experiment)))

    def _folders(
        self, experiment: Experiment
    ) -> Iterator[tuple[Training, list[Path]]]:
        for training, seeds in self._seeds(experiment):
            yield training, [self._job(training, s).work_dir for s in seeds]

    def _seeds(
        self, experiment: Experiment
    ) -> Iterator[tuple[Training, range]]:
        """Each training and its seeds."""
        trainings = experiment.trainings(self.scale)
        starts = [t.start for t in trainings if t.start]
        seeds = experiment.seeds(self.scale)
        for training in trainings:
            once = self.scale.pretrained_once and training in starts
            yield training, range(1) if once else seeds

    def _job(self, training: Training, seed: int) -> Job:
        runs = 'runs_program_test' if self.program_test else 'runs'
        folder = self.out / runs / training.folder(self.scale)
        labels = self._labels_of(training) if training.noise else None
        start = self._start_of(training, seed) if training.start else None
        config = config_text(
            training,
            self.scale,
            self.data,
            seed,
            labels,
            start,
            self.program_test,
        )
        said = config.replace(f'{CONFIGS.parent}/', '')
        if self.data is not None:
            # However the folder was given.
            said = said.replace(f"'{self.data}/", "'images/")
        said = said.replace(str(self.out.resolve()), 'out')
        said += ' '.join(['', *_options(training)])
        return Job(training, seed, folder / f'seed{seed}', config, said)

    def _labels_of(self, training: Training) -> Path:
        # Absolute, as trainings may run from another folder.
        folder = self.out.resolve() / 'noise'
        return folder / f'{training.data}_{training.noise}.npz'

    def _start_of(self, training: Training, seed: int) -> Path:
        """The checkpoint a fine-tuning starts from, of the same seed."""
        assert training.start is not None
        scale = self.scale
        length = scale.length(training.start.data, of_figure_4=False)
        epoch = min(scale.pretrained, length)
        seed = 0 if scale.pretrained_once else seed
        work_dir = self._job(training.start, seed).work_dir
        return work_dir.resolve() / f'epoch_{epoch}.pth'

    def _make_labels(self, job: Job) -> None:
        """Draw its noisy labels, unless another training has them already."""
        path = self._labels_of(job.training)
        if not job.training.noise or path.exists():
            return
        kind, ratio = job.training.noise.split('_')
        config = Config.fromfile(self._written(job))
        labels = plant_noise(config, kind, float(ratio), NOISE_SEED)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels(path, labels)

    def _written(self, job: Job) -> Path:
        # Next to the work directory: MMEngine writes the full config into it.
        path = job.work_dir.with_name(f'{job.work_dir.name}_{CONFIG}')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(job.config)
        return path

    def _train(self, job: Job) -> None:
        path = self._written(job)
        options = _options(job.training)
        train_once(job.work_dir, [path, *options], job.said, resume=True)


def _options(training: Training) -> list[str]:
    """Options of the command that trains it."""
    if training.length == 1:
        return []
    return ['--length', f'{training.length:g}']


def what_it_takes(workshop: Workshop, experiment: Experiment) -> str:
    """Trainings, time and data that an experiment needs, in one line."""
    scale = workshop.scale
    jobs = workshop.jobs_of(experiment)
    if not jobs:
        return (
            f"{experiment.name}: {experiment.title}; only at the paper's "
            f'scale: {experiment.no_small}'
        )
    missing = [job for job in jobs if not job.ended]
    seconds = sum(_seconds(scale, job.training) for job in missing)
    needs = dict.fromkeys(scale.needs[job.training.data] for job in jobs)
    trainings = '1 training' if len(jobs) == 1 else f'{len(jobs)} trainings'
    there = f'{len(jobs) - len(missing)} of them done'
    at_a_time = min(workshop.jobs, len(missing))
    rest = ''
    if missing:
        time = _time(seconds / at_a_time)
        rest = f'about {time} on {scale.device} for the others; '
    return (
        f'{experiment.name}: {experiment.title}; {trainings}, {there}; '
        f'{rest}{", ".join(needs)}'
    )


def _seconds(scale: Scale, training: Training) -> float:
    data = training.data
    cost = scale.costs.get(training.setting.split('_')[0], 1)
    epochs = training.epochs or scale.length(data, training.of_figure_4)
    return training.length * epochs * scale.epoch_seconds[data] * cost


def _time(seconds: float) -> str:
    if seconds < 2 * 3600:
        return f'{max(2, round(seconds / 60))} minutes'
    return f'{seconds / 3600:.0f} hours'
