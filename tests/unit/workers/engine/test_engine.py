from __future__ import annotations

import csv
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.conftest import wait_until
from tests.processes import PATIENCE
from tests.unit.workers.engine.prompts import GREEDY, HOT, LONG, ask
from workers.engine.config import EngineConfig
from workers.engine.cpu import int8, onednn, screened_head
from workers.engine.cpu.huge_pages import has_huge_pages
from workers.engine.cpu.onednn import round_up_rows
from workers.engine.cpu.screened_head import ScreenedHead
from workers.engine.engine import Engine, load_engine
from workers.engine.errors import EngineStoppedError, PromptTooLongError, RequestFailedError
from workers.engine.quantization import uses_onednn
from workers.generation import FinishReason, Generation, GenerationParams, Part, Prompt, PromptFormat, Turn


@pytest.fixture
def prompts(shared_data: Path) -> list[Prompt]:
    """Twenty pieces of real documents, from 20 to some 600 tokens."""
    with (shared_data / "kaggle_winning_solutions_methods.csv").open(encoding="utf-8", newline="") as file:
        writeups = [row["writeup"] for row in csv.DictReader(file) if len(row["writeup"]) > 2000]
    return [ask(writeup[: 30 + 40 * number]) for number, writeup in enumerate(writeups[:20])]


def generate_together(engine: Engine, prompts: list[Prompt], params: list[GenerationParams]) -> list[Generation]:
    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(engine.generate, prompts, params))


def is_empty(engine: Engine) -> bool:
    """Return whether no request and no cache block is left in the loop."""
    processor = engine.lanes.loops[0].batch_processor
    return (
        not engine.lanes.loops[0].live
        and not processor.scheduler.active_requests
        and not processor.scheduler.waiting_requests
        and processor.cache.compute_free_capacity() == 1.0
    )


def wait_until_empty(engine: Engine) -> None:
    wait_until(lambda: is_empty(engine), "the loop is empty")


@pytest.mark.parametrize("quantization", ["none", "int8", "auto"])
def test_products_of_onednn_are_computed_of_few_numbers_of_rows(
    tiny_weights: Path, prompts: list[Prompt], quantization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    products, batches = set(), set()
    for name in ("multiply_reordered", "multiply_reordered_by", "multiply_reordered_int8"):
        module = int8 if name.endswith("int8") else onednn
        compute = getattr(module, name)

        def record(rows: torch.Tensor, *others: Any, compute: Any = compute, **options: Any) -> torch.Tensor:
            products.add(rows.shape[-2])
            return compute(rows, *others, **options)

        monkeypatch.setattr(module, name, record)
    config = EngineConfig(str(tiny_weights), device="cpu", quantization=quantization, batch_tokens=100)
    with closing(load_engine(config)) as engine:
        body = engine.weights.network.base_model
        is_onednn = uses_onednn(body)
        hook = body.register_forward_pre_hook(
            lambda _, __, options: batches.add(options["input_ids"].shape[-1]), with_kwargs=True
        )
        generate_together(engine, prompts, [GREEDY] * len(prompts))
        hook.remove()
        engine.score_continuations(prompts[0], ["one", "two or three"])
    assert products == {round_up_rows(rows) for rows in products}
    assert not is_onednn or max(products) > 80
    assert not is_onednn or batches == {round_up_rows(tokens) for tokens in batches}


def test_greedy_is_what_plain_generate_gives_however_the_batch_is_mixed(
    engine: Engine, prompts: list[Prompt], tiny_weights: Path
) -> None:
    network = AutoModelForCausalLM.from_pretrained(tiny_weights)
    together = generate_together(engine, prompts, [GREEDY] * len(prompts))
    for prompt, generation in zip(prompts, together, strict=True):
        ids = torch.tensor([engine.weights.tokenizer.encode_prompt(prompt)])
        output = network.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, eos_token_id=[1, 5]
        )
        assert generation.text == engine.weights.tokenizer.decode(output[0, ids.shape[1] :].tolist())
        assert generation.prompt_tokens == ids.shape[1] == engine.count_prompt_tokens(prompt)


@pytest.mark.parametrize("is_speculative", [True, False])
def test_the_last_few_tokens_of_a_prompt_longer_than_the_window_see_all_of_it(
    tiny_weights: Path, is_speculative: bool
) -> None:
    config = EngineConfig(
        weights=str(tiny_weights), quantization="none", batch_tokens=64, is_speculative=is_speculative
    )
    roomy = load_engine(replace(config, batch_tokens=None))
    pieces = load_engine(config)
    try:
        # Prefilled in pieces of 64 tokens; each prompt's last piece has a few.
        tails = [ask("a river rose " * (60 + number)) for number in range(8)]
        assert len({pieces.count_prompt_tokens(prompt) % 64 for prompt in tails}) > 5
        expected = [roomy.generate(prompt, GREEDY).text for prompt in tails]
        assert [pieces.generate(prompt, GREEDY).text for prompt in tails] == expected
    finally:
        roomy.close()
        pieces.close()


def test_greedy_gives_the_same_tokens_whatever_else_is_in_the_batch(engine: Engine, prompts: list[Prompt]) -> None:
    alone = [engine.generate(prompt, GREEDY).text for prompt in prompts[:6]]
    mixed = generate_together(engine, prompts[:6] + prompts, [GREEDY] * 6 + [HOT] * len(prompts))
    assert [generation.text for generation in mixed[:6]] == alone


def test_accepted_speculative_tokens_save_forward_passes_and_change_nothing(
    own_engine: Engine, tiny_weights: Path
) -> None:
    ids = own_engine.weights.tokenizer.encode_prompt(ask("tell"))
    network = AutoModelForCausalLM.from_pretrained(tiny_weights)
    prompt = torch.tensor([ids])
    output = network.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=200, do_sample=False, eos_token_id=[1, 5]
    )
    passes: list[object] = []
    own_engine.weights.network.register_forward_pre_hook(lambda *_: passes.append(None))
    generation = own_engine.generate(ask("tell"), replace(GREEDY, max_new_tokens=200))
    assert generation.text == own_engine.weights.tokenizer.decode(output[0, len(ids) :].tolist())
    assert generation.completion_tokens == output.shape[1] - len(ids)
    assert len(passes) < generation.completion_tokens / 2


def test_a_screened_head_changes_nothing(
    engine: Engine, prompts: list[Prompt], tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screened_head, "SCREENED_OUTPUTS", 1)
    screened = load_engine(EngineConfig(weights=str(tiny_weights), quantization="none"))
    try:
        assert isinstance(screened.weights.network.get_output_embeddings(), ScreenedHead)
        params = [GREEDY, replace(HOT, top_k=30, seed=4), replace(GREEDY, repetition_penalty=1.3)] * 3
        expected = [engine.generate(prompt, each).text for prompt, each in zip(prompts, params, strict=False)]
        generations = generate_together(screened, prompts[:9], params)
        assert [generation.text for generation in generations] == expected
    finally:
        screened.close()


def test_a_prompt_of_one_token_can_be_read(own_engine: Engine) -> None:
    prompt = Prompt((Turn("user", (Part(""),)),), format=PromptFormat.COMPLETION)
    assert own_engine.count_prompt_tokens(prompt) == 1
    assert own_engine.generate(prompt, GREEDY).completion_tokens


@pytest.mark.parametrize(
    "change",
    [
        {"do_sample": False},
        {"temperature": 0.2},
        {"top_k": 3},
        {"top_p": 0.05},
        {"repetition_penalty": 1.0},
        {"max_new_tokens": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_parameter_of_one_request_does_not_leak_into_its_batch_neighbours(
    engine: Engine, prompts: list[Prompt], change: dict[str, float]
) -> None:
    mine = replace(HOT, seed=11)
    neighbour = replace(HOT, seed=12, **change)
    alone = engine.generate(prompts[3], mine)
    beside_equals = generate_together(engine, [prompts[3], prompts[4]], [mine, replace(HOT, seed=12)])
    beside_changed = generate_together(engine, [prompts[3], prompts[4]], [mine, neighbour])
    assert alone.text == beside_equals[0].text == beside_changed[0].text
    assert beside_equals[1].text != beside_changed[1].text


def test_a_seed_makes_sampling_repeatable(engine: Engine, prompts: list[Prompt]) -> None:
    texts = [engine.generate(prompts[2], replace(HOT, seed=seed)).text for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_unseeded_sampling_varies(engine: Engine, prompts: list[Prompt]) -> None:
    assert len({engine.generate(prompts[2], HOT).text for _ in range(4)}) > 1


def test_a_stop_string_ends_the_generation_and_is_not_part_of_it(engine: Engine, prompts: list[Prompt]) -> None:
    whole = engine.generate(prompts[0], replace(HOT, seed=1, max_new_tokens=60))
    middle = len(whole.text) // 2
    stop = whole.text[middle : middle + 3]
    cut = engine.generate(replace(prompts[0], stop=(stop, "never said")), replace(HOT, seed=1, max_new_tokens=60))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason is FinishReason.STOP
    assert cut.completion_tokens < whole.completion_tokens


def test_the_end_of_turn_ends_a_chat(engine: Engine) -> None:
    params = [replace(HOT, max_new_tokens=300, seed=seed) for seed in range(16)]
    ended = [
        generation
        for generation in generate_together(engine, [ask("tell")] * 16, params)
        if generation.finish_reason is FinishReason.STOP
    ]
    assert ended
    assert all("<end_of_turn>" not in generation.text for generation in ended)


def test_the_token_limit_is_kept_and_named(engine: Engine, prompts: list[Prompt]) -> None:
    generation = engine.generate(prompts[1], replace(GREEDY, max_new_tokens=5))
    assert (generation.completion_tokens, generation.finish_reason) == (5, FinishReason.LENGTH)


def test_a_cancelled_request_ends_with_what_it_has(own_engine: Engine) -> None:
    cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(own_engine.generate, ask("tell"), LONG, cancelled=cancelled)
        while own_engine.lanes.loops[0].read_state().running == 0:
            time.sleep(0.001)
        cancelled.set()
        generation = running.result()
    assert generation.finish_reason is FinishReason.CANCELLED
    assert generation.completion_tokens < LONG.max_new_tokens
    wait_until_empty(own_engine)


def test_a_request_that_is_cancelled_before_it_starts_gives_nothing(engine: Engine) -> None:
    cancelled = threading.Event()
    cancelled.set()
    generation = engine.generate(ask("tell"), LONG, cancelled=cancelled)
    assert (generation.text, generation.finish_reason) == ("", FinishReason.CANCELLED)


def test_a_deadline_ends_a_request(engine: Engine) -> None:
    generation = engine.generate(ask("tell"), LONG, deadline=time.monotonic() + 0.2)
    assert generation.finish_reason is FinishReason.DEADLINE
    assert generation.completion_tokens < LONG.max_new_tokens
    assert engine.generate(ask("tell"), LONG, deadline=time.monotonic() - 1).finish_reason is FinishReason.DEADLINE


@pytest.mark.timeout(600)
def test_a_thousand_requests_with_cancellations_and_deadlines_leave_nothing_behind(own_engine: Engine) -> None:
    dice = random.Random(0)
    own_engine.generate(ask("warm up"), GREEDY)
    # The threads themselves, not their number: those of earlier tests in this process may end meanwhile.
    threads_before = set(threading.enumerate())

    def run(number: int) -> FinishReason:
        cancelled = threading.Event()
        deadline = time.monotonic() + dice.uniform(0, 0.3) if dice.random() < 0.4 else None
        if dice.random() < 0.4:
            threading.Timer(dice.uniform(0, 0.2), cancelled.set).start()
        params = replace(HOT, max_new_tokens=dice.randint(1, 12), seed=number, do_sample=dice.random() < 0.5)
        prompt = ask("river " * dice.randint(1, 60), stop=("e",) if dice.random() < 0.3 else ())
        return own_engine.generate(prompt, params, deadline=deadline, cancelled=cancelled).finish_reason

    with ThreadPoolExecutor(32) as pool:
        reasons = list(pool.map(run, range(1000)))
    assert set(reasons) >= {FinishReason.STOP, FinishReason.LENGTH, FinishReason.DEADLINE}
    wait_until_empty(own_engine)
    wait_until(lambda: set(threading.enumerate()) <= threads_before, "every thread of the requests has ended")
    assert own_engine.lanes.loops[0].output_router.output_queue.empty()
    assert own_engine.lanes.loops[0].input_queue.empty()


def test_more_requests_than_the_cache_holds_all_finish_and_are_right(tiny_weights: Path, prompts: list[Prompt]) -> None:
    # Some 1,000 tokens of cache for prompts of some 4,000.
    small = EngineConfig(
        weights=str(tiny_weights), quantization="none", context_tokens=900, kv_cache_gb=1000 * 768 / 2**30
    )
    engine, roomy = load_engine(small), load_engine(EngineConfig(weights=str(tiny_weights), quantization="none"))
    try:
        prompts = prompts[8:16]
        params = [replace(GREEDY, max_new_tokens=40)] * len(prompts)
        expected = [generation.text for generation in generate_together(roomy, prompts, params)]
        assert [generation.text for generation in generate_together(engine, prompts, params)] == expected
        wait_until_empty(engine)
    finally:
        engine.close()
        roomy.close()


def test_a_prompt_that_cannot_fit_is_refused_before_any_work(engine: Engine) -> None:
    with pytest.raises(PromptTooLongError, match=r"asks for 4090 more, and the context holds 4096"):
        engine.generate(ask("a river rose"), replace(GREEDY, max_new_tokens=4090))
    assert not engine.lanes.loops[0].live


def test_running_out_of_memory_halves_the_batch_and_tries_again(own_engine: Engine, prompts: list[Prompt]) -> None:
    expected = [generation.text for generation in generate_together(own_engine, prompts[:6], [GREEDY] * 6)]
    failures = iter([False, False, False, True])

    def fail_once(*_: object) -> None:
        if next(failures, False):
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = own_engine.weights.network.register_forward_pre_hook(fail_once)
    assert [generation.text for generation in generate_together(own_engine, prompts[:6], [GREEDY] * 6)] == expected
    hook.remove()
    assert own_engine.lanes.loops[0].batch_processor.max_batch_tokens == 64
    wait_until_empty(own_engine)


def test_a_request_that_runs_out_of_memory_twice_fails_alone(own_engine: Engine) -> None:
    def fail_for_long(_network: object, _args: object, options: dict[str, torch.Tensor]) -> None:
        if options["position_ids"].max() > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")

    own_engine.weights.network.register_forward_pre_hook(fail_for_long, with_kwargs=True)
    with pytest.raises(RequestFailedError, match="out of memory"):
        own_engine.generate(ask("river " * 200), GREEDY)
    assert own_engine.generate(ask("river"), GREEDY).text
    wait_until_empty(own_engine)


def test_a_fatal_error_fails_every_waiting_request_and_tells_the_owner(tiny_weights: Path) -> None:
    told = threading.Event()
    engine = load_engine(EngineConfig(weights=str(tiny_weights), quantization="none", slots=2), on_fatal=told.set)

    def fail_later(_network: object, _args: object, options: dict[str, torch.Tensor]) -> None:
        if options["position_ids"].max() > 14:
            raise RuntimeError("the device is gone")

    engine.weights.network.register_forward_pre_hook(fail_later, with_kwargs=True)
    with ThreadPoolExecutor(8) as pool:
        # Seeds with which no request happens to stop before the failure.
        futures = [pool.submit(engine.generate, ask("river"), replace(LONG, seed=seed)) for seed in range(8)]
        errors = [future.exception() for future in futures]
    assert all(isinstance(error, EngineStoppedError) for error in errors), errors
    assert told.wait(PATIENCE)
    with pytest.raises(EngineStoppedError):
        engine.generate(ask("river"), GREEDY)
    engine.close()


def test_closing_fails_whoever_still_waits(own_engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(own_engine.generate, ask("tell"), LONG)
        while own_engine.lanes.loops[0].read_state().running == 0:
            time.sleep(0.001)
        own_engine.close()
        assert isinstance(running.exception(), EngineStoppedError)
        assert own_engine.lanes.loops[0].live == {}


@pytest.mark.skipif(not has_huge_pages(), reason="this system has no huge pages")
def test_memory_is_moved_into_huge_pages_unless_the_engine_ends_before(own_engine: Engine) -> None:
    assert own_engine._move is not None
    assert own_engine._move.is_alive()

    own_engine.close()
    own_engine._move.join(PATIENCE)

    assert not own_engine._move.is_alive()


def test_an_idle_loop_shows_that_it_is_alive_and_a_stuck_one_does_not(own_engine: Engine) -> None:
    time.sleep(1)
    # What does not move grows by a second each second, and is never small again.
    wait_until(lambda: own_engine.seconds_since_progress() < 0.4, "an idle loop shows that it is alive")
    release = threading.Event()
    own_engine.weights.network.register_forward_pre_hook(lambda *_: release.wait(PATIENCE) and None)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(own_engine.generate, ask("tell"), replace(GREEDY, max_new_tokens=2))
        try:
            wait_until(lambda: own_engine.seconds_since_progress() > 2, "a stuck loop does not")
            assert not running.done()
        finally:
            release.set()
        assert running.result().completion_tokens > 0


def test_beams_find_a_likelier_answer_than_greedy(engine: Engine, prompts: list[Prompt]) -> None:
    def score(params: GenerationParams) -> float:
        text = engine.generate(prompts[5], replace(params, max_new_tokens=8)).text
        return engine.score_continuations(prompts[5], [text])[0]

    assert score(replace(GREEDY, num_beams=6)) >= score(GREEDY)


def test_beam_search_can_be_cancelled(engine: Engine) -> None:
    cancelled = threading.Event()
    cancelled.set()
    params = replace(GREEDY, num_beams=2, max_new_tokens=1000)
    generation = engine.generate(ask("tell"), params, cancelled=cancelled)
    assert generation.finish_reason is FinishReason.CANCELLED
    assert generation.completion_tokens < 3


def test_beams_that_wait_for_others_end_at_their_own_deadline(own_engine: Engine) -> None:
    release, entered = threading.Event(), threading.Event()
    # The head is the one part that beams and the loop have in common.
    own_engine.weights.network.lm_head.register_forward_pre_hook(
        lambda *_: entered.set() or (release.wait(PATIENCE) and None)
    )
    params = replace(GREEDY, num_beams=2, max_new_tokens=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(own_engine.generate, ask("tell"), params)
        assert entered.wait(PATIENCE)
        waiting = own_engine.generate(ask("tell"), params, deadline=time.monotonic() + 0.2)
        assert not running.done()
        release.set()
    assert (waiting.text, waiting.finish_reason) == ("", FinishReason.DEADLINE)
    assert running.result().completion_tokens == 1


def test_seeded_beams_draw_the_same_whatever_the_loop_draws_meanwhile(engine: Engine) -> None:
    params = replace(HOT, num_beams=3, seed=5)
    alone = engine.generate(ask("tell"), params).text
    with ThreadPoolExecutor(4) as pool:
        neighbours = [pool.submit(engine.generate, ask("river"), replace(HOT, max_new_tokens=300)) for _ in range(4)]
        assert [engine.generate(ask("tell"), params).text for _ in range(3)] == [alone] * 3
        for each in neighbours:
            each.result()


def test_unseeded_sampling_draws_nothing_from_the_generator_of_the_process(engine: Engine) -> None:
    before = torch.get_rng_state()
    for beams in (1, 3):
        assert len({engine.generate(ask("tell"), replace(HOT, num_beams=beams)).text for _ in range(4)}) > 1
    assert torch.equal(torch.get_rng_state(), before)


def test_scores_are_the_log_probabilities_of_the_continuations(engine: Engine, tiny_weights: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(tiny_weights)
    prompt, texts = ask("which bridge " * 30), [" the northern bridge", " no", " four metres", *"abcdefg"]
    scores = engine.score_continuations(prompt, texts)
    for text, score in zip(texts, scores, strict=True):
        ids, more = engine.weights.tokenizer.encode_prompt(prompt), engine.weights.tokenizer.encode_plain(text)
        logits = network(torch.tensor([ids + more])).logits[0].log_softmax(-1).detach()
        expected = sum(float(logits[len(ids) + index - 1, token]) for index, token in enumerate(more))
        assert score == pytest.approx(expected, abs=1e-3)


def test_an_empty_continuation_cannot_be_scored(engine: Engine) -> None:
    with pytest.raises(ValueError, match="continuation is empty"):
        engine.score_continuations(ask("a"), ["b", ""])


def test_a_stream_yields_the_text_of_the_whole_generation_and_at_last_itself(engine: Engine) -> None:
    params = replace(HOT, seed=4, max_new_tokens=40)
    *pieces, last = engine.stream(ask("tell"), params)
    assert isinstance(last, Generation)
    assert "".join(pieces) == last.text == engine.generate(ask("tell"), params).text
    assert len(pieces) > 5


def test_a_stream_never_shows_a_part_of_a_stop_string(engine: Engine) -> None:
    params = replace(HOT, seed=4, max_new_tokens=40)
    whole = engine.generate(ask("tell"), params).text
    stop = whole[len(whole) // 2 :][:5]
    *pieces, last = engine.stream(ask("tell", stop=(stop,)), params)
    assert "".join(pieces) == last.text == whole[: whole.index(stop)]


def test_a_reader_that_leaves_a_stream_cancels_the_request(own_engine: Engine) -> None:
    passes: list[None] = []
    own_engine.weights.network.register_forward_pre_hook(lambda *_: passes.append(None))
    stream = own_engine.stream(ask("tell"), LONG)
    next(stream)
    stream.close()
    wait_until_empty(own_engine)
    # Each pass writes one token at least, and sampled ones are not guessed several at a time.
    assert 0 < len(passes) < LONG.max_new_tokens / 2
