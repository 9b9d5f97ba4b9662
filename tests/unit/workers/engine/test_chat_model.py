from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest
from langchain_classic.chains.summarize import load_summarize_chain
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import PromptTemplate
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from workers.engine.chat_model import ChatGemma, build_turns
from workers.engine.engine import Engine
from workers.generation import FinishReason, Part, Prompt, PromptFormat, Turn

for _, async_test in inspect.getmembers(ChatModelIntegrationTests, inspect.iscoroutinefunction):
    pytest.mark.asyncio(async_test)


class TestUnitStandard(ChatModelUnitTests):
    """LangChain's own unit tests."""

    @pytest.fixture(autouse=True)
    def set_engine(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGemma

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"engine": self.engine}


class TestIntegrationStandard(ChatModelIntegrationTests):
    """LangChain's own integration tests."""

    @pytest.fixture(autouse=True)
    def set_engine(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatGemma

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"engine": self.engine, "max_tokens": 20, "temperature": 2.0, "top_k": 0, "top_p": 1.0, "seed": 5}

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "another-name"


@pytest.fixture
def chat(engine: Engine) -> ChatGemma:
    return ChatGemma(engine=engine, temperature=0, max_tokens=16)


def test_an_answer_is_what_the_engine_generates(chat: ChatGemma, engine: Engine) -> None:
    answer = chat.invoke("Which bridge was closed?")
    prompt = Prompt((Turn("user", (Part("Which bridge was closed?", is_untrusted=True),)),))
    generation = engine.generate(prompt, chat._build_params({}))
    assert answer.content == generation.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] == generation.prompt_tokens
    assert answer.response_metadata["finish_reason"] == FinishReason.LENGTH
    assert answer.response_metadata["fingerprint"] == engine.fingerprint


def test_a_parameter_can_be_changed_for_one_call(chat: ChatGemma) -> None:
    answer = chat.invoke("hello", max_tokens=3)
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 3


def test_streamed_pieces_make_up_the_answer(chat: ChatGemma) -> None:
    assert "".join(str(chunk.content) for chunk in chat.stream("hello")) == chat.invoke("hello").content


def test_tokens_are_counted_by_gemmas_own_tokenizer(chat: ChatGemma, engine: Engine) -> None:
    assert chat.get_num_tokens("The river rose.") == engine.count_tokens("The river rose.")
    answer = chat.invoke([SystemMessage("Be brief."), HumanMessage("hello")])
    assert answer.usage_metadata is not None
    assert (
        chat.get_num_tokens_from_messages([SystemMessage("Be brief."), HumanMessage("hello")])
        == answer.usage_metadata["input_tokens"]
    )


def list_turns(*messages: BaseMessage) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in build_turns(messages)]


def test_system_messages_at_the_start_become_a_turn_of_the_system() -> None:
    system, human, answer = SystemMessage("Be brief."), HumanMessage("a"), AIMessage("b")
    assert list_turns(system, system, human, answer, human) == [
        ("system", "Be brief.\n\nBe brief."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "a"),
    ]


def test_other_system_messages_are_of_the_user() -> None:
    system, human, answer = SystemMessage("Be brief."), HumanMessage("a"), AIMessage("b")
    assert list_turns(system) == [("user", "Be brief.")]
    assert list_turns(system, answer, human) == [("user", "Be brief."), ("assistant", "b"), ("user", "a")]
    assert list_turns(human, system) == [("user", "a\n\nBe brief.")]


def test_a_system_message_joins_the_user_turn_where_the_template_has_no_place_for_it(chat: ChatGemma) -> None:
    alone = Prompt(build_turns([HumanMessage("Be brief.\n\na")]))
    encode = chat.engine.weights.tokenizer.encode_prompt
    for prompt_format in PromptFormat:
        prompt = Prompt(build_turns([SystemMessage("Be brief."), HumanMessage("a")]), format=prompt_format)
        assert encode(prompt) == encode(replace(alone, format=prompt_format))


def test_no_message_can_open_a_turn() -> None:
    assert all(part.is_untrusted for turn in build_turns([HumanMessage("a"), AIMessage("b")]) for part in turn.parts)


def test_tool_messages_are_refused(chat: ChatGemma) -> None:
    with pytest.raises(ValueError, match="no place for a tool message"):
        chat.invoke([HumanMessage("a"), ToolMessage("b", tool_call_id="1")])


@pytest.mark.parametrize("options", [{"frequency_penalty": 2}, {"tools": [{"name": "search"}]}, {"max_token": 3}])
def test_a_parameter_that_the_engine_does_not_know_is_refused(chat: ChatGemma, options: dict[str, Any]) -> None:
    [name] = options
    for ask in (chat.bind(**options).invoke, lambda text: list(chat.stream(text, **options))):
        with pytest.raises(ValueError, match=f"{name} cannot be set here; what can is temperature"):
            ask("hello")


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}]),
        HumanMessage([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]),
        HumanMessage([{"type": "whatever", "value": 1}]),
    ],
    ids=["image", "audio", "unknown"],
)
def test_a_part_that_is_no_text_is_refused(chat: ChatGemma, message: HumanMessage) -> None:
    with pytest.raises(ValueError, match=r"no place for \w+; describe it in words"):
        chat.invoke([message])


def test_a_call_of_a_tool_is_refused() -> None:
    answer = AIMessage("a", tool_calls=[{"name": "search", "args": {}, "id": "1"}])
    with pytest.raises(ValueError, match="no place for tool_call"):
        build_turns([HumanMessage("a"), answer, HumanMessage("b")])


def test_parts_that_are_text_are_one_text() -> None:
    [turn] = build_turns([HumanMessage([{"type": "text", "text": "a"}, "b"])])
    assert turn.text == "ab"


@pytest.mark.parametrize("strategy", ["stuff", "map_reduce", "refine"])
@pytest.mark.filterwarnings("ignore::langchain_core._api.deprecation.LangChainDeprecationWarning")
def test_the_summarize_chains_of_langchain_run_over_it(chat: ChatGemma, strategy: str) -> None:
    documents = [Document(page_content=f"The river {name} rose by four metres.") for name in ("Aare", "Inn", "Ill")]
    prompt = PromptTemplate.from_template("Summarize:\n\n{text}")
    options = {"map_reduce": {"map_prompt": prompt, "combine_prompt": prompt}, "stuff": {"prompt": prompt}}
    chain = load_summarize_chain(chat, chain_type=strategy, **options.get(strategy, {}))
    assert chain.invoke({"input_documents": documents})["output_text"]
