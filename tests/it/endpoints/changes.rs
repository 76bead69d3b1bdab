//! Changes, pauses and deletes endpoints.
use aftercall::endpoints;
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ENDPOINTS, Stand, content_receiver, verifies};

const URL: &str = "https://203.0.113.9/hook?token=hush";

#[tokio::test]
async fn a_change_leaves_everything_else_as_it_is() {
    let stand = Stand::start().await;
    let (path, secret) = stand.endpoint(URL).await;
    let before = stand.get(&path).await.json();
    let changed = stand.send("PATCH", &path, &json!({ "description": "Updates the case" })).await;
    assert_eq!(changed.status, StatusCode::OK);
    let mut expected = before.clone();
    expected["description"] = "Updates the case".into();
    expected["updatedAt"] = changed.json()["updatedAt"].clone();
    assert_eq!(changed.json(), expected);
    let events = json!({ "events": ["job.failed", "job.completed", "job.failed"] });
    let changed = stand.send("PATCH", &path, &events).await.json();
    assert_eq!(changed["events"], json!(["job.completed", "job.failed"]));
    assert_eq!(changed["description"], "Updates the case");
    let (url, mut arrivals) = content_receiver().await;
    let changed = stand.send("PATCH", &path, &json!({ "url": url, "description": null })).await;
    assert_eq!(changed.json()["description"], Value::Null);
    assert_eq!(changed.json()["url"], url.replace("hush", "***"));
    let tested = stand.post(&format!("{path}/test")).await.json();
    assert_eq!(tested["succeeded"], true, "{tested}");
    assert!(verifies(&secret, &arrivals.recv().await.unwrap()), "the secret stays");
}

#[tokio::test]
async fn a_change_with_any_fault_changes_nothing() {
    let stand = Stand::start().await;
    let (path, _) = stand.endpoint(URL).await;
    let before = stand.get(&path).await.json();
    let body = json!({
        "description": "new", "url": "https://127.0.0.9/", "events": [], "secret": "whsec_hush",
        "state": "paused",
    });
    let refused = stand.send("PATCH", &path, &body).await;
    let mut faults = refused.faults();
    faults.sort();
    let expected =
        ["#/events length", "#/secret unknown", "#/state unknown", "#/url address-refused"];
    assert_eq!(faults, expected);
    assert!(refused.json().to_string().contains("rotate replaces the secret"));
    assert_eq!(stand.get(&path).await.json(), before);
    stand.send("PATCH", &path, &json!([])).await.problem(422, "validation-failed");
    let unknown = format!("{ENDPOINTS}/{}", Uuid::now_v7());
    stand.send("PATCH", &unknown, &json!({})).await.problem(404, "endpoint-not-found");
}

#[tokio::test]
async fn an_endpoint_is_paused_and_resumed_as_often_as_asked() {
    let stand = Stand::start().await;
    let (path, _) = stand.endpoint(URL).await;
    for _ in 0..2 {
        let paused = stand.post(&format!("{path}/pause")).await.json();
        assert_eq!(
            (&paused["state"], &paused["pauseReason"]),
            (&json!("paused"), &json!("by_caller"))
        );
        assert_eq!(paused["pausedAt"], stand.get(&path).await.json()["pausedAt"]);
    }
    for state in [
        "",
        "state = 'paused', pause_reason = 'failing'",
        "state = 'disabled', pause_reason = 'gone'",
    ] {
        if !state.is_empty() {
            let statement = format!(
                "update aftercall.endpoints set {state}, paused_at = now(), failures = 30,
                    failing_since = now() - interval '6 days', probe_at = now()"
            );
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&stand.app.db.pool).await.unwrap();
        }
        let resumed = stand.post(&format!("{path}/resume")).await.json();
        let expected = json!({ "state": "active", "pauseReason": null, "pausedAt": null, "failures": 0, "failingSince": null });
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(&resumed[member], value, "{member} after {state}");
        }
    }
}

#[tokio::test]
async fn a_new_url_has_not_failed_yet() {
    let stand = Stand::start().await;
    let (path, _) = stand.endpoint(URL).await;
    stand.set("update aftercall.endpoints set failures = 7, failing_since = now()").await;
    let same = stand.send("PATCH", &path, &json!({ "description": "x" })).await.json();
    assert_eq!(same["failures"], 7);
    let moved = stand.send("PATCH", &path, &json!({ "url": "https://203.0.113.10/" })).await.json();
    assert_eq!((&moved["failures"], &moved["failingSince"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn a_deleted_endpoint_leaves_a_row_without_secrets() {
    let stand = Stand::start().await;
    let (path, _) = stand.endpoint(URL).await;
    stand.post(&format!("{path}/rotate")).await;
    let deleted = stand.send("DELETE", &path, &json!({})).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    for (method, action) in [
        ("GET", ""),
        ("DELETE", ""),
        ("PATCH", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/rotate"),
        ("POST", "/test"),
    ] {
        let path = format!("{path}{action}");
        stand.send(method, &path, &json!({})).await.problem(404, "endpoint-not-found");
    }
    assert_eq!(stand.get(ENDPOINTS).await.json()["data"], json!([]));
    let forgotten = "select url_sealed is null and secret is null and previous_secret is null
        from aftercall.endpoints";
    let forgotten: bool =
        sqlx::query_scalar(forgotten).fetch_one(&stand.app.db.pool).await.unwrap();
    assert!(forgotten);
}

#[tokio::test]
async fn a_deleted_endpoint_is_gone_after_a_day_unless_messages_refer_to_it() {
    let stand = Stand::start().await;
    for _ in 0..4 {
        stand.endpoint(URL).await;
    }
    let message = "insert into aftercall.notifications (id, lane, endpoint_id, caller_id, about_endpoint, type,
            version, occurred_at, state, finished_at)
        select gen_random_uuid(), id, id, caller_id, id, 'notify.test', 1, now(), 'skipped', now()
        from aftercall.endpoints order by id limit 1";
    stand.set(message).await;
    let left = async || {
        for _ in 0..2 {
            endpoints::remove_deleted(&stand.app.db.runtime, 2).await.unwrap();
        }
        stand.app.count("select count(*) from aftercall.endpoints").await
    };
    assert_eq!(left().await, 4);
    stand.set("update aftercall.endpoints set url_sealed = null, secret = null, deleted_at = now() - interval '23 hours'").await;
    assert_eq!(left().await, 4);
    stand.set("update aftercall.endpoints set deleted_at = now() - interval '25 hours'").await;
    assert_eq!(left().await, 1);
    stand.set("delete from aftercall.notifications").await;
    assert_eq!(left().await, 0);
}
