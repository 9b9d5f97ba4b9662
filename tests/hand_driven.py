"""One worker's flow, driven by hand: what waits on the broker is a list."""

from __future__ import annotations

from collections.abc import Iterable

from models.queues import StepMessage
from models.settings import Settings
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from workers.broker.tasks import run_step
from workers.errors import StepError
from workers.execution.executor import Flow
from workers.execution.leases import Leases
from workers.execution.store import StepStore
from workers.weights.trained_prompt import UNTRAINED, TrainedPrompt


class Bell:
    """Collects wake-ups; ``is_broken`` loses them, as a dead broker does."""

    def __init__(self) -> None:
        self.waiting: list[StepMessage] = []
        self.is_broken = False

    def publish(self, step_messages: Iterable[StepMessage]) -> int:
        step_messages = list(step_messages)
        if self.is_broken:
            return 0
        self.waiting += step_messages
        return len(step_messages)


class Worker:
    """One worker's flow, driven by hand."""

    def __init__(
        self,
        cluster: Cluster,
        generator: FakeGenerator,
        *,
        node: str = "w1",
        trained_prompt: TrainedPrompt = UNTRAINED,
        **settings: object,
    ) -> None:
        self.bell = Bell()
        statements = cluster.engine.execution_options(isolation_level="AUTOCOMMIT")
        store = StepStore(statements, self.bell, worker_id=node, lease_seconds=60)
        self.leases = Leases(
            cluster.engine,
            must_end=store.must_end,
            worker_id=node,
            lease_seconds=60,
            heartbeat_seconds=0.2,
            is_hung=lambda: False,
            on_hang=lambda: None,
        )
        self.flow = Flow(store, generator, self.leases, settings=Settings(**settings), trained_prompt=trained_prompt)

    def run_all(self, step_messages: Iterable[StepMessage]) -> int:
        """Run steps until no message is left; return how many messages there were."""
        self.bell.waiting += step_messages
        count = 0
        while self.bell.waiting:
            count += 1
            try:
                run_step(self.flow, self.bell.waiting.pop(0).step_id)
            except StepError:
                continue
        return count
