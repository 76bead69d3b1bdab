//! The signing secrets of endpoints: `whsec_` and base64 (Standard Webhooks 1.0.0).
use std::{fmt, str::FromStr, sync::Arc};

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

const PREFIX: &str = "whsec_";
const NEW: usize = 32;
/// The specification asks for 24 to 64 bytes.
const FEWEST: usize = 24;
const MOST: usize = 64;

/// Random text of the right form is a secret, even if bits are left over at its end.
const RANDOM: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Wiped from memory with the last clone, and never shown by `Debug`.
#[derive(Clone)]
pub struct Secret(Arc<SecretSlice<u8>>);

/// Not a signing secret. Quotes nothing of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and the base64 of 24 to 64 random bytes")]
pub struct NotASecret;

impl Secret {
    pub fn generate() -> Self {
        let mut bytes = vec![0; NEW];
        rand::rng().fill_bytes(&mut bytes);
        Self(Arc::new(bytes.into()))
    }

    /// From the bytes that [`Secret::bytes`] returned.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NotASecret> {
        let bytes = SecretSlice::from(bytes);
        let length = bytes.expose_secret().len();
        if (FEWEST..=MOST).contains(&length) { Ok(Self(Arc::new(bytes))) } else { Err(NotASecret) }
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// As its holder gets it.
    pub fn reveal(&self) -> SecretString {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(self.bytes())).into()
    }
}

impl FromStr for Secret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotASecret)?;
        Self::from_bytes(RANDOM.decode(encoded).map_err(|_| NotASecret)?)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(length: usize) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode(vec![b'x'; length]))
    }

    #[test]
    fn a_secret_reads_as_it_was_revealed_and_is_not_shown() {
        let secret = Secret::generate();
        let text = secret.reveal();
        assert_eq!(secret.bytes().len(), NEW);
        let again: Secret = text.expose_secret().parse().unwrap();
        assert_eq!(again.bytes(), secret.bytes());
        let unpadded = text.expose_secret().trim_end_matches('=');
        assert_eq!(unpadded.parse::<Secret>().unwrap_err(), NotASecret);
        let rest = format!("whsec_{}B==", "A".repeat(33));
        assert_eq!(rest.parse::<Secret>().unwrap().bytes(), [0; 25]);
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn only_24_to_64_bytes_of_base64_after_the_prefix_are_a_secret() {
        for (length, is_secret) in [(23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(of(length).parse::<Secret>().is_ok(), is_secret, "{length}");
        }
        let bare = of(32).replace("whsec_", "");
        let newline = format!("{}\n", of(32));
        for wrong in ["", "whsec_", "whsec_hush!", "whsk_aGVsbG8=", &bare, &newline] {
            assert_eq!(wrong.parse::<Secret>().unwrap_err(), NotASecret, "{wrong}");
        }
    }
}
