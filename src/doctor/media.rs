//! Whether uploaded recordings can be stored.
use super::{Finding, chain};
use crate::media::Store;

const CHECK: &str = "media";

pub async fn store(store: Result<&Option<Store>, &String>) -> Finding {
    match store {
        Ok(None) => Finding::ok(CHECK, "no store is configured; uploads of recordings get a 503"),
        Ok(Some(store)) => match store.probe().await {
            Ok(()) => Finding::ok(CHECK, format!("{} can be written and read", store.describe())),
            Err(error) => Finding::fail(
                CHECK,
                format!("{}: {}", store.describe(), chain(&error)),
                "check media.store, the rights of its folder or of the AWS_* credentials, and its space",
            ),
        },
        Err(why) => Finding::fail(CHECK, why.clone(), "check media.store and the AWS_* variables"),
    }
}
