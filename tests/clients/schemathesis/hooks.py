"""What the OpenAPI document cannot say, so that data made from it is what a caller could send.

- A cursor cannot be made up: one that was not handed out is refused, however well it is formed.
- An `Idempotency-Key` names one request: the same one with another body is refused.
- A recording comes as `contentUri` or as `content`, and speakers as `speakerIds` or as `enrollmentIds`: exactly one of
  each, which `oneOf` would say at the price of every generated client's types.
"""
import uuid

import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode

schemathesis.openapi.format("iri", strategies.from_regex(r"https?://[a-z]{1,9}\.example/[a-z0-9/]{0,20}", fullmatch=True))

ALTERNATIVES = [("contentUri", "content"), ("speakerIds", "enrollmentIds")]


def settle(recording):
    """Makes a request of one that breaks the rules between members."""
    for first, second in ALTERNATIVES:
        if recording.get(first) is not None:
            recording.pop(second, None)
    if recording.get("contentUri") is None and recording.get("content") is None:
        recording["contentUri"] = "https://media.example/calls/42.wav"


@schemathesis.deserializer("application/octet-stream")
def bytes_as_they_are(context, response):
    return response.content.decode("latin-1")


@schemathesis.hook
def map_case(context, case):
    meta = case.meta
    if meta is None or meta.generation.mode != GenerationMode.POSITIVE:
        return case
    if isinstance(case.query, dict):
        case.query.pop("cursor", None)
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if isinstance(case.body, dict):
        if isinstance(case.body.get("filter"), dict):
            case.body["filter"].pop("cursor", None)
        if case.path == "/v1/jobs":
            settle(case.body)
    return case
