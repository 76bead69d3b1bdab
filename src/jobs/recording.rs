//! The URL of a job's recording, `contentUri`, whose credentials must not be shown. All code that reads it from a
//! stored request is here, except the claim, which passes the request to the provider unchanged. If it were encrypted
//! in the database, `enqueue` would encrypt it and these functions would decrypt it.
use std::collections::HashMap;

use serde_json::{Map, Value, value::RawValue};
use sqlx::PgTransaction;
use url::Url;

use super::JobId;

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

#[cfg(test)]
mod tests {
    use super::*;

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
