"""Parameter schedules that count what is skipped as done."""

from mmengine.hooks import ParamSchedulerHook
from mmengine.runner import Runner

from ies_mm.training import mmengine_internals as internals


class Schedule:
    """Keeps iteration-wise schedulers where the unpruned run has them.

    MMEngine steps every scheduler of ``by_epoch=False`` once an iteration. An
    iteration of a pruned epoch stands for more than one of the full epoch;
    the steps in between are made here, through MMEngine's own hook, one by
    one: chained schedulers then go through the very values of the unpruned
    run.

    Args:
        runner (Runner): Whose schedulers to step.
        done (int): Iterations of the unpruned run that lie behind.
    """

    def __init__(self, runner: Runner, done: int) -> None:
        self._runner = runner
        self._done = done
        self._hooks = [
            hook
            for hook in runner.hooks
            if isinstance(hook, ParamSchedulerHook)
        ]

    def advance(self, planned: int) -> None:
        """Make the steps that MMEngine will not make in this iteration.

        Args:
            planned (int): Iterations of the unpruned run that this one, when
                it ends, stands for in all.
        """
        for _ in range(planned - self._done - 1):
            for hook in self._hooks:
                internals.step_schedulers(hook, self._runner)
        self._done = planned
