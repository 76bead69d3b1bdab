//! What `database.distributed` does to the schema obeys the rules of Citus. The tests do not have Citus: a stand-in
//! records which tables it is asked to distribute.
mod rules;
mod statements;

use std::collections::BTreeMap;

use aftercall::embedded::{Cluster, DATABASE};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::{
    embedded,
    process::Home,
    support::{db::TestDb, scratch::Scratch},
};

const PAGE: &str = include_str!("../../../docs/citus.md");

/// As much of the extension as `config/postgres/citus.sql` uses.
const STAND_IN: &str = "
    insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    values (70000, 'citus', 10, 'pg_catalog'::regnamespace, false, '0');
    create table public.pg_dist_partition (logicalrelid regclass, by text, with_table text);
    create function public.create_distributed_table(name text, by text, colocate_with text) returns void
    language sql as $$
        insert into public.pg_dist_partition values (to_regclass(name), by, colocate_with)
    $$;
    create view public.distributed as select t.relid::oid, d.by
    from public.pg_dist_partition d, pg_partition_tree(d.logicalrelid) t;";

/// A cluster of its own, as roles belong to a cluster.
struct Server {
    cluster: Cluster,
    db: PgConnection,
    home: Home,
    _folder: Scratch,
}

impl Server {
    async fn start() -> Self {
        let folder = Scratch::new();
        let cluster = embedded::start(folder.path()).await;
        cluster.create_database(DATABASE).await.unwrap();
        let admin = cluster.connect_options(DATABASE);
        let db = PgConnection::connect_with(&admin).await.unwrap();
        let home = Home::new()
            .set("DATABASE_URL", admin.to_url_lossy())
            .set("AFTERCALL__DATABASE__DISTRIBUTED", "true");
        Self { cluster, db, home, _folder: folder }
    }

    /// Migrated and distributed.
    async fn distributed() -> Self {
        let mut server = Self::start().await;
        sqlx::raw_sql(STAND_IN).execute(&mut server.db).await.unwrap();
        server.home.run(&["migrate"]).await.success();
        server
    }

    async fn rows(&mut self, query: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut self.db).await.unwrap()
    }

    async fn stop(self) {
        self.db.close().await.unwrap();
        self.cluster.stop().await;
    }
}

/// The tables of the page, with what the page says about them: the name of the section.
fn described() -> Vec<(&'static str, &'static str)> {
    let mut section = "";
    let mut tables = Vec::new();
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let Some(cell) = line.strip_prefix("| `").and_then(|line| line.split(" |").next()) else {
            continue;
        };
        tables.extend(cell.split(", ").map(|name| (name.trim_matches('`'), section)));
    }
    tables
}

#[tokio::test]
async fn without_the_extension_nothing_is_changed() {
    let mut server = Server::start().await;
    let told = server.home.run(&["migrate"]).await.failure(1);
    assert!(told.contains("no extension citus") && told.contains("docs/citus.md"), "{told}");
    let made =
        server.rows("select rolname::text from pg_roles where rolname ~ '^aftercall_'").await;
    assert_eq!(made, [""; 0]);
    assert_eq!(
        server.rows("select nspname::text from pg_namespace where nspname = 'aftercall'").await,
        [""; 0]
    );
    let local = server.home.set("AFTERCALL__DATABASE__DISTRIBUTED", "false");
    local.run(&["migrate"]).await.success();
    server.db.close().await.unwrap();
    server.cluster.stop().await;
}

#[tokio::test]
async fn the_embedded_database_is_not_distributed() {
    let home = Home::new().set("AFTERCALL__DATABASE__DISTRIBUTED", "true");
    let told = home.run(&["migrate"]).await.failure(78);
    assert!(told.contains("database.distributed needs database.url"), "{told}");
}

#[tokio::test]
async fn every_table_is_on_the_page_once_and_the_file_distributes_those_it_says() {
    let mut server = Server::distributed().await;
    // Again, as each upgrade does.
    server.home.run(&["migrate"]).await.success();
    let recorded = server.rows("select relname::text from pg_dist_partition join pg_class on oid = logicalrelid order by 1").await;
    let mut stated: Vec<_> = described()
        .into_iter()
        .filter(|(_, section)| *section == "What is distributed")
        .map(|(name, _)| name)
        .collect();
    stated.sort_unstable();
    assert_eq!(recorded, stated);
    let together = "select distinct with_table from pg_dist_partition order by 1";
    assert_eq!(server.rows(together).await, ["aftercall.results", "none"], "all on the same nodes");

    let mut mentions: BTreeMap<_, u32> = BTreeMap::new();
    for (name, _) in described() {
        *mentions.entry(name.to_owned()).or_default() += 1;
    }
    let tables = server
        .rows(
            "select relname::text from pg_class
            where relnamespace = 'aftercall'::regnamespace and relkind in ('r', 'p') and not relispartition",
        )
        .await;
    let expected: BTreeMap<_, u32> = tables.into_iter().map(|name| (name, 1)).collect();
    assert_eq!(
        mentions, expected,
        "docs/citus.md says of each table whether it is distributed, and why not"
    );
    server.stop().await;
}

#[tokio::test]
async fn owners_log_in_to_other_nodes_only_if_distributed() {
    let logs_in = "select rolcanlogin::text from pg_roles where rolname = 'aftercall_owner'";
    let mut server = Server::distributed().await;
    assert_eq!(server.rows(logs_in).await, ["true"]);
    server.stop().await;
    let db = TestDb::new().await;
    let answer: String = sqlx::query_scalar(logs_in).fetch_one(&db.pool).await.unwrap();
    assert_eq!(answer, "false");
}
