"""Rules that the OpenAPI document cannot express, so that data generated from it is what a caller could send.

- A cursor cannot be made up: one that the service did not issue is rejected, however well-formed.
- An `Idempotency-Key` belongs to one request and is rejected with another body. `If-Match` names one version.
- A recording comes as `contentUri` or as `content`, and speakers as `speakerIds` or as `enrollmentIds`: exactly one of
  each, which `oneOf` could express, but it would spoil the types of every generated client.
- An action is for the jobs that `ids` or a `filter` names, not both, and only one action takes names.
- Some parameters depend on each other, a search needs a word to search for, and only speakers of a result can be named.
- The service sends to what a URL names, so it must exist and be allowed. Nothing listens at the one used here.

Data meant to be rejected is sent as generated.
"""
import uuid

import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode

schemathesis.openapi.format("iri", strategies.from_regex(r"https?://[a-z]{1,9}\.example/[a-z0-9/]{0,20}", fullmatch=True))

ALTERNATIVES = [("contentUri", "content"), ("speakerIds", "enrollmentIds")]


def settle_recording(recording):
    for first, second in ALTERNATIVES:
        if recording.get(first) is not None:
            recording.pop(second, None)
    if recording.get("contentUri") is None and recording.get("content") is None:
        recording["contentUri"] = "https://media.example/calls/42.wav"
    # The id of an uploaded recording cannot be made up; without one, the encoding is required.
    recording.pop("media", None)
    # So must the id of an endpoint, and there may be none.
    recording.pop("notify", None)
    # What is compared must be in the request.
    if recording.get("dedupe") is not None:
        recording["dedupe"] = "contentUri" if recording.get("contentUri") else None
    recording.setdefault("encoding", "Wav")


def settle_query(path, query):
    query.pop("cursor", None)
    if "q" in query:
        query["q"] = "refund or \"thank you\" -goodbye"
    if path.endswith("/utterances") and "from" in query:
        query.pop("to", None)
    if path.endswith("/transcript") and query.get("format") not in ("srt", "vtt"):
        query.pop("maxChars", None)
    if path == "/v1/stats/jobs":
        settle_stats(query)


def settle_stats(query):
    if query.get("from") != "2026-05-01" or query.get("to") != "2026-06-01":
        query.pop("from", None)
        query.pop("to", None)
    group = query.get("groupBy")
    if group == "insight":
        query["insight"] = "Topics"
        for other in ("tag", "language", "audioType"):
            query.pop(other, None)
    else:
        query.pop("insight", None)
    if group == "emotion":
        for other in ("tag", "measures", "sort"):
            query.pop(other, None)
    if group in ("day", "week"):
        for other in ("bucket", "limit"):
            query.pop(other, None)


def settle_action(body):
    body.pop("cursor", None)
    if body.get("filter") is not None:
        body.pop("ids", None)
    elif body.get("ids") is None:
        body["filter"] = {}
    if body["action"] == "nameSpeakers":
        body["names"] = {"0": "Rachel"}
    else:
        body.pop("names", None)


def settle_body(path, body):
    if isinstance(body.get("filter"), dict):
        body["filter"].pop("cursor", None)
    if path == "/v1/jobs":
        settle_recording(body)
    if path == "/v1/jobs/batch":
        for recording in body["jobs"]:
            settle_recording(recording)
    if path == "/v1/jobs/actions":
        settle_action(body)
    if path.startswith(("/v1/endpoints", "/v1/notify")) and "url" in body:
        body["url"] = "https://127.0.0.1:9/hook"
    if path.endswith("/retry") and body.get("contentUri") is not None:
        body["contentUri"] = "https://media.example/calls/43.wav"
    if path.endswith("/speakers"):
        for speaker in [speaker for speaker in body if speaker not in ("0", "1")]:
            del body[speaker]


@schemathesis.deserializer("application/octet-stream")
def bytes_as_they_are(context, response):
    return response.content.decode("latin-1")


@schemathesis.deserializer("application/x-ndjson")
def lines_as_they_are(context, response):
    return response.content.decode()


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if isinstance(case.query, dict):
        settle_query(case.path, case.query)
    if case.headers:
        case.headers.pop("If-Match", None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if isinstance(case.body, dict):
        settle_body(case.path, case.body)
