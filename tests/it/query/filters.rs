//! Lists of jobs, filtered.
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    app::{RECORDING, TestApp},
    fixture,
};

async fn submit(app: &TestApp, more: Value) -> Uuid {
    let mut body = json!({ "contentUri": RECORDING, "encoding": "Wav" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.post("/v1/jobs", &body).await.id()
}

/// One utterance per emotion, each with its own speaker, and one value per insight.
fn analysis(emotions: &[&str], insights: &[&str]) -> String {
    let said = |(n, emotion): (usize, &&str)| {
        json!({
            "start": n, "end": n + 1, "text": "yes", "speakerId": n.to_string(),
            "insights": [{ "name": "Emotion", "value": emotion }],
        })
    };
    let found = |name: &&str| json!({ "name": name, "values": [{ "value": "parcels" }] });
    let response = json!({
        "utteranceInsights": emotions.iter().enumerate().map(said).collect::<Vec<_>>(),
        "conversationalInsights": insights.iter().map(found).collect::<Vec<_>>(),
    });
    json!({ "status": "Success", "response": response }).to_string()
}

async fn listed(app: &TestApp, query: &str) -> Vec<Uuid> {
    let page = app.get(&format!("/v1/jobs?{query}")).await.json();
    let jobs = page["data"].as_array().unwrap_or_else(|| panic!("{query}: {page}")).iter();
    jobs.map(|job| job["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn by_what_the_request_said() {
    let app = TestApp::start().await;
    let tags = json!(["a", "b", "a"]);
    let one = submit(&app, json!({ "tags": tags, "audioType": "Meeting" })).await;
    let two = submit(&app, json!({ "tags": ["b", "c,d"], "languageCode": "en-GB" })).await;
    let three = submit(&app, json!({ "audioType": "Meeting", "externalId": "x" })).await;
    for (query, expected) in [
        ("tag=a", vec![one]),
        ("tag=b", vec![two, one]),
        ("tag=b&tag=a", vec![one]),
        ("tag=c,d", vec![two]),
        ("tag=a&tag=c,d", vec![]),
        ("language=en-GB", vec![two]),
        ("language=en-US", vec![three, one]),
        ("language=en", vec![]),
        ("audioType=Meeting", vec![three, one]),
        ("audioType=Meeting&tag=b&status=queued", vec![one]),
        ("audioType=Meeting&externalId=x", vec![three]),
        ("sort=createdAt", vec![one, two, three]),
        ("sort=createdAt&tag=b", vec![one, two]),
        ("sort=-createdAt", vec![three, two, one]),
        ("sort=-completedAt", vec![]),
    ] {
        assert_eq!(listed(&app, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn tags_of_jobs_that_an_earlier_version_took_in_are_found() {
    let app = TestApp::start().await;
    let id = app.submit().await;
    app.about(
        id,
        "insert into aftercall.jobs (id, caller_id, tags, request, due_at, deadline_at)
        select gen_random_uuid(), caller_id, '{old,old}', request, due_at, deadline_at
        from aftercall.jobs where id = $1",
    )
    .await;
    assert_eq!(listed(&app, "tag=old").await.len(), 1);
}

#[tokio::test]
async fn by_when_they_were_created() {
    let app = TestApp::start().await;
    let mut jobs = Vec::new();
    for hours in [50, 30, 2] {
        let id = app.submit().await;
        // The ids deviate from the timestamps nearly as much as the clocks of replicas may differ.
        sqlx::query(
            "update aftercall.jobs set created_at = created_at - make_interval(hours => $2),
                id = (left(aftercall.uuid_floor(created_at - make_interval(hours => $2, mins => 50))::text,
                    14) || substr(id::text, 15))::uuid
            where id = $1",
        )
        .bind(id)
        .bind(hours)
        .execute(&app.db.pool)
        .await
        .unwrap();
    }
    for job in app.get("/v1/jobs?sort=createdAt").await.json()["data"].as_array().unwrap() {
        let id: Uuid = job["id"].as_str().unwrap().parse().unwrap();
        jobs.push((id, job["createdAt"].as_str().unwrap().to_owned()));
    }
    let [(one, _), (two, at), (three, _)] = &jobs[..] else { panic!("{jobs:?}") };
    for (query, expected) in [
        (format!("createdAfter={at}"), vec![*three, *two]),
        (format!("createdBefore={at}"), vec![*one]),
        (format!("createdAfter={at}&createdBefore={at}"), vec![]),
        ("createdBefore=9999-12-31T23:59:59Z".to_owned(), vec![*three, *two, *one]),
        ("createdAfter=0000-01-01T00:00:00Z".to_owned(), vec![*three, *two, *one]),
        ("createdBefore=1960-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        assert_eq!(listed(&app, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn by_when_they_were_completed() {
    let app = TestApp::start().await;
    let (first, second) = (app.submitted().await, app.submitted().await);
    app.deliver(&second.webhook, fixture("seed/success.json")).await;
    app.deliver(&first.webhook, fixture("seed/success.json")).await;
    let failed = app.submitted().await;
    app.deliver(&failed.webhook, fixture("seed/failure.json")).await;
    let end = app.job(first.id).await["finishedAt"].as_str().unwrap().to_owned();
    for (query, expected) in [
        ("sort=-completedAt".to_owned(), vec![first.id, second.id]),
        (format!("completedAfter={end}"), vec![first.id]),
        (format!("completedBefore={end}"), vec![second.id]),
        (format!("completedBefore={end}&sort=-completedAt"), vec![second.id]),
        ("completedAfter=2020-01-01T00:00:00Z".to_owned(), vec![second.id, first.id]),
        ("completedAfter=2020-01-01T00:00:00Z&status=failed".to_owned(), vec![]),
    ] {
        assert_eq!(listed(&app, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn by_what_was_found() {
    let app = TestApp::start().await;
    let mut jobs = Vec::new();
    for (emotions, insights) in
        [(&["Joy"][..], &["Title", "Topics"][..]), (&["Joy", "Anger", "Joy"], &["Topics"])]
    {
        let job = app.submitted().await;
        app.deliver(&job.webhook, analysis(emotions, insights)).await;
        jobs.push(job.id);
    }
    let (one, two) = (jobs[0], jobs[1]);
    app.submit().await;
    for (query, expected) in [
        ("minSpeakers=0", vec![two, one]),
        ("minSpeakers=2", vec![two]),
        ("minSpeakers=4", vec![]),
        ("hasInsight=Topics", vec![two, one]),
        ("hasInsight=Topics&hasInsight=Title", vec![one]),
        ("hasEmotion=Anger", vec![two]),
        ("hasEmotion=Joy&hasEmotion=Anger", vec![two]),
        ("hasEmotion=Joy&hasInsight=Title&minSpeakers=1", vec![one]),
        ("hasEmotion=Joy&sort=-completedAt", vec![two, one]),
        ("hasEmotion=joy", vec![]),
    ] {
        assert_eq!(listed(&app, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn every_wrong_value_is_told_at_once() {
    let app = TestApp::start().await;
    let query = "sort=completedAt&minSpeakers=-1&createdAfter=today&hasinsight=Title&status=done\
        &language=a&language=b&tag=%00";
    let problem = app.get(&format!("/v1/jobs?{query}")).await.problem(400, "invalid-parameter");
    let faults = problem["errors"].as_array().unwrap().iter();
    let parameters: Vec<_> = faults.map(|fault| fault["parameter"].as_str().unwrap()).collect();
    assert_eq!(
        parameters,
        ["sort", "minSpeakers", "createdAfter", "hasinsight", "status", "language", "tag"]
    );
    let hint = problem["errors"][3]["detail"].as_str().unwrap();
    assert_eq!(hint, "is not a parameter; did you mean hasInsight?");
}
