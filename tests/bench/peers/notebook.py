"""The notebook's way: LangChain's map-reduce chain over a transformers pipeline, one call at a time, float32."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from langchain_classic.chains.summarize import load_summarize_chain
from langchain_core.documents import Document
from langchain_core.language_models.llms import LLM
from langchain_core.prompts import PromptTemplate
from protocol import read_work, serve
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

# More than any of the texts: the chain must not collapse, because nobody else does.
NO_COLLAPSE = 10**9


class PipelineLLM(LLM):
    """A text-generation pipeline as LangChain calls it."""

    pipeline: Any
    new_tokens: int

    @property
    def _llm_type(self) -> str:
        return "pipeline"

    def _call(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        answers = self.pipeline(
            prompt,
            do_sample=False,
            max_new_tokens=self.new_tokens,
            min_new_tokens=self.new_tokens,
            return_full_text=False,
        )
        return str(answers[0]["generated_text"])

    def get_num_tokens(self, text: str) -> int:
        return len(self.pipeline.tokenizer.encode(text))


def main() -> None:
    """Load the weights and serve."""
    warnings.simplefilter("ignore")
    work = read_work()
    torch.set_num_threads(work.threads)
    llm = PipelineLLM(
        pipeline=pipeline(
            "text-generation",
            model=AutoModelForCausalLM.from_pretrained(work.weights, dtype=torch.float32),
            tokenizer=AutoTokenizer.from_pretrained(work.weights),
        ),
        new_tokens=work.new_tokens,
    )
    chain = load_summarize_chain(
        llm,
        chain_type="map_reduce",
        map_prompt=PromptTemplate.from_template(work.map_template),
        combine_prompt=PromptTemplate.from_template(work.reduce_template),
        token_max=NO_COLLAPSE,
    )

    def run() -> int:
        for chunks in work.texts:
            chain.invoke({"input_documents": [Document(page_content=chunk) for chunk in chunks]})
        return work.new_tokens * sum(len(chunks) + 1 for chunks in work.texts)

    serve(run)


if __name__ == "__main__":
    main()
