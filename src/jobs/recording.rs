//! The URL of a job's recording, `contentUri`, whose credentials must not be shown. All code that reads it from a
//! stored request is here, except the claim, which passes the request to the provider unchanged. If it were encrypted
//! in the database, `enqueue` would encrypt it and these functions would decrypt it.
use std::collections::HashMap;

use serde_json::{Map, Value, value::RawValue};
use sqlx::PgTransaction;
use url::Url;

use super::JobId;

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
pub async fn content_uris(
    tx: &mut PgTransaction<'_>,
    ids: &[JobId],
) -> sqlx::Result<HashMap<JobId, String>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"
        select id as "id: JobId", request ->> 'contentUri' as uri from aftercall.jobs
        where id = any($1)
        "#,
        ids as &[JobId],
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.id, row.uri?))).collect())
}

/// The request with its URL masked. Most requests are not even parsed: they contain none of the characters that
/// introduce a masked part, nor an escape for one.
pub fn masked(request: Box<RawValue>) -> Box<RawValue> {
    if !request.get().contains(['@', '?', '#', '\\']) {
        return request;
    }
    let mask = || {
        let mut members: Map<String, Value> = serde_json::from_str(request.get())?;
        if let Some(Value::String(uri)) = members.get_mut("contentUri") {
            *uri = masked_uri(uri);
        }
        serde_json::value::to_raw_value(&members)
    };
    mask().unwrap_or_else(|_: serde_json::Error| RawValue::NULL.to_owned())
}

/// The URL without user, password, query values and fragment: any of them may be a credential.
fn masked_uri(uri: &str) -> String {
    let Ok(mut url) = Url::parse(uri) else { return "…".to_owned() };
    if !url.username().is_empty() || url.password().is_some() {
        // This fails only for URLs without a host, which intake rejects.
        let _ = url.set_username("***");
        let _ = url.set_password(None);
    }
    url.set_fragment(None);
    if url.query().is_some() {
        let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        url.query_pairs_mut().clear().extend_pairs(names.iter().map(|name| (name, "***")));
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
    use super::*;

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
        let uri = "https://me:hush@media.example/a.wav?access_token=hush&raw=true#hush";
        assert_eq!(masked_uri(uri), "https://***@media.example/a.wav?access_token=***&raw=***");
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
}
