use std::{
    collections::HashSet,
    error::Error,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

struct Receiver {
    webhook: Webhook,
    seen: Mutex<HashSet<String>>, // in a database, in real life: unique, and kept for a few days
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, (StatusCode, String)> {
    let refused = |error: &dyn Error| (StatusCode::BAD_REQUEST, error.to_string());
    receiver.webhook.verify(&body, &headers).map_err(|error| refused(&error))?;
    let event: serde_json::Value =
        serde_json::from_slice(&body).map_err(|error| refused(&error))?;
    let id = String::from_utf8_lossy(headers["webhook-id"].as_bytes()).into_owned();
    let is_new = receiver.seen.lock().is_ok_and(|mut seen| seen.insert(id));
    if is_new {
        eprintln!("{} {}", event["type"], event["data"]); // your work, or a job in your own queue
    }
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: receiver <port>")?.parse()?;
    let webhook = Webhook::new(&std::env::var("WEBHOOK_SECRET")?)?;
    let receiver = Arc::new(Receiver { webhook, seen: Mutex::default() });
    let router = Router::new().fallback(post(receive)).with_state(receiver);
    Ok(axum::serve(TcpListener::bind(("127.0.0.1", port)).await?, router).await?)
}
