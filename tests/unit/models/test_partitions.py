from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import NAMESPACE_URL, RFC_4122, UUID, uuid4, uuid5

import pytest

from models.partitions import FIRST_RANDOM, StepRange, group_by_partition, month_of, stamp_month, step_id

NOVEMBER = datetime(2026, 11, 29, tzinfo=UTC)


def test_a_month_begins_at_midnight_of_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert month_of(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert month_of(datetime(2026, 12, 1, 1, tzinfo=east)) == month_of(NOVEMBER) == 682


def test_a_stamped_id_is_a_version_8_uuid_that_keeps_the_rest() -> None:
    job = uuid4()
    stamped = stamp_month(job, NOVEMBER)
    assert (stamped.version, stamped.variant) == (8, RFC_4122)
    assert (str(stamped)[:13], str(stamped)[14:18], str(stamped)[19:]) == (str(job)[:13], "82aa", str(job)[19:])


def test_a_step_of_a_stamped_job_is_in_the_partition_of_its_month() -> None:
    step = step_id(stamp_month(uuid4(), NOVEMBER), "map", 0, 3)
    assert (step.version, step.variant) == (8, RFC_4122)
    assert StepRange.of_step(step) == StepRange.of_month(682)
    assert StepRange.of_step(step).month == 682


def test_a_step_of_a_job_from_before_keeps_the_id_that_it_had() -> None:
    job = UUID("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    step = step_id(job, "map", 1, 2, round_number=1)
    assert step == uuid5(uuid5(NAMESPACE_URL, "gistmill:step"), f"{job}/1/map/1/2")
    assert StepRange.of_step(step).first == FIRST_RANDOM
    assert StepRange.of_step(step).month is None


@pytest.mark.parametrize("job", [uuid4(), stamp_month(uuid4(), NOVEMBER)])
def test_a_steps_id_follows_from_its_place_alone(job: UUID) -> None:
    places = [("map", 0, 1, 0), ("map", 0, 2, 0), ("map", 1, 1, 0), ("reduce", 0, 1, 0), ("map", 0, 1, 1)]
    ids = [step_id(job, kind, level, index, round_number=number) for kind, level, index, number in places]
    assert len(set(ids)) == len(places)
    assert ids == [step_id(job, kind, level, index, round_number=number) for kind, level, index, number in places]


def test_ids_are_grouped_by_the_partition_that_holds_them() -> None:
    old, new = uuid4(), stamp_month(uuid4(), NOVEMBER)
    steps = [step_id(job, "map", 0, index) for index in range(2) for job in (old, new)]
    assert group_by_partition(steps) == [steps[::2], steps[1::2]]
