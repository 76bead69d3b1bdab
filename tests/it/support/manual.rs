//! A provider whose responses to submissions are written by the test, or withheld.
use std::net::SocketAddr;

use aftercall::provider::wire;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use url::Url;

use super::app::webhook_path;

pub struct Manual {
    listener: TcpListener,
    address: SocketAddr,
}

/// A submission that was read and waits for its response.
pub struct Held {
    /// Path of its webhook URL.
    pub webhook: String,
    stream: TcpStream,
}

impl Manual {
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Grants tokens until a submission arrives.
    pub async fn submission(&self) -> Held {
        loop {
            let (mut stream, _) = self.listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            let target = request.split(' ').nth(1).unwrap();
            if target == wire::TOKEN_PATH {
                grant(&mut stream).await;
                continue;
            }
            let url = Url::parse(&self.url()).unwrap().join(target).unwrap();
            assert_eq!(url.path(), wire::ANALYZE_PATH);
            return Held { webhook: webhook_path(&url), stream };
        }
    }
}

impl Held {
    pub async fn accept(mut self, provider_job_id: &str) {
        let body = format!(r#"{{"jobId":"{provider_job_id}"}}"#);
        answer(&mut self.stream, "202 Accepted", &body).await;
    }

    pub async fn refuse(mut self) {
        answer(&mut self.stream, "400 Bad Request", r#"{"errors":[{"errorCode":"CAI-101"}]}"#)
            .await;
    }

    /// Breaks the connection, which leaves the outcome of the submission unknown.
    pub fn hang_up(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// Responds to a request for a token.
pub async fn grant(stream: &mut TcpStream) {
    answer(stream, "200 OK", r#"{"access_token":"access-token","expires_in":3600}"#).await;
}

async fn answer(stream: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Reads a whole request, head and body.
pub async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return request;
        }
    }
}
