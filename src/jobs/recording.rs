//! The URL of a job's recording, `contentUri`, whose credentials must be neither shown nor stored in the clear. The row's
//! request has it masked, and `content_uri_sealed` has it as given; all code that reads or writes either is here, except
//! the statements that delete it once the job cannot be submitted any more.
use std::{borrow::Cow, collections::HashMap};

use serde_json::{Map, Value, value::RawValue};
use sqlx::{PgTransaction, types::Json};
use url::Url;

use super::JobId;
use crate::seal::{OpenError, Place, Seal};

const MEMBER: &str = "contentUri";

/// The URL of a recording as its caller gave it.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordingUrl {
    Given(String),
    /// It is sealed with a key that this process does not have, or was deleted.
    Unreadable,
}

/// Why a job cannot be submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    #[error("it was deleted")]
    Deleted,
    #[error(transparent)]
    Sealed(#[from] OpenError),
}

/// Whether a URL has user info, a query or a fragment. The same condition is in SQL wherever stored URLs are sealed.
fn may_have_credentials(uri: &str) -> bool {
    uri.contains(['@', '?', '#'])
}

fn place(id: JobId) -> Place {
    Place { table: "jobs", row: id.uuid() }
}

/// The request as it is stored, and its URL sealed if that may have credentials.
pub(super) fn sealed<'a>(
    seal: &Seal,
    id: JobId,
    request: &'a Map<String, Value>,
) -> (Cow<'a, Map<String, Value>>, Option<Vec<u8>>) {
    match request.get(MEMBER) {
        Some(Value::String(uri)) if may_have_credentials(uri) => {
            let sealed = seal.seal(place(id), uri.as_bytes());
            let mut stored = request.clone();
            stored.insert(MEMBER.to_owned(), masked_uri(uri).into());
            (Cow::Owned(stored), Some(sealed))
        }
        _ => (Cow::Borrowed(request), None),
    }
}

/// Puts the URL as given into a stored request.
pub(super) fn unseal(
    seal: &Seal,
    id: JobId,
    request: &mut Map<String, Value>,
    sealed: Option<&[u8]>,
) -> Result<(), UrlFault> {
    if let Some(sealed) = sealed {
        request.insert(MEMBER.to_owned(), opened(seal, id, sealed)?.into());
    }
    Ok(())
}

fn opened(seal: &Seal, id: JobId, sealed: &[u8]) -> Result<String, UrlFault> {
    if sealed.is_empty() {
        return Err(UrlFault::Deleted);
    }
    let plain = seal.open(place(id), sealed)?;
    Ok(std::str::from_utf8(&plain).map_err(|_| OpenError::Malformed)?.to_owned())
}

/// Query parameters that grant access to a recording or limit it in time, in lower case; with those
/// that begin with one of [`SECRET_PREFIXES`]. Others are part of what identifies the recording.
const SECRETS: &[&str] = &[
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "auth_token",
    "authorization",
    "awsaccesskeyid",
    "exp",
    "expires",
    "expires_at",
    "expiry",
    "googleaccessid",
    "hmac",
    "jwt",
    "key-pair-id",
    "password",
    "policy",
    "secret",
    "sig",
    "signature",
    "token",
];
const SECRET_PREFIXES: &[&str] = &["x-amz-", "x-goog-"];
/// Parameters of a shared access signature of Azure. Too short to mean the same in other URLs, so
/// they count as secrets only beside `sv` and `sig`.
const SAS: &[&str] = &[
    "sv", "ss", "srt", "sr", "sp", "st", "se", "sip", "spr", "skoid", "sktid", "skt", "ske", "sks",
    "skv", "saoid", "suoid", "scid", "sdd", "ses", "si",
];

/// The URLs of those jobs whose recording was not inline.
pub async fn recording_urls(
    tx: &mut PgTransaction<'_>,
    seal: &Seal,
    ids: &[JobId],
) -> sqlx::Result<HashMap<JobId, RecordingUrl>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"
        select id as "id: JobId", request ->> 'contentUri' as uri, content_uri_sealed as sealed
        from aftercall.jobs where id = any($1)
        "#,
        ids as &[JobId],
    )
    .fetch_all(&mut **tx)
    .await?;
    let url = |id, sealed: Option<Vec<u8>>, uri: String| match sealed {
        None => RecordingUrl::Given(uri),
        Some(sealed) => {
            opened(seal, id, &sealed).map_or(RecordingUrl::Unreadable, RecordingUrl::Given)
        }
    };
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.id, url(row.id, row.sealed, row.uri?))))
        .collect())
}

/// Gives the job another URL; `false` if its recording was uploaded.
pub async fn replace_url(
    tx: &mut PgTransaction<'_>,
    seal: &Seal,
    id: JobId,
    uri: &str,
) -> sqlx::Result<bool> {
    let row = sqlx::query!(
        r#"
        select request as "request: Json<Map<String, Value>>" from aftercall.jobs
        where id = $1 for update
        "#,
        id as JobId,
    );
    let mut request = row.fetch_one(&mut **tx).await?.request.0;
    let Some(member) = request.get_mut(MEMBER) else { return Ok(false) };
    *member = uri.into();
    let (stored, sealed) = sealed(seal, id, &request);
    store(tx, id, &stored, sealed.as_deref()).await?;
    Ok(true)
}

async fn store(
    tx: &mut PgTransaction<'_>,
    id: JobId,
    request: &Map<String, Value>,
    sealed: Option<&[u8]>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update aftercall.jobs set request = $2::text::json, content_uri_sealed = $3 where id = $1",
        id as JobId,
        // As text, so that Postgres keeps the caller's order of members.
        serde_json::to_string(request).map_err(|error| sqlx::Error::Encode(error.into()))?,
        sealed,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Seals the URLs of up to `limit` jobs that an earlier release stored in the clear; returns how many there were. Those of
/// jobs that cannot be submitted any more are only masked.
pub async fn seal_stored(
    tx: &mut PgTransaction<'_>,
    seal: &Seal,
    limit: i64,
) -> sqlx::Result<usize> {
    let rows = sqlx::query!(
        r#"
        select id as "id: JobId", request as "request: Json<Map<String, Value>>",
            state in ('completed', 'canceled') as "is_over!"
        from aftercall.jobs
        where content_uri_sealed is null and request ->> 'contentUri' ~ '[@?#]'
        order by id limit $1
        for update skip locked
        "#,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in &rows {
        let (stored, sealed) = sealed(seal, row.id, &row.request.0);
        let sealed = if row.is_over { Some(Vec::new()) } else { sealed };
        store(tx, row.id, &stored, sealed.as_deref()).await?;
    }
    Ok(rows.len())
}

/// Deletes the sealed URLs of up to `limit` jobs that ended before `cutoff`, by id, from `after`; returns the last of
/// them.
pub async fn delete_urls(
    tx: &mut PgTransaction<'_>,
    cutoff: chrono::DateTime<chrono::Utc>,
    after: JobId,
    limit: i64,
) -> sqlx::Result<Option<JobId>> {
    sqlx::query_scalar!(
        r#"
        with due as (
            select id from aftercall.jobs
            where id > $2 and content_uri_sealed <> '' and finished_at < $1
            order by id limit $3
            for update skip locked
        ), gone as (
            update aftercall.jobs j set content_uri_sealed = '' from due where j.id = due.id
        )
        select id as "id: JobId" from due order by id desc limit 1
        "#,
        cutoff,
        after as JobId,
        limit,
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The request with its URL masked. Most requests are not even parsed: they contain none of the characters that
/// introduce a masked part, nor an escape for one.
pub fn masked(request: Box<RawValue>) -> Box<RawValue> {
    if !request.get().contains(['@', '?', '#', '\\']) {
        return request;
    }
    let mask = || {
        let mut members: Map<String, Value> = serde_json::from_str(request.get())?;
        if let Some(Value::String(uri)) = members.get_mut(MEMBER) {
            *uri = masked_uri(uri);
        }
        serde_json::value::to_raw_value(&members)
    };
    mask().unwrap_or_else(|_: serde_json::Error| RawValue::NULL.to_owned())
}

/// The URL without user, password, query values and fragment: any of them may be a credential. Masking it again changes
/// nothing.
pub fn masked_uri(uri: &str) -> String {
    let Ok(mut url) = Url::parse(uri) else { return "…".to_owned() };
    if !url.username().is_empty() || url.password().is_some() {
        // This fails only for URLs without a host, which intake rejects.
        let _ = url.set_username("***");
        let _ = url.set_password(None);
    }
    url.set_fragment(None);
    if let Some(query) = url.query() {
        // A parameter without a value may be a credential itself.
        let names = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}=***"),
            None => "***".to_owned(),
        });
        let masked = names.collect::<Vec<_>>().join("&");
        url.set_query(Some(&masked));
    }
    url.into()
}

/// The URL without its secrets: scheme, host, path and the other query parameters.
pub fn comparable(uri: &str) -> Option<String> {
    let mut url = Url::parse(uri).ok()?;
    // These fail only for URLs without a host, which are rejected.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let names: Vec<String> = pairs.iter().map(|(name, _)| name.to_lowercase()).collect();
        let has = |name: &str| names.iter().any(|it| it == name);
        let is_sas = has("sv") && has("sig");
        let is_secret = |name: &str| {
            SECRETS.contains(&name)
                || SECRET_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                || is_sas && SAS.contains(&name)
        };
        let kept = pairs.iter().zip(&names).filter(|(_, name)| !is_secret(name));
        let kept: Vec<_> = kept.map(|(pair, _)| pair).collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::seal::Keys;

    #[test]
    fn urls_are_compared_without_their_secrets() {
        let same = [
            "https://me:hush@Media.example:443/a.wav?id=1&X-Amz-Date=20260501&X-Amz-Signature=ab#t=3",
            "https://media.example/a.wav?id=1&access_token=hush",
            "https://media.example/a.wav?Expires=1&id=1&Signature=x&Key-Pair-Id=k",
            "https://media.example/a.wav?id=1&sv=2022&se=2026-05-01&sp=r&sig=hush",
            "https://media.example/a.wav?token=1&id=1",
        ];
        for uri in same {
            assert_eq!(comparable(uri).unwrap(), "https://media.example/a.wav?id=1", "{uri}");
        }
        for other in [
            "http://media.example/a.wav?id=1",
            "https://media.example:8443/a.wav?id=1",
            "https://media.example/A.wav?id=1",
            "https://media.example/a.wav?id=2",
            "https://media.example/a.wav",
            "https://media.example/a.wav?id=1&se=2",
        ] {
            assert_ne!(comparable(other).unwrap(), "https://media.example/a.wav?id=1", "{other}");
        }
    }

    #[test]
    fn credentials_in_urls_are_masked() {
        let uri = "https://me:hush@media.example/a.wav?access_token=hush&raw=true&hush#hush";
        let masked = "https://***@media.example/a.wav?access_token=***&raw=***&***";
        assert_eq!(masked_uri(uri), masked);
        assert_eq!(masked_uri(masked), masked);
        assert_eq!(masked_uri("https://media.example/a.wav"), "https://media.example/a.wav");
    }

    #[test]
    fn a_request_is_masked_however_it_is_written() {
        for (written, shown) in [
            (
                r#"{"contentUri":"https://a.example/a?b=hush"}"#,
                r#"{"contentUri":"https://a.example/a?b=***"}"#,
            ),
            (
                r#"{"contentUri":"https://a.example/a\u003fb=hush"}"#,
                r#"{"contentUri":"https://a.example/a?b=***"}"#,
            ),
            (r#"{"contentUri":"https://a.example/a"}"#, r#"{"contentUri":"https://a.example/a"}"#),
            (r#"["@"]"#, "null"),
        ] {
            let written = RawValue::from_string(written.to_owned()).unwrap();
            assert_eq!(masked(written).get(), shown);
        }
    }

    #[test]
    fn a_request_comes_back_as_it_was_given() {
        let seal = Seal::new(Keys::parse(&Keys::new_line("a").unwrap()).unwrap());
        let id = JobId::generate();
        for (uri, is_sealed) in [
            ("https://media.example/a.wav", false),
            ("https://media.example/a@b.wav", true),
            ("https://me@media.example/a.wav", true),
            ("HTTPS://media.example/ä b.mp3?x=1&y#z", true),
        ] {
            let Value::Object(request) = json!({ "encoding": "Wav", "contentUri": uri }) else {
                unreachable!()
            };
            let (stored, url) = sealed(&seal, id, &request);
            assert_eq!(url.is_some(), is_sealed, "{uri}");
            let mut back = stored.into_owned();
            unseal(&seal, id, &mut back, url.as_deref()).unwrap();
            assert_eq!(back, request);
            let deleted = unseal(&seal, id, &mut back, Some(b""));
            assert_eq!(deleted, Err(UrlFault::Deleted));
        }
    }
}
