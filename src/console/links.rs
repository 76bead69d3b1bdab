//! One-time links, with which whoever started the service signs in to the console without a key.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::ROOT;

const VALID_FOR: Duration = Duration::from_mins(10);

/// What a link opens.
#[derive(Debug, Clone)]
pub struct Link {
    /// For whom the key is made; `None`: for the caller of the newest key.
    pub caller: Option<String>,
    /// The path of the page to begin with.
    pub page: String,
}

impl Default for Link {
    fn default() -> Self {
        Self { caller: None, page: ROOT.to_owned() }
    }
}

type Issued = HashMap<[u8; 32], (Instant, Link)>;

/// The links of this process that have not been used yet, by the SHA-256 of their code. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Links(Arc<Mutex<Issued>>);

impl Links {
    /// A new code for this link, which can be used once, and only so long.
    pub fn issue(&self, link: Link, valid_for: Duration) -> SecretString {
        let mut random = [0; 32];
        rand::rng().fill_bytes(&mut random);
        let code = URL_SAFE_NO_PAD.encode(random);
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued.insert(Sha256::digest(&code).into(), (Instant::now() + valid_for, link));
        code.into()
    }

    /// What the code opens; `None` if it was used before, is too old, or never was one.
    pub fn redeem(&self, code: &str) -> Option<Link> {
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, link) = issued.remove::<[u8; 32]>(&Sha256::digest(code).into())?;
        (Instant::now() < until).then_some(link)
    }
}

/// The console as whoever started the service reaches it.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// URL of the API, without a slash at its end.
    base: String,
    links: Links,
}

impl Entrance {
    /// `base`: URL of the API.
    pub fn new(base: &Url, links: Links) -> Self {
        Self { base: base.as_str().trim_end_matches('/').to_owned(), links }
    }

    pub fn url(&self) -> String {
        format!("{}{ROOT}", self.base)
    }

    /// A URL that signs in once, within ten minutes.
    pub fn one_time_url(&self, link: Link) -> String {
        let code = self.links.issue(link, VALID_FOR);
        format!("{}/console/sign-in?code={}", self.base, code.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_can_be_used_once_and_not_too_late() {
        let links = Links::default();
        let code = links.issue(Link::default(), Duration::from_mins(1));
        let late = links.issue(Link::default(), Duration::ZERO);
        assert_eq!(code.expose_secret().len(), 43);
        assert!(links.redeem("something else").is_none());
        assert!(links.redeem(late.expose_secret()).is_none());
        assert!(links.clone().redeem(code.expose_secret()).is_some());
        assert!(links.redeem(code.expose_secret()).is_none());
    }

    #[test]
    fn no_code_is_kept() {
        let links = Links::default();
        let code = links.issue(Link::default(), Duration::from_mins(1));
        assert!(!format!("{links:?} {code:?}").contains(code.expose_secret()));
    }
}
