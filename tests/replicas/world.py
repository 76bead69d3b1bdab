"""Postgres, the provider and processes of the service. Variables of the environment override the settings here."""

import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

SETTINGS = {
    "DATABASE__MAX_CONNECTIONS": "8",
    "DISPATCH__CONCURRENCY": "16",
    "KEYS__RATE_LIMIT": "1000000",
    "LOG__FORMAT": "json",
    "SANDBOX__AUTH_RATE_LIMIT": "100000",
    "SANDBOX__MAX_SESSIONS": "1000",
    "SANDBOX__RATE_LIMIT": "1000000",
    "SHUTDOWN__DRAIN_DELAY": "2s",
}
ALL = "api,webhook,worker"


def environment(settings):
    named = {f"AFTERCALL__{name}": value for name, value in (SETTINGS | settings).items()}
    return named | os.environ


def eventually(what, condition, seconds=120):
    """The first truthy value of `condition`."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return value


class Postgres:
    """A cluster in `folder`, reached by a socket; it refuses to run as root, and then runs as postgres."""

    def __init__(self, folder):
        self.folder, self.user = f"{folder}/pg", "postgres" if os.geteuid() == 0 else None
        found = shutil.which("initdb") or max(glob.glob("/usr/lib/postgresql/*/bin/initdb"), default=None)
        self.programs = os.path.dirname(os.path.realpath(found or sys.exit("no Postgres binaries: apt install postgresql")))
        os.mkdir(self.folder)
        if self.user:
            shutil.chown(self.folder, self.user)

    def program(self, name, *arguments):
        subprocess.run(
            [f"{self.programs}/{name}", *arguments], check=True, user=self.user, cwd="/", stdout=subprocess.DEVNULL
        )

    def __enter__(self):
        self.program("initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c max_connections=200"
        self.program("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-o", options, "-w", "start")
        return self

    def __exit__(self, *_):
        self.program("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    def url(self, database, role="postgres"):
        return f"postgres://{role}@localhost/{database}?host={self.folder}"

    def rows(self, database, query):
        command = [f"{self.programs}/psql", "-AtX", "-v", "ON_ERROR_STOP=1", "-c", query, self.url(database)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [line.split("|") for line in told.splitlines()]


class Process:
    """A command of the binary, whose log goes to a file."""

    def __init__(self, command, settings, folder, name):
        self.command, self.environment, self.name = command, environment(settings), name
        self.folder, self.log = folder, f"{folder}/{name}.log"

    def start(self):
        with open(self.log, "a") as log:
            self.began_at = log.tell()
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self.environment, cwd=self.folder)
        return self

    def said(self):
        with open(self.log) as log:
            log.seek(self.began_at)
            return log.read().splitlines()

    def wait_for(self, find):
        """The first line that `find` accepts, as what it makes of it."""

        def look():
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended with {self.process.returncode}:\n" + "\n".join(self.said()[-20:]))
            return next(filter(None, map(find, self.said())), None)

        return eventually(f"{self.name} is ready", look)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def ready(line):
    told = json.loads(line) if line.startswith("{") else {}
    return told if told.get("msg") == "ready" else None


class World:
    """One database, one provider, and any number of processes of the service."""

    made = []

    def __init__(self, binary, postgres, name, settings=None):
        self.binary, self.postgres, self.name, self.settings = binary, postgres, name, settings or {}
        self.folder = f"{os.path.dirname(postgres.folder)}/{name}"
        self.ledger, self.started = f"{self.folder}/ledger", []
        os.mkdir(self.folder)
        self.made.append(self)
        postgres.rows("postgres", f"create database {name}")
        self.run("migrate", url=postgres.url(name))
        settings = self.settings | {"SANDBOX__LEDGER": self.ledger, "SANDBOX__LISTEN": "127.0.0.1:0"}
        self.sandbox = self.process(["sandbox"], settings, "sandbox")
        self.provider = self.sandbox.wait_for(lambda line: line.partition("sandbox: ")[2])

    def run(self, *arguments, url):
        command = [self.binary, *arguments]
        made = environment(self.settings) | {"DATABASE_URL": url}
        return subprocess.run(command, env=made, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def process(self, arguments, settings, name):
        process = Process([self.binary, *arguments], settings, self.folder, name).start()
        self.started.append(process)
        return process

    def key(self):
        return self.run("keys", "create", "load", url=self.postgres.url(self.name)).split()[-1]

    def service(self, roles, number, webhook_url=""):
        """A process with these roles, on ports of its own."""
        settings = self.settings | {
            "ROLES": roles,
            "DATABASE__MIGRATE": "off",
            "SANDBOX__URL": self.provider,
            "SANDBOX__WEBHOOK_URL": webhook_url,
        }
        settings |= {f"{name}__LISTEN": "127.0.0.1:0" for name in ("API", "WEBHOOK", "OPS")}
        settings["DATABASE__URL"] = self.postgres.url(self.name, "aftercall_runtime")
        return self.process(["serve"], settings, f"{roles.replace(',', '-')}-{number}")

    def rows(self, query):
        return self.postgres.rows(self.name, query)

    def count(self, query):
        return int(self.rows(query)[0][0])

    def calls(self):
        """What the provider accepted, as it wrote it down."""
        entries = map(json.loads, pathlib.Path(self.ledger).read_text().splitlines())
        return [entry for entry in entries if entry["kind"] == "accepted"]

    def stop(self):
        for process in self.started:
            if process.process.poll() is None:
                process.process.kill()
                process.process.wait()


class Waits:
    """What the statements of a database wait for, sampled ten times a second until `stop`."""

    QUERY = """select coalesce(wait_event_type || ' ' || wait_event, 'runs'), translate(query, E'|\\n', '  ')
        from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and state = 'active' and backend_type = 'client backend'"""

    def __init__(self, world):
        self.world, self.samples, self.over = world, [], threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def __enter__(self):
        self.thread.start()
        return self

    def sample(self):
        while not self.over.wait(0.1):
            self.samples += self.world.rows(self.QUERY)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
