//! The rules of HTTP/1.1 for the `Host` header (RFC 9112, section 3.2). With two of them, two
//! servers on the way may each use a different one.
use axum::http::{HeaderMap, HeaderValue, Version, header::HOST, uri::Authority};

/// What is wrong with a request's `Host`; the response is a 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFault {
    Missing,
    Repeated,
    NoHost,
}

impl HostFault {
    pub fn of(version: Version, headers: &HeaderMap) -> Option<Self> {
        let mut hosts = headers.get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (None, _) => (version >= Version::HTTP_11).then_some(Self::Missing),
            (Some(_), Some(_)) => Some(Self::Repeated),
            (Some(host), None) => (!is_host(host)).then_some(Self::NoHost),
        }
    }
}

/// A name or an address, optionally with a port, or empty, for targets without a name.
fn is_host(value: &HeaderValue) -> bool {
    let host = value.as_bytes();
    host.is_empty() || (!host.contains(&b'@') && Authority::try_from(host).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, hosts: &[&str]) -> Option<HostFault> {
        let headers = hosts.iter().map(|host| (HOST, host.parse().unwrap())).collect();
        HostFault::of(version, &headers)
    }

    #[test]
    fn there_is_one_host_and_it_is_one() {
        for host in ["a", "a.example:8080", "127.0.0.1", "[::1]:80", "a_b", ""] {
            assert_eq!(of(Version::HTTP_11, &[host]), None, "{host}");
        }
        for host in ["a b", "a/b", "user@a", "http://a", "a,b/"] {
            assert_eq!(of(Version::HTTP_11, &[host]), Some(HostFault::NoHost), "{host}");
        }
        assert_eq!(of(Version::HTTP_11, &["a", "a"]), Some(HostFault::Repeated));
        assert_eq!(of(Version::HTTP_10, &["a", "b"]), Some(HostFault::Repeated));
        assert_eq!(of(Version::HTTP_11, &[]), Some(HostFault::Missing));
        assert_eq!(of(Version::HTTP_10, &[]), None);
    }
}
