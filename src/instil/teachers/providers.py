"""What is known of the servers that speak the OpenAI chat completions API.

A server that is not here needs no entry: a recipe names its `base_url`. To add one, add its name to
`ProviderName` and its row to `PROVIDERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ProviderName = Literal[
    "openai",
    "qianfan",
    "deepseek",
    "dashscope",
    "moonshot",
    "zhipu",
    "siliconflow",
    "openrouter",
    "groq",
    "together",
    "mistral",
    "gemini",
    "xai",
    "vllm",
    "sglang",
    "ollama",
    "llama_cpp",
    "lm_studio",
]

StructuredOutput = Literal["json_schema", "json_object", "off"]
"""How a server is told to answer in JSON: by a schema, as any JSON object, or not at all."""


@dataclass(frozen=True)
class Provider:
    """One server: where it is, and in what it differs."""

    base_url: str
    """Address up to and with the version."""
    api_key_env: str | None = None
    """The variable in which its own documentation looks for the key; None for an open server."""
    structured_output: StructuredOutput = "off"
    """The best that it has for most of its models."""
    max_tokens_name: str = "max_tokens"
    """What it calls the most tokens of an answer."""
    seed_name: str = "seed"
    """What it calls the seed of sampling."""
    unknown: frozenset[str] = frozenset()
    """Sampling options that it answers with an error."""


PROVIDERS: Mapping[ProviderName, Provider] = {
    "openai": Provider(
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        "json_schema",
        # Its reasoning models refuse `max_tokens`; all of its models take this one.
        max_tokens_name="max_completion_tokens",
        unknown=frozenset({"top_k"}),
    ),
    # ERNIE by the v2 API of Baidu's Qianfan; the v1 API is the kind `ernie`.
    "qianfan": Provider(
        "https://qianfan.baidubce.com/v2",
        "QIANFAN_API_KEY",
        "json_object",
        max_tokens_name="max_completion_tokens",
    ),
    "deepseek": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "json_object"),
    # Qwen. Only some of its models take a schema.
    "dashscope": Provider(
        "https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", "json_object"
    ),
    # Kimi; accounts from outside China live at https://api.moonshot.ai/v1.
    "moonshot": Provider("https://api.moonshot.cn/v1", "MOONSHOT_API_KEY", "json_object"),
    "zhipu": Provider("https://open.bigmodel.cn/api/paas/v4", "ZHIPUAI_API_KEY", "json_object"),
    "siliconflow": Provider("https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY", "json_object"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "json_schema"),
    "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY", "json_schema"),
    "together": Provider("https://api.together.xyz/v1", "TOGETHER_API_KEY", "json_schema"),
    "mistral": Provider(
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        "json_schema",
        seed_name="random_seed",
        unknown=frozenset({"top_k"}),
    ),
    "gemini": Provider(
        "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", "json_schema"
    ),
    "xai": Provider("https://api.x.ai/v1", "XAI_API_KEY", "json_schema"),
    "vllm": Provider("http://localhost:8000/v1", structured_output="json_schema"),
    "sglang": Provider("http://localhost:30000/v1", structured_output="json_schema"),
    "ollama": Provider("http://localhost:11434/v1", structured_output="json_schema"),
    "llama_cpp": Provider("http://localhost:8080/v1", structured_output="json_schema"),
    "lm_studio": Provider("http://localhost:1234/v1", structured_output="json_schema"),
}

UNNAMED = Provider("")
"""A server of which nothing is known but its address."""


def provider_table() -> list[str]:
    """Return the lines of a Markdown table of all providers, for the reference manual."""
    rows = ["| provider | base_url | api_key_env | structured_output |", "| --- | --- | --- | --- |"]
    for name, known in PROVIDERS.items():
        key = f"`{known.api_key_env}`" if known.api_key_env else ""
        rows.append(f"| `{name}` | {known.base_url} | {key} | `{known.structured_output}` |")
    return rows
