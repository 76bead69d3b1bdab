"""Callers that submit, and a provider's worth of deliveries, at a steady rate; what each of them was told."""

import base64
import collections
import hashlib
import http.client
import itertools
import json
import struct
import threading
import time
from urllib.parse import urlsplit

CALLERS = 16
# Of one attempt are stored: the one that ends its job, and `ingest.attempt_deliveries` (20) more.
DELIVERIES_OF_A_JOB = 10

Answer = collections.namedtuple("Answer", "at what status")


def recording(number):
    """A fifth of a second of silence that no other job has, as base64."""
    samples = struct.pack("<I", number) + b"\x80" * 1600
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    data = struct.pack("<4sI", b"data", len(samples)) + samples
    wav = struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data
    return base64.b64encode(wav).decode()


def job_of(webhook):
    """The job to which the token of a webhook URL belongs: its first 16 bytes."""
    token = base64.urlsafe_b64decode(webhook.rpartition("/")[2])
    hexes = token[:16].hex()
    return "-".join((hexes[:8], hexes[8:12], hexes[12:16], hexes[16:20], hexes[20:]))


class Ledger:
    """What the sandbox has written of the submissions that it accepted."""

    def __init__(self, path):
        self.path = path
        self.offset = 0

    def accepted(self):
        """Those that are new since the last call: job, its id at the provider, and where its results go."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            entry = json.loads(line)
            if entry["kind"] == "accepted":
                yield job_of(entry["webhook"]), entry["jobId"], entry["webhook"]


class Load:
    """Runs until `end`. A submission that is not accepted is repeated with its Idempotency-Key, as a caller would."""

    def __init__(self, api, key, ledger, submissions, deliveries):
        self.api, self.key, self.ledger = api, key, Ledger(ledger)
        self.rate, self.delivery_rate = submissions, deliveries
        self.numbers = itertools.count()
        self.waiting = collections.deque()
        self.answers = []
        # By number of the submission, and by job and digest.
        self.jobs, self.delivered = {}, set()
        self.submitted = collections.Counter()
        self.stop = threading.Event()
        self.began = time.monotonic()
        self.turns = itertools.count()
        work = [self.caller] * CALLERS + [self.deliverer] * CALLERS + [self.reader]
        self.threads = [threading.Thread(target=it) for it in work]
        for thread in self.threads:
            thread.start()

    def is_over(self, number, rate):
        """Waits for the moment of this request."""
        return self.stop.wait(max(0, self.began + number / rate - time.monotonic()))

    def ask(self, connection, what, path, body, headers):
        """Status and body; the status is the name of the error if there was no response."""
        try:
            try:
                connection.request("POST", path, body, headers)
            except BrokenPipeError:
                # A request that is rejected by its headers is answered before its body is there.
                pass
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            status, text = type(error).__name__, b""
        if status not in (200, 202):
            # A request that is rejected before its body was read ends its connection.
            connection.close()
        self.answers.append(Answer(time.monotonic(), what, status))
        return status, text

    def caller(self):
        connection = http.client.HTTPConnection(self.api, timeout=60)
        while True:
            number = next(self.numbers)
            if self.is_over(number, self.rate):
                return
            body = {"content": recording(number), "encoding": "Wav", "externalId": f"call-{number}"}
            headers = {
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
                "Idempotency-Key": f"call-{number}",
            }
            while True:
                status, text = self.ask(connection, "submission", "/v1/jobs", json.dumps(body), headers)
                if status == 202:
                    self.jobs[number] = json.loads(text)["id"]
                    break
                if self.stop.wait(0.5):
                    return

    def reader(self):
        """Finds in the ledger where to deliver."""
        while not self.stop.wait(0.1):
            for job, provider_job, webhook in self.ledger.accepted():
                self.submitted[job] += 1
                self.waiting.extend((job, provider_job, webhook, n) for n in range(DELIVERIES_OF_A_JOB))

    def deliverer(self):
        connection = None
        while True:
            if self.is_over(next(self.turns), self.delivery_rate):
                return
            try:
                job, provider_job, webhook, number = self.waiting.popleft()
            except IndexError:
                continue
            place = urlsplit(webhook)
            connection = connection or http.client.HTTPConnection(place.netloc, timeout=60)
            body = json.dumps({"jobId": provider_job, "status": "Success", "response": {}, "number": number}).encode()
            status, _ = self.ask(connection, "delivery", place.path, body, {"Content-Type": "application/json"})
            if status == 200:
                self.delivered.add((job, hashlib.sha256(body).hexdigest()))

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def count_the_rest(self):
        """Submissions that the sandbox accepted after the last look."""
        for job, _, _ in self.ledger.accepted():
            self.submitted[job] += 1
