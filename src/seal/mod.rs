//! Seals secrets that must be stored and read again, so that the database, its dumps and its backups hold none of them
//! in the clear.
//!
//! A sealed value is XChaCha20-Poly1305 over the secret, with the row it belongs to as associated data: moved to another
//! row or column, it cannot be opened. It names its key, so that several keys can be in use during a rotation. In bytes:
//!
//! ```text
//! 1 | length of the key's id | the key's id | nonce (24) | ciphertext and tag
//! ```
//!
//! The table `seal_keys` knows every key that has sealed something, so that no process starts without one of them, or
//! with another key of the same id.
mod keys;
mod known;
mod rotate;

use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::{
    XNonce,
    aead::{Aead as _, Payload},
};
use rand::Rng as _;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::{
    keys::Keys,
    known::{KeyFault, forget, known_ids, prove, register},
    rotate::{COLUMNS, Column, Resealed},
};

/// The first byte of every sealed value.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

/// Seals and opens. Cheap to clone; clones share the keys.
#[derive(Debug, Clone)]
pub struct Seal(Arc<RwLock<Arc<Keys>>>);

/// The row that a sealed value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub table: &'static str,
    pub row: Uuid,
}

/// Why a sealed value cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("it is sealed with the key {0:?}, which is not in seal.key")]
    UnknownKey(String),
    #[error(
        "it is not what was sealed for this row, or was sealed with another key of the same id"
    )]
    Tampered,
    #[error("it is not a sealed value")]
    Malformed,
}

impl Seal {
    pub fn new(keys: Keys) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(keys))))
    }

    /// From now on, all clones use these keys.
    pub fn replace(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Seals with the current key.
    ///
    /// # Panics
    /// For more than 256 GiB.
    pub fn seal(&self, place: Place, plain: &[u8]) -> Vec<u8> {
        let keys = self.keys();
        let key = keys.current();
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let aad = associated(place, &key.id);
        let payload = Payload { msg: plain, aad: &aad };
        #[expect(clippy::expect_used, reason = "fails only for more than 256 GiB")]
        let ciphertext =
            key.cipher.encrypt(&XNonce::from(nonce), payload).expect("a secret is short");
        let header = [VERSION, u8::try_from(key.id.len()).unwrap_or_default()];
        [&header[..], key.id.as_bytes(), &nonce, &ciphertext].concat()
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`OpenError::UnknownKey`] is a fault of the configuration; the others mean that the row was changed by hand.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (id, rest) = split(sealed).ok_or(OpenError::Malformed)?;
        let (nonce, ciphertext) =
            rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
        let keys = self.keys();
        let key = keys.find(id).ok_or_else(|| OpenError::UnknownKey(id.to_owned()))?;
        let aad = associated(place, id);
        let payload = Payload { msg: ciphertext, aad: &aad };
        let plain = key.cipher.decrypt(&XNonce::from(*nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| OpenError::Tampered)
    }

    /// The id of the key that sealed it; `None` if it is not a sealed value.
    pub fn key_id_of(sealed: &[u8]) -> Option<&str> {
        split(sealed).map(|(id, _)| id)
    }

    /// The ids of all keys, the current one's first.
    pub fn key_ids(&self) -> Vec<String> {
        self.keys().ids().map(str::to_owned).collect()
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The key's id, and the nonce with the ciphertext.
fn split(sealed: &[u8]) -> Option<(&str, &[u8])> {
    let (&[version, id_bytes], rest) = sealed.split_first_chunk()?;
    let (id, rest) = rest.split_at_checked(id_bytes.into()).filter(|_| version == VERSION)?;
    Some((std::str::from_utf8(id).ok()?, rest))
}

/// Table, row and key id; the lengths keep them apart.
fn associated(Place { table, row }: Place, key_id: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap_or(u8::MAX);
    let mut aad = vec![VERSION, length(table), length(key_id)];
    aad.extend_from_slice(table.as_bytes());
    aad.extend_from_slice(key_id.as_bytes());
    aad.extend_from_slice(row.as_bytes());
    aad
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place = Place { table: "jobs", row: Uuid::from_u128(7) };

    fn line(id: &str) -> String {
        Keys::new_line(id).unwrap().to_string()
    }

    fn with(lines: &str) -> Seal {
        Seal::new(Keys::parse(lines).unwrap())
    }

    #[test]
    fn only_the_place_it_was_sealed_for_opens_it() {
        let seal = with(&line("a"));
        let sealed = seal.seal(PLACE, b"hush");
        assert_eq!(*seal.open(PLACE, &sealed).unwrap(), b"hush");
        assert_eq!(Seal::key_id_of(&sealed), Some("a"));
        assert_ne!(sealed, seal.seal(PLACE, b"hush"), "each has its own nonce");
        for elsewhere in
            [Place { table: "endpoints", ..PLACE }, Place { row: Uuid::from_u128(8), ..PLACE }]
        {
            assert_eq!(seal.open(elsewhere, &sealed), Err(OpenError::Tampered));
        }
    }

    #[test]
    fn old_keys_open_and_the_first_one_seals() {
        let (old, new) = (line("old"), line("new"));
        let seal = with(&old);
        let sealed = seal.seal(PLACE, b"hush");
        seal.clone().replace(Keys::parse(&format!("{new}{old}")).unwrap());
        assert_eq!(*seal.open(PLACE, &sealed).unwrap(), b"hush");
        assert_eq!(Seal::key_id_of(&seal.seal(PLACE, b"hush")), Some("new"));
        seal.replace(Keys::parse(&new).unwrap());
        assert_eq!(seal.open(PLACE, &sealed), Err(OpenError::UnknownKey("old".to_owned())));
        let another = with(&line("old"));
        assert_eq!(another.open(PLACE, &sealed), Err(OpenError::Tampered));
    }

    proptest! {
        #[test]
        fn whatever_is_changed_is_noticed(at in 0..60_usize, by in 1..=u8::MAX) {
            let seal = with(&line("a"));
            let mut sealed = seal.seal(PLACE, b"a secret of some length");
            let at = at % sealed.len();
            sealed[at] ^= by;
            prop_assert!(seal.open(PLACE, &sealed).is_err());
        }

        #[test]
        fn nothing_else_opens(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(with(&line("a")).open(PLACE, &bytes).is_err());
        }
    }
}
