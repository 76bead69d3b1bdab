//! The console over HTTP, as a browser uses it.
mod assets;
mod links;
mod operators;
mod sessions;

use aftercall::{
    api::session::COOKIE,
    callers::{self, KeyTerms, Scope},
    http::{Terms, bind, serve},
};
use axum::Router;
use reqwest::{Method, Response, header, redirect::Policy};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::app::{RECORDING, TestApp};

/// Follows no redirects, and sends the cookie that it is given.
#[derive(Clone)]
struct Browser {
    http: reqwest::Client,
    base: String,
    cookie: String,
}

impl Browser {
    fn at(app: &TestApp) -> Self {
        Self::of(app, app.api.clone())
    }

    /// At another process of the same service.
    fn of(app: &TestApp, api: Router) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, api, Terms::default(), app.stop.clone()));
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none());
        Self { http: http.build().unwrap(), base, cookie: String::new() }
    }

    /// Signed in with the key of `app`.
    async fn signed_in(app: &TestApp) -> Self {
        let mut browser = Self::at(app);
        assert_eq!(browser.sign_in(&app.key).await.status, 200);
        browser
    }

    /// Signs in with a new key of `app` that has these scopes.
    async fn with_scopes(app: &TestApp, scopes: &[Scope]) -> Self {
        let terms = KeyTerms { scopes, ..KeyTerms::default() };
        let key = callers::create(&app.db.pool, "app", "for the console", terms).await.unwrap();
        let mut browser = Self::at(app);
        assert_eq!(browser.sign_in(key.text.expose_secret()).await.status, 200);
        browser
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.header(header::COOKIE, format!("theme=dark; {COOKIE}={}", self.cookie))
    }

    async fn sign_in(&mut self, key: &str) -> Said {
        let said = self.send("POST", "/console/session", &json!({ "key": key })).await;
        if let Some(cookie) = said.cookie() {
            self.cookie = cookie;
        }
        said
    }

    async fn get(&self, path: &str) -> Said {
        Said::of(self.request("GET", path).send().await.unwrap()).await
    }

    /// As the console sends it.
    async fn send(&self, method: &str, path: &str, body: &Value) -> Said {
        let request = self.request(method, path).header("aftercall-console", "1").json(body);
        Said::of(request.send().await.unwrap()).await
    }

    async fn submit(&self) -> Said {
        self.send("POST", "/v1/jobs", &job()).await
    }

    async fn look_at(&mut self, caller: &str) -> Said {
        let said = self.send("PATCH", "/console/session", &json!({ "caller": caller })).await;
        if let Some(cookie) = said.cookie() {
            self.cookie = cookie;
        }
        said
    }
}

fn job() -> Value {
    json!({ "contentUri": RECORDING, "encoding": "Wav" })
}

/// A response, read completely.
#[derive(Debug)]
struct Said {
    status: u16,
    headers: header::HeaderMap,
    body: Vec<u8>,
}

impl Said {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap().into() }
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }

    /// The value of the session's cookie, if it is set.
    fn cookie(&self) -> Option<String> {
        let set = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
        let value = set.strip_prefix(&format!("{COOKIE}=")).unwrap();
        Some(value.split(';').next().unwrap().to_owned())
    }
}
