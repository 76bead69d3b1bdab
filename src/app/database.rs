//! Makes the database ready at the start: waits for it, migrates it, and checks who the service is there.
use anyhow::Context as _;
use sqlx::PgPool;

use super::{open_seal, pool_options, published};
use crate::{
    config::{ConfigError, Settings},
    db::{self, LoginRole, PoolOptions, Primary, Sessions},
    events::{self, Listening},
    partitions, reporting,
    seal::Seal,
    supervise::Lifecycle,
};

/// A signal arrived before there was anything to run.
#[derive(Debug, thiserror::Error)]
#[error("stopped while waiting for the database")]
pub struct ToldToStop;

/// Waits for the database, and finds out how it can be listened to. `direct`: the servers of `database.listen_url`, if it is
/// set.
pub(super) async fn wait_for_database(
    primary: &Primary,
    direct: Option<&Primary>,
    settings: &Settings,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Listening> {
    for awaited in std::iter::once(primary).chain(direct) {
        tokio::select! {
            there = awaited.wait_for(settings.database.start_timeout) => {
                there.context("cannot connect to the database")?;
            }
            () = lifecycle.draining.cancelled() => return Err(ToldToStop.into()),
        }
    }
    listening(primary.pool(), direct.unwrap_or(primary).pool()).await
}

/// Refuses a pooler behind which nothing works, and finds out whether connections with the options of `direct` can listen.
async fn listening(db: &PgPool, direct: &PgPool) -> anyhow::Result<Listening> {
    for pool in [db, direct] {
        if let Some((what, advice)) = db::sessions(&pool.connect_options()).await?.obstacle() {
            return Err(ConfigError(vec![format!("{what}: {advice}")]).into());
        }
    }
    let is_possible = db::sessions(&direct.connect_options()).await? == Sessions::Own;
    if !is_possible {
        tracing::warn!(
            "listening is not possible through a pooler, so changes by other processes are seen up to a second later; set \
             database.listen_url to a direct connection"
        );
    }
    Ok(Listening { db: direct.clone(), is_possible })
}

/// Migrates the schema, or checks that it is current, checks the keys, and creates this month's partitions.
pub(super) async fn prepare(db: &PgPool, settings: &Settings) -> anyhow::Result<Seal> {
    if !settings.database.allow_superuser {
        refuse_superuser(db).await?;
    }
    migrate_at_start(settings, db).await?;
    anyhow::ensure!(
        db::is_migrated(db).await?,
        "the database is not migrated and database.migrate is off; run `aftercall migrate`"
    );
    let seal = open_seal(settings, db).await?;
    let adopted = events::adopt_foreign_xids(db).await?;
    if adopted > 0 {
        tracing::warn!(
            events = adopted,
            "the database was restored from another cluster; events were renumbered"
        );
    }
    let made = partitions::ensure(db, settings.retention.partitions_ahead).await?;
    reporting::publish(db, &published::settings(settings)).await?;
    tracing::info!(partitions_made = made, "database ready");
    Ok(seal)
}

/// Migrates the database if the settings say so and it is not current: a role that may not migrate can then start too.
pub async fn migrate_at_start(settings: &Settings, db: &PgPool) -> anyhow::Result<()> {
    if settings.migrates_at_start() && !db::is_migrated(db).await? {
        migrate(settings, db).await?;
    }
    Ok(())
}

/// Creates the roles with their passwords, applies the migrations and distributes the tables, through
/// `database.migration_url` if set.
pub async fn migrate(settings: &Settings, db: &PgPool) -> anyhow::Result<()> {
    let database = &settings.database;
    let direct = match database.migration_servers()? {
        Some(servers) => {
            let one = PoolOptions { max_connections: 1, ..pool_options(settings) };
            Some(Primary::open(servers, one).await?)
        }
        None => None,
    };
    let db = direct.as_ref().map_or(db, Primary::pool);
    anyhow::ensure!(
        db::sessions(&db.connect_options()).await? == Sessions::Own,
        "migrations need a session of their own, for a lock and for the role of the owner, but the connection goes through \
         a pooler: set database.migration_url to a direct connection"
    );
    if database.distributed {
        // Migrations of distributed tables reach the other nodes as the owner, who must be able to log in there.
        db::distribute(db).await.context("cannot distribute the database")?;
    }
    db::migrate(db).await.map_err(|error| {
        let what = if db::is_forbidden_migration(&error) {
            "the database's role may not migrate it: run `aftercall migrate` as aftercall_migrator, or set \
             database.migration_url to a URL with that role"
        } else {
            "cannot migrate the database"
        };
        anyhow::Error::from(error).context(what)
    })?;
    if database.distributed {
        db::distribute(db).await.context("cannot distribute the database")?;
    }
    let passwords = [
        (LoginRole::Runtime, &database.runtime_password),
        (LoginRole::Reader, &database.reader_password),
    ];
    for (role, password) in passwords {
        if let Some(password) = password {
            let set = db::set_password(db, role, password).await;
            set.with_context(|| format!("cannot set the password of {}", role.name()))?;
        }
    }
    Ok(())
}

/// Refuses a role that could do more than any attacker should be able to.
async fn refuse_superuser(db: &PgPool) -> anyhow::Result<()> {
    if db::is_superuser(db).await? {
        return Err(ConfigError(vec![
            "database.url logs in as a superuser, which the service must not be in production: use aftercall_runtime, \
             which `aftercall migrate` creates (docs/deployment.md, \"Database roles\"), or set database.allow_superuser"
                .to_owned(),
        ])
        .into());
    }
    Ok(())
}
