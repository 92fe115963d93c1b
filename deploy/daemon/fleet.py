"""The pipelines of one process: each in its thread, together started, reloaded and stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from deploy.daemon.models import fingerprint
from deploy.daemon.runner import Runner
from pipeline.assemble import rehearse
from pipeline.config import PipelineConfig
from pipeline.monitor.members import Member

log = structlog.get_logger(__name__)


class Fleet:
    """Runs pipelines of a configuration in ``directory``, in the order of the file.

    Of several, one that fails is started again while the others run on. A single one ends with
    its error: the process's manager starts it again, and somebody at a terminal sees it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._runners: list[Runner] = []
        self._alone = True

    def start(self, configs: Sequence[PipelineConfig]) -> None:
        """Begin to run these; returns at once."""
        self._alone = len(configs) == 1
        self._runners = [self._started(config) for config in configs]

    @property
    def settled(self) -> bool:
        """Whether each has been assembled once, or has failed to be."""
        return all(runner.tried.is_set() for runner in self._runners)

    def members(self) -> list[Member]:
        """How each stands now; from any thread."""
        return [runner.member() for runner in self._runners]

    @property
    def over(self) -> bool:
        """Whether none is left that runs or will run again."""
        return all(runner.over for runner in self._runners)

    def stop(self) -> None:
        """End all of them, each after delivering what is in flight."""
        for runner in self._runners:
            runner.stop()
        for runner in self._runners:
            runner.join()

    def errors(self) -> list[Exception]:
        """What ended pipelines for good."""
        return [runner.error for runner in self._runners if runner.error is not None]

    def reload(self, configs: Sequence[PipelineConfig]) -> None:
        """Run these from now on; what runs and did not change is not touched.

        Raises what would keep one of them from being assembled, and changes nothing then.
        """
        before = {runner.config.name: runner for runner in self._runners}
        kept = {config.name for config in configs if self._same(before.get(config.name), config)}
        for config in configs:
            if config.name not in kept:
                rehearse(config, self._directory)
        ending = [runner for name, runner in before.items() if name not in kept]
        for runner in ending:
            runner.stop()
        for runner in ending:
            runner.join()
        self._alone = len(configs) == 1
        self._runners = [
            before[config.name] if config.name in kept else self._started(config)
            for config in configs
        ]
        log.info(
            "configuration reloaded",
            untouched=sorted(kept),
            started=[config.name for config in configs if config.name not in kept],
            ended=sorted(before.keys() - {config.name for config in configs}),
        )

    def _same(self, runner: Runner | None, config: PipelineConfig) -> bool:
        return (
            runner is not None
            and not runner.troubled
            and runner.config == config
            and runner.models == fingerprint(config, self._directory)
        )

    def _started(self, config: PipelineConfig) -> Runner:
        runner = Runner(config, self._directory, restart=lambda: not self._alone)
        runner.start()
        return runner
