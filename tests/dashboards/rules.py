"""The rules that every dashboard keeps, as functions from all dashboards to complaints."""
import re

import boards
import macros
import promql

RULES = []


def rule(check):
    RULES.append(check)
    return check


def complaints(all_boards, context):
    """Every complaint as (name of the rule, text)."""
    return [(check.__name__, text) for check in RULES for text in check(all_boards, context)]


def each_panel(all_boards):
    for board in all_boards.values():
        for panel in boards.panels(board):
            yield board, panel, f"{board['title']} / {panel.get('title') or panel['id']}"


def each_query(all_boards, wanted):
    """Each query in the language of one data source: the board, what it belongs to, where it is, its text."""
    for board in all_boards.values():
        if boards.kind(board) == wanted:
            for panel, target in boards.targets(board):
                yield board, panel, f"{board['title']} / {panel['title']}", target.get("rawSql") or target.get("expr", "")


@rule
def identity(all_boards, _):
    """A fixed UID and no id, so that it can be imported again and linked to."""
    for name, board in all_boards.items():
        if board.get("uid") != f"aftercall-{name}" or "id" in board:
            yield f"{name}: its uid must be aftercall-{name}, and it must have no id"
        if not board.get("title") or not board.get("description") or "aftercall" not in board.get("tags", []):
            yield f"{name}: needs a title, a description and the tag aftercall"


@rule
def data_source(all_boards, _):
    """Everything asks the data source of the variable, so that a copy works elsewhere."""
    for board in all_boards.values():
        if boards.variables(board)[0]["name"] != "datasource":
            yield f"{board['title']}: its first variable must be the data source"
        asking = [(panel["title"], panel) for panel in boards.panels(board)]
        asking += [(panel["title"], target) for panel, target in boards.targets(board)]
        asking += [(item["name"], item) for item in boards.variables(board) if item["type"] == "query"]
        for name, item in asking:
            if item.get("datasource") != {"type": boards.kind(board), "uid": "${datasource}"}:
                yield f"{board['title']} / {name}: its data source must be ${{datasource}}"


@rule
def words(all_boards, _):
    """Every panel says what it shows, what that means, and in which unit."""
    for _, panel, where in each_panel(all_boards):
        if not panel.get("title"):
            yield f"{where}: no title"
        if len(panel.get("description", "")) < 20:
            yield f"{where}: no description, or hardly one"
        if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
            yield f"{where}: no unit"


@rule
def layout(all_boards, _):
    """Ids are unique, and no panel lies over another or outside the 24 columns."""
    for board in all_boards.values():
        taken, ids = {}, set()
        for panel in board["panels"]:
            name, pos = panel.get("title") or panel["id"], panel["gridPos"]
            if panel["id"] in ids:
                yield f"{board['title']} / {name}: its id is not unique"
            ids.add(panel["id"])
            if pos["x"] + pos["w"] > 24:
                yield f"{board['title']} / {name}: wider than the dashboard"
            cells = {(x, y) for x in range(pos["x"], pos["x"] + pos["w"]) for y in range(pos["y"], pos["y"] + pos["h"])}
            for other in {taken[cell] for cell in cells if cell in taken}:
                yield f"{board['title']} / {name}: lies over {other}"
            taken |= dict.fromkeys(cells, name)
            references = [target["refId"] for target in panel.get("targets", [])]
            if len(references) != len(set(references)):
                yield f"{board['title']} / {name}: two queries with one refId"


@rule
def stat_row_first(all_boards, _):
    """The first screen answers whether all is well: numbers, before anything that has to be read."""
    for board in all_boards.values():
        if any(panel["type"] != "stat" for panel in board["panels"][:6]):
            yield f"{board['title']}: does not begin with six numbers"


@rule
def known_variables(all_boards, _):
    """No variable is used that is not there, or there and not used."""
    for board in all_boards.values():
        names = {variable["name"] for variable in boards.variables(board)}
        used = {name for text in boards.strings(board) for name, _ in boards.used_variables(text)}
        # Built-in ones begin with two underscores.
        for name in sorted(name for name in used - names if not name.startswith("__")):
            yield f"{board['title']}: uses the variable {name}, which it does not have"
        for name in sorted(names - used):
            yield f"{board['title']}: does not use its variable {name}"


@rule
def all_value(all_boards, _):
    """`All` expands to the values. One that begins with `$__` would be sent as a text."""
    for board in all_boards.values():
        for variable in boards.variables(board):
            if str(variable.get("allValue") or "").startswith("$__"):
                yield f"{board['title']} / {variable['name']}: allValue {variable['allValue']} is no value"


@rule
def rate_interval(all_boards, _):
    """A shorter window than `$__rate_interval` may have a single sample, and the rate is then empty."""
    for _, panel, where, text in each_query(all_boards, boards.PROMETHEUS):
        for function, window in promql.windows(text):
            named = window in panel["title"] + " ".join(boards.strings(panel["targets"]))
            if function != "increase" and window != "$__rate_interval" or window == "$__interval" or not named:
                yield f"{where}: {function} over {window} instead of $__rate_interval"


@rule
def counters(all_boards, _):
    """A counter says something only by its rate, and a rate only of a counter."""
    for _, _, where, text in each_query(all_boards, boards.PROMETHEUS):
        bare = promql.without_rates(text)
        for name in promql.metrics(bare):
            if re.search(r"_(total|bucket|sum|count)$", name):
                yield f"{where}: {name} without rate or increase"
        for name in promql.metrics(text) - promql.metrics(bare):
            if not re.search(r"_(total|bucket|sum|count)$", name):
                yield f"{where}: rate of {name}, which is no counter"


@rule
def quantiles(all_boards, _):
    """Quantiles need the label `le`."""
    for _, _, where, text in each_query(all_boards, boards.PROMETHEUS):
        for _ in range(text.count("histogram_quantile(") - len(re.findall(r"by \(le[,)]", text))):
            yield f"{where}: histogram_quantile without `by (le, …)`"


@rule
def sampled(all_boards, context):
    """Every replica shows the sampled values: added up, they would be multiplied."""
    for _, _, where, text in each_query(all_boards, boards.PROMETHEUS):
        for name in sorted(promql.metrics(text) & context["sampled"]):
            if not promql.only_within(text, name, ("max", "min")):
                yield f"{where}: {name} is shown by every replica; use max by (…)"


@rule
def legends(all_boards, _):
    """Every series of a graph has a name."""
    for board in all_boards.values():
        for panel, target in boards.targets(board):
            if "expr" in target and panel["type"] == "timeseries" and target.get("legendFormat") in (None, "", "__auto"):
                yield f"{board['title']} / {panel['title']} / {target['refId']}: no legend"


@rule
def quoting(all_boards, _):
    """Values in SQL are quoted by Grafana: `${name:sqlstring}`."""
    for board, _, where, text in each_query(all_boards, boards.POSTGRES):
        names = {variable["name"] for variable in boards.variables(board)}
        for name, form in boards.used_variables(text):
            if name in names and form != "sqlstring":
                yield f"{where}: {name} is not quoted; write ${{{name}:sqlstring}}"


@rule
def time_range(all_boards, _):
    """A graph of SQL asks for the selected time, not for everything."""
    for _, panel, where, text in each_query(all_boards, boards.POSTGRES):
        if panel["type"] == "timeseries" and not re.search(r"\$__(timeFilter|timeFrom)\(", text):
            yield f"{where}: its query has no time range"


@rule
def macro_arguments(all_boards, _):
    """Grafana ends a macro at the first closing parenthesis."""
    for _, _, where, text in each_query(all_boards, boards.POSTGRES):
        for match in macros.MACRO.finditer(text):
            if "(" in match[2]:
                yield f"{where}: {match[0]} has a parenthesis in its arguments"


@rule
def reporting_only(all_boards, _):
    """Only the versioned views keep their columns."""
    for board, _, where, text in each_query(all_boards, boards.POSTGRES):
        for name in re.findall(r"\b(?:from|join)\s+(?!lateral\b)(\w+\.\w+)", text):
            if not re.fullmatch(r"reporting\.\w+_v\d+", name):
                yield f"{where}: reads {name}, which is no versioned view"


@rule
def links(all_boards, context):
    """Links lead somewhere: to a dashboard that is here, or to the runbook section of an alarm."""
    uids = {board["uid"] for board in all_boards.values()}
    for board in all_boards.values():
        linked = {link["url"].removeprefix("/d/") for link in board.get("links", [])}
        for uid in sorted(uids - {board["uid"]} - linked):
            yield f"{board['title']}: no link to {uid}"
        for uid in sorted(linked - uids):
            yield f"{board['title']}: a link to {uid}, which is not here"
    for _, panel, where in each_panel(all_boards):
        for link in panel.get("links", []):
            alarm = link["title"].removeprefix("Runbook: ")
            if alarm not in context["alarms"]:
                yield f"{where}: a link to the alarm {alarm}, which is not here"
            elif link["url"] != "${runbook}#" + alarm.lower():
                yield f"{where}: its link to {alarm} does not lead to its section"


@rule
def alarms_have_panels(all_boards, context):
    """For each alarm there is a panel that shows what it looks at."""
    linked = {link["title"].removeprefix("Runbook: ") for _, panel, _ in each_panel(all_boards) for link in panel.get("links", [])}
    for alarm in sorted(context["alarms"] - linked):
        yield f"no panel links to the runbook section of {alarm}"
