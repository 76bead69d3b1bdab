//! A table of addresses, as URLs have them.
use aftercall::egress::{Guard, Refused, Special, Tier, tier};
use url::Url;

use super::settings;

const OPEN: &[&str] = &[
    "203.0.113.9",
    "8.8.8.8",
    "11.0.0.1",
    "9.255.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "223.255.255.255",
    "169.253.0.1",
    "[2001:db8::1]",
    "[2600::1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::8.8.4.4]",
    "[64:ff9b:1:808:4:400::]",
    "[2002:808:808::1]",
    // Teredo by the server 8.8.4.4, for the client 8.8.8.8.
    "[2001:0:808:404:0:0:f7f7:f7f7]",
];

const PRIVATE: &[&str] = &[
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "[fc00::1]",
    "[fdff::1]",
    "[fec0::1]",
    "[::ffff:10.1.2.3]",
    "[::10.1.2.3]",
    "[::ffff:0:10.1.2.3]",
    "[64:ff9b::192.168.0.1]",
    "[64:ff9b:1::10.1.2.3]",
    "[64:ff9b:1:a01:2:300::]",
    "[2002:a01:203::1]",
    // Teredo for the client 10.1.2.3, and by the server 10.1.2.3.
    "[2001:0:808:404:0:0:f5fe:fdfc]",
    "[2001:0:a01:203:0:0:f7f7:f7f7]",
    // Other spellings of 10.1.2.3.
    "167838211",
    "0xa010203",
    "012.1.2.3",
    "10.1.515",
];

const LOOPBACK: &[&str] = &[
    "127.0.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "１２７.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[64:ff9b:1:7f00:0:100::]",
    "[2002:7f00:1::]",
    "[2001:0:808:404:0:0:80ff:fffe]",
];

const LINK_LOCAL: &[&str] = &["169.254.0.1", "169.254.255.255", "[fe80::1]", "[febf::1]"];

const METADATA: &[&str] = &[
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "2852039166",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::169.254.169.254]",
    "[2002:a9fe:a9fe::]",
];

const UNUSABLE: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "0",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::2]",
    "[64::1]",
    "[64:ff9b:1::]",
    "[ff02::1]",
    "[::ffff:0.0.0.0]",
    "[64:ff9b::224.0.0.1]",
];

fn tables() -> [(&'static [&'static str], Tier); 6] {
    [
        (OPEN, Tier::Open),
        (PRIVATE, Tier::Private),
        (LOOPBACK, Tier::Special(Special::Loopback)),
        (LINK_LOCAL, Tier::Special(Special::LinkLocal)),
        (METADATA, Tier::Special(Special::Metadata)),
        (UNUSABLE, Tier::Special(Special::Unusable)),
    ]
}

fn url(host: &str) -> Url {
    format!("https://{host}/hook").parse().unwrap()
}

#[tokio::test]
async fn every_spelling_of_an_address_is_judged_by_where_it_leads() {
    let (open, closed) = (Guard::new(&settings(&[], true)), Guard::new(&settings(&[], false)));
    for (hosts, expected) in tables() {
        for host in hosts {
            let address = match url(host).host().unwrap() {
                url::Host::Ipv4(address) => address.into(),
                url::Host::Ipv6(address) => address.into(),
                url::Host::Domain(name) => panic!("{name}"),
            };
            assert_eq!(tier(address), expected, "{host}");
            let is_allowed = async |guard: &Guard| guard.vet(&url(host)).await.is_ok();
            assert_eq!(is_allowed(&open).await, expected <= Tier::Private, "{host}");
            assert_eq!(is_allowed(&closed).await, expected == Tier::Open, "{host}");
        }
    }
}

#[tokio::test]
async fn a_special_address_is_allowed_by_its_exact_name_and_by_no_network() {
    for allow in [&[][..], &["0.0.0.0/0", "::/0"]] {
        let guard = Guard::new(&settings(allow, true));
        for host in [LOOPBACK, LINK_LOCAL, METADATA, UNUSABLE].concat() {
            assert!(guard.vet(&url(host)).await.is_err(), "{host} by {allow:?}");
        }
    }
    let guard = Guard::new(&settings(&["127.0.0.1", "fe80::1"], true));
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "[fe80::1]"] {
        assert!(guard.vet(&url(host)).await.is_ok(), "{host}");
    }
    for host in ["127.0.0.2", "[::1]", "[fe80::2]"] {
        assert!(guard.vet(&url(host)).await.is_err(), "{host}");
    }
}

#[tokio::test]
async fn private_addresses_are_allowed_by_the_switch_or_by_their_network() {
    let guard = Guard::new(&settings(&["10.1.0.0/16", "fd12::/16"], false));
    for host in ["10.1.2.3", "[::ffff:10.1.2.3]", "[fd12::1]"] {
        assert!(guard.vet(&url(host)).await.is_ok(), "{host}");
    }
    for host in ["10.2.0.1", "192.168.0.1", "[fd13::1]"] {
        assert!(guard.vet(&url(host)).await.is_err(), "{host}");
    }
}

#[tokio::test]
async fn plain_http_stays_inside_our_own_networks() {
    let plain = async |guard: &Guard, host: &str| {
        guard.vet(&format!("http://{host}/").parse().unwrap()).await.map(drop)
    };
    let guard = Guard::new(&settings(&["192.0.2.7", "198.51.100.0/24", "127.0.0.1"], true));
    for host in ["10.0.0.1", "192.0.2.7", "198.51.100.9", "127.0.0.1"] {
        assert_eq!(plain(&guard, host).await, Ok(()), "{host}");
    }
    let host = "203.0.113.9".to_owned();
    assert_eq!(plain(&guard, &host).await, Err(Refused::PlainHttp { host }));
    let ftp = "ftp://10.0.0.1/".parse().unwrap();
    assert_eq!(guard.vet(&ftp).await, Err(Refused::Scheme));
}

#[tokio::test]
async fn the_error_names_the_setting_that_would_allow_it() {
    let guard = Guard::new(&settings(&[], false));
    let told = async |host: &str| guard.vet(&url(host)).await.unwrap_err().to_string();
    let expected = "10.1.2.3 is a private address; an operator can allow it by adding 10.1.2.3 to \
                    notify.allow, its network, or by setting notify.private_networks to true";
    assert_eq!(told("10.1.2.3").await, expected);
    let expected = "169.254.169.254 is the address of a cloud's metadata service; an operator can \
                    allow it by adding 169.254.169.254 to notify.allow";
    assert_eq!(told("169.254.169.254").await, expected);
    let expected = "localhost resolves to 127.0.0.1, a loopback address; an operator can allow it \
                    by adding localhost or 127.0.0.1 to notify.allow";
    assert_eq!(told("localhost").await.replace("::1", "127.0.0.1"), expected);
    let unknown = told("nowhere.invalid").await;
    assert!(unknown.starts_with("nowhere.invalid does not resolve: "), "{unknown}");
}
