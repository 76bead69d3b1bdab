"""A Prometheus of our own, with the rules of config/prometheus, on a free port of this machine."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Prometheus:
    """Scrapes `target` and evaluates the rules every `interval`, for as long as the `with` block takes."""

    def __init__(self, target, interval):
        self.folder = tempfile.TemporaryDirectory()
        config = (ROOT / "config/prometheus/prometheus.yml").read_text()
        for pattern, text in [
            (r"(scrape|evaluation)_interval: \w+", rf"\1_interval: {interval}"),
            (r"\[aftercall:9090\]", f"[{target!r}]"),
            (r"rules/\*\.yml", str(ROOT / "config/prometheus/rules/*.yml")),
            (r"\$\{RUNBOOK_URL\}", "docs/runbook.md"),
        ]:
            config, changed = re.subn(pattern, text, config)
            assert changed, f"config/prometheus/prometheus.yml has no {pattern}"
        Path(self.folder.name, "prometheus.yml").write_text(config)

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.log = open(Path(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={self.folder.name}/prometheus.yml",
                f"--storage.tsdb.path={self.folder.name}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self.log,
            stderr=self.log,
        )
        try:
            self.wait_for(self.is_ready, "Prometheus is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        self.folder.cleanup()

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.base}/-/ready") as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, path, **parameters):
        """The `data` of the response; raises what Prometheus says if it is an error."""
        url = f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error", "")) from error

    def query(self, expr):
        """Pairs of labels and value."""
        return [(it["metric"], float(it["value"][1])) for it in self.ask("query", query=expr)["result"]]

    def rules(self):
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def wait_for(self, condition, what, seconds=60):
        give_up = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.log.seek(0)
                raise SystemExit(f"not so in time: {what}\n{self.log.read()[-2000:]}")
            time.sleep(0.2)
