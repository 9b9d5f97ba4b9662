"""What happens when the process that deletes dies: a worker completes it, and running generations are stopped."""

from __future__ import annotations

from models.deletion import DeletionRequest
from models.tables import DeletionKind
from tests.chaos.events import run_deletion
from tests.chaos.scene import Scene, write_text
from tests.fake_worker import CONTEXT
from tests.processes import PATIENCE


def test_a_worker_completes_the_deletion_of_a_killed_process(scene: Scene) -> None:
    scene.add_worker()
    scene.switch("hold")
    scene.submit([write_text(f"text{number}", 1) for number in range(12)], strategy="stuff")
    scene.wait_for_held(4)
    with scene.engine.connect() as connection:
        batch = connection.exec_driver_sql("SELECT id FROM batches").scalar_one()

    recorded = CONTEXT.Event()
    request = DeletionRequest(DeletionKind.BATCH, str(batch))
    process = CONTEXT.Process(target=run_deletion, args=(scene.database_url, request, recorded), daemon=True)
    process.start()
    assert recorded.wait(PATIENCE)
    process.kill()
    process.join()

    finished = "SELECT count(*) FROM deletions WHERE finished_at IS NOT NULL AND jobs = 12 AND documents = 12"
    scene.wait_until(lambda: scene.count(finished) == 1, "the deletion has ended")
    # No switch ends them: their leases are gone.
    scene.wait_until(lambda: not list(scene.folder.glob("held-*")), "no generation runs")
    assert scene.count("SELECT count(*) FROM jobs") == 0
    scene.wait_for_end()
