//! The first day of an app: a key for what it does and nothing else, a private recording, a signed word when it is done.
use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use uuid::Uuid;

use super::{Home, SAMPLE, Service};
use crate::{
    notify::receiver::Receiver,
    support::{db::TestDb, eventually},
};

const SCOPES: [&str; 3] = ["jobs:write", "transcript:read", "notify:write"];

/// Method and path of every operation that such a key may not use.
fn forbidden() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let needed = operation["security"][0]["key"].as_array().into_iter().flatten();
            let needed: BTreeSet<_> = needed.map(|scope| scope.as_str().unwrap()).collect();
            if !needed.is_subset(&SCOPES.into()) {
                let path = path.replace("{id}", &Uuid::nil().to_string()).replace("{name}", "crm");
                found.push((method.to_uppercase().parse().unwrap(), path));
            }
        }
    }
    found
}

#[tokio::test]
async fn an_app_uploads_a_recording_gets_one_notification_and_can_do_nothing_else() {
    let db = TestDb::new().await;
    let home = Home::on(&db).set("AFTERCALL__NOTIFY__ALLOW", "127.0.0.1");
    let mut service = Service::without_key(&home).await;
    let scopes = SCOPES.map(|scope| format!("--scope={scope}"));
    let create = ["keys", "create", "crm", &scopes[0], &scopes[1], &scopes[2]];
    service.key = home.run(&create).await.success().trim().to_owned();

    let receiver = Receiver::start().await;
    let url = json!({ "url": receiver.url() });
    let (status, endpoint) = service.send(Method::POST, "/v1/endpoints", Some(&url)).await;
    assert_eq!(status, 201, "{endpoint}");
    let webhook = Webhook::new(endpoint["secret"].as_str().unwrap()).unwrap();

    let (status, media) = service.upload(std::fs::read(SAMPLE).unwrap()).await;
    assert_eq!((status, &media["channels"]), (201, &json!(2)), "{media}");
    let body = json!({ "media": media["id"], "separateSpeakerPerChannel": true });
    let (status, job) = service.send(Method::POST, "/v1/jobs", Some(&body)).await;
    assert_eq!(status, 202, "{job}");

    let messages = format!("/v1/endpoints/{}/messages", endpoint["id"].as_str().unwrap());
    let delivered = eventually("the message is delivered", async || {
        let listed = service.get(&messages).await["data"].as_array().unwrap().clone();
        listed.iter().any(|it| it["state"] == "delivered").then_some(listed)
    })
    .await;
    let got = receiver.got();
    assert_eq!((delivered.len(), got.len()), (1, 1), "{delivered:?}");
    webhook.verify(&got[0].body, &got[0].headers).unwrap();
    let event = got[0].json();
    assert_eq!((&event["type"], &event["data"]["jobId"]), (&json!("job.completed"), &job["id"]));

    let links = &event["data"]["links"];
    let read = async |link: &str| service.get(links[link].as_str().unwrap()).await["data"].clone();
    let insights = read("insights").await;
    assert!(insights.as_array().unwrap().iter().any(|it| it["name"] == "KeyPhrases"), "{insights}");
    let utterances = read("utterances").await;
    let speakers = utterances.as_array().unwrap().iter().map(|it| it["speakerId"].to_string());
    assert_eq!(speakers.collect::<BTreeSet<_>>().len(), 2, "{utterances}");

    let forbidden = forbidden();
    assert!(forbidden.len() > 20, "{forbidden:?}");
    for (method, path) in forbidden {
        let (status, problem) = service.send(method.clone(), &path, None).await;
        assert_eq!((status, &problem["code"]), (403, &json!("missing-scope")), "{method} {path}");
    }
    service.stop().await.success();
}
