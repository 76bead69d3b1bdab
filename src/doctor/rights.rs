//! What the database's role may do, compared with what the service needs.
use sqlx::PgPool;

use super::Finding;

const CHECK: &str = "rights";

pub async fn rights(db: &PgPool, is_production: bool) -> sqlx::Result<Finding> {
    let role = sqlx::query!(
        r#"
        select rolname::text as "name!", rolsuper as "is_superuser!",
            to_regclass('aftercall.jobs') is not null as "has_schema!"
        from pg_roles where rolname = current_user
        "#
    )
    .fetch_one(db)
    .await?;
    let name = role.name;
    if !role.has_schema {
        let advice = "run `aftercall migrate`, then run this again";
        return Ok(Finding::warn(CHECK, format!("{name} sees no schema aftercall yet"), advice));
    }
    let missing = missing(db).await?;
    if !missing.is_empty() {
        let detail = format!("{name} may not {}", missing.join(", "));
        let advice = "run `aftercall migrate` as the owner, which grants them";
        return Ok(Finding::fail(CHECK, detail, advice));
    }
    if let Err(error) = create_partitions(db).await {
        let detail = format!("{name} cannot create partitions: {error}");
        let advice =
            "the function aftercall.ensure_partitions must belong to the owner of the tables";
        return Ok(Finding::fail(CHECK, detail, advice));
    }
    let detail = format!("{name} reads, writes and creates partitions");
    if role.is_superuser {
        let detail = format!("{detail}, but is a superuser");
        let advice = "connect as a role that owns nothing: docs/deployment.md, \"Database roles\"";
        let finding = if is_production { Finding::fail } else { Finding::warn };
        return Ok(finding(CHECK, detail, advice.to_owned()));
    }
    Ok(Finding::ok(CHECK, detail))
}

/// Rights on tables and functions that the service uses.
async fn missing(db: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select lower(wanted) || ' ' || c.oid::regclass as "what!"
        from pg_class c, unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) wanted
        where c.relnamespace = 'aftercall'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and c.relname <> 'schema_migrations' and not has_table_privilege(c.oid, wanted)
        union all
        select 'call ' || p.oid::regprocedure
        from pg_proc p
        where p.pronamespace = 'aftercall'::regnamespace and p.prosecdef
            and not has_function_privilege(p.oid, 'EXECUTE')
        order by 1 limit 5
        "#
    )
    .fetch_all(db)
    .await
}

/// Calls the function for the current month, and undoes it.
async fn create_partitions(db: &PgPool) -> sqlx::Result<()> {
    let mut tx = crate::db::begin(db).await?;
    sqlx::query!("set local lock_timeout = '2s'").execute(&mut *tx).await?;
    sqlx::query_scalar!(r#"select aftercall.ensure_partitions(0) as "made!""#)
        .fetch_one(&mut *tx)
        .await?;
    tx.rollback().await
}
