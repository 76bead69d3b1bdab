//! Names whose addresses change between one lookup and the next.
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aftercall::egress::{Guard, Refused};
use axum::{Router, routing::any};
use tokio::net::TcpListener;
use url::Url;

use super::{name_server::NameServer, settings};

const HARMLESS: [u8; 4] = [127, 0, 0, 1];
const FORBIDDEN: [u8; 4] = [127, 0, 0, 2];

/// The same port on an allowed and on a forbidden address, each counting its connections.
struct Listeners {
    url: Url,
    harmless: Arc<AtomicUsize>,
    forbidden: Arc<AtomicUsize>,
}

impl Listeners {
    async fn start() -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::from(HARMLESS), 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = TcpListener::bind((std::net::Ipv4Addr::from(FORBIDDEN), port)).await.unwrap();
        let url = format!("http://rebinding.example:{port}/").parse().unwrap();
        Self { url, harmless: counted(listener), forbidden: counted(other) }
    }

    fn counts(&self) -> (usize, usize) {
        (self.harmless.load(Ordering::SeqCst), self.forbidden.load(Ordering::SeqCst))
    }
}

fn counted(listener: TcpListener) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let respond = any(async move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    tokio::spawn(axum::serve(listener, Router::new().fallback(respond)).into_future());
    count
}

fn guard(names: &NameServer) -> Guard {
    Guard::with_resolver(&settings(&["127.0.0.1"], true), Arc::new(names.clone()))
}

fn refusal(error: &reqwest::Error) -> Option<&Refused> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

#[tokio::test]
async fn what_was_judged_is_what_is_connected_to() {
    // Whoever resolved once to judge and once more to connect would connect to the second answer.
    let names = NameServer::start(&[&[HARMLESS], &[FORBIDDEN], &[HARMLESS], &[FORBIDDEN]]).await;
    let (guard, to) = (guard(&names), Listeners::start().await);
    for (expected, counts) in [(true, (1, 0)), (false, (1, 0)), (true, (2, 0)), (false, (2, 0))] {
        // A new client has no open connection that it could use again.
        let client = guard.client(true).build().unwrap();
        let sent = client.post(to.url.clone()).send().await;
        assert_eq!(sent.is_ok(), expected, "{sent:?}");
        assert_eq!(to.counts(), counts);
        if let Err(error) = sent {
            assert!(matches!(refusal(&error), Some(Refused::Address { .. })), "{error:?}");
        }
    }
    assert_eq!(names.queries(), 4, "one lookup for each connection");
}

#[tokio::test]
async fn a_name_passes_only_if_all_of_its_addresses_do() {
    for answer in [[HARMLESS, FORBIDDEN], [FORBIDDEN, HARMLESS]] {
        let names = NameServer::start(&[&answer]).await;
        let (guard, to) = (guard(&names), Listeners::start().await);
        assert!(matches!(guard.vet(&to.url).await, Err(Refused::Address { .. })));
        let client = guard.client(true).build().unwrap();
        client.post(to.url.clone()).send().await.unwrap_err();
        assert_eq!(to.counts(), (0, 0));
    }
}

#[tokio::test]
async fn a_name_that_was_saved_while_harmless_is_refused_when_it_moves() {
    let names = NameServer::start(&[&[HARMLESS], &[FORBIDDEN]]).await;
    let (guard, to) = (guard(&names), Listeners::start().await);
    assert_eq!(guard.vet(&to.url).await.unwrap(), [std::net::IpAddr::from(HARMLESS)]);
    let client = guard.client(true).build().unwrap();
    client.post(to.url.clone()).send().await.unwrap_err();
    assert_eq!(to.counts(), (0, 0));
}

#[tokio::test]
async fn plain_http_does_not_follow_a_name_out_of_our_networks() {
    let names = NameServer::start(&[&[[203, 0, 113, 9]]]).await;
    let url: Url = "http://inside.example/".parse().unwrap();
    let refused = guard(&names).vet(&url).await;
    assert!(matches!(refused, Err(Refused::PlainHttp { .. })), "{refused:?}");
    let error = guard(&names).client(true).build().unwrap().post(url).send().await.unwrap_err();
    assert!(matches!(refusal(&error), Some(Refused::PlainHttp { .. })), "{error:?}");
}

#[tokio::test]
async fn an_allowed_name_may_lead_anywhere_and_one_without_addresses_nowhere() {
    let names = NameServer::start(&[&[FORBIDDEN], &[FORBIDDEN], &[]]).await;
    let settings = settings(&["rebinding.example"], false);
    let guard = Guard::with_resolver(&settings, Arc::new(names.clone()));
    let to = Listeners::start().await;
    assert!(guard.vet(&to.url).await.is_ok());
    guard.client(true).build().unwrap().post(to.url.clone()).send().await.unwrap();
    assert_eq!(to.counts(), (0, 1));
    assert!(matches!(guard.vet(&to.url).await, Err(Refused::NotResolved { .. })));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let to = Listeners::start().await;
    let away = to.url.to_string().replace("rebinding.example", "127.0.0.2");
    let redirect = any(async move || axum::response::Redirect::temporary(&away));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(redirect)).into_future());
    let guard = Guard::new(&settings(&["127.0.0.1"], true));
    let response = guard.client(true).build().unwrap().post(url).send().await.unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(to.counts(), (0, 0));
}
