//! The columns of the views are a contract: dashboards that others wrote read them.
use std::collections::BTreeSet;

use crate::support::{db::TestDb, fixture};

const FILE: &str = "reporting.columns";

/// Each column with its type and its description, as in [`FILE`].
async fn columns(db: &TestDb) -> BTreeSet<String> {
    let query =
        "select format('%s.%s %s: %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
            col_description(c.oid, a.attnum))
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'reporting'::regnamespace";
    sqlx::query_scalar(query).fetch_all(&db.pool).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn views_keep_their_columns_with_types_and_meanings() {
    let there = columns(&TestDb::new().await).await;
    let known: BTreeSet<String> = fixture(FILE).lines().map(str::to_owned).collect();
    let gone: Vec<_> = known.difference(&there).collect();
    assert!(
        gone.is_empty(),
        "dashboards read these columns as tests/fixtures/{FILE} describes them; keep the view as it is, and make a new \
         version of it (such as jobs_v2) for the change. A description that only became clearer may be changed in \
         the file: {gone:#?}"
    );
    let new: Vec<_> = there.difference(&known).collect();
    assert!(
        new.is_empty(),
        "add these lines to tests/fixtures/{FILE}, in the order of the file; from now on they stay: {new:#?}"
    );
}

#[tokio::test]
async fn every_column_is_explained() {
    let db = TestDb::new().await;
    let query = "select c.relname || coalesce('.' || a.attname, '')
        from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'reporting'::regnamespace
            and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)";
    let silent: Vec<String> = sqlx::query_scalar(query).fetch_all(&db.pool).await.unwrap();
    assert_eq!(silent, [""; 0], "comment on these in the migration that makes them");
}

#[tokio::test]
async fn the_page_names_every_view() {
    let page = include_str!("../../../docs/reporting.md");
    let there = columns(&TestDb::new().await).await;
    let views: BTreeSet<&str> = there.iter().filter_map(|line| line.split('.').next()).collect();
    let missing: Vec<_> =
        views.into_iter().filter(|view| !page.contains(&format!("`{view}`"))).collect();
    assert_eq!(missing, [""; 0], "not in docs/reporting.md");
}
