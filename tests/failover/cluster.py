"""Three servers under Patroni, and etcd, as in config/postgres/patroni.yml but on one machine."""

import json
import os
import pwd
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parents[2]
SERVERS = (1, 2, 3)
# For a test: what config/postgres/patroni.yml has is for networks and machines that are sometimes slow.
TIMES = {"ttl: 30": "ttl: 10", "loop_wait: 10": "loop_wait: 2", "retry_timeout: 10": "retry_timeout: 3"}
PASSWORDS = {"postgres": "change-me", "replicator": "change-me-too", "rewind": "change-me-as-well"}


def wait_for(what, condition, seconds=60):
    """Polls until `condition` returns something true; returns that."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


def unprivileged():
    """How to start what refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def family(pid):
    """A process and all its descendants."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(") ")[2].split()[1]
            except OSError:
                continue
            children.setdefault(int(parent), []).append(int(entry.name))
    found = [pid]
    for it in found:
        found.extend(children.get(it, []))
    return found


def end(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Cluster:
    def __init__(self, work, is_synchronous):
        self.folder = Path(work) / "cluster"
        self.folder.mkdir()
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.is_synchronous = is_synchronous
        self.etcd_port, peer, *ports = free_ports(2 + 2 * len(SERVERS))
        self.ports = dict(zip(SERVERS, ports))
        self.api_ports = dict(zip(SERVERS, ports[len(SERVERS) :]))
        self.postmasters = {}
        self.patronis = {}
        self.etcd = self.start("etcd", self.etcd_command(peer))
        try:
            for server in SERVERS:
                (self.folder / f"pg{server}.yml").write_text(self.configuration(server))
                self.run_patroni(server)
            wait_for("three servers", lambda: len(self.members("running", "streaming")) == 3 and self.is_settled(), 120)
        except BaseException:
            self.stop()
            raise

    def start(self, name, command):
        with open(f"{self.folder}/{name}.log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", **unprivileged())

    def etcd_command(self, peer):
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, peer))
        return [
            f"{self.folder.parent}/etcd", "--data-dir", f"{self.folder}/etcd", "--name", "one", "--unsafe-no-fsync",
            "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}", "--logger", "zap",
        ]  # fmt: skip

    def configuration(self, server):
        text = (ROOT / "config/postgres/patroni.yml").read_text()
        bin_dir = next(path for path in sorted(Path("/usr/lib/postgresql").iterdir()) if (path / "bin/postgres").exists())
        changes = TIMES | {
            "name: pg1": f"name: pg{server}",
            "10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379": f"127.0.0.1:{self.etcd_port}",
            "10.0.0.1:8008": f"127.0.0.1:{self.api_ports[server]}",
            "10.0.0.1:5432": f"127.0.0.1:{self.ports[server]}",
            "10.0.0.0/24": "127.0.0.0/8",
            "/var/lib/postgresql/15/aftercall": f"{self.folder}/pg{server}",
            "/usr/lib/postgresql/15/bin": f"{bin_dir}/bin",
            "/var/lib/postgresql/patroni.pgpass": f"{self.folder}/pg{server}.pgpass",
            "/var/run/postgresql": str(self.folder),
            "mode: automatic": "mode: 'off'",
        }
        if not self.is_synchronous:
            changes |= {"synchronous_mode: true": "synchronous_mode: false", "synchronous_mode_strict: true": "synchronous_mode_strict: false"}
        for old, new in changes.items():
            assert old in text, f"config/postgres/patroni.yml has no {old}"
            text = text.replace(old, new)
        return text

    def run_patroni(self, server):
        self.patronis[server] = self.start(f"pg{server}", [f"{self.folder.parent}/venv/bin/patroni", f"{self.folder}/pg{server}.yml"])

    def members(self, *states):
        """Members that are in one of these states, as Patroni sees them."""
        for port in self.api_ports.values():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/cluster", timeout=2) as answer:
                    found = json.load(answer)["members"]
            except OSError:
                continue
            return {int(it["name"][2:]): it for it in found if it["state"] in states}
        return {}

    def is_settled(self):
        """Whether one leads, and a standby confirms what it commits."""
        roles = [it["role"] for it in self.members("running", "streaming").values()]
        return "leader" in roles and ("sync_standby" in roles or not self.is_synchronous)

    def primary(self):
        """The server that accepts writes."""
        for server in SERVERS:
            try:
                if self.ask(server, "select pg_is_in_recovery()", seconds=1) == [(False,)]:
                    return server
            except psycopg2.Error:
                pass
        return None

    def ask(self, server, question, database="postgres", seconds=30):
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.ports[server], user="postgres", password=PASSWORDS["postgres"],
            dbname=database, connect_timeout=max(2, seconds), options=f"-c statement_timeout={seconds}s",
        )  # fmt: skip
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(question)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def processes(self, server):
        """Patroni, Postgres, and all that they have started."""
        found = family(self.patronis[server].pid)
        data = f"{self.folder}/pg{server}"
        try:
            postmaster = int(Path(f"{data}/postmaster.pid").read_text().split()[0])
            # The file outlives a server that was killed.
            if data.encode() in Path(f"/proc/{postmaster}/cmdline").read_bytes():
                found.extend(family(postmaster))
        except OSError:
            pass
        return found

    def hold_back(self):
        """Stops what receives WAL on the standbys; returns it."""
        primary = self.primary()
        receivers = [self.ask(it, "select pid from pg_stat_wal_receiver") for it in SERVERS if it != primary]
        pids = [pid for rows in receivers for (pid,) in rows]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def let_go(self, receivers):
        """Has them end without receiving what is still on its way."""
        for pid in receivers:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)

    def kill(self, server):
        """kill -9 for everything of this server."""
        end(self.processes(server))
        self.patronis[server].wait()

    def writes(self):
        """The server that has committed something that others confirmed."""
        server = self.primary()
        if server is not None:
            try:
                self.ask(server, "create table if not exists public.failover (); drop table public.failover", seconds=1)
                return server
            except psycopg2.Error:
                pass
        return None

    def url(self, user, password, database):
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports.values())
        return f"postgres://{user}:{password}@{hosts}/{database}?target_session_attrs=read-write"

    def log(self, server):
        return (self.folder / f"pg{server}.log").read_text()

    def stop(self):
        for server in self.patronis:
            end(self.processes(server))
        end(family(self.etcd.pid))
        for process in (self.etcd, *self.patronis.values()):
            process.wait()
