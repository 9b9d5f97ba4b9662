from __future__ import annotations

import pytest

from tests.library_names import check_name, list_names
from workers.broker import compat_celery


@pytest.mark.parametrize(("module", "name"), list_names(compat_celery))
def test_the_library_has_each_undocumented_name_that_is_used(module: str, name: str) -> None:
    check_name(compat_celery, "celery", module, name)
