"""The alarms that Grafana itself evaluates: config/grafana/alerting."""
import json

from readback import differences
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import alerting


def each(document):
    for group in document["groups"]:
        yield from group["rules"]


def queries(document):
    """The SQL of each alarm."""
    for item in each(document):
        yield item["title"], item["data"][0]["model"]["rawSql"]


def complaints(document, alarms):
    return [text for item in each(document) for text in about(item, alarms)]


def about(item, alarms):
    name = item["title"]
    if name not in alarms:
        yield f"{name}: no alarm of this name in config/prometheus/rules, and so none in the runbook"
    if item["annotations"]["runbook_url"] != f"$RUNBOOK_URL#{name.lower()}":
        yield f"{name}: does not lead to its section of the runbook"
    for state in ("noDataState", "execErrState"):
        if item.get(state) != "Alerting":
            yield f"{name}: {state} must be Alerting, or an alarm that cannot be evaluated is silent"
    query, threshold = item["data"]
    if query["datasourceUid"] != "aftercall-postgres" or query["model"]["format"] != "table":
        yield f"{name}: its query must be a table of aftercall-postgres"
    if item["condition"] != threshold["refId"] or threshold["model"]["expression"] != query["refId"]:
        yield f"{name}: its condition is not the threshold of its query"
    read = json.loads(json.dumps(alerting.Rule.from_json(item), cls=JSONEncoder))
    yield from differences(item, read, name)
