//! When the URL of a recording expires, as far as the URL itself says so.
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value;
use url::Url;

/// The earliest expiry that the URL shows; `None` if it shows none that can be read.
///
/// Known are the signatures of Amazon S3 (version 4, and `Expires` of version 2 and of `CloudFront`), of Google Cloud
/// Storage, shared access signatures of Azure (`se` beside `sig`), and JSON Web Tokens in any parameter.
pub fn url_expiry(url: &Url) -> Option<DateTime<Utc>> {
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
        .collect();
    let value =
        |name: &str| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let signed = |service: &str| {
        let from = stamp(value(&format!("x-{service}-date"))?)?;
        from.checked_add_signed(seconds(value(&format!("x-{service}-expires"))?)?)
    };
    let shared_access = || value("sig").and_then(|_| iso(value("se")?));
    let epoch = || DateTime::from_timestamp(value("expires")?.parse().ok()?, 0);
    let tokens = pairs.iter().filter_map(|(_, value)| of_token(value));
    [signed("amz"), signed("goog"), shared_access(), epoch()]
        .into_iter()
        .flatten()
        .chain(tokens)
        .min()
}

/// `20260501T093000Z`.
fn stamp(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok().map(|at| at.and_utc())
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_seconds(text.parse().ok()?)
}

/// As Azure writes it: to the second, to the minute, or a date.
fn iso(text: &str) -> Option<DateTime<Utc>> {
    let whole = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let minutes = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok();
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    whole.or_else(|| minutes().or_else(date).map(|at| at.and_utc()))
}

/// `exp` of a JSON Web Token (RFC 7519, section 4.1.4).
fn of_token(text: &str) -> Option<DateTime<Utc>> {
    let [_, claims, _] = text.split('.').collect::<Vec<_>>()[..] else { return None };
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let exp = claims.get("exp")?.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "from_timestamp rejects what is too large")]
    DateTime::from_timestamp(exp as i64, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expiry(query: &str) -> Option<String> {
        let url = Url::parse(&format!("https://media.example/a.wav?{query}")).unwrap();
        url_expiry(&url).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    #[test]
    fn every_known_kind_is_read() {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"me","exp":1777628100.5}"#);
        for query in [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260501T093000Z&X-Amz-Expires=300&X-Amz-Signature=ab",
            "X-Goog-Date=20260501T093000Z&X-Goog-Expires=300&X-Goog-Signature=ab",
            "sv=2024-11-04&se=2026-05-01T09%3A35%3A00Z&sr=b&sp=r&sig=ab%3D",
            "se=2026-05-01T09:35Z&sig=ab",
            "Expires=1777628100&Signature=ab&Key-Pair-Id=K",
            "AWSAccessKeyId=A&Signature=ab&Expires=1777628100",
            &format!("token=h.{claims}.s"),
            &format!("token=h.{claims}.s&Expires=1777628101"),
        ] {
            assert_eq!(expiry(query).as_deref(), Some("2026-05-01T09:35:00Z"), "{query}");
        }
        assert_eq!(expiry("se=2026-05-01&sig=ab").as_deref(), Some("2026-05-01T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_read_is_no_expiry() {
        for query in [
            "",
            "se=2026-05-01",
            "se=soon&sig=ab",
            "Expires=Thu, 01 May 2026 09:35:00 GMT",
            "Expires=99999999999999999999",
            "X-Amz-Date=20260501T093000Z",
            "X-Amz-Date=20260501T093000Z&X-Amz-Expires=9223372036854775807",
            "X-Amz-Date=2026-05-01&X-Amz-Expires=300",
            "token=a.b.c",
            "token=a.e30.c",
            "version=1.2.3",
        ] {
            assert_eq!(expiry(query), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(query in ".{0,60}", name in "se|sig|expires|x-amz-date|x-amz-expires", value in ".{0,20}") {
            expiry(&format!("{query}&sig=1&{name}={value}"));
        }
    }
}
