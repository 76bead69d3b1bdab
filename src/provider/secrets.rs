//! Redacts secrets of our request that the provider's texts may quote: webhook URLs, which allow
//! anyone to deliver, our access token, and the credentials in a recording's URL.
use std::ops::Range;

use url::Url;

use super::unescaped::Unescaped;
use crate::jobs::{JobId, RecordingUrl, Token, WebhookUrl};

/// Replaces a secret.
const REDACTED: &str = "[redacted]";
/// Query parameters with these in their name have secret values, however short.
const TELLING_NAMES: &[&str] =
    &["token", "key", "secret", "signature", "sig", "password", "pass", "auth", "code", "cred"];

/// What precedes the access token that a recording on the provider's media host was submitted with. The token itself is
/// stored nowhere, so that any value counts.
const GRANTED: &[u8] = b"access_token=";

/// Secrets, found however a text escapes them.
#[derive(Debug, Default)]
pub struct Secrets {
    /// The first characters of the webhook tokens.
    tokens: Vec<Vec<u8>>,
    values: Vec<Needle>,
    /// The secrets are not known: every text may quote one.
    is_anything: bool,
}

struct Needle {
    bytes: Vec<u8>,
    /// Length of the text that must precede the secret for it to count.
    lead: usize,
}

impl Secrets {
    /// The webhook tokens of all attempts of the job, and the credentials in its recording's URL.
    pub fn of_job(job_id: JobId, recording: Option<&RecordingUrl>) -> Self {
        let mut secrets = Self::of_tokens(job_id);
        match recording {
            Some(RecordingUrl::Given(uri)) => secrets.credentials_in(uri),
            Some(RecordingUrl::Unreadable) => secrets.is_anything = true,
            None => {}
        }
        secrets
    }

    fn of_tokens(job_id: JobId) -> Self {
        let mut secrets = Self::default();
        secrets.tokens.push(Unescaped::of(&Token::opening(job_id)).bytes().to_vec());
        secrets
    }

    /// For a submission: its webhook URL, its access token, and the credentials in the recording's
    /// URL.
    pub(super) fn of_request(
        webhook: &WebhookUrl,
        bearer: &str,
        content_uri: Option<&str>,
    ) -> Self {
        let mut secrets = Self::of_tokens(webhook.job_id());
        if let Some(uri) = content_uri {
            secrets.credentials_in(uri);
        }
        secrets.value("", webhook.reveal());
        secrets.value("", bearer);
        secrets
    }

    pub(super) fn of_bearer(bearer: &str) -> Self {
        let mut secrets = Self::default();
        secrets.value("", bearer);
        secrets
    }

    /// The text with all secrets replaced.
    pub fn redacted(&self, text: &str) -> String {
        if self.is_anything && !text.is_empty() {
            return REDACTED.to_owned();
        }
        let unescaped = Unescaped::of(text);
        let mut places: Vec<_> = self.places(&unescaped, text).collect();
        places.sort_by_key(|place| place.start);
        let mut clean = String::with_capacity(text.len());
        let mut done = 0;
        for place in places {
            if place.end <= done {
                continue;
            }
            if place.start >= done {
                // Not a character boundary: then no part of the text is safe to show.
                let Some(before) = text.get(done..place.start) else { return REDACTED.to_owned() };
                clean += before;
                clean += REDACTED;
            }
            done = place.end;
        }
        let Some(rest) = text.get(done..) else { return REDACTED.to_owned() };
        clean + rest
    }

    /// Whether the text quotes a secret.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.is_anything || self.places(&Unescaped::of(text), text).next().is_some()
    }

    /// Where the secrets occur, in no particular order.
    fn places<'a>(
        &'a self,
        unescaped: &'a Unescaped,
        text: &'a str,
    ) -> impl Iterator<Item = Range<usize>> + 'a {
        let bytes = unescaped.bytes();
        let tokens = self.tokens.iter().flat_map(move |token| found(bytes, token)).map(|token| {
            let end = bytes[token.end..].iter().position(|byte| !is_of_token(*byte));
            token.start..end.map_or(bytes.len(), |more| token.end + more)
        });
        let tokens = tokens.filter_map(|token| unescaped.place(token));
        let values = self.values.iter().flat_map(move |needle| {
            found(bytes, &needle.bytes).map(|place| place.start + needle.lead..place.end)
        });
        let granted = found(bytes, GRANTED).map(|lead| {
            let end = bytes[lead.end..].iter().position(|byte| ends_value(*byte));
            lead.end..end.map_or(bytes.len(), |more| lead.end + more)
        });
        let values = values.chain(granted).filter_map(|value| unescaped.place(value));
        tokens.map(|token| around(text, token)).chain(values)
    }

    /// Adds a secret that counts where it follows `lead`.
    fn value(&mut self, lead: &str, value: &str) {
        let lead = Unescaped::of(lead).bytes().to_vec();
        let secret = Unescaped::of(value);
        if !secret.bytes().is_empty() {
            self.values.push(Needle { lead: lead.len(), bytes: [&lead, secret.bytes()].concat() });
        }
    }

    /// User, password, query values and fragment: any of them may be a credential.
    fn credentials_in(&mut self, uri: &str) {
        let Ok(url) = Url::parse(uri) else { return self.value("", uri) };
        let (user, password) = (url.username(), url.password());
        if let Some(password) = password {
            self.value("", &format!("{user}:{password}@"));
            if password.len() >= 4 {
                self.value("", password);
            }
        } else if !user.is_empty() {
            self.value("//", user);
            self.value_alone(user, false);
        }
        for pair in url.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            let lead = if name.is_empty() { "?".to_owned() } else { format!("{name}=") };
            self.value(&lead, value);
            let name = name.to_ascii_lowercase();
            self.value_alone(value, TELLING_NAMES.iter().any(|telling| name.contains(telling)));
        }
        if let Some(fragment) = url.fragment() {
            self.value("#", fragment);
            self.value_alone(fragment, false);
        }
    }

    /// Adds the value without context, unless it could be an ordinary word.
    fn value_alone(&mut self, value: &str, is_telling: bool) {
        let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
        let long_enough = if is_telling {
            4
        } else if has_digit {
            8
        } else {
            12
        };
        if value.len() >= long_enough {
            self.value("", value);
        }
    }
}

impl std::fmt::Debug for Needle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

fn found<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let windows = text.windows(needle.len().max(1)).enumerate();
    windows.filter(move |(_, bytes)| *bytes == needle).map(|(at, bytes)| at..at + bytes.len())
}

fn ends_value(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"&#\"'<>\\".contains(&byte)
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The URL around a token, or the token alone: everything up to white space or a quote.
fn around(text: &str, token: Range<usize>) -> Range<usize> {
    let ends = |c: char| c.is_whitespace() || "\"'`<>()[]{},;".contains(c);
    let before = text.get(..token.start).and_then(|text| text.rfind(ends));
    let start = before.and_then(|at| Some(at + text.get(at..)?.chars().next()?.len_utf8()));
    let after = text.get(token.end..).and_then(|text| text.find(ends));
    start.unwrap_or_default()..after.map_or(text.len(), |at| token.end + at)
}

#[cfg(test)]
mod tests {
    use uuid::{Uuid, uuid};

    use super::*;

    const TOKEN: &str = "AZ8Mwqi4fD6aTV5vcIGSAzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3";
    const JOB: Uuid = uuid!("019f0cc2-a8b8-7c3e-9a4d-5e6f70819203");
    const URI: &str =
        "https://me:hush@media.example/a.wav?access_token=s3cr%2Ft%20x&raw=true&sig=abcd#frag-0815";

    fn secrets() -> Secrets {
        Secrets::of_job(JOB.into(), Some(&RecordingUrl::Given(URI.to_owned())))
    }

    #[test]
    fn a_webhook_url_goes_as_a_whole() {
        for (text, clean) in [
            (
                format!("cannot reach https://in.example/x/webhooks/{TOKEN}?a=b."),
                "cannot reach [redacted]",
            ),
            (
                format!("\"https:\\/\\/in.example\\/webhooks\\/{TOKEN}\" is bad"),
                "\"[redacted]\" is bad",
            ),
            (
                format!("webhook=https%3A%2F%2Fin.example%2Fwebhooks%2F{TOKEN} is bad"),
                "[redacted] is bad",
            ),
            (format!("no {TOKEN}"), "no [redacted]"),
            (format!("no {}…", &TOKEN[..40]), "no [redacted]"),
            (format!("({TOKEN}), ({TOKEN})"), "([redacted]), ([redacted])"),
        ] {
            assert_eq!(secrets().redacted(&text), clean, "{text}");
        }
    }

    #[test]
    fn credentials_of_the_recording_go_and_the_rest_stays() {
        for (text, clean) in [
            (
                URI.to_owned(),
                "https://[redacted]media.example/a.wav?access_token=[redacted]&raw=[redacted]&sig=[redacted]#[redacted]",
            ),
            ("no s3cr/t x here".to_owned(), "no [redacted] here"),
            ("no s3cr%2ft+x here".to_owned(), "no [redacted] here"),
            (r"no s3cr\/t\u0020x here".to_owned(), "no [redacted] here"),
            ("no s3cr%252Ft%2520x here".to_owned(), "no [redacted] here"),
            ("hush is wrong for me".to_owned(), "[redacted] is wrong for me"),
            ("it is true that raw=true is bad".to_owned(), "it is true that raw=[redacted] is bad"),
            ("nothing – at all".to_owned(), "nothing – at all"),
            (
                "cannot fetch https%3A%2F%2Fmedia.example%2Fb%3Faccess_token%3DU0p%7C1%26c=d"
                    .to_owned(),
                "cannot fetch https%3A%2F%2Fmedia.example%2Fb%3Faccess_token%3D[redacted]%26c=d",
            ),
        ] {
            assert_eq!(secrets().redacted(&text), clean, "{text}");
        }
    }

    #[test]
    fn a_url_that_is_none_goes_as_a_whole() {
        let no_url = RecordingUrl::Given("no url".to_owned());
        let secrets = Secrets::of_job(JOB.into(), Some(&no_url));
        assert_eq!(secrets.redacted("this is no url."), "this is [redacted].");
        assert!(!format!("{secrets:?}").contains("no url"));
    }

    #[test]
    fn a_text_that_may_quote_an_unknown_url_goes_as_a_whole() {
        let secrets = Secrets::of_job(JOB.into(), Some(&RecordingUrl::Unreadable));
        assert_eq!(secrets.redacted("cannot fetch https://a.example/?key=hush"), REDACTED);
    }
}
