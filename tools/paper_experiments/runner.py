"""Run the missing trainings of an experiment, or resume them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ies_mm.commands.trainings import ENDED, check_same, train_once
from paper_experiments.experiment import Experiment, Runs
from paper_experiments.scales import CONFIGS, Scale
from paper_experiments.trainings import Training, config_text

CONFIG = 'config.py'


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
    """

    scale: Scale
    out: Path
    data: Path | None
    jobs: int = 2

    def jobs_of(self, experiment: Experiment) -> list[Job]:
        """All runs of an experiment, each once."""
        found = {}
        for training in experiment.trainings(self.scale):
            for seed in experiment.seeds(self.scale):
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

        def train(job: Job) -> None:
            self._train(job)
            say(f'{job.work_dir.relative_to(self.out)}: trained')

        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(train, missing))
        return Runs(self.scale, dict(self._folders(experiment)))

    def _folders(
        self, experiment: Experiment
    ) -> Iterator[tuple[Training, list[Path]]]:
        for training in experiment.trainings(self.scale):
            yield (
                training,
                [
                    self._job(training, seed).work_dir
                    for seed in experiment.seeds(self.scale)
                ],
            )

    def _job(self, training: Training, seed: int) -> Job:
        folder = self.out / 'runs' / training.folder(self.scale)
        config = config_text(training, self.scale, self.data, seed)
        said = config.replace(f'{CONFIGS.parent}/', '')
        said = said.replace(str(self.data), 'images')
        return Job(training, seed, folder / f'seed{seed}', config, said)

    def _train(self, job: Job) -> None:
        # Next to the work directory: MMEngine writes the full config into it.
        path = job.work_dir.with_name(f'{job.work_dir.name}_{CONFIG}')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(job.config)
        train_once(job.work_dir, [path], job.said, resume=True)


def what_it_takes(workshop: Workshop, experiment: Experiment) -> str:
    """Trainings, time and data that an experiment needs, in one line."""
    scale = workshop.scale
    jobs = workshop.jobs_of(experiment)
    missing = [job for job in jobs if not job.ended]
    seconds = sum(
        scale.length(t.data, t.of_figure_4) * scale.epoch_seconds[t.data]
        for t in (job.training for job in missing)
    )
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


def _time(seconds: float) -> str:
    if seconds < 2 * 3600:
        return f'{seconds / 60:.0f} minutes'
    return f'{seconds / 3600:.0f} hours'
