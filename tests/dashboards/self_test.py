"""Tests of the tests: each rule finds a broken copy, and macros expand as Grafana documents it."""
import datetime
import unittest

import yaml

import alerts
import boards
import check_files
import macros
import promql
import readback
import rules

CONTEXT = {"sampled": {"aftercall_jobs"}, "alarms": set()}


def panel(board, title):
    return next(panel for panel in boards.panels(board) if panel["title"] == title)


def query(board, title):
    return panel(board, title)["targets"][0]


def replace(board, title, old, new):
    target = query(board, title)
    key = "rawSql" if "rawSql" in target else "expr"
    assert old in target[key], (title, old)
    target[key] = target[key].replace(old, new)


# How each rule is broken: the dashboard, and what is done to it.
BREAKS = {
    "identity": ("service", lambda b: b.update(id=17)),
    "data_source": ("service", lambda b: query(b, "CPU").update(datasource={"type": "prometheus", "uid": "P1809F7CD0C75ACF3"})),
    "words": ("operations", lambda b: panel(b, "Queue")["fieldConfig"]["defaults"].pop("unit")),
    "layout": ("operations", lambda b: panel(b, "Queue")["gridPos"].update(x=0)),
    "stat_row_first": ("service", lambda b: b["panels"].insert(0, panel(b, "CPU") | {"id": 999, "gridPos": {"x": 0, "y": 999, "w": 8, "h": 8}})),
    "known_variables": ("conversations", lambda b: panel(b, "Topics").update(description="About the topics of $tenant.")),
    "all_value": ("operations", lambda b: boards.variables(b)[1].update(allValue="$__all")),
    "rate_interval": ("service", lambda b: replace(b, "CPU", "$__rate_interval", "5m")),
    "counters": ("service", lambda b: replace(b, "CPU", "process_cpu_seconds_total", "process_open_fds")),
    "quantiles": ("service", lambda b: replace(b, "Size of deliveries", "by (le)", "by (instance)")),
    "sampled": ("service", lambda b: replace(b, "Unfinished jobs by state", "max by", "sum by")),
    "legends": ("service", lambda b: query(b, "CPU").update(legendFormat="__auto")),
    "quoting": ("operations", lambda b: replace(b, "Queue", "${caller:sqlstring}", "$caller")),
    "time_range": ("operations", lambda b: replace(b, "Ended by status", "$__timeFilter(hour)", "true")),
    "macro_arguments": ("operations", lambda b: replace(b, "Ended by status", "$__timeFilter(hour)", "$__timeFilter(date_trunc('day', hour))")),
    "reporting_only": ("operations", lambda b: replace(b, "Queue", "reporting.queue_v1", "aftercall.jobs")),
    "links": ("service", lambda b: b["links"].pop()),
    "alarms_have_panels": ("service", lambda b: None),
}


class Rules(unittest.TestCase):
    def broken(self, name):
        all_boards = boards.load()
        file, damage = BREAKS[name]
        context = {"sampled": CONTEXT["sampled"], "alarms": linked_alarms(all_boards)}
        if name == "alarms_have_panels":
            context["alarms"].add("AftercallForgotten")
        damage(all_boards[file])
        return {found for found, _ in rules.complaints(all_boards, context)}

    def test_the_dashboards_keep_them_all(self):
        all_boards = boards.load()
        context = CONTEXT | {"alarms": linked_alarms(all_boards)}
        self.assertEqual(rules.complaints(all_boards, context), [])

    def test_each_finds_a_broken_copy(self):
        self.assertEqual(set(BREAKS), {check.__name__ for check in rules.RULES}, "one broken copy for each rule")
        for name in BREAKS:
            with self.subTest(name):
                self.assertIn(name, self.broken(name))


def linked_alarms(all_boards):
    links = (link for board in all_boards.values() for item in boards.panels(board) for link in item.get("links", []))
    return {link["title"].removeprefix("Runbook: ") for link in links}


class Readback(unittest.TestCase):
    def test_finds_what_the_schema_does_not_have(self):
        board = boards.load()["service"]
        panel(board, "CPU")["desciption"] = "misspelt"
        self.assertEqual(len(readback.losses(board)), 1)

    def test_finds_a_value_that_the_schema_does_not_allow(self):
        board = boards.load()["service"]
        panel(board, "CPU")["fieldConfig"]["defaults"]["color"]["mode"] = 7
        panel(board, "CPU")["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": "none"}
        self.assertNotEqual(readback.losses(board), [])


class Alerts(unittest.TestCase):
    def complaints(self, damage):
        document = yaml.safe_load(boards.ALERTING.read_text())
        names = {item["title"] for item in alerts.each(document)}
        damage(next(alerts.each(document)))
        return alerts.complaints(document, names)

    def test_the_file_has_no_faults(self):
        self.assertEqual(self.complaints(lambda item: None), [])

    def test_faults_are_found(self):
        for damage in [
            lambda item: item.pop("noDataState"),
            lambda item: item.update(execErrState="OK"),
            lambda item: item.update(title="AftercallOther"),
            lambda item: item.update(condition="value"),
            lambda item: item["data"][0].update(datasourceUid="mine"),
            lambda item: item.update(misspelt=1),
            lambda item: item["annotations"].update(runbook_url="https://example.com"),
        ]:
            with self.subTest(damage):
                self.assertNotEqual(self.complaints(damage), [])


class Provisioning(unittest.TestCase):
    def complaints(self, damage):
        sources, providers = check_files.sources(), check_files.providers()
        damage(*sources, *providers)
        return list(check_files.provisioning(boards.load(), sources, providers))

    def test_the_files_have_no_faults(self):
        self.assertEqual(self.complaints(lambda prometheus, postgres, provider: None), [])

    def test_faults_are_found(self):
        for damage in [
            lambda prometheus, postgres, provider: prometheus.update(type="loki"),
            lambda prometheus, postgres, provider: postgres.update(user="aftercall"),
            lambda prometheus, postgres, provider: postgres["secureJsonData"].update(password="secret"),
            lambda prometheus, postgres, provider: provider["options"].update(path="/dashboards"),
        ]:
            with self.subTest(damage):
                self.assertEqual(len(self.complaints(damage)), 1)


class Macros(unittest.TestCase):
    """The examples of the documentation, and the cases that Grafana's own tests have."""
    start = datetime.datetime(2018, 4, 12, 18, 0, tzinfo=datetime.timezone.utc)
    time_range = (start, start + datetime.timedelta(minutes=5))

    def expand(self, sql, interval="5m", **values):
        return macros.expand(sql, self.time_range, interval, values)

    def test_documented_forms(self):
        first, last = "'2018-04-12T18:00:00.000000Z'", "'2018-04-12T18:05:00.000000Z'"
        for given, expected in [
            ("$__time(at)", 'at AS "time"'),
            ("$__timeEpoch(at)", 'extract(epoch from at) as "time"'),
            ("$__timeFilter(at)", f"at BETWEEN {first} AND {last}"),
            ("$__timeFrom()", first),
            ("$__timeTo()", last),
            ("$__timeGroup(at,'5m')", "floor(extract(epoch from at)/300)*300"),
            ("$__timeGroup(at , '5m')", "floor(extract(epoch from at)/300)*300"),
            ("$__timeGroupAlias(at, $__interval)", 'floor(extract(epoch from at)/300)*300 AS "time"'),
            ("$__timeGroupAlias(at, '20ms')", 'floor(extract(epoch from at)/0.02)*0.02 AS "time"'),
            ("$__unixEpochFilter(at)", "at >= 1523556000 AND at <= 1523556300"),
            ("interval '$__interval', $__interval_ms", "interval '5m', 300000"),
        ]:
            self.assertEqual(self.expand("select " + given), "select " + expected)

    def test_values_are_quoted(self):
        self.assertEqual(self.expand("in (${x:sqlstring})", x=["a", "o'brien"]), "in ('a','o''brien')")
        self.assertEqual(self.expand("= ${x:sqlstring}", x="a"), "= 'a'")

    def test_what_grafana_would_not_expand_is_an_error(self):
        for text in ("$__timeGrop(at, '5m')", "$__timeFilter()x$__foo(", "${other:sqlstring}", "$__timeGroup(at)", "$other",
                     "${x:csv}", "$__all"):
            with self.subTest(text), self.assertRaises(macros.UnknownSyntax):
                self.expand(text, x=["a"])

    def test_intervals(self):
        day = (self.start, self.start + datetime.timedelta(days=1))
        self.assertEqual(macros.interval_of(day, None), "2m")
        self.assertEqual(macros.interval_of(day, "1h"), "1h")


class Expressions(unittest.TestCase):
    def test_metrics_are_found_and_nothing_else(self):
        expression = 'sum by (le, status) (rate(a_total{x="b and c"}[$__rate_interval])) / on () group_left () max(d) or vector(0)'
        self.assertEqual(promql.metrics(expression), {"a_total", "d"})
        self.assertEqual(promql.windows(expression), [("rate", "$__rate_interval")])

    def test_surroundings(self):
        self.assertTrue(promql.only_within("time() - max by (x) (d > 0)", "d", ("max",)))
        self.assertFalse(promql.only_within("max(c) + d", "d", ("max",)))
        self.assertFalse(promql.only_within("max(d) + sum(d)", "d", ("max",)))
        self.assertTrue(promql.only_within("1 - max by (g) (d) / max by (g) (e)", "e", ("max",)))


if __name__ == "__main__":
    unittest.main()
