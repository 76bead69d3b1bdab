"""Lets a live service go through everything that the dashboards show."""
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.error
import urllib.request

import psycopg


def eventually(what, check, patience=60):
    """Waits until `check` returns something."""
    deadline = time.monotonic() + patience
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"still not after {patience} s: {what}")
        time.sleep(0.1)


class Service:
    """The service of with-service, and its database."""

    def __init__(self, binary):
        self.binary = binary
        self.api, self.ops = os.environ["AFTERCALL_API"], os.environ["AFTERCALL_OPS"]
        self.webhook = f"http://{os.environ['AFTERCALL_WEBHOOK']}"
        self.recording = os.environ["AFTERCALL_RECORDING"]
        endpoint, = pathlib.Path(os.environ["AFTERCALL_DATA_DIR"]).rglob("endpoint")
        self.sockets = endpoint.read_text()

    def database(self, user="aftercall", name="aftercall"):
        return psycopg.connect(host=self.sockets, user=user, dbname=name, autocommit=True)

    def command(self, *arguments, **more):
        # What with-service adds is not meant for the binary, which rejects variables that look like misspelt settings.
        kept = {name: value for name, value in os.environ.items()
                if "__" in name or not name.startswith("AFTERCALL_") or name in ("AFTERCALL_DATA_DIR", "AFTERCALL_ENV")}
        done = subprocess.run([self.binary, *arguments], env=kept | more, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"aftercall {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def empty_database(self):
        """A migrated database without a single row of a user."""
        with self.database() as database:
            database.execute("create database empty")
        self.command("migrate", DATABASE_URL=f"postgres://aftercall@localhost/empty?host={self.sockets}")
        return "empty"


def request(method, url, key=None, body=None, headers=()):
    """The status and the body of a response."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"} | dict(headers) | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class World:
    def __init__(self, service, database):
        self.service, self.database = service, database
        self.keys = {name: service.command("keys", "create", name).split()[-1] for name in ("sales", "support")}
        self.number = 0

    def submit(self, faults="", caller="sales", **more):
        """Submits a recording of its own with faults of the sandbox; returns the job's id."""
        self.number += 1
        url = f"{self.service.recording}?n={self.number}" + (f"&sandbox-faults={faults}" if faults else "")
        body = {"contentUri": url, "encoding": "Wav", "tags": ["north"], "audioType": "CallCenter"} | more
        status, job = request("POST", f"{self.service.api}/v1/jobs", self.keys[caller], body)
        assert status == 202, (status, job)
        return job["id"]

    def state(self, job):
        return self.database.execute("select state from aftercall.jobs where id = %s", [job]).fetchone()[0]

    def reaches(self, job, *states):
        eventually(f"job {job} is {' or '.join(states)}", lambda: self.state(job) in states)

    def move(self, job, column, offset):
        """Moves a time of an unfinished job: tests do not wait for hours."""
        self.database.execute(
            f"update aftercall.jobs set {column} = now() + %s::interval where id = %s and finished_at is null",
            [offset, job])

    def happens(self):
        self.jobs_that_end()
        self.requests_without_a_job()
        self.provider_throttles()

    def jobs_that_end(self):
        by_webhook = [self.submit(faults, caller) for faults in ("", "duplicate", "gzip", "wrong-types")
                      for caller in ("sales", "support")]
        # The first delivery of one is cut off, and stays in quarantine although the next one completes the job.
        # The first delivery of one is cut off, and stays in quarantine although the next one completes the job; the other
        # is submitted again after an outage.
        by_webhook += [self.submit("truncated"), self.submit("broken")]
        for job in by_webhook:
            self.reaches(job, "completed")
        for job in [self.submit("lost") for _ in range(2)]:
            self.reaches(job, "submitted")
            # It may be asked for too early: then it is due again.
            eventually("a result by poll", lambda: self.move(job, "due_at", "0") or self.state(job) == "completed")
        # The sandbox knows no speaker by this id, and refuses.
        for job in [self.submit("fail"), self.submit("fail", "support"), self.submit(speakerIds=["nobody"])]:
            self.reaches(job, "failed")

    def requests_without_a_job(self):
        key = self.keys["sales"]
        for _ in range(3):
            request("POST", f"{self.service.webhook}/webhooks/{'A' * 64}", body={})
        for path in ("/v1/jobs?limit=0", "/v1/jobs/unknown", "/v1/search?q=invoice", "/v1/stats/jobs"):
            request("GET", self.service.api + path, key)
        repeated = {"Idempotency-Key": f"dashboards-{os.getpid()}"}
        body = {"contentUri": f"{self.service.recording}?n=idempotent", "encoding": "Wav"}
        for _ in range(2):
            status, job = request("POST", f"{self.service.api}/v1/jobs", key, body, repeated)
            assert status == 202, job
        self.reaches(job["id"], "completed")
        request("POST", f"{self.service.api}/v1/jobs", key, body | {"encoding": "Mpeg"}, repeated)
        status, _ = request("GET", f"{self.service.api}/v1/jobs/{job['id']}", key, headers={"If-None-Match": "*"})
        assert status == 304, status

    def provider_throttles(self):
        """From here on nothing is submitted any more; what is queued stays."""
        at_provider, unconfirmed = self.submit("lost"), self.submit("reset,lost")
        self.reaches(at_provider, "submitted")
        unknown = "select true from aftercall.attempts where job_id = %s and outcome = 'unknown'"
        eventually("an unconfirmed attempt", lambda: self.database.execute(unknown, [unconfirmed]).fetchone())
        throttled = self.submit("throttled")
        blocked = "select true from aftercall.attempts where job_id = %s and outcome = 'throttled'"
        eventually("a penalty", lambda: self.database.execute(blocked, [throttled]).fetchone())
        late, overdue, canceled = (self.submit(caller=caller) for caller in ("sales", "support", "sales"))
        self.submit(caller="support")
        # Its deadline is before the end of the penalty.
        self.move(late, "deadline_at", "5 minutes")
        self.move(overdue, "deadline_at", "0")
        self.reaches(overdue, "timed_out")
        status, problem = request("POST", f"{self.service.api}/v1/jobs/{canceled}/cancel", self.keys["sales"])
        assert status == 200, (status, problem)
        self.second_wait_is_rejected(late)

    def second_wait_is_rejected(self, job):
        """Of two waits of one caller at the same time, whichever comes second gets a 429."""
        statuses = []

        def wait():
            statuses.append(request("GET", f"{self.service.api}/v1/jobs/{job}?wait=5", self.keys["sales"])[0])

        waits = [threading.Thread(target=wait) for _ in range(2)]
        for thread in waits:
            thread.start()
        for thread in waits:
            thread.join()
        assert sorted(statuses) == [200, 429], statuses
