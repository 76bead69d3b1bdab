"""The first day of an app, through the generated client only: a key for three things, a private recording, one
notification that is verified with the official library, its insights, and nothing else."""
import io
import json
import os
import queue
import re
import threading
import time
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar
from uuid import UUID

from standardwebhooks import Webhook

from aftercall import AuthenticatedClient
from aftercall.api.admin import create_key
from aftercall.api.jobs import submit_job
from aftercall.api.media import upload_media
from aftercall.api.notifications import create_endpoint, delete_endpoint, list_messages
from aftercall.api.results import list_insights, list_utterances
from aftercall.models import (
    CreateEndpoint,
    CreateKey,
    EndpointWithSecret,
    InsightsView,
    JobView,
    MediaView,
    NewKeyView,
    NotificationState,
    NotificationView,
    PageNotificationView,
    PageUtteranceView,
    Scope,
    SubmitJob,
)
from aftercall.types import File

T = TypeVar("T")
SCOPES = [Scope.JOBSWRITE, Scope.TRANSCRIPTREAD, Scope.NOTIFYWRITE]


def found(kind: type[T], parsed: object) -> T:
    assert isinstance(parsed, kind), parsed
    return parsed


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.messages: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Receiver)
        self.server.messages.put((dict(self.headers.items()), body))
        self.send_response_only(HTTPStatus.NO_CONTENT)
        self.end_headers()


def main() -> None:
    api = os.environ["AFTERCALL_API"]
    with AuthenticatedClient(api, os.environ["AFTERCALL_KEY"]) as admin:
        terms = CreateKey(caller="new-python-app", scopes=SCOPES)
        key = found(NewKeyView, create_key.sync(client=admin, body=terms)).key
    with urllib.request.urlopen(os.environ["AFTERCALL_RECORDING"]) as answer:
        recording = answer.read()
    receiver = Receiver()
    with AuthenticatedClient(api, key) as client:
        body = CreateEndpoint(url=receiver.url)
        endpoint = found(EndpointWithSecret, create_endpoint.sync(client=client, body=body))
        media = found(MediaView, upload_media.sync(client=client, body=File(io.BytesIO(recording))))
        assert media.channels == 2 and media.bytes_ == len(recording), media
        job = SubmitJob(media=media.id, separate_speaker_per_channel=True)
        job_id = found(JobView, submit_job.sync(client=client, body=job)).id

        headers, message = receiver.messages.get(timeout=60)
        event = Webhook(endpoint.secret).verify(message, headers)
        assert event["type"] == "job.completed" and UUID(event["data"]["jobId"]) == job_id, event
        insights = found(InsightsView, list_insights.sync(job_id, client=client, name=["KeyPhrases"])).data
        assert insights, "no insights"
        utterances = found(PageUtteranceView, list_utterances.sync(job_id, client=client)).data
        assert {it.speaker_id for it in utterances} == {"0", "1"}, utterances

        forbidden = nothing_else(client)
        sent = recorded(client, endpoint.id)
        assert len(sent) == 1 and receiver.messages.empty(), sent
        delete_endpoint.sync(endpoint.id, client=client)
    receiver.shutdown()
    print(f"job {job_id} was announced once, and {forbidden} operations are forbidden")


def recorded(client: AuthenticatedClient, endpoint: UUID) -> list[NotificationView]:
    """The delivered messages, once the service has stored what the receiver responded."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        delivered = list_messages.sync(endpoint, client=client, state=[NotificationState.DELIVERED])
        if sent := found(PageNotificationView, delivered).data:
            return sent
        time.sleep(0.05)
    raise TimeoutError("no message is recorded as delivered")


def nothing_else(client: AuthenticatedClient) -> int:
    """Every operation that needs another scope is forbidden; returns how many there are."""
    with open("openapi.json") as file:
        paths = json.load(file)["paths"]
    operations = [(path, *it) for path, item in paths.items() for it in item.items()]
    forbidden = 0
    for path, method, operation in operations:
        needed = operation.get("security", [{}])[0].get("key", [])
        if not set(needed) <= set(SCOPES):
            answer = client.get_httpx_client().request(method, re.sub("{.*?}", str(UUID(int=0)), path))
            assert answer.status_code == HTTPStatus.FORBIDDEN, (method, path, answer.text)
            forbidden += 1
    assert forbidden > 20
    return forbidden


if __name__ == "__main__":
    main()
