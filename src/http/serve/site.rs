//! The address of a sender, and which addresses count as one.
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::{extract::ConnectInfo, http::Extensions};

/// The address that a request came from; unspecified if it came over no connection.
pub fn address(of_request: &Extensions) -> IpAddr {
    let sender = of_request.get::<ConnectInfo<SocketAddr>>();
    sender.map_or(Ipv6Addr::UNSPECIFIED.into(), |sender| sender.0.ip())
}

/// The address range of one sender: an IPv4 address, or an IPv6 /64.
pub fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(prefix).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_64_of_ipv6_is_one_sender() {
        let of = |text: &str| site(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:1::1"), of("2001:db8:1:1:ffff::2"));
        assert_ne!(of("2001:db8:1:1::1"), of("2001:db8:1:2::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"), "the same, as IPv6 writes it");
    }
}
