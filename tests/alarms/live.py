"""Runs every rule on the live service of tests/clients/with-service, and finds each name in its /metrics."""

import os
import re
import sys
import urllib.request

from expressions import selectors
from prometheus import ROOT, Prometheus

# Selectors without a series on a service on which nothing goes wrong, and why they are no mistake.
NOTHING_YET = {
    'http_response_status_code=~"5.."': "there was no error",
    'code=~"none|5.."': "there was no error",
    'operation="token", code!~"2.."': "no login failed",
    "aftercall_public_hook_up": "the first self-test comes later",
    'task=~"retention|hook_test"': "both run rarely",
}


def exported(ops):
    """Names of all series."""
    with urllib.request.urlopen(f"http://{ops}/metrics") as answer:
        text = answer.read().decode()
    return {match[1] for match in re.finditer(r"^([a-zA-Z_:][\w:]*)[{ ]", text, re.M)}


def main(ops):
    names = exported(ops)
    wrong = []
    with Prometheus(ops, "1s") as prometheus:
        prometheus.wait_for(lambda: prometheus.query('up{job="aftercall"} == 1'), "the service is scraped")
        prometheus.wait_for(lambda: prometheus.query("aftercall_samples_timestamp_seconds"), "samples are taken")
        prometheus.wait_for(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()), "rules are evaluated")
        rules = prometheus.rules()
        recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
        for rule in rules:
            if rule["health"] != "ok":
                wrong.append(f"{rule['name']}: {rule.get('lastError')}")
            try:
                prometheus.query(rule["query"])
            except ValueError as error:
                wrong.append(f"{rule['name']}: {error}")
            for metric, matchers in selectors(rule["query"]):
                if metric in recorded or metric == "up":
                    continue
                if any(text in metric + matchers for text in NOTHING_YET):
                    continue
                if metric not in names:
                    wrong.append(f"{rule['name']}: /metrics has no {metric}")
                elif not prometheus.query(metric + matchers):
                    wrong.append(f"{rule['name']}: nothing is {metric}{matchers}")
        for expr in re.findall(r"```promql\n(.*?)```", (ROOT / "docs/runbook.md").read_text(), re.S):
            try:
                prometheus.query(expr)
            except ValueError as error:
                wrong.append(f"docs/runbook.md: {error}: {expr}")
            wrong += [f"docs/runbook.md: /metrics has no {name}" for name, _ in selectors(expr) if name not in names]
        firing = prometheus.query('ALERTS{alertstate="firing"}')
        wrong += [f"{labels['alertname']} fires although nothing is wrong" for labels, _ in firing]
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"{len(rules)} rules on a live service, {len(wrong)} violations")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(os.environ["AFTERCALL_OPS"])
