"""Constrained requests in the shared batch: always valid JSON of their schema, and nothing changes for the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import validate

from models.base import Json
from models.output_schema import ANY_OBJECT, resolve_schema
from models.schema_limits import limit_schema, measure_shortest
from tests.engine_conformance import SCHEMA
from tests.unit.workers.engine.prompts import GREEDY, HOT, ask
from workers.engine.config import EngineConfig
from workers.engine.cpu import screened_head
from workers.engine.cpu.screened_head import ScreenedHead
from workers.engine.engine import Engine, load_engine
from workers.engine.errors import UnsupportedPromptError
from workers.generation import FinishReason, Generation, GenerationParams, Prompt

TEXTS = (
    "The river rose by four metres in two days.",
    "The council closed both bridges while engineers measured the piers.",
    "We trained a single network on eight folds with strong augmentation.",
    "tell",
)
OPEN_SCHEMA = {
    "$defs": {
        "person": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "born": {"type": ["string", "null"], "format": "date"},
                "rating": {"type": "number"},
            },
            "required": ["name"],
        }
    },
    "type": "object",
    "properties": {
        "note": {"type": "string"},
        "people": {"type": "array", "items": {"$ref": "#/$defs/person"}},
        "main": {"anyOf": [{"$ref": "#/$defs/person"}, {"type": "null"}]},
        "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"},
        "count": {"type": "integer", "minimum": 5},
        "is_open": {"type": "boolean"},
    },
    "required": ["note", "people", "main", "code"],
}
SAMPLED = replace(HOT, repetition_penalty=1.1)


def constrain(text: str, schema: Json, max_tokens: int) -> Prompt:
    limited = limit_schema(json.loads(resolve_schema(schema)), max_tokens=max_tokens)
    return replace(ask(text), schema=json.dumps(limited))


def generate_together(
    engine: Engine, prompts: Sequence[Prompt], params: Sequence[GenerationParams]
) -> list[Generation]:
    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(engine.generate, prompts, params))


@pytest.mark.parametrize("schema", [SCHEMA, OPEN_SCHEMA])
def test_every_answer_is_valid_however_few_tokens_it_has(engine: Engine, schema: Json) -> None:
    shortest = measure_shortest(json.loads(resolve_schema(schema)))
    sizes = [shortest, shortest + 1, shortest + 9, shortest + 30] * 2
    kinds = [GREEDY] * 4 + [replace(SAMPLED, seed=seed) for seed in range(4)]
    params = [replace(kind, max_new_tokens=size) for kind, size in zip(kinds, sizes, strict=True)]
    prompts = [constrain(TEXTS[number % len(TEXTS)], schema, size) for number, size in enumerate(sizes)]

    generations = generate_together(engine, prompts, params)

    for generation, size in zip(generations, sizes, strict=True):
        validate(json.loads(generation.text), schema)
        assert generation.completion_tokens <= size


@pytest.mark.parametrize("params", [GREEDY, *(replace(SAMPLED, seed=seed) for seed in range(3))])
def test_any_object_is_valid_json_of_bounded_depth_at_each_length(engine: Engine, params: GenerationParams) -> None:
    sizes = (measure_shortest(json.loads(ANY_OBJECT)), 30, 90)
    prompts = [replace(ask(text), schema=ANY_OBJECT) for text in TEXTS[: len(sizes)]]

    generations = generate_together(engine, prompts, [replace(params, max_new_tokens=size) for size in sizes])

    for generation, size in zip(generations, sizes, strict=True):
        validate(json.loads(generation.text), json.loads(ANY_OBJECT))
        assert generation.completion_tokens <= size


def test_a_nest_of_any_object_is_closed_in_time(engine: Engine) -> None:
    tokenizer = engine.weights.tokenizer
    constraint = engine._compiler.constrain(ANY_OBJECT, 60)
    begun = tokenizer.encode_plain('{"a":[{"b":[[{"c":["d')
    constraint.record_tokens(begun)
    constraint.record_tokens(tokenizer.encode_plain("d") * (60 - len(begun) - 20))

    spent = 0
    while not constraint.has_ended:
        [mask] = constraint.compute_masks([])
        constraint.record_tokens([int((~mask).nonzero()[0])])
        spent += 1

    assert constraint.is_shortened
    assert spent <= 20


def test_an_answer_that_was_ended_early_says_so(engine: Engine) -> None:
    schema = {
        "type": "object",
        "properties": {"note": {"type": "string", "minLength": 20, "maxLength": 30}},
        "required": ["note"],
    }

    roomy = engine.generate(constrain("tell", schema, 100), replace(GREEDY, max_new_tokens=200))
    tight = engine.generate(constrain("tell", schema, 100), replace(GREEDY, max_new_tokens=30))

    assert (roomy.finish_reason, tight.finish_reason) == (FinishReason.STOP, FinishReason.LENGTH)
    validate(json.loads(roomy.text), schema)


def test_the_tokens_of_its_neighbours_do_not_change(engine: Engine) -> None:
    free = [ask(text) for text in TEXTS]
    params = [GREEDY, replace(SAMPLED, seed=5), replace(GREEDY, repetition_penalty=1.3), GREEDY]
    expected = [engine.generate(prompt, each).text for prompt, each in zip(free, params, strict=True)]
    bound = [constrain(text, SCHEMA, 100) for text in TEXTS]
    long = [replace(each, max_new_tokens=100) for each in params]
    alone = [engine.generate(prompt, each).text for prompt, each in zip(bound, long, strict=True)]

    together = generate_together(engine, [*free, *bound], [*params, *long])

    assert [generation.text for generation in together] == [*expected, *alone]


def test_speculative_tokens_change_nothing_and_save_forward_passes(own_engine: Engine, tiny_weights: Path) -> None:
    config = EngineConfig(weights=str(tiny_weights), quantization="none", batch_tokens=128, is_speculative=False)
    plain = load_engine(config)
    bound = [constrain(text, SCHEMA, 200) for text in TEXTS[:2]]
    params = replace(GREEDY, max_new_tokens=200)
    try:
        expected = [plain.generate(prompt, params) for prompt in bound]
    finally:
        plain.close()
    passes: list[object] = []
    own_engine.weights.network.register_forward_pre_hook(lambda *_: passes.append(None))
    found = [own_engine.generate(prompt, params) for prompt in bound]

    assert [generation.text for generation in found] == [generation.text for generation in expected]
    assert len(passes) < sum(generation.completion_tokens for generation in found)


def test_a_screened_head_changes_nothing(engine: Engine, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screened_head, "SCREENED_OUTPUTS", 1)
    screened = load_engine(EngineConfig(weights=str(tiny_weights), quantization="none"))
    bound = [constrain(text, SCHEMA, 100) for text in TEXTS]
    kinds = (GREEDY, replace(SAMPLED, top_k=30, seed=4), replace(GREEDY, repetition_penalty=1.3), GREEDY)
    params = [replace(kind, max_new_tokens=100) for kind in kinds]
    try:
        assert isinstance(screened.weights.network.get_output_embeddings(), ScreenedHead)
        expected = [engine.generate(prompt, each).text for prompt, each in zip(bound, params, strict=True)]
        assert [each.text for each in generate_together(screened, bound, params)] == expected
    finally:
        screened.close()


def test_no_control_token_is_part_of_an_answer(engine: Engine) -> None:
    schema = {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}
    constraint = engine._compiler.constrain(resolve_schema(schema), 100)
    constraint.record_tokens(engine.weights.tokenizer.encode_plain('{"note":"'))

    [mask] = constraint.compute_masks([])

    control = sorted(engine.weights.tokenizer.control_ids)
    assert mask[control].all()
    assert not mask.all()


def test_beams_are_refused(engine: Engine) -> None:
    with pytest.raises(UnsupportedPromptError, match="beam search cannot be kept to a schema"):
        engine.generate(constrain("tell", SCHEMA, 60), replace(GREEDY, num_beams=2))


def test_a_schema_that_no_grammar_can_express_is_refused(engine: Engine) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "format": "iri"}}}
    with pytest.raises(UnsupportedPromptError, match="cannot be kept to the schema"):
        engine.generate(replace(ask("tell"), schema=json.dumps(schema)), GREEDY)
    assert engine.generate(ask("tell"), GREEDY).text


def test_a_constrained_request_can_be_cancelled(engine: Engine) -> None:
    cancelled = threading.Event()
    cancelled.set()
    generation = engine.generate(
        constrain("tell", SCHEMA, 100), replace(GREEDY, max_new_tokens=100), cancelled=cancelled
    )
    assert generation.finish_reason is FinishReason.CANCELLED
