"""Several processes of the service on one Postgres. See `run`."""

import asyncio
import base64
import collections
import datetime
import itertools
import json
import os
import re
import struct
import sys
import tempfile
import time

from balancer import Balancer, endpoint, message
from world import ALL, Postgres, Waits, World, eventually, ready

# The gate: calls in its window, in that of the provider (shorter, as calls travel), and how many to make.
LIMIT, GATE_WINDOW, PROVIDER_WINDOW, CALLS = 12, 6, 5, 36
# Jobs a second during the restart, and connections of callers.
RATE, CALLERS = 25, 8
# Processes of the table, by roles; each worker has the results sent to one webhook process.
STEPS = {
    1: [ALL],
    2: ["api", "webhook,worker"],
    4: ["api", "webhook", "worker", "worker"],
    8: ["api"] * 2 + ["webhook"] * 3 + ["worker"] * 3,
}
SUBMIT_FOR, COMPLETE_FOR, CONNECTIONS = 8, 15, 32
# What a waiting statement is about, by what it mentions; the first that fits.
ABOUT = [
    ("the gate's row", "provider_gate"),
    ("sums of statistics", "merge_|add_to_stats|hour_changes c|rollup"),
    ("the end of a transaction", "^commit|^end"),
    ("turns of callers", "caller_turns|update aftercall.callers"),
    ("storing a job", "into aftercall.jobs|idempotency"),
    ("storing a result", "deliveries|results|utterances|conversation|speaker|questions"),
    ("events", "job_events|notify|listen"),
    ("attempts and states of jobs", "attempts|aftercall.jobs"),
]
# A gate that never waits, and whose row is short.
FAST = {
    "PROVIDER__GATE__LIMIT": "1000000",
    "PROVIDER__GATE__WINDOW": "1s",
    "SANDBOX__RATE_WINDOW": "1s",
    "SANDBOX__LATENCY": "20ms",
}
numbers = itertools.count()


def recording():
    """A fifth of a second of silence that no other job has, as base64."""
    samples = struct.pack("<I", next(numbers)) + b"\x80" * 1600
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    data = struct.pack("<4sI", b"data", len(samples)) + samples
    return base64.b64encode(struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data).decode()


class Caller:
    """One connection, which stays open; `seen` counts responses by status, and connections that broke."""

    def __init__(self, address, key, seen):
        self.address, self.key, self.seen, self.stream = endpoint(address.removeprefix("http://")), key, seen, None

    async def ask(self, method, path, body=b""):
        head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {self.key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            if not self.stream:
                self.stream = await asyncio.open_connection(*self.address, limit=1 << 20)
            self.stream[1].write(head.encode() + body)
            first, _, answer = await message(self.stream[0])
        except (OSError, asyncio.IncompleteReadError, TypeError) as error:
            self.seen[f"broken connection: {type(error).__name__}"] += 1
            self.stream = None
            return None
        status = first.split()[1]
        self.seen[status] += 1
        return json.loads(answer.partition(b"\r\n\r\n")[2]) if status in ("200", "202") else None

    async def submit(self):
        job = await self.ask("POST", "/v1/jobs", json.dumps({"content": recording(), "encoding": "Wav"}).encode())
        return job and job["id"]


async def submit_many(address, key, calls):
    caller = Caller(address, key, collections.Counter())
    for _ in range(calls):
        await caller.submit()
    assert caller.seen == {"202": calls}, caller.seen


def gate_of(binary, postgres, processes):
    """A world whose processes all submit, its API, and the processes."""
    # Few at a time, so that no process takes all.
    settings = {
        "PROVIDER__GATE__LIMIT": str(LIMIT),
        "PROVIDER__GATE__WINDOW": f"{GATE_WINDOW}s",
        "SANDBOX__RATE_WINDOW": f"{GATE_WINDOW}s",
        "DISPATCH__CONCURRENCY": "2",
    }
    world = World(binary, postgres, f"gate{processes}", settings)
    started = [world.service(ALL, number) for number in range(processes)]
    told = [process.wait_for(ready) for process in started]
    return world, told[0]["api"], started


def most_in_window(calls):
    """The most calls that the provider got within its window."""
    at = [datetime.datetime.fromisoformat(call["created"]) for call in calls]
    window = datetime.timedelta(seconds=PROVIDER_WINDOW)
    return max(sum(1 for other in at if first <= other < first + window) for first in at)


def gate(binary, postgres, faults):
    """The provider gets as many calls from eight processes as from one, and never more than the limit."""
    worlds = {processes: gate_of(binary, postgres, processes) for processes in (1, 8)}
    for world, api, _ in worlds.values():
        asyncio.run(submit_many(api, world.key(), CALLS))
    for processes, (world, _, started) in worlds.items():
        eventually(f"{CALLS} calls of {processes} processes", lambda: len(world.calls()) >= CALLS)
        most, made = most_in_window(world.calls()), len(world.calls())
        took_part = sum(any('"msg":"submitted"' in line for line in process.said()) for process in started)
        print(f"gate: {made} calls by {took_part} of {processes} processes,", end=" ")
        print(f"at most {most} within {PROVIDER_WINDOW} s; the limit is {LIMIT}")
        if took_part < min(processes, 2):
            faults.append(f"only {took_part} of {processes} processes submitted, which shows nothing about their gate")
        if most > LIMIT:
            faults.append(f"{processes} processes made {most} calls within {PROVIDER_WINDOW} s; the limit is {LIMIT}")
        if most < LIMIT or made != CALLS:
            faults.append(f"{processes} processes made {made} calls for {CALLS} jobs, at most {most} of {LIMIT} at a time")
        world.stop()


class Load:
    """Callers that submit at a steady rate, and read what they submitted, until `stop` is set."""

    def __init__(self, url, key):
        self.seen, self.ids, self.stop = collections.Counter(), [], asyncio.Event()
        self.began, self.turn = time.monotonic(), itertools.count()
        self.tasks = [asyncio.create_task(self.run(Caller(url, key, self.seen))) for _ in range(CALLERS)]

    async def run(self, caller):
        while not self.stop.is_set():
            due = self.began + next(self.turn) / RATE
            await asyncio.sleep(max(0, due - time.monotonic()))
            if job := await caller.submit():
                self.ids.append(job)
                await caller.ask("GET", f"/v1/jobs/{job}")

    async def end(self):
        self.stop.set()
        await asyncio.gather(*self.tasks)


async def restart_one_by_one(processes, balancers, faults):
    for process in processes:
        ended = await asyncio.to_thread(process.stop)
        if ended != 0:
            faults.append(f"{process.name} ended with {ended}")
        told = await asyncio.to_thread(lambda: process.start().wait_for(ready))
        join(process, told, balancers)


def join(process, told, balancers):
    for listener, balancer in balancers.items():
        if listener in told and told[listener]:
            balancer.add(process.name, told[listener], told["ops"])


async def restart(binary, postgres, faults):
    """All processes are replaced, one after the other, under load, and nobody notices."""
    world = await asyncio.to_thread(World, binary, postgres, "rolling", FAST)
    balancers = {"api": await Balancer().start(), "webhook": await Balancer().start()}
    roles = [role for role in ALL.split(",") for _ in range(2)]
    processes = [world.service(role, number, balancers["webhook"].url) for number, role in enumerate(roles)]
    for process in processes:
        join(process, await asyncio.to_thread(process.wait_for, ready), balancers)
    load = Load(balancers["api"].url, await asyncio.to_thread(world.key))
    began = time.monotonic()
    await restart_one_by_one(processes, balancers, faults)
    took = time.monotonic() - began
    await load.end()
    unfinished = "select count(*) from aftercall.jobs where finished_at is null"
    await asyncio.to_thread(eventually, "the end of all jobs", lambda: world.count(unfinished) == 0)
    for what, seen, may in [
        ("callers", load.seen, {"200", "202"}),
        ("the API", balancers["api"].seen, {"200", "202"}),
        ("webhooks", balancers["webhook"].seen, {"200"}),
    ]:
        if unexpected := {status: count for status, count in seen.items() if status not in may}:
            faults.append(f"during the restart, {what} saw {unexpected}")
    print(f"rolling restart of {len(processes)} processes in {took:.0f} s: {dict(load.seen)} for callers,", end=" ")
    print(f"{dict(balancers['webhook'].seen)} for the provider, {len(load.ids)} jobs")
    accounted(world, load.ids, faults)
    world.stop()


def accounted(world, ids, faults):
    """Every job that was accepted is completed, and was paid for once."""
    states = dict(world.rows("select id, state from aftercall.jobs"))
    if lost := [job for job in ids if states.get(job) != "completed"]:
        faults.append(f"{len(lost)} accepted jobs are not completed, such as {lost[0]}: {states.get(lost[0])}")
    attempts = world.count("select count(*) from aftercall.attempts")
    calls = len(world.calls())
    if not (calls == attempts == len(states)):
        faults.append(f"{len(states)} jobs, {attempts} attempts, but the provider accepted {calls} submissions")


async def submit_for(seconds, addresses, key):
    """Submissions a second over many connections."""
    seen, until = collections.Counter(), time.monotonic() + seconds

    async def run(address):
        caller = Caller(address, key, seen)
        while time.monotonic() < until:
            await caller.submit()

    turns = itertools.islice(itertools.cycle(addresses), CONNECTIONS)
    await asyncio.gather(*map(run, turns))
    assert set(seen) == {"202"}, seen
    return seen["202"]


def topics(samples):
    """What statements wait for, of all samples of statements that were running or waiting."""
    found = collections.Counter()
    for wait, statement in samples:
        about = next((name for name, pattern in ABOUT if re.search(pattern, statement, re.I)), "other statements")
        found["runs" if wait == "runs" else f"{about}: {wait}"] += 1
    total = sum(found.values()) or 1
    return "; ".join(f"{name} {count / total:.0%}" for name, count in found.most_common(5))


def throughput(binary, postgres, processes):
    """One line of the table: submissions alone, then everything after them."""
    world = World(binary, postgres, f"load{processes}", FAST)
    by_role = collections.defaultdict(list)
    for number, roles in enumerate(STEPS[processes]):
        hooks = by_role["webhook"]
        url = f"http://{hooks[number % len(hooks)]['webhook']}" if hooks else ""
        told = world.service(roles, number, url).wait_for(ready)
        for role in roles.split(","):
            by_role[role].append(told)
    block = "update aftercall.provider_gate set blocked_until = now() + interval '{}'"
    world.rows(block.format("1 hour"))
    with Waits(world) as first:
        submitted = asyncio.run(submit_for(SUBMIT_FOR, [told["api"] for told in by_role["api"]], world.key()))
    world.rows(block.format("0"))
    began = time.monotonic()
    with Waits(world) as second:
        done = "select count(*) from aftercall.jobs where state = 'completed'"
        while (completed := world.count(done)) < submitted and time.monotonic() < began + COMPLETE_FOR:
            time.sleep(0.5)
    took = time.monotonic() - began
    world.stop()
    rates = f"{submitted / SUBMIT_FOR:,.0f} | {completed / took:,.0f}"
    print(f"| {processes} | {rates} | {topics(first.samples)} | {topics(second.samples)} |", flush=True)


def run(binary, postgres, parts, faults):
    if "gate" in parts:
        gate(binary, postgres, faults)
    if "restart" in parts:
        asyncio.run(restart(binary, postgres, faults))
    if "throughput" in parts:
        print("| processes | submissions a second | then completed a second | waits of submissions | waits then |")
        print("| --- | --- | --- | --- | --- |")
        for processes in STEPS:
            throughput(binary, postgres, processes)


def main(binary, *parts):
    faults, parts = [], parts or ("gate", "restart")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with Postgres(folder) as postgres:
            try:
                run(binary, postgres, parts, faults)
            finally:
                for world in World.made:
                    world.stop()
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main(*sys.argv[1:])
