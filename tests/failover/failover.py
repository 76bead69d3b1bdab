"""The service on a Patroni cluster whose primary is killed under load. See `run`."""

import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from cluster import PASSWORDS, ROOT, SERVERS, Cluster, free_ports, wait_for
from load import Load

# How long errors may outlast the moment from which the new primary accepts writes.
GRACE = 5
RUNTIME_PASSWORD = "runtime-of-the-test"
SETTINGS = {
    "DATABASE__RUNTIME_PASSWORD": RUNTIME_PASSWORD,
    "DATABASE__MIGRATE": "off",
    "LOG__FORMAT": "json",
    "PROVIDER__TIMEOUT": "2s",
    "PROVIDER__GATE__LIMIT": "100000",
    "PROVIDER__GATE__WINDOW": "1s",
    "KEYS__RATE_LIMIT": "1000000",
    "DISPATCH__CONCURRENCY": "16",
    "DISPATCH__LEASE": "5s",
    # Longer than the sandbox repeats a delivery: what it accepted is never submitted again.
    "DISPATCH__UNCONFIRMED_WAIT": "20s",
    "RECONCILE__AFTER": "30s",
    "RECONCILE__INTERVAL": "300ms",
    "SANDBOX__LATENCY": "300ms",
    "SANDBOX__RATE_LIMIT": "100000",
    "SANDBOX__RATE_WINDOW": "1s",
    "SANDBOX__AUTH_RATE_LIMIT": "100000",
    "SANDBOX__MAX_SESSIONS": "100",
    "SANDBOX__DELIVERY_BACKOFF": "500ms",
    "SEAL__KEY": "test:dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=",
    "SHUTDOWN__DRAIN_DELAY": "0s",
}


class Service:
    """One process for each role, and the sandbox."""

    def __init__(self, binary, folder, url, admin_url):
        self.binary, self.folder = binary, Path(folder)
        self.folder.mkdir()
        api, webhook, sandbox, *ops = free_ports(6)
        self.ledger = self.folder / "ledger"
        self.api = f"127.0.0.1:{api}"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AFTERCALL_")}
        self.environment |= {f"AFTERCALL__{name}": value for name, value in SETTINGS.items()} | {
            "AFTERCALL_DATA_DIR": f"{self.folder}/data",
            "DATABASE_URL": url,
            "AFTERCALL__DATABASE__MIGRATION_URL": admin_url,
            "AFTERCALL__API__LISTEN": self.api,
            "AFTERCALL__WEBHOOK__LISTEN": f"127.0.0.1:{webhook}",
            "AFTERCALL__SANDBOX__LISTEN": f"127.0.0.1:{sandbox}",
            "AFTERCALL__SANDBOX__URL": f"http://127.0.0.1:{sandbox}",
            "AFTERCALL__SANDBOX__WEBHOOK_URL": f"http://127.0.0.1:{webhook}",
        }
        self.processes = []
        try:
            # As superuser: the roles of the service do not exist yet.
            self.command("migrate", DATABASE_URL=admin_url)
            self.key = self.command("keys", "create", "tester").split()[-1]
            self.start("sandbox", AFTERCALL__SANDBOX__LEDGER=str(self.ledger))
            wait_for("the sandbox", lambda: answers(f"http://127.0.0.1:{sandbox}/livez") == 200)
            self.ops = dict(zip(("api", "webhook", "worker"), ops))
            for role, port in self.ops.items():
                self.start("serve", AFTERCALL__ROLES=role, AFTERCALL__OPS__LISTEN=f"127.0.0.1:{port}")
            wait_for("three processes that are ready", self.is_ready)
        except BaseException:
            self.stop()
            raise

    def command(self, *arguments, **environment):
        done = subprocess.run(
            [self.binary, *arguments], env=self.environment | environment, cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, command, **environment):
        with open(self.folder / f"{len(self.processes)}.log", "wb") as log:
            process = subprocess.Popen(
                [self.binary, command], env=self.environment | environment, cwd=self.folder, stdout=log, stderr=log
            )
        self.processes.append(process)

    def is_ready(self):
        self.check_alive()
        return all(answers(f"http://127.0.0.1:{port}/readyz") == 200 for port in self.ops.values())

    def check_alive(self):
        for number, process in enumerate(self.processes):
            assert process.poll() is None, f"a process has ended: {(self.folder / f'{number}.log').read_text()[-4000:]}"

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


class Outages:
    """Periods in which errors are allowed, and how long each lasted."""

    def __init__(self):
        self.periods = []

    def add(self, began, ended, what):
        self.periods.append((began, ended + GRACE))
        print(f"{what}: {ended - began:.1f} s until writes were accepted", flush=True)

    def forgive(self, at):
        return any(began <= at <= ended for began, ended in self.periods)


def fail_over(cluster, service, outages):
    """Kills the primary; returns it and its successor."""
    old = cluster.primary()
    receivers = [] if cluster.is_synchronous else cluster.hold_back()
    if receivers:
        time.sleep(2)
    began = time.monotonic()
    cluster.kill(old)
    cluster.let_go(receivers)
    new = wait_for("another primary", cluster.writes)
    outages.add(began, time.monotonic(), f"failover from pg{old} to pg{new}")
    assert new != old
    wait_for("readiness", service.is_ready)
    return old, new


def rejoin(cluster, old):
    """Starts what was killed; it must come back as a standby that has all there is."""
    cluster.run_patroni(old)
    began = time.monotonic()
    wait_for(f"pg{old} as a standby", lambda: old in cluster.members("running", "streaming") and is_caught_up(cluster, old))
    how = "with pg_rewind" if "pg_rewind" in cluster.log(old) else "without pg_rewind"
    print(f"pg{old} is back as a standby after {time.monotonic() - began:.1f} s, {how}", flush=True)


def is_caught_up(cluster, standby):
    question = f"select 1 from pg_stat_replication where application_name = 'pg{standby}' and replay_lsn >= sent_lsn"
    primary = cluster.primary()
    return primary not in (None, standby) and cluster.ask(primary, question)


def switch_to(cluster, service, candidate, outages):
    """Has Patroni make this server the primary, which shows that it is usable."""
    leader = cluster.primary()
    if cluster.is_synchronous:
        # Only a standby that confirms commits may take over: without the other one, that is this one.
        (other,) = set(SERVERS) - {leader, candidate}
        began = time.monotonic()
        cluster.kill(other)
        role = lambda: cluster.members("running", "streaming").get(candidate, {}).get("role")
        wait_for(f"pg{candidate} confirms commits", lambda: role() == "sync_standby")
        outages.add(began, time.monotonic(), f"pg{other} killed, pg{candidate} confirms")
    began = time.monotonic()
    body = json.dumps({"leader": f"pg{leader}", "candidate": f"pg{candidate}"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{cluster.api_ports[leader]}/switchover", body, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    if cluster.is_synchronous:
        cluster.run_patroni(other)
    wait_for("the switchover", lambda: cluster.writes() == candidate)
    outages.add(began, time.monotonic(), f"switchover from pg{leader} to pg{candidate}")
    wait_for("readiness", service.is_ready)


def wrong_answers(load, outages):
    """Answers that must not be, with how often they were."""
    wrong = collections.Counter()
    for answer in load.answers:
        if answer.status in (200, 202):
            continue
        if answer.status != 503:
            wrong[f"a {answer.what} got {answer.status}"] += 1
        elif not outages.forgive(answer.at):
            wrong[f"a {answer.what} got {answer.status} outside of an outage"] += 1
    return [f"{times} times {what}" for what, times in wrong.items()]


def judge(cluster, load):
    """What is not as it was answered, from the database and the ledger."""
    primary = cluster.primary()
    ask = lambda question: cluster.ask(primary, question, database="aftercall")
    stored = dict(ask("select external_id, id::text from aftercall.jobs"))
    lost = [number for number, job in load.jobs.items() if stored.get(f"call-{number}") != job]
    deliveries = set(ask("select distinct job_id::text, encode(body_sha, 'hex') from aftercall.deliveries"))
    load.count_the_rest()
    ((jobs, calls),) = ask("select count(*), count(distinct external_id) from aftercall.jobs")
    findings = {
        "submissions were answered and are not there": len(lost),
        "deliveries were answered and are not there": len(load.delivered - deliveries),
        "jobs were submitted twice to the provider": sum(times > 1 for times in load.submitted.values()),
        "jobs were submitted to the provider and are not there": len(load.submitted.keys() - set(stored.values())),
        "calls have two jobs": jobs - calls,
    }
    return [f"{count} {what}" for what, count in findings.items() if count]


def all_finished(cluster):
    question = "select count(*) from aftercall.jobs where finished_at is null"
    return cluster.ask(cluster.primary(), question, database="aftercall") == [(0,)]


def suffer(cluster, service, kills, outages):
    time.sleep(4)
    for _ in range(kills):
        old, _ = fail_over(cluster, service, outages)
        time.sleep(GRACE + 1)
        rejoin(cluster, old)
        wait_for("a standby that confirms", cluster.is_settled)
    switch_to(cluster, service, old, outages)
    time.sleep(GRACE + 1)
    wait_for("three servers", lambda: len(cluster.members("running", "streaming")) == 3 and cluster.is_settled())


def main(arguments):
    configuration = (ROOT / "config/postgres/patroni.yml").read_text()
    page = (ROOT / "docs/high-availability.md").read_text()
    assert f"```yaml\n{configuration}```" in page, "docs/high-availability.md does not show config/postgres/patroni.yml"
    cluster = Cluster(arguments.work, not arguments.asynchronous)
    try:
        cluster.ask(cluster.primary(), "create database aftercall")
        admin_url = cluster.url("postgres", PASSWORDS["postgres"], "aftercall")
        url = cluster.url("aftercall_runtime", RUNTIME_PASSWORD, "aftercall")
        if arguments.one_host:
            url = f"postgres://aftercall_runtime:{RUNTIME_PASSWORD}@127.0.0.1:{cluster.ports[cluster.primary()]}/aftercall"
        service = Service(os.path.realpath(arguments.binary), f"{arguments.work}/service", url, admin_url)
        try:
            load = Load(service.api, service.key, service.ledger, arguments.submissions, arguments.deliveries)
            outages = Outages()
            try:
                suffer(cluster, service, arguments.kills, outages)
            finally:
                load.end()
            wait_for("the end of all jobs", lambda: all_finished(cluster), 120)
            service.check_alive()
            wrong = wrong_answers(load, outages) + judge(cluster, load)
        finally:
            service.stop()
    finally:
        cluster.stop()
    statuses = collections.Counter((answer.what, answer.status) for answer in load.answers)
    print(", ".join(f"{times} {what} {status}" for (what, status), times in sorted(statuses.items(), key=str)))
    print(f"{len(load.jobs)} jobs and {len(load.delivered)} deliveries were answered")
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("binary")
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--submissions", type=int, default=10)
    parser.add_argument("--deliveries", type=int, default=50)
    # To see the checks fail: standbys that lag and confirm nothing, and a service that knows only the first primary.
    parser.add_argument("--asynchronous", action="store_true")
    parser.add_argument("--one-host", action="store_true")
    main(parser.parse_args())
