"""Has Prometheus answer every expression of the dashboards."""
import math
import re
import time
import urllib.request

import boards
import macros
import promql

# What Prometheus itself adds.
OWN = {"up", "ALERTS"}


class Exposition:
    """What the service's /metrics has."""

    def __init__(self, ops):
        with urllib.request.urlopen(f"http://{ops}/metrics") as response:
            text = response.read().decode()
        self.names = set(re.findall(r"^([a-zA-Z_:][\w:]*)[{ ]", text, re.MULTILINE))
        helps = re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE)
        # Gauges of the whole service say so, because every replica shows them.
        self.sampled = {name for name, said in helps if "the same on all replicas" in said}


def values(board, prometheus):
    """A value for each variable, the first that it offers."""
    found = {"__rate_interval": "1m", "__interval": "15s"}
    for variable in boards.variables(board):
        if variable["type"] == "constant":
            found[variable["name"]] = variable["query"]
        elif variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", boards.query_text(variable)).groups()
            offered = prometheus.ask(f"label/{label}/values", **{"match[]": metric})
            found[variable["name"]] = offered[0] if offered else ""
    return found


def answer(prometheus, expression, start):
    """The labels of each series that has a number; NaN is a graph without a line. Without `start`: now."""
    if start is None:
        series = [(item["metric"], [item["value"]]) for item in prometheus.ask("query", query=expression)["result"]]
    else:
        data = prometheus.ask("query_range", query=expression, start=start, end=time.time(), step=5)
        series = [(item["metric"], item["values"]) for item in data["result"]]
    return [labels for labels, values in series if any(math.isfinite(float(value)) for _, value in values)]


def check(board, prometheus, exposition, start):
    """The complaints about one dashboard, and which of its queries are empty."""
    found, empty = [], set()
    given = values(board, prometheus)
    found += [f"{board['title']}: the variable {name} offers nothing" for name, value in given.items() if not value]
    for panel, target in boards.targets(board):
        where = f"{board['title']} / {panel['title']} / {target['refId']}"
        for name in sorted(promql.metrics(target["expr"]) - exposition.names - OWN):
            found.append(f"{where}: /metrics has no {name}")
        try:
            expression = macros.interpolate(target["expr"], given)
            series = answer(prometheus, expression, None if target.get("instant") else start)
        except (macros.UnknownSyntax, ValueError) as error:
            found.append(f"{where}: {error}")
            continue
        if not series:
            empty.add(where)
        for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
            if any(label not in labels for labels in series):
                found.append(f"{where}: its legend names {label}, which not every series has")
        if panel["type"] == "stat" and len(series) > 1:
            found.append(f"{where}: {len(series)} series in a panel for one number")
    return found, empty
