"""Reads a dashboard with Grafana's own SDK and writes it again.

The SDK is generated from the schemas that Grafana publishes; what it does not know, it drops. It adds members that have
a default: these additions are allowed, anything else that differs is not. Queries of PostgreSQL have no published
schema; the SDK takes them as they are, and the live checks run them.
"""
import json
import warnings

warnings.simplefilter("ignore")  # It recommends the schema of Grafana 13.

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard

register_default_plugins()


def differences(ours, theirs, where=""):
    """What is lost or changed on the way from `ours` to `theirs`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key not in theirs:
                yield f"{where}.{key} is not in the schema"
            else:
                yield from differences(value, theirs[key], f"{where}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (mine, other) in enumerate(zip(ours, theirs)):
            yield from differences(mine, other, f"{where}[{place}]")
    elif ours != theirs:
        yield f"{where} is {json.dumps(ours)}, read as {json.dumps(theirs)}"


def losses(board):
    try:
        read = dashboard.Dashboard.from_json(board)
        written = json.loads(json.dumps(read, cls=JSONEncoder))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"the SDK cannot read it: {error}"]
    return list(differences(board, written))
