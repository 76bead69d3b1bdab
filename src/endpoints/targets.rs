//! Endpoints as messages are sent to them.
use std::collections::HashMap;

use secrecy::zeroize::Zeroizing;
use sqlx::PgExecutor;
use url::Url;
use uuid::Uuid;

use super::TABLE;
use crate::{
    egress::{Secret, Target},
    seal::{OpenError, Place, Seal},
};

/// An endpoint that is not deleted, whatever its state.
#[derive(Debug)]
pub struct EndpointTarget {
    pub target: Target,
    pub include: Vec<String>,
    pub url_shown: String,
}

/// The targets of those of these endpoints that are not deleted. An error is of one endpoint whose row was tampered with
/// or sealed with a key that this process lacks.
pub async fn targets(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, Result<EndpointTarget, OpenError>>> {
    let rows = sqlx::query!(
        r#"
        select id, url_sealed as "url_sealed!", url_shown, secret as "secret!", include,
            case when previous_secret_until > now() then previous_secret end as previous_secret
        from aftercall.endpoints where id = any($1) and deleted_at is null
        "#,
        ids,
    )
    .fetch_all(db)
    .await?;
    let opened = rows.into_iter().map(|row| {
        let place = Place { table: TABLE, row: row.id };
        let target = || {
            let url = parsed(&seal.open(place, &row.url_sealed)?)?;
            let sealed = [Some(&row.secret), row.previous_secret.as_ref()];
            let secrets = sealed.into_iter().flatten().map(|sealed| opened(seal, place, sealed));
            let target = Target { url, secrets: secrets.collect::<Result<_, _>>()? };
            Ok(EndpointTarget { target, include: row.include, url_shown: row.url_shown })
        };
        (row.id, target())
    });
    Ok(opened.collect())
}

/// The current secret; `None` if the endpoint is deleted, or its secret is not the one it was created with.
pub async fn secret(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    id: Uuid,
) -> sqlx::Result<Option<Result<Secret, OpenError>>> {
    let sealed = sqlx::query_scalar!(
        r#"
        select secret as "secret!" from aftercall.endpoints
        where id = $1 and deleted_at is null and rotated_at is null
        "#,
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(sealed.map(|sealed| opened(seal, Place { table: TABLE, row: id }, &sealed)))
}

/// Seconds since 1970, for the timestamp of a message.
pub async fn now(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select extract(epoch from now())::bigint as "now!""#).fetch_one(db).await
}

fn opened(seal: &Seal, place: Place, sealed: &[u8]) -> Result<Secret, OpenError> {
    let mut plain: Zeroizing<Vec<u8>> = seal.open(place, sealed)?;
    Secret::from_bytes(std::mem::take(&mut *plain)).map_err(|_| OpenError::Malformed)
}

fn parsed(plain: &[u8]) -> Result<Url, OpenError> {
    std::str::from_utf8(plain).ok().and_then(|text| text.parse().ok()).ok_or(OpenError::Malformed)
}
