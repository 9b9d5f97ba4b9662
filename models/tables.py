"""Every table in one import, for migrations and queries."""

from models.base import Base
from models.batch import Batch
from models.cluster import ClusterFact
from models.document import Document
from models.evaluation import Evaluation
from models.job import Chunk, Job
from models.step import Step, StepAttempt
from models.weights import Weights
from models.worker import Worker

__all__ = [
    "Base",
    "Batch",
    "Chunk",
    "ClusterFact",
    "Document",
    "Evaluation",
    "Job",
    "Step",
    "StepAttempt",
    "Weights",
    "Worker",
]
