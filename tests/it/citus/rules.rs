//! What Citus demands of distributed tables, asked of the catalog. All other tables are on the coordinator only.
use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::Server;

/// A rule: which objects violate it, and a change that would.
struct Rule {
    demand: &'static str,
    violations: &'static str,
    breach: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        demand: "a unique key contains the distribution column",
        violations: "select i.indexrelid::regclass::text
            from pg_index i join distributed d on d.relid = i.indrelid
            where (i.indisunique or i.indisexclusion) and not exists (
                select from pg_attribute a
                where a.attrelid = i.indrelid and a.attname = d.by
                  and a.attnum = any (i.indkey[0:i.indnkeyatts - 1]))",
        breach: "do $$ begin
            execute format('create unique index breach on aftercall.%I (seq) include (job_id)',
                to_char(now() at time zone 'UTC', '\"questions\"_\"y\"YYYY\"m\"MM'));
            end $$",
    },
    Rule {
        demand: "a foreign key refers from job to job of distributed tables, or from table to table of others",
        violations: "select c.conname::text
            from pg_constraint c
            left join distributed f on f.relid = c.conrelid
            left join distributed t on t.relid = c.confrelid
            where c.contype = 'f' and c.conparentid = 0 and (f.relid is not null or t.relid is not null) and not exists (
                select from unnest(c.conkey, c.confkey) as k (own, other)
                join pg_attribute o on o.attrelid = c.conrelid and o.attnum = k.own and o.attname = f.by
                join pg_attribute x on x.attrelid = c.confrelid and x.attnum = k.other and x.attname = t.by)",
        breach: "alter table aftercall.attempts add constraint breach
            foreign key (job_id) references aftercall.results not valid",
    },
    Rule {
        demand: "a distributed table has no trigger",
        violations: "select t.tgname::text from pg_trigger t
            join distributed d on d.relid = t.tgrelid where not t.tgisinternal and t.tgparentid = 0",
        breach: "create trigger breach after insert on aftercall.results
            for each row execute function aftercall.tag_job()",
    },
    Rule {
        demand: "no function refers to distributed tables: a trigger of another table may run it",
        violations: "select distinct p.proname::text from pg_proc p, pg_dist_partition d join pg_class c on c.oid = d.logicalrelid
            where p.prokind = 'f' and p.pronamespace in ('aftercall'::regnamespace, 'reporting'::regnamespace)
              and pg_get_functiondef(p.oid) ~ ('aftercall[.]' || c.relname || '\\M')",
        breach: "create function aftercall.breach() returns bigint language sql
            as $$ select count(*) from aftercall.speakers $$",
    },
    Rule {
        demand: "no column is numbered by a sequence: each node would have its own",
        violations: "select format('%s.%s', a.attrelid::regclass, a.attname)
            from pg_attribute a join pg_dist_partition d on d.logicalrelid = a.attrelid
            left join pg_attrdef v on (v.adrelid, v.adnum) = (a.attrelid, a.attnum)
            where a.attidentity <> '' or pg_get_expr(v.adbin, v.adrelid) like '%nextval(%'",
        breach: "alter table aftercall.speakers add column breach bigint
            default nextval('aftercall.job_event_positions')",
    },
    Rule {
        demand: "no default depends on the transaction of a node",
        violations: "select format('%s.%s', a.attrelid::regclass, a.attname)
            from pg_attribute a join pg_dist_partition d on d.logicalrelid = a.attrelid
            join pg_attrdef v on (v.adrelid, v.adnum) = (a.attrelid, a.attnum)
            where pg_get_expr(v.adbin, v.adrelid) ~ 'xact|snapshot|xid'",
        breach: "alter table aftercall.speakers add column breach_xid xid8 default pg_current_xact_id()",
    },
    Rule {
        demand: "the distribution column is the job's id, which every row has",
        violations: "select d.logicalrelid::text from pg_dist_partition d
            left join pg_attribute a on a.attrelid = d.logicalrelid and a.attname = d.by
            where d.by <> 'job_id' or a.atttypid is distinct from 'uuid'::regtype or not a.attnotnull",
        breach: "update pg_dist_partition set by = 'text' where logicalrelid = 'aftercall.questions'::regclass",
    },
    Rule {
        demand: "no table inherits from a distributed one except its partitions",
        violations: "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
            join pg_dist_partition d on d.logicalrelid = i.inhparent
            where c.relkind in ('r', 'p', 'f') and (not c.relispartition or c.relkind <> 'r')",
        breach: "create table aftercall.breach_part partition of aftercall.speakers
            for values from ('ff000000-0000-0000-0000-000000000000') to ('ffff0000-0000-0000-0000-000000000000')
            partition by range (job_id)",
    },
];

#[tokio::test]
async fn distributed_tables_obey_the_rules_and_breaches_are_found() {
    let mut server = Server::distributed().await;
    for rule in RULES {
        assert_eq!(server.rows(rule.violations).await, [""; 0], "{}", rule.demand);
    }
    for rule in RULES {
        sqlx::raw_sql(AssertSqlSafe(rule.breach)).execute(&mut server.db).await.unwrap();
        let found: BTreeSet<_> = server.rows(rule.violations).await.into_iter().collect();
        assert_eq!(found.len(), 1, "a breach of: {}: {found:?}", rule.demand);
    }
    server.stop().await;
}
