# SPDX-License-Identifier: Apache-2.0
"""Any server that speaks the OpenAI chat completions protocol: hosted, vLLM, Ollama, llama.cpp, LM Studio."""

from __future__ import annotations

import base64
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import httpx

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.reasoning.backends.assembly import assemble
from spatialpin_ros.reasoning.backends.http import BoundedClient
from spatialpin_ros.reasoning.backends.prompted import PromptedBackend
from spatialpin_ros.reasoning.model_errors import ModelError, ReplyFormatError
from spatialpin_ros.reasoning.protocol import Message, Reply, Schema, Usage
from spatialpin_ros.reasoning.replies import parse_reply

StructuredOutput = Literal["vllm", "strict", "json", "prompt"]
_HOSTED = "https://api.openai.com/v1"
_RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
_REFUSED = frozenset({400, 422})
_LONGEST_WAIT_S = 30.0
_WEAKER: dict[StructuredOutput, StructuredOutput] = {"vllm": "strict", "strict": "json", "json": "prompt"}
_COMPLAINTS = ("response_format", "structured_outputs", "schema", "json")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to ask.

    Args:
        model: name that the server knows the model by.
        base_url: up to and including /v1.
        api_key_env: environment variable that holds the key; keys are taken from nowhere else.
        structured_output: "strict" (the server enforces the schema: response_format json_schema, which OpenAI, vLLM,
            llama.cpp, LM Studio and Ollama have), "vllm" (it does so by vLLM's own structured_outputs), "json" (it
            enforces JSON) or "prompt"; a server that refuses one is asked with the next weaker one from then on, and
            one that takes a schema but does not keep to it is also shown the schema in the prompt.
        image_url_as_object: image_url as {"url": ...}, or as a bare string.
        timeout_s: of one request as a whole, from the connection to the last byte of the reply.
        retries: attempts after the first one, on connection errors, rate limits and server errors.
        backoff_s: wait before the first retry; doubles each time.
        temperature, max_tokens: sampling of the reply.

    Raises:
        InvalidValueError: on a value out of range.
    """

    model: str
    base_url: str = _HOSTED
    api_key_env: str = "OPENAI_API_KEY"
    structured_output: StructuredOutput = "strict"
    image_url_as_object: bool = True
    timeout_s: float = 60.0
    retries: int = 3
    backoff_s: float = 0.5
    temperature: float = 0.2
    max_tokens: int = 2000

    def __post_init__(self) -> None:
        if not self.model:
            raise InvalidValueError("openai back end: 'model' must name a model")
        if not self.base_url.startswith(("http://", "https://")):
            raise InvalidValueError(
                f"openai back end: base_url '{self.base_url}' must start with http:// or https://"
            )
        if httpx.URL(self.base_url).userinfo:
            raise InvalidValueError(
                "openai back end: base_url must not hold a user or key, for it shows in messages; "
                "keys come from the environment, see api_key_env"
            )
        if self.structured_output not in get_args(StructuredOutput):
            known = ", ".join(get_args(StructuredOutput))
            raise InvalidValueError(
                f"openai back end: structured_output '{self.structured_output}' is none of {known}"
            )
        if (
            not 0.0 < self.timeout_s < math.inf
            or self.retries < 0
            or self.backoff_s < 0.0
            or self.max_tokens < 1
        ):
            raise InvalidValueError(
                "openai back end: timeout_s and max_tokens must be positive, retries and backoff_s >= 0"
            )


class OpenAIModel:
    """A language model behind an OpenAI-compatible endpoint; one connection pool, safe to use from one thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.name = endpoint.model
        self._structured: StructuredOutput = endpoint.structured_output
        self._shows_schema = False
        self._limit = "max_tokens"
        self._temperature: dict[str, Any] = {"temperature": endpoint.temperature}
        self._key = os.environ.get(endpoint.api_key_env, "")
        if not self._key and endpoint.base_url.rstrip("/") == _HOSTED:
            raise ModelError(f"no API key: set the environment variable {endpoint.api_key_env}", "no_key")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = BoundedClient(headers, endpoint.timeout_s)

    def close(self) -> None:
        self._client.close()

    def complete(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> Reply:
        """Ask once; see `LanguageModel.complete`.

        Raises:
            ReplyFormatError: the reply is not JSON or does not fit the schema.
            ModelError: no key, dead server, timeout, rate limit, refusal, cut-off or malformed reply.
        """
        started = time.monotonic()
        while True:
            response = self._post(self._body(messages, images, schema))
            if not self._adapt(response):
                break
        content, usage = self._content(response)
        try:
            found = parse_reply(content, schema)
        except ReplyFormatError:
            self._shows_schema = True
            raise
        return Reply(found, content, usage, time.monotonic() - started)

    def _body(self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema) -> dict[str, Any]:
        endpoint = self.endpoint
        body: dict[str, Any] = {
            "model": endpoint.model,
            "messages": self._messages(messages, images, schema),
            self._limit: endpoint.max_tokens,
            **self._temperature,
        }
        if self._structured == "vllm":
            body["structured_outputs"] = {"json": schema}
        if self._structured == "strict":
            wrapped = {"name": schema.get("title", "reply"), "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        elif self._structured == "json":
            body["response_format"] = {"type": "json_object"}
        return body

    def _messages(
        self, messages: Sequence[Message], images: Sequence[bytes], schema: Schema
    ) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = [
            {"role": message.role, "content": message.text} for message in messages
        ]
        if self._shows_schema or self._structured in ("json", "prompt"):
            documents[0]["content"] += f"\nJSON schema of the reply:\n{json.dumps(schema)}"
        first = next((each for each in documents if each["role"] == "user"), None)
        if images and first is not None:
            first["content"] = [{"type": "text", "text": first["content"]}, *map(self._image, images)]
        return documents

    def _image(self, png: bytes) -> dict[str, Any]:
        url = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
        return {"type": "image_url", "image_url": {"url": url} if self.endpoint.image_url_as_object else url}

    def _post(self, body: Mapping[str, Any]) -> httpx.Response:
        """Post with bounded retries; returns a success, or a refusal that `_adapt` may cure."""
        url = f"{self.endpoint.base_url.rstrip('/')}/chat/completions"
        for attempt in range(self.endpoint.retries + 1):
            failure: ModelError
            wait_s = self.endpoint.backoff_s * 2.0**attempt
            try:
                response = self._client.post(url, body)
            except httpx.TimeoutException:
                failure = ModelError(f"{url} did not answer within {self.endpoint.timeout_s:g} s", "timeout")
            except httpx.HTTPError as error:
                failure = ModelError(f"cannot reach {url}: {error}; is the server running?", "unreachable")
            else:
                if response.status_code not in _RETRIED:
                    return self._checked(response)
                failure = self._server_error(response)
                wait_s = max(wait_s, _retry_after(response))
            if attempt < self.endpoint.retries:
                time.sleep(min(wait_s, _LONGEST_WAIT_S))
        raise failure

    def _server_error(self, response: httpx.Response) -> ModelError:
        attempts = self.endpoint.retries + 1
        if response.status_code == 429:
            return ModelError(
                f"the server limits the rate; gave up after {attempts} attempts", "rate_limited"
            )
        said = self._said(response)
        return ModelError(
            f"the server failed with {response.status_code} in {attempts} attempts: {said}", "server"
        )

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.status_code in (401, 403):
            variable = self.endpoint.api_key_env
            problem = (
                f"the key in {variable} was rejected" if self._key else f"it wants an API key: set {variable}"
            )
            raise ModelError(f"the server answered {response.status_code}: {problem}", "no_key")
        if response.is_success or response.status_code in _REFUSED:
            return response
        raise ModelError(f"the server answered {response.status_code}: {self._said(response)}", "rejected")

    def _adapt(self, response: httpx.Response) -> bool:
        """Ask as the server's refusal wants it; True when the request is worth repeating."""
        if response.is_success:
            return False
        said = self._said(response)
        if "max_completion_tokens" in said and self._limit == "max_tokens":
            self._limit = "max_completion_tokens"
        elif "temperature" in said and self._temperature:
            self._temperature = {}
        elif self._structured in _WEAKER and any(word in said for word in _COMPLAINTS):
            self._structured = _WEAKER[self._structured]
        else:
            raise ModelError(f"the server rejected the request: {said}", "rejected")
        return True

    def _said(self, response: httpx.Response) -> str:
        text = response.text.replace(self._key, "***") if self._key else response.text
        return text[:300]

    def _content(self, response: httpx.Response) -> tuple[str, Usage]:
        try:
            document = response.json()
            choice = document["choices"][0]
            message = choice["message"]
            content, refusal, finish = (
                message.get("content"),
                message.get("refusal"),
                choice.get("finish_reason"),
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            said = self._said(response)
            raise ModelError(f"the server's answer is not a chat completion: {said}", "malformed") from error
        if refusal or finish == "content_filter":
            raise ModelError(f"the model refused: {refusal or 'content filter'}", "refused")
        if finish == "length":
            limit = self.endpoint.max_tokens
            raise ModelError(f"the reply was cut off after {limit} tokens; raise max_tokens", "cut_off")
        if not isinstance(content, str) or not content.strip():
            raise ReplyFormatError("the reply is empty", "", "malformed")
        tokens = document.get("usage") or {}
        return content, Usage(tokens.get("prompt_tokens"), tokens.get("completion_tokens"))


def _retry_after(response: httpx.Response) -> float:
    try:
        return float(response.headers.get("retry-after", "0"))
    except ValueError:
        return 0.0


def create(**settings: Any) -> PromptedBackend:
    """Make the back end; settings are the fields of `Endpoint` and those of `assemble`.

    Raises:
        InvalidValueError: on a setting out of range.
        ModelError: without the key that the hosted endpoint needs.
    """
    return assemble("openai", lambda **own: OpenAIModel(Endpoint(**own)), settings)
