//! Whether a pooler stands before Postgres, and whether the settings suit it.
use anyhow::Context as _;
use sqlx::PgPool;

use super::Finding;
use crate::{
    config::DatabaseSettings,
    db::{self, Servers, Sessions},
};

const CHECK: &str = "pooler";

pub async fn sessions(db: &PgPool, settings: &DatabaseSettings) -> Finding {
    judged(db, settings).await.unwrap_or_else(|error| {
        Finding::fail(CHECK, format!("cannot be checked: {error:#}"), "check the setting it names")
    })
}

async fn judged(db: &PgPool, settings: &DatabaseSettings) -> anyhow::Result<Finding> {
    let found = db::sessions(&db.connect_options()).await.context("database.url")?;
    if let Some((what, advice)) = found.obstacle() {
        return Ok(Finding::fail(CHECK, what, advice));
    }
    let mut advice = Vec::new();
    let is_own = found == Sessions::Own;
    // Through a pooler, one replica would be looked at and another one read from.
    let direct = [
        ("database.listen_url", settings.listen_servers()?, is_own),
        ("database.migration_url", settings.migration_servers()?, is_own),
        ("database.read_url", settings.read_server()?, true),
    ];
    for (name, servers, otherwise) in direct {
        let is_direct = match servers {
            Some(servers) => has_own(&servers).await.context(name)?,
            None => otherwise,
        };
        if !is_direct {
            advice.push(format!("set {name} to a direct connection"));
        }
    }
    let what =
        if is_own { "none, as far as can be told" } else { "shares sessions between transactions" };
    Ok(if advice.is_empty() {
        Finding::ok(CHECK, what)
    } else {
        let what = format!("{what}; what needs a session of its own does not have one");
        Finding::warn(CHECK, what, advice.join("; "))
    })
}

async fn has_own(servers: &Servers) -> anyhow::Result<bool> {
    let (options, _) = servers.find().await?;
    Ok(db::sessions(&options).await? == Sessions::Own)
}
