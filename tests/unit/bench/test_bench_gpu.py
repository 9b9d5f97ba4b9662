"""The bench for GPUs as far as it runs without one."""

from __future__ import annotations

import pytest
import torch

from tests.bench import bench_gpu


def test_every_setting_changes_one_thing_and_has_a_name_of_its_own() -> None:
    settings = bench_gpu.list_settings()
    assert settings[0] is bench_gpu.BASE
    assert len({setting.name for setting in settings}) == len(settings)
    for setting in settings:
        assert bench_gpu.build_batching(setting, batch=4, new_tokens=8).max_requests_per_batch == 4


def test_arguments_have_defaults_and_can_be_given() -> None:
    given = bench_gpu.parse_arguments(["--weights", "/w", "--batches", "1", "2", "--new", "7"])
    assert (given.weights, given.batches, given.new) == ("/w", [1, 2], 7)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench_gpu"])
    assert bench_gpu.main() == 1
    assert "needs a CUDA device" in capsys.readouterr().err


@pytest.mark.gpu
def test_a_small_batch_runs_on_the_gpu(real_weights: object) -> None:
    given = bench_gpu.parse_arguments(["--weights", str(real_weights), "--new", "4", "--rounds", "1"])
    assert bench_gpu.try_setting(given, bench_gpu.BASE, 2)
