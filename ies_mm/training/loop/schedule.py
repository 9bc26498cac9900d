"""Parameter schedules that count pruned images as done."""

from mmengine.hooks import ParamSchedulerHook
from mmengine.runner import Runner

from ies_mm.training import mmengine_internals as internals


class Schedule:
    """Keeps iteration-wise schedulers in step with the unpruned run.

    MMEngine steps every scheduler with ``by_epoch=False`` once per iteration.
    An iteration of a pruned epoch stands for several of the full epoch; the
    steps in between are made here, one by one through MMEngine's own hook, so
    that chained schedulers pass through exactly the values of the unpruned
    run.

    Args:
        runner (Runner): Its schedulers are stepped.
        done (int): Iterations of the unpruned run completed so far.
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
            planned (int): Iterations of the unpruned run completed at the end
                of this one.
        """
        # ParamSchedulerHook, called later, makes the last step itself.
        for _ in range(planned - self._done - 1):
            for hook in self._hooks:
                internals.step_schedulers(hook, self._runner)
        self._done = planned
