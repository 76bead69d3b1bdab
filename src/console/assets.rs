//! The files that browsers load. They are built into the binary, compressed by `src/build.rs`.
//!
//! The path of an asset has a hash over all of them, so that browsers keep assets for ever, and modules that import one
//! another are of one version. Only index.html, which names the hash, is loaded each time.
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};

use crate::{api::ApiError, http};

/// A file, and the forms that are smaller, the smallest first.
struct Asset {
    /// Path below the folder of the console.
    name: &'static str,
    content_type: &'static str,
    /// Of the content.
    digest: &'static str,
    plain: &'static [u8],
    encodings: &'static [(&'static str, &'static [u8])],
}

// `INDEX`, the same for the page of a call as `CALL`, all other files as `ASSETS`, by name, and the hash over these as
// `VERSION`.
include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// Every page: which one it is, the script reads from the path.
pub async fn page(headers: HeaderMap) -> Response {
    shell(&INDEX, &headers)
}

/// The same, which also names the modules of the page of a call.
pub async fn call(headers: HeaderMap) -> Response {
    shell(&CALL, &headers)
}

fn shell(page: &Asset, headers: &HeaderMap) -> Response {
    let (_, mut response) = page.encoded(headers);
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

/// `path`: the hash and the name of the file.
pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let name = path.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('/'));
    let found = name.and_then(|name| ASSETS.binary_search_by_key(&name, |asset| asset.name).ok());
    let asset = found.and_then(|at| ASSETS.get(at)).ok_or(ApiError::NoSuchRoute)?;
    let (encoding, response) = asset.encoded(&headers);
    // Each form has a tag of its own: they are different bytes.
    let etag = format!("\"{}-{encoding}\"", asset.digest);
    let mut response = http::conditional(&headers, etag, response)?;
    let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, for_ever);
    // Also when nothing is sent because nothing has changed.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Ok(response)
}

impl Asset {
    /// The smallest form that the client accepts, with the name of its encoding.
    fn encoded(&self, headers: &HeaderMap) -> (&'static str, Response) {
        let smaller = self.encodings.iter().find(|(encoding, _)| http::accepts(headers, encoding));
        let (encoding, bytes) = smaller.copied().unwrap_or(("identity", self.plain));
        let mut response = bytes.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if smaller.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        (encoding, response)
    }
}
