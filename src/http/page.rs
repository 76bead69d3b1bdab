//! Pages of a list: limits, and cursors that are valid only for their own listing.
use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderValue, Uri, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::Limit;

const MAC_BYTES: usize = 16;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Pass it as `cursor` to get the next page; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

impl<T> Page<T> {
    /// `rows` are up to `limit + 1`; the extra one only shows that there are more.
    pub fn new<R>(
        mut rows: Vec<R>,
        limit: Limit,
        cursor: impl Fn(&R) -> String,
        view: impl Fn(R) -> T,
    ) -> Self {
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(cursor);
        Self { data: rows.into_iter().map(view).collect(), next_cursor, has_more }
    }
}

impl<T: Serialize> Page<T> {
    /// The page with the `Link` to the next one (RFC 8288): the same request with the next cursor.
    pub fn answer(self, request: &Uri) -> Response {
        let next = self.next_cursor.as_deref().map(|cursor| next_link(request, cursor));
        let mut response = Json(self).into_response();
        if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
            response.headers_mut().insert(header::LINK, next);
        }
        response
    }
}

fn next_link(request: &Uri, cursor: &str) -> String {
    let given = form_urlencoded::parse(request.query().unwrap_or_default().as_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(given.filter(|(name, _)| name != "cursor")).append_pair("cursor", cursor);
    format!("<{}?{}>; rel=\"next\"", request.path(), query.finish())
}

/// The conditions of a filter, without those that are null or empty. Cursors are bound to them, so
/// that a renamed type or a condition that a later version adds invalidates no cursor in use.
pub fn conditions(filter: &impl Serialize) -> String {
    let mut conditions = serde_json::to_value(filter).unwrap_or_default();
    drop_open(&mut conditions);
    conditions.sort_all_objects();
    conditions.to_string()
}

fn drop_open(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.values_mut().for_each(drop_open);
    members.retain(|_, value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    });
}

/// A cursor that was not issued for this listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorMismatch;

/// Seals positions into opaque cursors, bound to one listing of one caller.
#[derive(Clone)]
pub struct Cursors {
    key: Arc<[u8]>,
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursors(…)")
    }
}

impl Cursors {
    pub fn new(key: impl Into<Arc<[u8]>>) -> Self {
        Self { key: key.into() }
    }

    /// `listing` contains everything that determines the rows: path, caller, filters.
    pub fn seal(&self, listing: &str, position: &[u8]) -> String {
        let mut bytes = position.to_vec();
        bytes.extend_from_slice(&self.mac(listing, position));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a cursor of the same listing.
    pub fn open<const N: usize>(
        &self,
        listing: &str,
        cursor: &str,
    ) -> Result<[u8; N], CursorMismatch> {
        let position = self.open_any(listing, cursor)?;
        position.try_into().map_err(|_| CursorMismatch)
    }

    /// The same for positions of any length.
    pub fn open_any(&self, listing: &str, cursor: &str) -> Result<Vec<u8>, CursorMismatch> {
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| CursorMismatch)?;
        let length = bytes.len().checked_sub(MAC_BYTES).ok_or(CursorMismatch)?;
        let mac = bytes.split_off(length);
        let is_ours = subtle::ConstantTimeEq::ct_eq(&mac[..], &self.mac(listing, &bytes)[..]);
        if bool::from(is_ours) { Ok(bytes) } else { Err(CursorMismatch) }
    }

    fn mac(&self, listing: &str, position: &[u8]) -> [u8; MAC_BYTES] {
        let mut tag = [0; MAC_BYTES];
        // HMAC accepts keys of any length; the error belongs to the trait.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) {
            // Positions vary in length, so the length is part of the input.
            mac.update(&position.len().to_be_bytes());
            mac.update(position);
            mac.update(listing.as_bytes());
            tag.copy_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_those_that_apply() {
        let filter = json!({ "tags": ["a"], "flag": false, "states": [], "at": { "after": null } });
        let later = json!({ "new": null, "flag": false, "at": {}, "tags": ["a"] });
        assert_eq!(conditions(&filter), r#"{"flag":false,"tags":["a"]}"#);
        assert_eq!(conditions(&later), conditions(&filter));
    }

    proptest! {
        #[test]
        fn a_cursor_opens_in_its_own_listing_only(position: [u8; 16], a in ".*", b in ".*") {
            let cursors = Cursors::new(*b"key");
            let sealed = cursors.seal(&a, &position);
            prop_assert_eq!(cursors.open(&a, &sealed).unwrap(), position);
            prop_assert_eq!(cursors.open::<16>(&b, &sealed).is_ok(), a == b);
        }

        #[test]
        fn no_text_opens_or_panics(text in ".{0,80}") {
            prop_assert!(Cursors::new(*b"key").open::<16>("jobs", &text).is_err());
        }
    }
}
