//! Transcripts: the golden files, and content negotiation.
use std::{fs, path::Path};

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::completed;
use crate::support::{answer::Answer, app::TestApp, fixture};

/// Golden file, and the query that produces it.
const FILES: [(&str, &str); 9] = [
    ("transcript.json", "format=json"),
    ("transcript.paragraphs.json", "format=paragraphs"),
    ("transcript.txt", "format=txt"),
    ("transcript.md", "format=md"),
    ("transcript.srt", "format=srt"),
    ("transcript.vtt", "format=vtt"),
    ("transcript.csv", "format=csv"),
    ("max32.srt", "format=srt&maxChars=32"),
    ("max32.vtt", "format=vtt&maxChars=32"),
];

async fn transcript(app: &TestApp, id: Uuid, query: &str) -> Answer {
    app.get(&format!("/v1/jobs/{id}/transcript?{query}")).await
}

async fn accepting(app: &TestApp, id: Uuid, accept: &str) -> Answer {
    let path = format!("/v1/jobs/{id}/transcript");
    app.ask(app.request("GET", &path).header("accept", accept)).await
}

/// A job with the result `delivery.json` of the folder and the names in its `speakers.json`.
async fn conversation(app: &TestApp, folder: &Path) -> Uuid {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let job = app.submitted_as(name).await;
    let delivery = fs::read(folder.join("delivery.json")).unwrap();
    assert_eq!(app.deliver(&job.webhook, delivery).await.status, StatusCode::OK);
    if let Ok(names) = fs::read(folder.join("speakers.json")) {
        let request = app.request("PUT", &format!("/v1/jobs/{}/speakers", job.id));
        assert_eq!(app.send(request, names).await.status, StatusCode::OK);
    }
    job.id
}

/// `UPDATE_GOLDEN=1` rewrites the files; review the changes, and what `tests/transcripts/run` says
/// about them.
#[tokio::test]
async fn transcripts_are_as_their_golden_files_are() {
    let app = TestApp::start().await;
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/transcripts");
    let folders: Vec<_> = fs::read_dir(base).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(folders.len() >= 6);
    for folder in folders {
        let id = conversation(&app, &folder).await;
        for (file, query) in FILES {
            let answer = transcript(&app, id, query).await;
            assert_eq!(answer.status, StatusCode::OK, "{file}");
            let body = String::from_utf8(answer.body.to_vec()).unwrap();
            let body = body.replace(&id.to_string(), "@jobId");
            let path = folder.join(file);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&path, &body).unwrap();
            }
            let golden = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(body, golden, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn every_form_has_its_type_and_a_file_name() {
    let app = TestApp::start().await;
    let job = app.submitted_as("Größe \"1\"").await;
    app.deliver(&job.webhook, fixture("seed/success.json")).await;
    for (format, kind, ending) in [
        ("json", "application/json", "json"),
        ("txt", "text/plain; charset=utf-8", "txt"),
        ("md", "text/markdown; charset=utf-8", "md"),
        ("srt", "application/x-subrip; charset=utf-8", "srt"),
        ("vtt", "text/vtt; charset=utf-8", "vtt"),
        ("csv", "text/csv; charset=utf-8", "csv"),
        ("paragraphs", "application/vnd.aftercall.paragraphs+json", "paragraphs.json"),
    ] {
        let by_format = transcript(&app, job.id, &format!("format={format}")).await;
        assert_eq!(by_format.header("content-type"), kind);
        assert_eq!(by_format.header("vary"), "accept");
        assert_eq!(by_format.header("cache-control"), "private, no-store");
        let expected = format!(
            "inline; filename=\"Gr__e _1_.{ending}\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20_1_.{ending}"
        );
        assert_eq!(by_format.header("content-disposition"), expected);
        let by_accept = accepting(&app, job.id, kind.split(';').next().unwrap()).await;
        assert_eq!(by_accept.header("content-type"), kind);
        assert_eq!(by_accept.body, by_format.body);
    }
    assert_eq!(transcript(&app, job.id, "").await.header("content-type"), "application/json");
    let path = format!("/v1/jobs/{}/transcript?format=csv", job.id);
    let both = app.ask(app.request("GET", &path).header("accept", "text/vtt")).await;
    assert_eq!(both.header("content-type"), "text/csv; charset=utf-8");
}

#[tokio::test]
async fn what_is_not_to_be_had_is_refused_with_what_is() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let problem = accepting(&app, id, "text/html, image/*").await.problem(406, "not-acceptable");
    assert!(problem["detail"].as_str().unwrap().contains("text/vtt"), "{problem}");
    for (query, parameter, detail) in [
        ("format=docx", "format", "`srt`"),
        ("maxChars=19&format=srt", "maxChars", "20 to 120"),
        ("maxChars=121&format=vtt", "maxChars", "20 to 120"),
        ("maxChars=40", "maxChars", "srt and vtt only"),
        ("maxChars=40&format=txt", "maxChars", "srt and vtt only"),
        ("formt=srt", "formt", "did you mean format?"),
    ] {
        let problem = transcript(&app, id, query).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{query}");
        let told = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(told.contains(detail), "{query}: {told}");
    }
    let waiting = app.submit().await;
    transcript(&app, waiting, "").await.problem(404, "result-not-available");
    transcript(&app, Uuid::now_v7(), "").await.problem(404, "job-not-found");
}

#[tokio::test]
async fn an_unchanged_transcript_is_not_sent_again() {
    let app = TestApp::start().await;
    let id = completed(&app).await;
    let first = accepting(&app, id, "text/vtt").await;
    let etag = first.header("etag");
    assert!(etag.starts_with('"'), "{etag}");
    let path = format!("/v1/jobs/{id}/transcript");
    let again = async |accept: &str| {
        let request = app.request("GET", &path).header("accept", accept);
        app.ask(request.header("if-none-match", etag)).await
    };
    let unchanged = again("text/vtt").await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    assert!(unchanged.body.is_empty());
    assert_eq!(unchanged.header("etag"), etag);
    assert_eq!(unchanged.header("vary"), "accept");
    assert_eq!(again("application/x-subrip").await.status, StatusCode::OK);
    let names = app.request("PUT", &format!("/v1/jobs/{id}/speakers"));
    app.send(names, json!({ "0": "Rachel" }).to_string()).await;
    let renamed = again("text/vtt").await;
    assert_eq!(renamed.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&renamed.body).contains("<v Rachel>Thank you"));
}

#[tokio::test]
async fn a_long_call_is_shown_whole() {
    let app = TestApp::start().await;
    let job = app.submitted().await;
    let utterances: Vec<Value> = (0..12_000)
        .map(|n| {
            let start = f64::from(n) * 0.9;
            json!({ "start": start, "end": start + 0.8, "speakerId": (n % 3).to_string(),
                "text": format!("Sentence number {n} of a call that takes three hours.") })
        })
        .collect();
    let body = json!({ "status": "Success", "response": { "utteranceInsights": utterances } });
    app.deliver(&job.webhook, body.to_string()).await;
    let cues = async |query: &str| {
        let body = transcript(&app, job.id, query).await.body;
        String::from_utf8_lossy(&body).matches(" --> ").count()
    };
    assert_eq!(cues("format=srt").await, 12_000);
    assert_eq!(cues("format=vtt").await, 12_000);
    assert_eq!(cues("format=vtt&maxChars=20").await, 24_000);
    let whole = transcript(&app, job.id, "format=json").await.json();
    assert_eq!(whole["utterances"].as_array().unwrap().len(), 12_000);
}
