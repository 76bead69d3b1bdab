"""Ten minutes of every fault of the sandbox, and the alarms that this must and must not raise. See `faults`."""

import base64
import collections
import http.client
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from prometheus import ROOT, Prometheus

# Every fault, with its probability for a submission.
FAULTS = {
    "unauthorized": 0.01, "forbidden": 0.01, "misdirected": 0.005, "page": 0.005, "throttled": 0.003, "broken": 0.05,
    "bad-gateway": 0.03, "slow": 0.03, "reset": 0.04, "no-job-id": 0.04, "same-body": 0.3, "early": 0.05, "fail": 0.08,
    "quote": 0.02, "lost": 0.05, "late": 0.06, "reordered": 0.05, "duplicate": 0.1, "truncated": 0.06,
    "wrong-types": 0.06, "large": 0.01, "gzip": 0.1, "chunked": 0.1,
}  # fmt: skip

# A provider that is fast, and generous except for its faults, and a service that waits as briefly for everything.
SETTINGS = {
    "API__LISTEN": "127.0.0.1:0",
    "WEBHOOK__LISTEN": "127.0.0.1:0",
    "OPS__LISTEN": "127.0.0.1:0",
    "LOG__FORMAT": "json",
    "PROVIDER__TIMEOUT": "2s",
    "PROVIDER__GATE__LIMIT": "100000",
    "KEYS__RATE_LIMIT": "1000000",
    "PROVIDER__GATE__WINDOW": "1s",
    "PROVIDER__GATE__PENALTY": "500ms",
    "PROVIDER__GATE__PROBE": "300ms",
    "DISPATCH__CONCURRENCY": "64",
    "DISPATCH__LEASE": "10s",
    "DISPATCH__UNCONFIRMED_WAIT": "10s",
    "DISPATCH__BACKOFF": "500ms",
    "DISPATCH__BACKOFF_MAX": "5s",
    "RECONCILE__AFTER": "15s",
    "RECONCILE__INTERVAL": "300ms",
    "SANDBOX__LISTEN": "127.0.0.1:0",
    "SANDBOX__LATENCY": "500ms",
    "SANDBOX__LATE_BY": "8s",
    "SANDBOX__SLOW_BY": "3s",
    "SANDBOX__RATE_LIMIT": "100000",
    "SANDBOX__RATE_WINDOW": "1s",
    "SANDBOX__RATE_PENALTY": "500ms",
    "SANDBOX__AUTH_RATE_LIMIT": "100000",
    "SANDBOX__MAX_SESSIONS": "100",
    "SANDBOX__FAULTS": ",".join(f"{name}={probability}" for name, probability in FAULTS.items()),
    "SHUTDOWN__DRAIN_DELAY": "0s",
}

# Alarms that fire, and from which minute on they must have.
MUST = {
    "AftercallContractDrift": (1, "wrong-types: numbers as strings, which the contract does not have"),
    "AftercallJobsFailing": (7, "fail and quote: a tenth of the jobs fail; five minutes' window and `for`"),
}
# Alarms whose condition holds, but for less than their `for`.
PENDING = {
    "AftercallQuarantined": (1, "truncated: quarantined until a replay; fires after 15 minutes"),
}
MUST_NOT = {
    "AftercallDown": "one process, which runs",
    "AftercallAbsent": "it is a target",
    "AftercallRestarting": "it is started once",
    "AftercallTaskStalled": "no fault of the provider stops a task",
    "AftercallNoWorker": "the process has all roles",
    "AftercallChoreStalled": "fires after three hours",
    "AftercallSamplesStale": "sampled every 15 s",
    "AftercallMetricsMissing": "every metric is exported",
    "AftercallQueueStuck": "due jobs are submitted within seconds",
    "AftercallQueueBeyondDeadline": "the rate limit is 2,000 times the load",
    "AftercallJobsTimedOut": "the deadline is a day away",
    "AftercallNothingFinishes": "jobs finish all the time; fires after 30 minutes",
    "AftercallProviderUnreachable": "most calls of each kind succeed",
    "AftercallProviderLoginFailing": "a session that ends is followed by a login that succeeds",
    "AftercallProviderRefuses": "forbidden, misdirected, page: the next probe, 300 ms later, is accepted",
    "AftercallProviderPenalty": "throttled: a penalty lasts half a second",
    "AftercallWebhooksLost": "lost, truncated: about a tenth is polled for; fires after 30 minutes",
    "AftercallPublicHookDown": "webhooks are posted to this machine",
    "AftercallStoreFailed": "nothing is wrong with the database",
    "AftercallCommitSlow": "large, gzip, chunked: slower, but far from a second",
    "AftercallApiErrorsFast": "no fault of the provider is an error of the API",
    "AftercallApiErrorsSlow": "as above",
    "AftercallListenerFull": "16 connections of a caller, and those of the sandbox",
    "AftercallDatabaseConnections": "one pool of 16",
    "AftercallPoolExhausted": "50 jobs a second need a fraction of the pool",
    "AftercallLongTransaction": "fires after an hour",
    "AftercallPartitionsNotAhead": "created at startup",
    "AftercallPartitionsRunOut": "created at startup",
    "AftercallRetentionBehind": "nothing is a day old",
    "AftercallNotificationsLate": "no caller has an endpoint",
    "AftercallEndpointStopped": "as above",
}
CALLERS = 16


def recording(number):
    """A fifth of a second of silence that no other job has, as base64."""
    samples = struct.pack("<I", number) + b"\x80" * 1600
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    data = struct.pack("<4sI", b"data", len(samples)) + samples
    wav = struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data
    return base64.b64encode(wav).decode()


class Load:
    """Submits jobs at a steady rate until `stop` is set."""

    def __init__(self, api, key, rate):
        self.api, self.key, self.rate = api, key, rate
        self.numbers = itertools.count()
        self.statuses = collections.Counter()
        self.stop = threading.Event()
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.caller) for _ in range(CALLERS)]
        for thread in self.threads:
            thread.start()

    def caller(self):
        connection = http.client.HTTPConnection(self.api, timeout=10)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        while True:
            number = next(self.numbers)
            if self.stop.wait(max(0, self.began + number / self.rate - time.monotonic())):
                return
            body = {"content": recording(number), "encoding": "Wav", "externalId": f"call-{number}"}
            try:
                connection.request("POST", "/v1/jobs", json.dumps(body), headers)
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.statuses[type(error).__name__] += 1

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return time.monotonic() - self.began


class Service:
    """The service with its private Postgres and its sandbox, in a folder of its own."""

    def __init__(self, binary):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        settings = {f"AFTERCALL__{name}": value for name, value in SETTINGS.items()}
        self.environment = os.environ | settings | {"AFTERCALL_DATA_DIR": f"{self.folder.name}/data"}
        self.binary = binary
        self.errors = collections.Counter()

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.binary, "serve"], stdout=subprocess.PIPE, text=True, env=self.environment, cwd=self.folder.name
        )
        for line in self.process.stdout:
            self.ready = json.loads(line)
            if self.ready.get("msg") == "ready":
                break
        else:
            sys.exit(f"the service ended before it was ready: {line}")
        self.reader = threading.Thread(target=self.read_log)
        self.reader.start()
        return self

    def read_log(self):
        for line in self.process.stdout:
            entry = json.loads(line)
            if entry.get("level") == "error":
                self.errors[entry.get("msg")] += 1

    def key(self):
        command = [self.binary, "keys", "create", "faults"]
        made = subprocess.run(command, env=self.environment, cwd=self.folder.name, check=True, capture_output=True, text=True)
        return made.stdout.split()[-1]

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(90)
        self.reader.join()
        self.folder.cleanup()


def history(prometheus, began, ended):
    """When each alarm was pending and firing for the first time, in seconds since `began`."""
    data = prometheus.ask("query_range", query="ALERTS", start=began, end=ended, step=1)
    first = {}
    for series in data["result"]:
        at = (series["metric"]["alertname"], series["metric"]["alertstate"])
        first[at] = min(first.get(at, float("inf")), series["values"][0][0] - began)
    return first


def verdicts(first, alarms, minutes):
    """Rows of alarm, what happened, what should have, and whether that is right."""
    since = lambda name, state: first.get((name, state))
    clock = lambda at: "–" if at is None else f"{int(at) // 60}:{int(at) % 60:02}"
    for name in alarms:
        pending, firing = since(name, "pending"), since(name, "firing")
        if name in MUST:
            after, why = MUST[name]
            right = firing is not None or minutes < after
            expected = "fires" if minutes >= after else f"fires by minute {after}"
        elif name in PENDING:
            after, why = PENDING[name]
            right = firing is None and (pending is not None or minutes < after)
            expected = "pending"
        else:
            why = MUST_NOT[name]
            right = firing is None
            expected = "silent"
        yield name, clock(pending), clock(firing), expected, "ok" if right else "WRONG", why


def figures(prometheus):
    for what, expr in [
        ("jobs created", "sum(aftercall_jobs_created_total)"),
        ("jobs finished", "sum by (status) (aftercall_jobs_finished_total) > 0"),
        ("jobs completed via", 'sum by (completed_via) (aftercall_jobs_finished_total{completed_via!="none"}) > 0'),
        ("jobs unfinished", "aftercall:jobs_unfinished:sum"),
        ("deliveries", "sum by (outcome) (aftercall_callbacks_total) > 0"),
        ("calls to the provider", "sum by (operation, code) (aftercall_upstream_requests_total) > 0"),
        ("p99 of the commit of a delivery, s", "aftercall:callback_commit_seconds:p99_5m"),
        ("quarantined", "max(aftercall_quarantined)"),
    ]:
        found = [([it for name, it in labels.items() if name != "__name__"], value) for labels, value in prometheus.query(expr)]
        print(f"{what}: {', '.join(' '.join([*labels, f'{value:.4g}']) for labels, value in sorted(found))}")


def main(binary, minutes, rate):
    table = re.search(r"^\| fault \|.*?\n\n", (ROOT / "docs/sandbox.md").read_text(), re.M | re.S)
    documented = set(re.findall(r"^\| `([a-z-]+)`", table[0], re.M))
    assert documented == FAULTS.keys(), f"not both in docs/sandbox.md and here: {documented ^ FAULTS.keys()}"
    with Service(binary) as service, Prometheus(service.ready["ops"], "5s") as prometheus:
        prometheus.wait_for(lambda: prometheus.query('up{job="aftercall"} == 1'), "the service is scraped")
        alarms = [rule["name"] for rule in prometheus.rules() if rule["type"] == "alerting"]
        unknown = set(alarms) ^ (MUST.keys() | PENDING.keys() | MUST_NOT.keys())
        assert not unknown, f"of these alarms it is not said what they must do: {unknown}"
        began = time.time()
        load = Load(service.ready["api"], service.key(), rate)
        try:
            while time.time() < began + minutes * 60:
                assert service.process.poll() is None, "the service has ended"
                time.sleep(min(30, began + minutes * 60 - time.time()))
                print(f"{(time.time() - began) / 60:.1f} min, {sum(load.statuses.values())} jobs", file=sys.stderr)
        finally:
            took = load.end()
        rows = list(verdicts(history(prometheus, began, time.time()), alarms, minutes))
        print(f"\n{minutes:g} minutes, {sum(load.statuses.values()) / took:.1f} jobs/s, responses {dict(load.statuses)}")
        figures(prometheus)
    print("errors in the log:", dict(service.errors.most_common(8)) or "none")
    print()
    for row in [("alarm", "pending", "firing", "expected", "", "because"), *rows]:
        print("{:<32}{:>8}{:>8}  {:<18}{:<7}{}".format(*row))
    sys.exit(any(row[4] == "WRONG" for row in rows))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
