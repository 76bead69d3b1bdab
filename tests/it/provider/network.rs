//! Connections that fail before, during and after a submission.
use std::time::Duration;

use aftercall::provider::{StatusError, SubmitError, TokenError};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::{TOKEN, assert_redacted, client_of, job, webhook};
use crate::support::manual::{grant, read_request};

const TIMEOUT: Duration = Duration::from_secs(2);

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Grants a token on the first connection, reads the request on the second, and passes that to
/// `then`.
async fn serve_two<T>(listener: TcpListener, then: impl AsyncFnOnce(TcpStream) -> T) -> T {
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(read_request(&mut stream).await.starts_with(&format!("POST {TOKEN}")));
    grant(&mut stream).await;
    drop(stream);
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await;
    then(stream).await
}

#[tokio::test]
async fn a_reset_after_the_request_was_read_leaves_its_fate_unknown() {
    let (listener, url) = listener().await;
    let (client, job, webhook) = (client_of(&url, TIMEOUT * 10), job(), webhook());
    let reset = serve_two(listener, async |stream| stream.set_zero_linger().unwrap());
    let (outcome, ()) = tokio::join!(client.submit(&job, &webhook), reset);
    let error = outcome.unwrap_err();
    assert!(matches!(error, SubmitError::UnknownFate(_)), "{error:?}");
    assert_redacted(&error);
}

#[tokio::test]
async fn silence_after_the_request_leaves_its_fate_unknown() {
    let (listener, url) = listener().await;
    let (client, job, webhook) = (client_of(&url, TIMEOUT), job(), webhook());
    let silent = serve_two(listener, async |stream| stream);
    let (outcome, _held_open) = tokio::join!(client.submit(&job, &webhook), silent);
    let error = outcome.unwrap_err();
    assert!(matches!(&error, SubmitError::UnknownFate(error) if error.is_timeout()), "{error:?}");
    assert_redacted(&error);
}

#[tokio::test]
async fn an_acceptance_cut_off_in_its_body_still_counts() {
    let (listener, url) = listener().await;
    let (client, job, webhook) = (client_of(&url, TIMEOUT * 10), job(), webhook());
    let cut = serve_two(listener, async |mut stream| {
        let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 99\r\n\r\n{\"jobId\":";
        stream.write_all(answer).await.unwrap();
    });
    let (outcome, ()) = tokio::join!(client.submit(&job, &webhook), cut);
    assert_eq!(outcome.unwrap().job_id, None);
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let (listener, url) = listener().await;
    let (client, job, webhook) = (client_of(&url, TIMEOUT * 10), job(), webhook());
    let grant_and_close = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        read_request(&mut stream).await;
        grant(&mut stream).await;
    };
    let (outcome, ()) = tokio::join!(client.submit(&job, &webhook), grant_and_close);
    let error = outcome.unwrap_err();
    assert!(matches!(error, SubmitError::Unreachable(_)), "{error:?}");
    assert_redacted(&error);
    let error = client.status("rc-1").await.unwrap_err();
    assert!(matches!(error, StatusError::Unreachable(_)), "{error:?}");
    assert_redacted(&error);
}

#[tokio::test]
async fn without_the_token_endpoint_nothing_is_submitted() {
    let (listener, url) = listener().await;
    drop(listener);
    let error = client_of(&url, TIMEOUT).submit(&job(), &webhook()).await.unwrap_err();
    let SubmitError::TokenUnavailable(TokenError::Unreachable(_)) = &error else {
        panic!("{error:?}")
    };
    assert_redacted(&error);
}

#[test]
fn a_client_prints_nothing_but_its_host() {
    let client = client_of("https://user:client-secret@rc.example/base", TIMEOUT);
    assert_eq!(format!("{client:?}"), r#"Client { host: Some("rc.example"), .. }"#);
}
