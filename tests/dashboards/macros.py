"""Expands what Grafana expands in a query before it is sent.

Variables: https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/. Macros of PostgreSQL:
https://grafana.com/docs/grafana/latest/datasources/postgres/query-editor/#macros. What is not known here is an error,
because Grafana would send it to the database as it is, or fail.
"""
import datetime
import re

from boards import VARIABLE

# Like Grafana, finds the end of a macro at the first closing parenthesis and splits its arguments at every comma.
MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
# The intervals that a query is rounded to: https://grafana.com/docs/grafana/latest/dashboards/variables/add-template-variables/
STEPS = ["1s", "2s", "5s", "10s", "15s", "20s", "30s", "1m", "2m", "5m", "10m", "15m", "20m", "30m", "1h", "2h", "3h",
         "6h", "12h", "1d", "7d", "30d"]
DATA_POINTS = 1000


class UnknownSyntax(Exception):
    pass


def seconds(interval):
    match = re.fullmatch(r"(\d+)(ms|[smhdw])", interval)
    if not match:
        raise UnknownSyntax(f"not an interval: {interval}")
    return int(match[1]) * UNITS[match[2]]


def interval_of(time_range, least):
    """`$__interval`: the range over the width of the panel, rounded, and no shorter than the panel's own minimum."""
    start, end = time_range
    wanted = max((end - start).total_seconds() / DATA_POINTS, seconds(least or "1s"))
    return next((step for step in STEPS if seconds(step) >= wanted), STEPS[-1])


def start_of(time):
    """A dashboard's time range, such as now-6h to now."""
    match = re.fullmatch(r"now-(\d+[smhdw])", time["from"])
    if not match or time["to"] != "now":
        raise UnknownSyntax(f"not a range that ends now: {time}")
    return datetime.timedelta(seconds=seconds(match[1]))


def sqlstring(value):
    """The format `sqlstring`: quoted and separated by commas, for `in (…)`."""
    if isinstance(value, list):
        return ",".join(sqlstring(item) for item in value)
    return "'" + value.replace("'", "''").replace('"', '\\"') + "'"


def interpolate(text, values):
    """Replaces the variables that have a value. Others stay: macros look like variables."""
    def replace(match):
        long, long_format, old, old_format, short = match.groups()
        name, form = long or old or short, long_format or old_format
        if name not in values:
            if long or old or not name.startswith("__"):
                raise UnknownSyntax(f"no such variable: {match[0]}")
            return match[0]
        value = values[name]
        if form == "sqlstring":
            return sqlstring(value)
        if form is None and isinstance(value, str):
            return value
        raise UnknownSyntax(f"not supported by this test: {match[0]} with {value!r}")
    return VARIABLE.sub(replace, text)


def expand(sql, time_range, interval, values):
    """The statement that PostgreSQL gets."""
    start, end = (moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for moment in time_range)

    def macro(match):
        name, arguments = match[1], [argument.strip() for argument in match[2].split(",")]
        column = arguments[0]
        match name, len(arguments):
            case "__time", 1:
                return f'{column} AS "time"'
            case "__timeEpoch", 1:
                return f'extract(epoch from {column}) as "time"'
            case "__timeFilter", 1:
                return f"{column} BETWEEN '{start}' AND '{end}'"
            case "__timeFrom", 1 if not column:
                return f"'{start}'"
            case "__timeTo", 1 if not column:
                return f"'{end}'"
            case "__timeGroup" | "__timeGroupAlias", 2:
                size = format(seconds(arguments[1].strip("'")), "g")
                group = f"floor(extract(epoch from {column})/{size})*{size}"
                return group + (' AS "time"' if name.endswith("Alias") else "")
            case "__unixEpochFilter", 1:
                first, last = (int(moment.timestamp()) for moment in time_range)
                return f"{column} >= {first} AND {column} <= {last}"
        raise UnknownSyntax(f"not supported by this test: {match[0]}")

    milliseconds = format(seconds(interval) * 1000, "g")
    sql = interpolate(sql, {"__interval": interval, "__interval_ms": milliseconds} | values)
    sql = MACRO.sub(macro, sql)
    left = re.search(r"\$_*[A-Za-z{]\w*", sql)
    if left:
        raise UnknownSyntax(f"not supported by this test: {left[0]}")
    return sql
