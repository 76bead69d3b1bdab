"""Runs every query of the dashboards against a live service: check_live.py <path of the aftercall binary>

In the environment of tests/clients/with-service.
"""
import copy
import sys
import time

import yaml

import boards
import check_promql
import check_sql
import rules
from may_be_empty import MAY_BE_EMPTY
from prometheus import Prometheus
from self_test import query
from world import Service, World

QUOTED = {"caller": ["o'brien", "(none)"]}


def sql(service):
    all_boards = [board for board in boards.load().values() if boards.kind(board) == boards.POSTGRES]
    document = yaml.safe_load(boards.ALERTING.read_text())
    found, empty = [], set()
    with service.database("aftercall_reader") as database:
        found += check_sql.role(database)
        for board in all_boards:
            complaints, nothing = check_sql.check(board, database, [QUOTED])
            found, empty = found + complaints, empty | nothing
        found += check_sql.check_alerts(document, database)
        found += sql_faults_are_found(all_boards[0], document, database)
    with service.database("aftercall_reader", service.empty_database()) as database:
        for board in all_boards:
            complaints, _ = check_sql.check(board, database)
            found += [f"without any data: {complaint}" for complaint in complaints]
        found += [f"without any data: {complaint}" for complaint in check_sql.check_alerts(document, database)]
    return found, empty


def sql_faults_are_found(board, document, database):
    """The checks of SQL find broken copies."""
    for name, old, new in [("no such view", "_v1", "_v9"), ("no time", " as time", " as day"), ("order", "order by 1", "order by 1 desc")]:
        broken = copy.deepcopy(board)
        target = query(broken, "Questions and interruptions by day")
        target["rawSql"] = target["rawSql"].replace(old, new)
        if name == "order":
            target["rawSql"] = f"select now() as time, 1 as x union all select now() - interval '1 day', 2 order by 1 desc"
        if not check_sql.check(broken, database)[0]:
            yield f"the check of SQL does not find: {name}"
    broken = copy.deepcopy(document)
    model = broken["groups"][0]["rules"][0]["data"][0]["model"]
    model["rawSql"] = "select oldest_seconds from reporting.queue_summary_v1 where false"
    if not list(check_sql.check_alerts(broken, database)):
        yield "the check of alarms does not find one without a row"


def metrics(service, prometheus, start):
    all_boards = boards.load()
    exposition = check_promql.Exposition(service.ops)
    found, empty = [], set()
    if not exposition.sampled:
        found.append("/metrics names no gauge of the whole service in its help")
    context = {"sampled": exposition.sampled, "alarms": set()}
    found += [f"{name}: {text}" for name, text in rules.complaints(all_boards, context) if name == "sampled"]
    for board in all_boards.values():
        if boards.kind(board) == boards.PROMETHEUS:
            complaints, nothing = check_promql.check(board, prometheus, exposition, start)
            found, empty = found + complaints, empty | nothing
            found += promql_faults_are_found(board, prometheus, exposition, start)
    return found, empty


def promql_faults_are_found(board, prometheus, exposition, start):
    """The checks of expressions find broken copies."""
    for name, old, new in [("no such metric", "aftercall_jobs", "aftercall_job"), ("no such label", "status", "state"), ("no PromQL", "max", "maximum")]:
        broken = copy.deepcopy(board)
        target = query(broken, "Unfinished jobs by state")
        target["expr"] = target["expr"].replace(old, new)
        if not check_promql.check(broken, prometheus, exposition, start)[0]:
            yield f"the check of expressions does not find: {name}"


def main(binary):
    service = Service(binary)
    start = time.time()
    with Prometheus(service.ops, "1s") as prometheus, service.database() as database:
        prometheus.wait_for(lambda: prometheus.query('up{job="aftercall"} == 1'), "the service is scraped")
        World(service, database).happens()
        found, empty = sql(service)
        sampled_since = f"max(aftercall_samples_timestamp_seconds) > {time.time()}"
        prometheus.wait_for(lambda: prometheus.query(sampled_since), "the sampler has seen it all")
        more, nothing = metrics(service, prometheus, start)
        found, empty = found + more, empty | nothing
    found += [f"{where} is empty" for where in sorted(empty - MAY_BE_EMPTY.keys())]
    found += [f"{where} is not empty: take it off may_be_empty.py" for where in sorted(MAY_BE_EMPTY.keys() - empty)]
    print("\n".join(found))
    if found:
        sys.exit(f"{len(found)} complaints about the queries of the dashboards")
    queries = sum(len(list(boards.targets(board))) for board in boards.load().values())
    print(f"{queries} queries answered, {len(empty)} of them empty as expected")


if __name__ == "__main__":
    main(sys.argv[1])
