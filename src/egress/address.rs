//! What kind of address this is: the IANA registries of special-purpose addresses, and the metadata services of clouds.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses inside our own networks (RFC 1918, RFC 6598, RFC 2544, RFC 4193, RFC 3879).
const PRIVATE_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
];
const PRIVATE_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
];

/// Metadata and platform services of clouds that are not link-local: Alibaba, Azure, Oracle; AWS, GCP.
const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
];
const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
];

/// How an address is judged; a later tier is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Open,
    Private,
    Special(Special),
}

/// Addresses that no receiver of notifications has, except in a deployment that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Special {
    Loopback,
    LinkLocal,
    Metadata,
    /// Unspecified, multicast, broadcast or reserved.
    Unusable,
}

/// The strictest tier of an address and of the IPv4 addresses it carries.
pub fn tier(address: IpAddr) -> Tier {
    judged(address).into_iter().map(of_itself).max().unwrap_or(Tier::Open)
}

/// The addresses to judge: those carried in an IPv6 address, or else the address itself.
pub(super) fn judged(address: IpAddr) -> Vec<IpAddr> {
    let carried = match address {
        IpAddr::V4(_) => Vec::new(),
        IpAddr::V6(v6) => carried(v6),
    };
    if carried.is_empty() {
        return vec![address];
    }
    carried.into_iter().map(IpAddr::V4).collect()
}

/// The tier of an address that carries no other.
pub(super) fn of_itself(address: IpAddr) -> Tier {
    match address {
        IpAddr::V4(v4) => of_v4(v4),
        IpAddr::V6(v6) => of_v6(v6),
    }
}

fn of_v4(address: Ipv4Addr) -> Tier {
    if METADATA_V4.contains(&address) {
        Tier::Special(Special::Metadata)
    } else if address.is_loopback() {
        Tier::Special(Special::Loopback)
    } else if address.is_link_local() {
        Tier::Special(Special::LinkLocal)
    } else if is_this_network(address) || address.octets()[0] >= 224 {
        // "This network", multicast, reserved, broadcast.
        Tier::Special(Special::Unusable)
    } else if PRIVATE_V4.iter().any(|(network, bits)| starts_alike(address, *network, *bits)) {
        Tier::Private
    } else {
        Tier::Open
    }
}

fn of_v6(address: Ipv6Addr) -> Tier {
    if METADATA_V6.contains(&address) {
        Tier::Special(Special::Metadata)
    } else if address.is_loopback() {
        Tier::Special(Special::Loopback)
    } else if address.is_unicast_link_local() {
        Tier::Special(Special::LinkLocal)
    } else if address.is_multicast() || address.octets()[0] == 0 {
        Tier::Special(Special::Unusable)
    } else if PRIVATE_V6.iter().any(|(network, bits)| {
        (address.to_bits() ^ network.to_bits()).leading_zeros() >= u32::from(*bits)
    }) {
        Tier::Private
    } else {
        Tier::Open
    }
}

fn starts_alike(address: Ipv4Addr, network: Ipv4Addr, bits: u8) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= u32::from(bits)
}

fn is_this_network(address: Ipv4Addr) -> bool {
    address.octets()[0] == 0
}

/// The IPv4 addresses to which a translator or tunnel would forward; empty if there are none.
fn carried(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bytes = address.octets();
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| bytes[place]));
    let last = at([12, 13, 14, 15]);
    match address.segments() {
        // ::, ::1
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => vec![],
        // Mapped (RFC 4291), translated (RFC 2765), compatible (RFC 4291, deprecated), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff | 0, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![last],
        [0x64, 0xff9b, 1, ..] => local_nat64(at),
        // 6to4 (RFC 3056).
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        // Teredo (RFC 4380): the server, and the client with its bits inverted.
        [0x2001, 0, ..] => vec![at([4, 5, 6, 7]), Ipv4Addr::from_bits(!last.to_bits())],
        _ => vec![],
    }
}

/// Local NAT64 (RFC 8215) may use any prefix length in its /48, and the address does not say which: all four places of
/// RFC 6052 count, except those that hold nothing. Rarely, that refuses a harmless address, which can be allowed by name.
fn local_nat64(at: impl Fn([usize; 4]) -> Ipv4Addr) -> Vec<Ipv4Addr> {
    let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]].map(at);
    let some: Vec<_> = places.into_iter().filter(|v4| !is_this_network(*v4)).collect();
    if some.is_empty() { vec![Ipv4Addr::UNSPECIFIED] } else { some }
}
