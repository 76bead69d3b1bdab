//! Pages of hits are stable while results arrive.
use std::collections::HashSet;

use serde_json::json;
use uuid::Uuid;

use super::{ask, places, said, submitted, texts};
use crate::support::app::TestApp;

const LINES: [&str; 5] = [
    "refund",
    "a refund and another refund",
    "hello",
    "the refund, which my colleague promised, has not come for weeks now",
    "my refund",
];

/// All hits of a walk; `meanwhile` runs after each page.
async fn walk(app: &TestApp, sort: &str, mut meanwhile: impl AsyncFnMut()) -> Vec<(Uuid, u64)> {
    let mut found = Vec::new();
    let mut answer = ask(app, &[("q", "refund"), ("sort", sort), ("limit", "3")]).await;
    loop {
        let page = answer.json();
        found.extend(places(&page));
        let Some(cursor) = page["nextCursor"].as_str() else { return found };
        let next = answer.header("link").strip_prefix('<').unwrap().split_once('>').unwrap().0;
        assert!(next.contains(cursor));
        meanwhile().await;
        answer = app.get(next).await;
    }
}

#[tokio::test]
async fn a_walk_sees_each_match_once_whatever_comes_meanwhile() {
    for sort in ["relevance", "-createdAt"] {
        let app = TestApp::start().await;
        let mut late = Vec::new();
        let mut stored = HashSet::new();
        for _ in 0..6 {
            late.push(submitted(&app, json!({})).await.1);
            let id = said(&app, json!({}), texts(&LINES)).await;
            stored.extend([0, 1, 3, 4].map(|seq| (id, seq)));
        }
        let meanwhile = async || {
            said(&app, json!({}), texts(&LINES)).await;
            if let Some(webhook) = late.pop() {
                super::deliver(&app, &webhook, texts(&LINES)).await;
            }
        };
        let found = walk(&app, sort, meanwhile).await;
        let once: HashSet<_> = found.iter().copied().collect();
        assert_eq!(once.len(), found.len(), "{sort}: none twice");
        assert!(once.is_superset(&stored), "{sort}: all that were there");
    }
}

#[tokio::test]
async fn pages_are_parts_of_one_order() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        said(&app, json!({}), texts(&LINES)).await;
    }
    for sort in ["relevance", "-createdAt"] {
        let whole = ask(&app, &[("q", "refund"), ("sort", sort), ("limit", "200")]).await.json();
        assert_eq!(whole["hasMore"], false);
        assert_eq!(walk(&app, sort, async || ()).await, places(&whole), "{sort}");
        if sort == "relevance" {
            let hits = whole["data"].as_array().unwrap();
            let ranks: Vec<_> = hits.iter().map(|hit| hit["rank"].as_f64().unwrap()).collect();
            assert!(ranks.is_sorted_by(|a, b| a >= b), "{ranks:?}");
        }
    }
}

#[tokio::test]
async fn a_cursor_fits_its_own_search_only() {
    let app = TestApp::start().await;
    said(&app, json!({}), texts(&LINES)).await;
    let page = ask(&app, &[("q", "refund"), ("limit", "1")]).await.json();
    let cursor = page["nextCursor"].as_str().unwrap();
    for other in [
        &[("q", "refunds")][..],
        &[("q", "refund"), ("sort", "-createdAt")],
        &[("q", "refund"), ("tag", "a")],
        &[("q", "refund"), ("speaker", "0")],
    ] {
        let parameters: Vec<_> = other.iter().copied().chain([("cursor", cursor)]).collect();
        ask(&app, &parameters).await.problem(400, "cursor-mismatch");
    }
    assert_eq!(ask(&app, &[("q", "refund"), ("cursor", cursor)]).await.status, 200);
}
