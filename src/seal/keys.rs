//! The keys with which secrets are sealed, as they are written in `seal.key`: one `id:key` per line, the current one
//! first.
use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use rand::Rng as _;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const MAX_ID: usize = 40;
/// More than any rotation needs; each configured key must be proven at every start.
const MAX_KEYS: usize = 20;

/// At least one key, each with an id of its own.
#[derive(Clone)]
pub struct Keys(Vec<Key>);

#[derive(Clone)]
pub(super) struct Key {
    pub id: String,
    pub cipher: XChaCha20Poly1305,
}

impl Keys {
    /// Parses `seal.key`. Keys are separated by line breaks or commas; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// All faults, each with its line, without quoting a key.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (mut keys, mut faults) = (Vec::<Key>::new(), Vec::new());
        let lines = text.lines().flat_map(|line| {
            let is_comment = line.trim_start().starts_with('#');
            let line = if is_comment { "" } else { line };
            line.split(',').map(str::trim).filter(|entry| !entry.is_empty())
        });
        for (number, entry) in (1..).zip(lines) {
            match Key::parse(entry) {
                Ok(key) if keys.iter().any(|other| other.id == key.id) => {
                    faults.push(format!("the id of key {number} is used twice"));
                }
                Ok(key) => keys.push(key),
                Err(why) => faults.push(format!("key {number} {why}")),
            }
        }
        if keys.is_empty() && faults.is_empty() {
            faults.push("there is no key in it".to_owned());
        }
        if keys.len() > MAX_KEYS {
            faults.push(format!("there are more than {MAX_KEYS} keys"));
        }
        if faults.is_empty() { Ok(Self(keys)) } else { Err(faults) }
    }

    /// A line for `seal.key` with a new key; `None` if the id is not one.
    pub fn new_line(id: &str) -> Option<Zeroizing<String>> {
        if !is_id(id) {
            return None;
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rand::rng().fill_bytes(&mut *key);
        let text = Zeroizing::new(BASE64_STANDARD.encode(*key));
        Some(Zeroizing::new(format!("{id}:{}\n", *text)))
    }

    /// The ids, the current key's first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    pub(super) fn current(&self) -> &Key {
        // `parse` makes no empty list.
        &self.0[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

const ID_RULE: &str =
    "has no id of 1 to 40 lower-case letters, digits, `.`, `_` and `-` before the colon";

impl Key {
    /// Errors continue "key 2 …".
    fn parse(entry: &str) -> Result<Self, &'static str> {
        let (id, key) = entry.split_once(':').ok_or(ID_RULE)?;
        let id = id.trim();
        if !is_id(id) {
            return Err(ID_RULE);
        }
        let wrong = "must be 32 bytes in base64 after its id, as `aftercall seal key` prints them";
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(key.trim()).map_err(|_| wrong)?);
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| wrong)?;
        Ok(Self { id: id.to_owned(), cipher })
    }
}

fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
    };
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_comments_and_several_keys_and_the_first_is_current() {
        let [new, old] = ["2026-11", "2026-05"].map(|id| Keys::new_line(id).unwrap().to_string());
        let keys = Keys::parse(&format!("# rotated in November\n\n{new}  {old}")).unwrap();
        assert_eq!(keys.ids().collect::<Vec<_>>(), ["2026-11", "2026-05"]);
        assert_eq!(keys.current().id, "2026-11");
        let inline = Keys::parse(&format!("{},{}", new.trim(), old.trim())).unwrap();
        assert_eq!(inline.ids().count(), 2);
    }

    #[test]
    fn all_faults_come_at_once_and_quote_no_key() {
        let good = Keys::new_line("a").unwrap().to_string();
        let text = format!("{good}hush-without-id\nb:hush\n{good}B:{}", &good[2..]);
        let faults = Keys::parse(&text).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults[2].contains("key 4") || faults[2].contains("twice"), "{faults:?}");
        assert!(!format!("{faults:?}").contains("hush"), "{faults:?}");
        assert_eq!(Keys::parse("# nothing\n").unwrap_err(), ["there is no key in it"]);
        assert!(Keys::new_line("No id").is_none());
        assert!(!format!("{:?}", Keys::parse(&good).unwrap()).contains(&good[2..10]));
    }
}
