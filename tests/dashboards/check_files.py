"""Checks the files in config/grafana without running anything: check_files.py [--format]

--format writes the dashboards in the form that is checked; use it after an export from Grafana.
"""
import copy
import json
import re
import sys

import yaml

import alerts
import boards
import readback
import rules

# Panels can only be checked for the use of sampled gauges where a service says which ones they are: check_live.py.
NO_SERVICE = set()


def canonical(board):
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


def alarms():
    """The names of the alarms in Prometheus's rules."""
    documents = [yaml.safe_load(path.read_text()) for path in boards.RULES.glob("*.yml")]
    rules_of = [item for document in documents for group in document["groups"] for item in group["rules"]]
    return {item["alert"] for item in rules_of if "alert" in item}


def sections():
    """The anchors of the runbook, as GitHub forms them."""
    titles = re.findall(r"^#+ (.+)$", boards.RUNBOOK.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def sources():
    return yaml.safe_load((boards.PROVISIONING / "datasources/aftercall.yml").read_text())["datasources"]


def providers():
    return yaml.safe_load((boards.PROVISIONING / "dashboards/aftercall.yml").read_text())["providers"]


def provisioning(all_boards, all_sources, all_providers):
    """The data sources that are provisioned are those that the dashboards choose from, and hold no password."""
    types = {source["type"] for source in all_sources}
    for name, board in all_boards.items():
        if boards.kind(board) not in types:
            yield f"{name}: no data source of the type {boards.kind(board)} is provisioned"
    for source in all_sources:
        for secret in source.get("secureJsonData", {}).values():
            if not secret.startswith("$__file{"):
                yield f"{source['name']}: a secret that does not come from a file"
        if source["type"] == boards.POSTGRES and source["user"] != "aftercall_reader":
            yield f"{source['name']}: dashboards read as aftercall_reader"
    if [provider["options"]["path"] for provider in all_providers] != ["/var/lib/grafana/dashboards"]:
        yield "dashboards/aftercall.yml: not where docker-compose.yml mounts the dashboards"


def main(arguments):
    found = []
    for path in sorted(boards.FOLDER.glob("*.json")):
        text = path.read_text()
        if text != canonical(json.loads(text)):
            if arguments == ["--format"]:
                path.write_text(canonical(json.loads(text)))
            else:
                found.append(f"{path.name} has another form than json.dumps(indent=2): use tests/dashboards/run --format")
    all_boards = boards.load()
    for name, board in all_boards.items():
        found += [f"{name}{loss}" for loss in readback.losses(copy.deepcopy(board))]
    names = alarms()
    found += [f"{rule}: {text}" for rule, text in rules.complaints(all_boards, {"sampled": NO_SERVICE, "alarms": names})]
    found += alerts.complaints(yaml.safe_load(boards.ALERTING.read_text()), names)
    found += provisioning(all_boards, sources(), providers())
    found += [f"docs/runbook.md has no section {name}" for name in sorted(names) if name.lower() not in sections()]
    print("\n".join(found))
    if found:
        sys.exit(f"{len(found)} complaints about config/grafana")
    print(f"{len(all_boards)} dashboards with {sum(len(list(boards.panels(b))) for b in all_boards.values())} panels")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--format"]):
        sys.exit(__doc__)
    main(sys.argv[1:])
