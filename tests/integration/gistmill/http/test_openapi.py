"""The OpenAPI document is true: generated requests get no answer that it does not allow, and none of 500."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import Cluster
from tests.integration.gistmill.http_client import listen
from tests.processes import PATIENCE

# Requests for each operation; make them many with GISTMILL_TEST_EXAMPLES.
EXAMPLES = int(os.environ.get("GISTMILL_TEST_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday."


@pytest.fixture
def url(cluster: Cluster, tiny_weights: Path) -> Iterator[str]:
    with listen(cluster, weights=str(tiny_weights), adapter="none", verifier="none") as port:
        url = f"http://127.0.0.1:{port}"
        httpx.post(f"{url}/api/batches", json={"name": "pile", "documents": [{"text": TEXT}]}).raise_for_status()
        httpx.post(f"{url}/v1/files", files={"file": ("a.jsonl", b"{}")}, data={"purpose": "batch"}).raise_for_status()
        yield url


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_generated_requests_get_the_answers_of_the_document(url: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(httpx.get(f"{url}/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    failures = [
        f"{operation.label}: {error}" for operation in operations for error in find_failures(operation, mode, url)
    ]

    assert len(operations) > 20
    assert not failures, "\n\n".join(failures)


def find_failures(operation: APIOperation, mode: GenerationMode, url: str) -> list[BaseException]:
    """Return the failures of generated requests for an operation."""
    has_input = operation.body or any(operation.iter_parameters())
    if mode is GenerationMode.NEGATIVE and not has_input:
        return []

    @given(case=operation.as_strategy(mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Case) -> None:
        case.call_and_validate(base_url=url, checks=CHECKS, timeout=PATIENCE)

    try:
        run()
    except Unsatisfiable:
        # Every text is a valid id in its form.
        return []
    except (Exception, FailureGroup) as error:  # noqa: BLE001 - whatever is wrong with one operation
        return [*error.exceptions] if isinstance(error, BaseExceptionGroup) else [error]
    return []
