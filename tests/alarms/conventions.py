"""Checks what promtool does not: each alarm of config/prometheus/rules can be understood, acted on, and was tested."""

import re
import sys
from pathlib import Path

import yaml

from expressions import selectors

ROOT = Path(__file__).parents[2]
SEVERITIES = {"page", "ticket"}
# Metrics that may be missing although the service is up, and why no absent() twin watches them.
MAY_BE_MISSING = {
    "up": "AftercallAbsent is its twin",
    "aftercall_last_success_timestamp_seconds": "AftercallNoWorker is its twin",
    "aftercall_public_hook_up": "only known after the first self-test; AftercallChoreStalled sees that there is none",
    "http_server_request_duration_seconds_count": "without a request there is no error",
}


def rules():
    for file in sorted((ROOT / "config/prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def exported(expr, recorded):
    """The service's metrics behind an expression."""
    names = {name for name, _ in selectors(expr)}
    behind = [exported(recorded[name]["expr"], recorded) for name in names & recorded.keys()]
    return set.union(names - recorded.keys(), *behind)


def tested():
    """The alarms that fire in some test, and those that do not fire anywhere in some test."""
    fire, silent = set(), set()
    for file in (ROOT / "tests/alarms/rules").glob("*.yml"):
        for test in yaml.safe_load(file.read_text())["tests"]:
            checks = test["alert_rule_test"]
            firing = {check["alertname"] for check in checks if check.get("exp_alerts")}
            fire |= firing
            silent |= {check["alertname"] for check in checks} - firing
    return fire, silent


def main():
    wrong = []
    all_rules = list(rules())
    alarms = {rule["alert"]: rule for rule in all_rules if "alert" in rule}
    recorded = {rule["record"]: rule for rule in all_rules if "record" in rule}
    sections = re.findall(r"^### (Aftercall\w+)$", (ROOT / "docs/runbook.md").read_text(), re.M)
    fire, silent = tested()
    watched = {name for name, _ in selectors(alarms["AftercallMetricsMissing"]["expr"])}

    for name, alarm in alarms.items():
        notes = alarm.get("annotations", {})
        if not re.fullmatch(r"Aftercall[A-Z]\w+", name):
            wrong.append(f"{name}: the name of an alarm begins with Aftercall")
        if alarm.get("labels", {}).get("severity") not in SEVERITIES:
            wrong.append(f"{name}: severity must be one of {', '.join(sorted(SEVERITIES))}")
        if not notes.get("summary"):
            wrong.append(f"{name}: no summary")
        if "$value" not in notes.get("description", ""):
            wrong.append(f"{name}: the description must have the value")
        if notes.get("runbook_url") != "{{ $externalLabels.runbook }}#" + name.lower():
            wrong.append(f"{name}: runbook_url must be {{{{ $externalLabels.runbook }}}}#{name.lower()}")
        if name not in sections:
            wrong.append(f"{name}: docs/runbook.md has no section of that name")
        if name not in fire:
            wrong.append(f"{name}: no test in which it fires")
        if name not in silent:
            wrong.append(f"{name}: no test in which it never fires")
        for metric in exported(alarm["expr"], recorded) - watched - MAY_BE_MISSING.keys():
            wrong.append(f"{name}: AftercallMetricsMissing has no absent({metric})")
    wrong += [f"docs/runbook.md: {name} is no alarm" for name in sections if name not in alarms]
    wrong += [f"docs/runbook.md: two sections {name}" for name in set(sections) if sections.count(name) > 1]
    used = {metric for rule in all_rules for metric, _ in selectors(rule["expr"])}
    wrong += [f"{name}: no rule uses it" for name in recorded.keys() - used]
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"{len(alarms)} alarms, {len(recorded)} recording rules, {len(wrong)} violations")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
