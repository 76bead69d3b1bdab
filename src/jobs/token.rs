//! The secret in a webhook URL, generated per attempt.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::JobId;

const SECRET_BYTES: usize = 32;

/// Job id (16 bytes) and secret (32 random bytes) as 64 base64url characters.
///
/// The id locates the row by primary key; only the SHA-256 of the secret is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub job_id: JobId,
    secret: [u8; SECRET_BYTES],
}

impl Token {
    pub fn new(job_id: JobId, secret: [u8; SECRET_BYTES]) -> Self {
        Self { job_id, secret }
    }

    /// 32 bytes from a cryptographic generator.
    pub fn random_secret() -> [u8; SECRET_BYTES] {
        let mut secret = [0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut secret);
        secret
    }

    /// `None` for anything but 64 base64url characters.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16 + SECRET_BYTES];
        if text.len() != 64 || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()? != bytes.len() {
            return None;
        }
        let (id, secret) = bytes.split_at(16);
        Some(Self { job_id: Uuid::from_slice(id).ok()?.into(), secret: secret.try_into().ok()? })
    }

    /// The last path segment of the webhook URL. A secret: never log it.
    pub fn reveal(&self) -> String {
        let mut bytes = [0; 16 + SECRET_BYTES];
        bytes[..16].copy_from_slice(self.job_id.uuid().as_bytes());
        bytes[16..].copy_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The common beginning of all tokens of a job: the characters that depend only on its id.
    pub fn opening(job_id: JobId) -> String {
        let mut text = URL_SAFE_NO_PAD.encode(job_id.uuid());
        // Only some bits of the last character belong to the id.
        text.pop();
        text
    }

    /// Compares the secret in constant time.
    pub fn has_secret(&self, secret: &[u8; SECRET_BYTES]) -> bool {
        self.secret.ct_eq(secret).into()
    }

    /// The stored hash of the secret.
    pub fn sha(&self) -> [u8; 32] {
        sha_of(&self.secret)
    }
}

pub fn sha_of(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({}, …)", self.job_id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_survives_its_url(id in any::<u128>(), secret in any::<[u8; 32]>()) {
            let token = Token::new(Uuid::from_u128(id).into(), secret);
            let text = token.reveal();
            prop_assert_eq!(text.len(), 64);
            prop_assert!(text.starts_with(&Token::opening(token.job_id)));
            prop_assert!(Token::parse(&text) == Some(token));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = Token::parse(&text);
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let token = Token::new(JobId::MIN, [7; 32]);
        assert_eq!(format!("{token:?}"), "Token(00000000-0000-0000-0000-000000000000, …)");
    }
}
