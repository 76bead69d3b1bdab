"""The dashboards in config/grafana, and what they consist of."""
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config/grafana/dashboards"
PROVISIONING = ROOT / "config/grafana/provisioning"
ALERTING = ROOT / "config/grafana/alerting/aftercall.yml"
RULES = ROOT / "config/prometheus/rules"
RUNBOOK = ROOT / "docs/runbook.md"
PROMETHEUS, POSTGRES = "prometheus", "grafana-postgresql-datasource"

# ${name}, ${name:format}, [[name]], $name: https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/
VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]|\$(\w+)")


def load():
    """Each dashboard by the name of its file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def panels(board):
    """All panels that show something, including those of collapsed rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def targets(board):
    """Each query of each panel, with its panel."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield panel, target


def variables(board):
    return board["templating"]["list"]


def kind(board):
    """The type of the data source that the whole dashboard uses."""
    return next(variable["query"] for variable in variables(board) if variable["type"] == "datasource")


def query_text(variable):
    """The query of a variable: Postgres has a string, Prometheus an object."""
    query = variable.get("query", "")
    return query["query"] if isinstance(query, dict) else query


def used_variables(text):
    """The variables in a text: name and format (None without one)."""
    for match in VARIABLE.finditer(text):
        long, long_format, old, old_format, short = match.groups()
        yield long or old or short, long_format or old_format


def strings(value):
    """Every string anywhere in a JSON value, except in what a variable remembers of its last use."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in ("current", "definition"):
                yield from strings(item)
