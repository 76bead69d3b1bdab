//! Operators create, list, roll and revoke API keys.
use aftercall::callers::Scope;
use serde_json::{Value, json};

use super::Operator;
use crate::support::{answer::Answer, app::TestApp, eventually};

const KEYS: &str = "/v1/admin/keys";

/// Lists jobs with the key that a response shows.
async fn jobs_with(app: &TestApp, made: &Answer) -> Answer {
    let key = made.json()["key"].as_str().unwrap().to_owned();
    Operator { app, bearer: format!("Bearer {key}") }.get("/v1/jobs").await
}

async fn listed(operator: &Operator<'_>, query: &str) -> Vec<Value> {
    let page = operator.get(&format!("{KEYS}?{query}")).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_is_shown_once_and_never_again() {
    let app =
        TestApp::with(|it| it.keys.lifetime = Some(std::time::Duration::from_hours(24))).await;
    let operator = Operator::new(&app, super::OPERATOR).await;
    let body = json!({ "caller": "crm", "name": "host 7", "scopes": ["jobs:read", "jobs:read"], "rate": 9 });
    let made = operator.send("POST", KEYS, &body).await;
    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, "no-store"));
    let key = made.json();
    let answer = jobs_with(&app, &made).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("ratelimit-policy")),
        (200, r#""default";q=9;w=60"#)
    );
    let text = key["key"].as_str().unwrap();
    assert!(text.starts_with(&format!("ac_{}_", key["id"].as_str().unwrap())));

    let of_crm = listed(&operator, "caller=crm").await;
    let [shown] = &of_crm[..] else { panic!("{of_crm:?}") };
    assert!(!shown.to_string().contains(text.splitn(3, '_').last().unwrap()), "{shown}");
    assert_eq!(shown["scopes"], json!(["jobs:read"]));
    assert_eq!(
        (&shown["state"], &shown["rate"], &shown["name"]),
        (&json!("valid"), &json!(9), &json!("host 7"))
    );
    assert!(shown["lastUsedAt"].is_string() && shown["expiresAt"].is_string(), "{shown}");

    let usual =
        operator.send("POST", KEYS, &json!({ "caller": "crm", "expiresInSeconds": null })).await;
    let usual = usual.json();
    let plain: Vec<_> = Scope::PLAIN.iter().map(|scope| scope.name()).collect();
    assert_eq!((&usual["scopes"], &usual["expiresAt"]), (&json!(plain), &Value::Null));
}

#[tokio::test]
async fn all_faults_of_a_key_are_told_at_once() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, super::OPERATOR).await;
    let body = json!({
        "caller": "Not A Name", "name": "a\nb", "scopes": ["jobs:reed", 7], "expiresInSeconds": 0, "rate": "many",
        "nme": "x",
    });
    let answer = operator.send("POST", KEYS, &body).await;
    assert_eq!(
        answer.faults(),
        [
            "#/nme unknown",
            "#/caller format",
            "#/name format",
            "#/scopes/0 enum",
            "#/scopes/1 enum",
            "#/expiresInSeconds range",
            "#/rate type",
        ]
    );
    let detail = answer.json()["errors"][3]["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with("did you mean jobs:read?"), "{detail}");
    for (body, fault) in [
        (json!([]), "# type"),
        (json!({}), "#/caller missing"),
        (json!({ "caller": "a", "scopes": [] }), "#/scopes length"),
        (json!({ "caller": "a", "scopes": vec!["jobs:read"; 99] }), "#/scopes length"),
        (json!({ "caller": "a", "name": "" }), "#/name length"),
        (json!({ "caller": "a", "name": "é".repeat(101) }), "#/name length"),
        (json!({ "caller": "a", "rate": 1_000_000_001 }), "#/rate range"),
        (json!({ "caller": "a", "expiresInSeconds": 1e12 }), "#/expiresInSeconds range"),
    ] {
        assert_eq!(operator.send("POST", KEYS, &body).await.faults(), [fault], "{body}");
    }
    let made = "select count(*) from aftercall.callers where name <> 'app' and name <> 'operator'";
    assert_eq!(app.count(made).await, 0);
}

#[tokio::test]
async fn as_many_scopes_are_accepted_as_the_document_says() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, super::OPERATOR).await;
    let most = "/components/schemas/CreateKey/properties/scopes/maxItems";
    let document: Value = serde_json::from_str(&aftercall::app::document().unwrap()).unwrap();
    let most = document.pointer(most).unwrap().as_u64().unwrap().try_into().unwrap();
    let asked = |count| json!({ "caller": "crm", "scopes": vec!["jobs:read"; count] });
    assert_eq!(operator.send("POST", KEYS, &asked(most)).await.status, 201);
    assert_eq!(operator.send("POST", KEYS, &asked(most + 1)).await.faults(), ["#/scopes length"]);
}

#[tokio::test]
async fn a_rolled_key_lives_beside_its_successor_for_the_overlap() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, super::OPERATOR).await;
    let body = json!({ "caller": "crm", "name": "host 7", "scopes": ["jobs:read"], "rate": 9000 });
    let old = operator.send("POST", KEYS, &body).await;
    let id = old.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{KEYS}/{id}/roll");
    let wrong = operator.send("POST", &path, &json!({ "overlapSeconds": -1, "x": 1 })).await;
    assert_eq!(wrong.faults(), ["#/x unknown", "#/overlapSeconds range"]);

    let new = operator.send("POST", &path, &json!({ "overlapSeconds": 3600 })).await;
    assert_eq!((new.status.as_u16(), new.header("cache-control")), (201, "no-store"));
    for name in ["caller", "name", "scopes", "rate"] {
        assert_eq!(new.json()[name], old.json()[name]);
    }
    assert_eq!(jobs_with(&app, &old).await.status, 200);
    assert_eq!(jobs_with(&app, &new).await.status, 200);
    let within = "select count(*) from aftercall.api_keys where successor_id is not null
        and expires_at between now() + interval '59 minutes' and now() + interval '1 hour'";
    assert_eq!(app.count(within).await, 1);
    let again = operator.send("POST", &path, &Value::Null).await;
    let detail = again.problem(409, "state-conflict")["detail"].to_string();
    assert!(detail.contains(new.json()["id"].as_str().unwrap()), "{detail}");

    sqlx::query("update aftercall.api_keys set expires_at = now() where successor_id is not null")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let refused = eventually("the old key has expired", async || {
        let answer = jobs_with(&app, &old).await;
        (answer.status != 200).then_some(answer)
    });
    refused.await.problem(401, "unauthorized");
    operator.send("POST", &path, &Value::Null).await.problem(409, "state-conflict");
    operator
        .send("POST", &format!("{KEYS}/0/roll"), &Value::Null)
        .await
        .problem(404, "key-not-found");
    let state = listed(&operator, "caller=crm").await;
    assert_eq!(state.iter().map(|key| &key["state"]).collect::<Vec<_>>(), ["valid", "expired"]);
}

#[tokio::test]
async fn two_who_roll_a_key_at_once_make_one_successor() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, super::OPERATOR).await;
    let old = operator.send("POST", KEYS, &json!({ "caller": "crm" })).await;
    let path = format!("{KEYS}/{}/roll", old.json()["id"].as_str().unwrap());
    let roll = || operator.send("POST", &path, &Value::Null);
    let (a, b, c) = tokio::join!(roll(), roll(), roll());
    let mut statuses = [a, b, c].map(|answer| answer.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
    assert_eq!(listed(&operator, "caller=crm").await.len(), 2);
}

#[tokio::test]
async fn a_lost_successor_is_revoked_and_made_again() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, super::OPERATOR).await;
    let old = operator.send("POST", KEYS, &json!({ "caller": "crm" })).await;
    let path = format!("{KEYS}/{}", old.json()["id"].as_str().unwrap());
    let lost = operator.send("POST", &format!("{path}/roll"), &Value::Null).await.json();
    let lost = format!("{KEYS}/{}", lost["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(operator.send("DELETE", &lost, &Value::Null).await.status, 204);
    }
    let new = operator.send("POST", &format!("{path}/roll"), &Value::Null).await;
    assert_eq!(jobs_with(&app, &new).await.status, 200);
    operator.send("DELETE", &format!("{KEYS}/0"), &Value::Null).await.problem(404, "key-not-found");
}

#[tokio::test]
async fn keys_that_no_one_uses_are_found_page_by_page() {
    let app = TestApp::start().await;
    let operator = Operator::new(&app, super::OPERATOR).await;
    for n in 0..5 {
        let made =
            operator.send("POST", KEYS, &json!({ "caller": "crm", "name": format!("k{n}") })).await;
        assert_eq!(made.status, 201);
    }
    let statements = [
        "update aftercall.api_keys set created_at = now() - interval '91 days'",
        "update aftercall.api_keys set last_used_at = now() - interval '89 days' where name = 'k0'",
        "update aftercall.api_keys set last_used_at = now() - interval '90 days' where name = 'k1'",
        "update aftercall.api_keys set revoked_at = now() where name = 'k2'",
        "update aftercall.api_keys set expires_at = now() where name = 'k3'",
    ];
    for statement in statements {
        sqlx::query(statement).execute(&app.db.pool).await.unwrap();
    }
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{KEYS}?unusedDays=90&caller=crm&limit=1{cursor}");
        let page = operator.get(&path).await.json();
        names.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["name"].as_str().unwrap().to_owned()),
        );
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    names.sort_unstable();
    assert_eq!(names, ["k1", "k4"]);
    operator.get(&format!("{KEYS}?caller=other{cursor}")).await.problem(400, "cursor-mismatch");
    operator.get(&format!("{KEYS}?unusedDays=-1")).await.problem(400, "invalid-parameter");
}

/// Jobs name callers without a foreign key, which would lock the caller's row for each job.
#[tokio::test]
async fn no_one_deletes_a_caller_in_the_database() {
    let app = TestApp::start().await;
    Operator::new(&app, super::OPERATOR).await;
    for statement in ["delete from aftercall.callers", "truncate aftercall.callers cascade"] {
        let error = sqlx::query(statement).execute(&app.db.pool).await.unwrap_err();
        assert!(error.to_string().contains("revoke their keys instead"), "{error}");
    }
}
