//! Where the database is: a `postgres://` URL with one host or, as in libpq, with several, of which one accepts writes.
use std::{io, str::FromStr as _, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};
use tokio::time::timeout;
use url::Url;

use super::may_come;

const TARGET: &str = "target_session_attrs=";

/// Longest time for a server to accept a connection and say whether it accepts writes.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Options for each server of a URL.
#[derive(Clone)]
pub struct Servers {
    each: Vec<PgConnectOptions>,
    must_write: bool,
}

impl Servers {
    /// `password` is used when the URL has none.
    ///
    /// # Errors
    /// All that is wrong, to be read after the setting's name. Nothing of the URL is quoted, as it may contain a
    /// password.
    pub fn parse(url: &str, password: Option<&SecretString>) -> Result<Self, Vec<String>> {
        let not_a_url = || vec!["is not a postgres:// URL".to_owned()];
        let parts = Parts::of(url).ok_or_else(not_a_url)?;
        let hosts: Vec<&str> = parts.hosts.split(',').collect();
        let mut faults = Vec::new();
        if hosts.len() > 1 {
            // Checked apart from its hosts, so that each fault is told once.
            parts.with_host("localhost").ok_or_else(not_a_url)?;
            faults.extend(parts.faults_of_list(&hosts));
        }
        let must_write = parts.targets().any(|target| target == "read-write");
        if parts.targets().any(|target| target != "read-write") {
            faults.push("can have no other target_session_attrs than read-write".to_owned());
        } else if hosts.len() > 1 && !must_write {
            faults.push(
                "names several hosts: append target_session_attrs=read-write to its parameters"
                    .to_owned(),
            );
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let password = password.filter(|_| parts.password.is_none());
        let each = hosts.iter().map(|host| Some(finished(parts.with_host(host)?, password)));
        Ok(Self { each: each.collect::<Option<_>>().ok_or_else(not_a_url)?, must_write })
    }

    /// A single server, which is not asked whether it accepts writes.
    pub fn one(options: PgConnectOptions) -> Self {
        Self { each: vec![options], must_write: false }
    }

    /// Whether only a server that accepts writes will do.
    pub fn must_write(&self) -> bool {
        self.must_write
    }

    /// The one that is named first.
    pub fn first(&self) -> &PgConnectOptions {
        &self.each[0]
    }

    /// Asks all servers at once, and returns the first that will do, with a connection to it.
    ///
    /// # Errors
    /// An I/O error if another server may do later.
    pub async fn find(&self) -> sqlx::Result<(PgConnectOptions, PgConnection)> {
        if !self.must_write {
            let options = self.first().clone();
            let connection = PgConnection::connect_with(&options).await?;
            return Ok((options, connection));
        }
        let ask = async |options: &PgConnectOptions| {
            let mut connection = PgConnection::connect_with(options).await?;
            check_writable(&mut connection).await?;
            Ok((options.clone(), connection))
        };
        let in_time = async |options| match timeout(TIMEOUT, ask(options)).await {
            Ok(result) => result,
            Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
        };
        let mut asked: FuturesUnordered<_> = self.each.iter().map(in_time).collect();
        let mut errors = Vec::new();
        while let Some(found) = asked.next().await {
            match found {
                Ok(found) => return Ok(found),
                Err(error) => errors.push(error),
            }
        }
        match errors.iter().position(|error| !may_come(error)) {
            Some(index) if !errors.iter().any(may_come) => Err(errors.swap_remove(index)),
            _ => Err(unavailable("none of the database's hosts accepts writes")),
        }
    }
}

fn unavailable(why: &'static str) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, why))
}

/// # Errors
/// When the session can only read, as on a standby.
pub(super) async fn check_writable(db: &mut PgConnection) -> sqlx::Result<()> {
    // A prepared statement would be kept for as long as the connection.
    let row = sqlx::raw_sql("show transaction_read_only").fetch_one(db).await?;
    match row.try_get::<&str, _>(0)? {
        "off" => Ok(()),
        _ => Err(unavailable("the database server is read-only")),
    }
}

fn finished(options: PgConnectOptions, password: Option<&SecretString>) -> PgConnectOptions {
    let options = match password {
        Some(password) => options.password(password.expose_secret()),
        None => options,
    };
    // Poolers reject `extra_float_digits`, which sqlx would send; without it, Postgres is as exact.
    options.application_name("aftercall").extra_float_digits(None)
}

/// Whether the URLs differ only in the password.
pub fn is_same_but_password(one: &str, other: &str) -> bool {
    let rest = |url| Parts::of(url).map(|parts| Parts { password: None, ..parts });
    rest(one).is_some_and(|one| Some(one) == rest(other))
}

/// A URL, cut where its list of hosts begins and ends: `Url` knows no lists.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if !["postgres", "postgresql"].contains(&scheme) {
            return None;
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let (user, password) = match login.and_then(|login| login.split_once(':')) {
            Some((user, password)) => (Some(user), Some(password)),
            None => (login, None),
        };
        Some(Self { user, password, hosts, path, query })
    }

    fn targets(&self) -> impl Iterator<Item = &str> {
        self.query.split('&').filter_map(|parameter| parameter.strip_prefix(TARGET))
    }

    /// Options for one of its hosts; `None` if that or anything else is malformed.
    fn with_host(&self, host: &str) -> Option<PgConnectOptions> {
        let login = match (self.user, self.password) {
            (Some(user), Some(password)) => format!("{user}:{password}@"),
            (Some(user), None) => format!("{user}@"),
            (None, _) => String::new(),
        };
        let is_ours = |parameter: &&str| !parameter.starts_with(TARGET);
        let query = self.query.split('&').filter(is_ours).collect::<Vec<_>>().join("&");
        let url = format!("postgres://{login}{host}{}?{query}", self.path);
        Url::parse(&url).ok()?;
        let options = PgConnectOptions::from_str(&url).ok()?;
        // Whatever connects to an address wants it without brackets.
        let address = host.strip_prefix('[').and_then(|host| host.split_once(']'));
        Some(address.map_or(options.clone(), |(address, _)| options.host(address)))
    }

    fn faults_of_list(&self, hosts: &[&str]) -> Vec<String> {
        let mut faults = Vec::new();
        let places = ["host=", "hostaddr=", "port="];
        if self.query.split('&').any(|it| places.iter().any(|place| it.starts_with(place))) {
            faults.push(
                "has both a list of hosts and a parameter host, hostaddr or port: leave the parameter out"
                    .to_owned(),
            );
        }
        for (host, number) in hosts.iter().zip(1..) {
            if host.is_empty() {
                faults.push(format!("has a list of hosts whose number {number} is empty"));
            } else if host.starts_with(['/', '%']) {
                faults.push(format!(
                    "has a list of hosts whose number {number} is a folder of Unix sockets: only TCP works there"
                ));
            } else if self.with_host(host).is_none() {
                faults.push(format!(
                    "has a list of hosts whose number {number} is not host or host:port"
                ));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;

    use super::*;

    fn places(url: &str) -> Vec<(String, u16)> {
        let servers = Servers::parse(url, None).unwrap_or_else(|faults| panic!("{faults:?}"));
        let place =
            |options: &PgConnectOptions| (options.get_host().to_owned(), options.get_port());
        servers.each.iter().map(place).collect()
    }

    fn place(host: &str, port: u16) -> (String, u16) {
        (host.to_owned(), port)
    }

    fn faults(url: &str) -> Vec<String> {
        let faults = Servers::parse(url, None).err().unwrap_or_default();
        assert!(!faults.iter().any(|fault| fault.contains("hush")), "{faults:?}");
        faults
    }

    #[test]
    fn each_host_has_its_port_or_the_usual_one() {
        let url = "postgres://u:p@one:6000,two,[::1]:7000,[fe80::2]/db?target_session_attrs=read-write&sslmode=disable";
        let expected =
            [place("one", 6000), place("two", 5432), place("::1", 7000), place("fe80::2", 5432)];
        assert_eq!(places(url), expected);
        assert!(Servers::parse(url, None).unwrap().must_write());
        assert_eq!(places("postgresql://[::1]:7000/db"), [place("::1", 7000)]);
        assert_eq!(places("postgres:///db?host=127.0.0.1&port=6000"), [place("127.0.0.1", 6000)]);
        assert!(!Servers::parse("postgres://one/db", None).unwrap().must_write());
        let one = "postgres://one/db?target_session_attrs=read-write";
        assert!(Servers::parse(one, None).unwrap().must_write());
    }

    #[test]
    fn every_host_gets_user_password_and_database() {
        let password = SecretString::from("a/b@c");
        for (url, expected) in [
            ("postgres://user@h1:1,h2:2/db?target_session_attrs=read-write", "a%2Fb%40c"),
            ("postgres://user:o%2Cn@h1:1,h2:2/db?target_session_attrs=read-write", "o%2Cn"),
            ("postgres://user@host/db", "a%2Fb%40c"),
            ("postgres://user:own@host/db", "own"),
        ] {
            for options in Servers::parse(url, Some(&password)).unwrap().each {
                assert_eq!(options.get_database(), Some("db"));
                assert_eq!(options.get_username(), "user");
                assert_eq!(options.to_url_lossy().password(), Some(expected));
            }
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_nothing_is_quoted() {
        let url = "postgres://u:hush@h1,,%2Ftmp,h4:port/db?port=1&target_session_attrs=any";
        insta::assert_snapshot!(faults(url).join("\n"), @r"
        has both a list of hosts and a parameter host, hostaddr or port: leave the parameter out
        has a list of hosts whose number 2 is empty
        has a list of hosts whose number 3 is a folder of Unix sockets: only TCP works there
        has a list of hosts whose number 4 is not host or host:port
        can have no other target_session_attrs than read-write
        ");
        insta::assert_snapshot!(faults("postgres://u:hush@h1,h2/db").join("\n"), @"names several hosts: append target_session_attrs=read-write to its parameters");
        for url in [
            "postgres://u:hush@host:port/db",
            "postgres://u:hush@h1,h2/db?sslmode=maybe&target_session_attrs=read-write",
            "mysql://u:hush@host/db",
            "hush",
        ] {
            assert_eq!(faults(url), ["is not a postgres:// URL"], "{url}");
        }
    }

    #[test]
    fn passwords_do_not_tell_servers_apart_but_hosts_do() {
        let url = "postgres://u:one@h1,h2/db?target_session_attrs=read-write";
        let is_same = |other: &str| is_same_but_password(url, other);
        assert!(is_same("postgres://u:other@h1,h2/db?target_session_attrs=read-write"));
        assert!(!is_same("postgres://u:one@h1,h3/db?target_session_attrs=read-write"));
        assert!(!is_same("postgres://v:one@h1,h2/db?target_session_attrs=read-write"));
        assert!(!is_same("hush"));
    }
}
