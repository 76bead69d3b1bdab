//! `Accept-Encoding` (RFC 9110, section 12.5.3).
use axum::http::{HeaderMap, header};

/// Whether the client accepts this content coding, which is lower-case and not `identity`.
pub fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let items = values.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    let mut by_wildcard = false;
    for item in items {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let is_wanted = weight.is_none_or(|weight| weight.parse().is_ok_and(|it: f32| it > 0.0));
        if name.eq_ignore_ascii_case(coding) {
            return is_wanted;
        }
        by_wildcard |= name == "*" && is_wanted;
    }
    by_wildcard
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(list: &str, coding: &str) -> bool {
        let value = list.parse().unwrap();
        accepts(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]), coding)
    }

    #[test]
    fn a_coding_is_accepted_by_name_or_by_wildcard_unless_its_weight_is_zero() {
        assert!(!accepts(&HeaderMap::new(), "br"));
        assert!(takes("gzip, deflate, br, zstd", "br"));
        assert!(takes("gzip;q=0.5, BR ; q=0.1", "br"));
        assert!(!takes("gzip, deflate", "br"));
        assert!(!takes("br;q=0, gzip", "br"));
        assert!(!takes("br;q=0.000", "br"));
        assert!(takes("*", "gzip"));
        assert!(!takes("*, gzip;q=0", "gzip"));
        assert!(!takes("*;q=0", "gzip"));
        assert!(!takes("br;q=much", "br"));
        assert!(!takes("", "br"));
    }
}
