"""Registry of weights: workers and submissions find registered weights by name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from models.errors import NameInUseError, UnknownIdError
from models.job import OPEN_STATES, Job
from models.lookup import list_live_workers
from models.nearest import SHOWN, describe_nearest, find_nearest
from models.settings import DEFAULT_NAME
from models.tables import ClusterFact, Weights, Worker

# Digits of a fingerprint for people.
FINGERPRINT_DIGITS = 8


def describe_served(worker: Worker) -> str:
    """Return what a worker serves, as the views do, such as ``gemma-3-270m, adapter posts, int8 (1a2b3c4d)``."""
    words = worker.details.get("served_weights", "weights")
    return f"{words} ({worker.weights_fingerprint[:FINGERPRINT_DIGITS]})"


def list_weights(session: Session) -> list[Weights]:
    """Return all registered weights, a base before the weights trained from it."""
    return list(session.scalars(select(Weights).order_by(Weights.created_at, Weights.name)))


def list_latest_served(session: Session) -> dict[str, str]:
    """Return what the latest worker of each name has served, in words."""
    latest = select(Worker).ext(distinct_on(Worker.weights)).order_by(Worker.weights, Worker.started_at.desc())
    return {worker.weights: describe_served(worker) for worker in session.scalars(latest)}


def list_served(session: Session) -> dict[str, list[str]]:
    """Return what stands behind each name, in words: what live workers serve, or else what the latest one served."""
    live: dict[str, set[str]] = {}
    for worker in list_live_workers(session):
        live.setdefault(worker.weights, set()).add(describe_served(worker))
    latest = {name: [words] for name, words in list_latest_served(session).items()}
    return latest | {name: sorted(words) for name, words in live.items()}


def list_known_names(session: Session) -> set[str]:
    """Return the names under which jobs may ask for weights: registered, served now or before, and the default."""
    served = session.scalars(select(Worker.weights).distinct())
    return {DEFAULT_NAME, *session.scalars(select(Weights.name)), *served}


def find_weights(session: Session, name: str) -> Weights:
    """Return the weights registered under a name.

    Raises:
        UnknownIdError: there are none; the message lists the nearest names.
    """
    found = session.get(Weights, name)
    if found is None:
        names = session.scalars(select(Weights.name).order_by(Weights.name)).all()
        raise UnknownIdError(f"no weights are registered as {name!r}{suggest_nearest(name, names)}")
    return found


def find_fingerprint(session: Session, fingerprint: str) -> Weights | None:
    """Return the first registered weights with a fingerprint, None if there are none."""
    return session.scalars(
        select(Weights).where(Weights.fingerprint == fingerprint).order_by(Weights.created_at).limit(1)
    ).one_or_none()


def lock_name(session: Session, name: str) -> None:
    """Lock a name of weights until the transaction ends, so that workers register under it one after the other."""
    row = f"weights {name}"
    session.execute(insert(ClusterFact).values(name=row, value="one at a time").on_conflict_do_nothing())
    session.execute(select(ClusterFact.name).where(ClusterFact.name == row).with_for_update())


def add_weights(session: Session, weights: Weights) -> None:
    """Register weights; the caller commits.

    Raises:
        NameInUseError: the name is taken.
        UnknownIdError: their base is not registered.
    """
    if session.get(Weights, weights.name) is not None:
        raise NameInUseError(
            f"{weights.name!r} is registered already; choose another name, or run "
            f"`gistmill weights remove {weights.name}` first"
        )
    if weights.base is not None:
        find_weights(session, weights.base)
    session.add(weights)
    session.flush()


def renew_weights(session: Session, weights: Weights) -> None:
    """Register weights, or update those that have the same name and location."""
    columns = ("name", "kind", "location", "base", "fingerprint", "training", "data_sha256", "metrics")
    row = {column: getattr(weights, column) for column in columns}
    session.execute(
        insert(Weights)
        .values(row)
        .on_conflict_do_update(index_elements=["name"], set_=row, where=Weights.location == weights.location)
    )


def remove_weights(session: Session, name: str) -> None:
    """Delete weights from the registry, not their files; the caller commits.

    Raises:
        UnknownIdError: no weights have this name.
        NameInUseError: workers, open jobs or other weights use them.
    """
    weights = find_weights(session, name)
    users = list_users(session, name)
    if users:
        raise NameInUseError(f"{name!r} is in use by {' and by '.join(users)}; end that first")
    session.delete(weights)
    session.flush()


def list_users(session: Session, name: str) -> list[str]:
    """Return the users of weights in words: live workers, open jobs and weights trained from them."""
    nodes = [worker.node for worker in list_live_workers(session) if worker.weights == name]
    made = session.scalars(select(Weights.name).where(Weights.base == name).order_by(Weights.name)).all()
    is_open = Job.state.in_(OPEN_STATES) & (Job.weights == name)
    jobs = session.scalar(select(func.count()).select_from(Job).where(is_open)) or 0
    return [
        *([f"worker {', '.join(nodes)}"] if nodes else []),
        *([f"{jobs:,} open job{'' if jobs == 1 else 's'}"] if jobs else []),
        *([f"weights made from it ({', '.join(made)})"] if made else []),
    ]


def suggest_nearest(name: str, names: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: the nearest names, else some, or how to register them."""
    if not names:
        return "; register them with `gistmill weights add`"
    nearest = find_nearest(name, names)
    return f"; {describe_nearest(nearest)}" if nearest else f"; there are {', '.join(names[:SHOWN])}"
