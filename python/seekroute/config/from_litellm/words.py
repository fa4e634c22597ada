"""LiteLLM's words in ours: who a model's prefix means, and what becomes of each setting."""

from __future__ import annotations

from dataclasses import dataclass

# Prefixes of providers that are packaged.
PACKAGED = {
    "anthropic": "anthropic",
    "baseten": "baseten",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "dashscope": "alibaba",
    "deepinfra": "deepinfra",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "friendliai": "friendli",
    "gemini": "google",
    "groq": "groq",
    "inception": "inception",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshot": "moonshot",
    "morph": "morph",
    "nebius": "nebius",
    "novita": "novita",
    "nvidia_nim": "nvidia",
    "openai": "openai",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "perplexity": "perplexity",
    "sambanova": "sambanova",
    "scaleway": "scaleway",
    "together_ai": "together",
    "volcengine": "volcengine",
    "xai": "xai",
    "xiaomi_mimo": "xiaomi",
    "zai": "zai",
}

# LiteLLM speaks the maker's own protocol to these, so that a server of the operator's before them
# does, too.
OWN_PROTOCOL = frozenset(("anthropic", "cohere", "google"))


@dataclass(frozen=True, slots=True)
class Compatible:
    """A prefix of servers that speak OpenAI's protocol.

    Args:
        name: What the provider is called here.
        base: Where it is when the file does not say; empty: the file has to.
        suffix: What LiteLLM puts behind `api_base`.
        key: The variable that LiteLLM takes the key from when the file does not say.
        local: Whether it is a server of the operator's own: http, a private address and no price
            are what is meant.
    """

    name: str
    base: str = ""
    suffix: str = ""
    key: str = ""
    local: bool = True


COMPATIBLE = {
    "custom_openai": Compatible("custom", local=False),
    "databricks": Compatible("databricks", key="DATABRICKS_API_KEY", local=False),
    "docker_model_runner": Compatible("docker", "http://localhost:12434/engines/v1"),
    "featherless_ai": Compatible(
        "featherless", "https://api.featherless.ai/v1", key="FEATHERLESS_AI_API_KEY", local=False
    ),
    "hosted_vllm": Compatible("vllm"),
    "huggingface": Compatible(
        "huggingface", "https://router.huggingface.co/v1", key="HF_TOKEN", local=False
    ),
    "hyperbolic": Compatible(
        "hyperbolic", "https://api.hyperbolic.xyz/v1", key="HYPERBOLIC_API_KEY", local=False
    ),
    "litellm_proxy": Compatible("litellm", key="LITELLM_PROXY_API_KEY", local=False),
    "llamafile": Compatible("llamafile", "http://127.0.0.1:8080/v1"),
    "lm_studio": Compatible("lm-studio"),
    "nscale": Compatible(
        "nscale", "https://inference.api.nscale.com/v1", key="NSCALE_API_KEY", local=False
    ),
    "ollama": Compatible("ollama", "http://localhost:11434", "/v1"),
    "ollama_chat": Compatible("ollama", "http://localhost:11434", "/v1"),
    "openai_like": Compatible("custom", local=False),
    "vercel_ai_gateway": Compatible(
        "vercel", "https://ai-gateway.vercel.sh/v1", key="VERCEL_AI_GATEWAY_API_KEY", local=False
    ),
    "xinference": Compatible("xinference", "http://127.0.0.1:9997/v1"),
}

AZURE = Compatible("azure", suffix="/openai/v1", key="AZURE_API_KEY", local=False)

# Why the others are not reached.
UNREACHED = {
    "azure_ai": "not reached; as openai/, with its /openai/v1 URL",
    "azure_text": "speaks the old completions protocol",
    "bedrock": "needs AWS's signatures: not reached",
    "bedrock_converse": "needs AWS's signatures: not reached",
    "github_copilot": "needs a login: not reached",
    "oci": "needs Oracle's signatures: not reached",
    "replicate": "does not speak OpenAI's protocol",
    "sagemaker": "needs AWS's signatures: not reached",
    "sagemaker_chat": "needs AWS's signatures: not reached",
    "snowflake": "does not speak OpenAI's protocol",
    "text-completion-codestral": "speaks the old completions protocol",
    "text-completion-openai": "speaks the old completions protocol",
    "vertex_ai": "needs Google Cloud's login: use gemini/ or openrouter/",
    "vertex_ai_beta": "needs Google Cloud's login: use gemini/ or openrouter/",
    "watsonx": "needs IBM's login: not reached",
}

# What LiteLLM takes a name without a prefix for.
UNPREFIXED = (
    (("gpt-", "chatgpt-", "o1", "o3", "o4", "ft:gpt-"), "openai"),
    (("claude-",), "anthropic"),
    (("command-",), "cohere"),
    (("gemini-",), "vertex_ai"),
)

# APIs that are not served: of `model_info.mode`, and of names that say as much.
MODES = {
    "audio_speech": "speech is not served",
    "audio_transcription": "transcription is not served",
    "batch": "batches are not served",
    "completion": "the old completions protocol is not served",
    "image_edit": "images are served by chat only",
    "image_generation": "images are served by chat only",
    "moderation": "moderation is not served",
    "ocr": "OCR is not served",
    "realtime": "the realtime API is not served",
    "rerank": "reranking is not served",
    "responses": "the responses API is not served",
    "search": "search is not served",
    "video_generation": "video is not served",
}
MODES_BY_NAME = (
    ("embed", "embedding"),
    ("whisper", "audio_transcription"),
    ("transcribe", "audio_transcription"),
    ("tts-", "audio_speech"),
    ("-tts", "audio_speech"),
    ("dall-e", "image_generation"),
    ("gpt-image", "image_generation"),
    ("rerank", "rerank"),
    ("moderation", "moderation"),
    ("realtime", "realtime"),
    ("gpt-3.5-turbo-instruct", "completion"),
)

NO_COUNTERPART = "no counterpart"
_OF_CLIENTS = "defaults of requests stay with the clients"
_OF_EACH = "see limits of an endpoint"
_ATTEMPTS = "see routing.max_attempts"
AS_LISTED = "asked as listed, by order: see routing.balance"
_BALANCE = "see routing.balance"
_NO_CACHE = "answers are not cached"
_NO_CALLBACKS = "no callbacks: see /metrics, logs, usage"
_KEYS = "make keys anew: seekroute keys create"
_LOCAL_FILES = "data stays in files: see data_dir"
_ENVIRON = "set it in the environment; it is not copied"

# Of a deployment; beside these, what begins like a cloud's word.
PARAMS = {
    "additional_drop_params": "fields are passed on as they come",
    "allowed_openai_params": "fields are passed on as they come",
    "budget_duration": "keys have limits: seekroute keys create",
    "configurable_clientside_auth_params": "clients bring no keys",
    "drop_params": "see drop_refused_parameters",
    "extra_body": _OF_CLIENTS,
    "fallbacks": "write them into routing.fallbacks",
    "frequency_penalty": _OF_CLIENTS,
    "max_budget": "keys have limits: seekroute keys create",
    "max_completion_tokens": "see credits.max_output_tokens",
    "max_retries": _ATTEMPTS,
    "max_tokens": "see credits.max_output_tokens",
    "mock_response": "see the setting mock",
    "num_retries": _ATTEMPTS,
    "presence_penalty": _OF_CLIENTS,
    "reasoning_effort": _OF_CLIENTS,
    "response_format": _OF_CLIENTS,
    "seed": _OF_CLIENTS,
    "ssl_verify": "certificates are verified: see ca_file",
    "stop": _OF_CLIENTS,
    "tags": "there are no tags of deployments",
    "temperature": _OF_CLIENTS,
    "thinking": _OF_CLIENTS,
    "top_p": _OF_CLIENTS,
}

MODEL_INFO = {
    "access_groups": "keys name their models: keys create --models",
    "team_id": "keys name their models: keys create --models",
}

SETTINGS = {
    "litellm_settings": {
        "cache": _NO_CACHE,
        "cache_params": _NO_CACHE,
        "callbacks": _NO_CALLBACKS,
        "failure_callback": _NO_CALLBACKS,
        "max_budget": "keys have limits: seekroute keys create",
        "modify_params": "fields are passed on as they come",
        "num_retries": _ATTEMPTS,
        "num_retries_per_request": _ATTEMPTS,
        "set_verbose": "see server.log_level",
        "service_callbacks": _NO_CALLBACKS,
        "ssl_verify": "certificates are verified: see ca_file",
        "success_callback": _NO_CALLBACKS,
        "telemetry": "there is no telemetry",
        "turn_off_message_logging": "prompts are never logged",
    },
    "router_settings": {
        "allowed_fails": "see routing.ejection",
        "cooldown_time": "see routing.ejection",
        "default_max_parallel_requests": _OF_EACH,
        "enable_pre_call_checks": "long prompts go to the provider",
        "max_fallbacks": _ATTEMPTS,
        "max_retries": _ATTEMPTS,
        "num_retries": _ATTEMPTS,
        "optional_pre_call_checks": NO_COUNTERPART,
        "redis_host": "one process needs no Redis",
        "redis_password": "one process needs no Redis",
        "redis_port": "one process needs no Redis",
        "redis_url": "one process needs no Redis",
        "retry_policy": _ATTEMPTS,
        "routing_strategy": _BALANCE,
        "routing_strategy_args": _BALANCE,
        "set_verbose": "see server.log_level",
    },
    "general_settings": {
        "alerting": _NO_CALLBACKS,
        "allow_requests_on_db_unavailable": _LOCAL_FILES,
        "background_health_checks": "providers are asked by seekroute doctor",
        "database_connection_pool_limit": _LOCAL_FILES,
        "database_url": _LOCAL_FILES,
        "disable_spend_logs": "see credits.enabled",
        "master_key": _KEYS,
        "max_parallel_requests": _OF_EACH,
        "proxy_batch_write_at": _LOCAL_FILES,
        "store_model_in_db": "models in the database are not in this file",
        "store_prompts_in_spend_logs": "prompts are never stored",
        "ui_access_mode": "there is no web interface",
    },
}

SECTIONS = {
    "assistants_settings": "assistants are not served",
    "callback_settings": _NO_CALLBACKS,
    "environment_variables": _ENVIRON,
    "files_settings": "files are not served",
    "finetune_settings": "fine-tuning is not served",
    "guardrails": "there are no guardrails",
    "include": "import each file by itself",
    "mcp_servers": "MCP is not served",
    "prompts": "there are no prompt templates",
    "vector_store_registry": "vector stores are not served",
}
