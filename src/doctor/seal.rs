//! Whether the configured keys open what is sealed.
use sqlx::PgPool;

use super::Finding;
use crate::{
    config::SealSettings,
    seal::{KeyFault, Seal, known_ids, prove},
};

const CHECK: &str = "seal";

pub async fn keys(db: &PgPool, settings: &SealSettings) -> sqlx::Result<Finding> {
    let known = known_ids(db).await?;
    let Some(Ok(keys)) = settings.keys() else {
        let detail = format!("seal.key is not set; {} in the data directory", counted(known.len()));
        return Ok(Finding::ok(CHECK, detail));
    };
    let seal = Seal::new(keys);
    match prove(db, &seal).await {
        Ok(()) => {
            let current = seal.key_ids().swap_remove(0);
            let detail =
                format!("{} configured, {current} is current", counted(seal.key_ids().len()));
            Ok(Finding::ok(CHECK, detail))
        }
        Err(KeyFault::Database(error)) => Err(error),
        Err(fault) => {
            let advice = "add the key to seal.key, or give it up: docs/operations.md, \"Keys\"";
            Ok(Finding::fail(CHECK, fault.to_string(), advice))
        }
    }
}

fn counted(keys: usize) -> String {
    if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") }
}
