"""Runs every statement of the dashboards as the role that Grafana has."""
import datetime
import decimal
import time

import psycopg

import alerts
import boards
import macros

# A panel that takes longer on a small database is wrong; on a large one tests/it/plans has the word.
TIME_LIMIT = 1.0
# What people look at, besides the range that a dashboard begins with.
RANGES = ["24h", "7d", "90d"]
NUMBER = (int, float, decimal.Decimal)


def rows(database, sql):
    """The columns and rows of a statement, or a complaint."""
    began = time.monotonic()
    try:
        cursor = database.execute(sql)
        found = cursor.fetchall()
    except psycopg.Error as error:
        return None, None, f"{str(error).splitlines()[0]}\n{sql}"
    took = time.monotonic() - began
    complaint = f"took {took:.2f} s" if took > TIME_LIMIT else None
    return [column.name for column in cursor.description], found, complaint


def values(board, database):
    """Every value that each variable offers, which is what `All` stands for."""
    found, complaints = {}, []
    for variable in boards.variables(board):
        if variable["type"] == "constant":
            found[variable["name"]] = variable["query"]
        elif variable["type"] == "query":
            columns, offered, complaint = rows(database, boards.query_text(variable))
            if complaint or len(columns) != 1 or not offered:
                complaints.append(f"{board['title']} / {variable['name']}: {complaint or 'offers nothing, and All is then no SQL'}")
            found[variable["name"]] = [str(value) for value, in offered or [("",)]]
    return found, complaints


def check(board, database, others=()):
    """The complaints about one dashboard, and which of its panels are empty. `others`: further values of variables."""
    given, found = values(board, database)
    empty = set()
    now = datetime.datetime.now(datetime.timezone.utc)
    usual = macros.start_of(board["time"])
    for panel, target in boards.targets(board):
        where = f"{board['title']} / {panel['title']} / {target['refId']}"
        own = macros.start_of({"from": f"now-{panel['timeFrom']}", "to": "now"}) if "timeFrom" in panel else usual
        lengths = [own] + [macros.start_of({"from": f"now-{text}", "to": "now"}) for text in RANGES]
        for place, length in enumerate(lengths):
            for values_now in [given, *others]:
                time_range = (now - length, now)
                interval = macros.interval_of(time_range, panel.get("interval"))
                try:
                    sql = macros.expand(target["rawSql"], time_range, interval, given | values_now)
                except macros.UnknownSyntax as error:
                    found.append(f"{where}: {error}")
                    continue
                columns, result, complaint = rows(database, sql)
                if complaint:
                    found.append(f"{where}: {complaint}")
                if columns is None:
                    continue
                found += [f"{where}: {text}" for text in shape(panel, target, columns, result)]
                if place == 0 and values_now is given and not has_values(target, columns, result):
                    empty.add(where)
    return sorted(set(found)), empty


def has_values(target, columns, result):
    """Whether there is anything to see."""
    shown = [place for place, column in enumerate(columns) if target["format"] != "time_series" or column != "time"]
    return any(isinstance(row[place], NUMBER) or target["format"] == "table" and row[place] is not None
               for row in result for place in shown)


def shape(panel, target, columns, result):
    """What Grafana needs of the result."""
    if len(set(columns)) != len(columns):
        yield f"two columns of one name: {columns}"
    if target["format"] == "time_series":
        if "time" not in columns:
            yield f"a time series without the column time: {columns}"
            return
        times = [row[columns.index("time")] for row in result]
        if any(moment is None for moment in times) or times != sorted(times):
            yield "its times are not in order"
        if any(isinstance(moment, datetime.datetime) and moment.tzinfo is None for moment in times):
            yield "its times have no zone"
        texts = [column for place, column in enumerate(columns) if any(isinstance(row[place], str) for row in result)]
        # Grafana names a series by the text of the column `metric`, if there are exactly these three.
        if texts and (texts != ["metric"] or len(columns) != 3):
            yield f"series are named by one column, `metric`, besides time and value: {columns}"
    elif panel["type"] == "timeseries":
        yield "a graph of a table"
    if panel["type"] == "stat" and (len(result) != 1 or len(columns) != 1):
        yield f"a number must be one row of one column, not {len(result)} of {len(columns)}"
    if panel["type"] == "stat" and result and result[0][0] is None and "noValue" not in panel["fieldConfig"]["defaults"]:
        yield "no number, and nothing to show instead (noValue)"


def check_alerts(document, database):
    """The SQL of an alarm always returns one number."""
    for name, sql in alerts.queries(document):
        columns, result, complaint = rows(database, sql)
        if complaint:
            yield f"{name}: {complaint}"
        elif len(result) != 1 or len(columns) != 1 or not isinstance(result[0][0], NUMBER):
            yield f"{name}: must return one row with one number, not {result}"


def role(database):
    """That the statements run as the role and under the limits of the data source."""
    user, timeout, read_only = database.execute(
        "select current_user, current_setting('statement_timeout'), current_setting('transaction_read_only')").fetchone()
    if (user, timeout, read_only) != ("aftercall_reader", "15s", "on"):
        yield f"the data source's role is {user}, with statement_timeout {timeout}, read only {read_only}"
