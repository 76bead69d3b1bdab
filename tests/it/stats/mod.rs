//! Statistics across jobs against the sums over the jobs themselves.
mod brute;
mod poison;
mod random;

use std::{slice, time::Duration};

use aftercall::{
    insights::{self, Analysis, DocumentOrigin, Prepared},
    jobs::{self, Announcer, Channel, Completion, JobId, NewJob},
    stats::{self, Bucket, Dimension, GroupKey, Measure, StatsQuestion, StatsSelection, StatsSort},
};
use chrono::NaiveDate;
use futures_util::future::join_all;
use proptest::{
    prelude::*,
    test_runner::{TestCaseError, TestCaseResult},
};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use self::{
    brute::Known,
    random::{Step, Submission, failure},
};
use crate::support::{
    app::{TestApp, seal},
    fixture,
    random::{Ground, runner},
};

#[test]
fn every_measure_of_every_group_is_what_the_jobs_add_up_to() {
    let ground = Ground::new();
    let run = |(submissions, steps): (Vec<Submission>, Vec<Step>)| {
        ground.runtime.block_on(async {
            let case = Case::new(&ground.db.pool, &submissions).await;
            for step in &steps {
                case.take(step).await;
                // The results are exact whether merged or not.
                case.check_one().await?;
            }
            case.check_all().await
        })
    };
    runner(12, 200).run(&random::case(), run).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn sums_stay_exact_whoever_merges_while_jobs_end() {
    let ground = Ground::new();
    let run = |(submissions, steps): (Vec<Submission>, Vec<Step>)| {
        ground.runtime.block_on(async {
            let case = Case::new(&ground.db.pool, &submissions).await;
            let merging = async || {
                for most in [1, 2, 3, 1, 2, 3] {
                    stats::merge(&case.db, most).await.unwrap();
                }
            };
            let ending = async || {
                for step in &steps {
                    case.take(step).await;
                }
            };
            tokio::join!(ending(), merging(), merging(), merging());
            case.check_all().await?;
            while stats::merge(&case.db, 100).await.unwrap().taken > 0 {}
            case.check_all().await
        })
    };
    // A run cannot be repeated exactly, so there is nothing to shrink.
    runner(6, 0).run(&random::case(), run).unwrap_or_else(|error| panic!("{error}"));
}

/// A caller with a few jobs.
struct Case {
    db: PgPool,
    caller: Uuid,
    jobs: Vec<JobId>,
}

impl Case {
    async fn new(db: &PgPool, submissions: &[Submission]) -> Self {
        let caller = Uuid::now_v7();
        let insert = "insert into aftercall.callers (id, name) values ($1, 'c-' || $1)";
        sqlx::query(insert).bind(caller).execute(db).await.unwrap();
        let mut case = Self { db: db.clone(), caller, jobs: Vec::new() };
        for submission in submissions {
            case.submit(submission).await;
        }
        case
    }

    async fn submit(&mut self, submission: &Submission) {
        let mut request = serde_json::Map::new();
        let said = [("languageCode", submission.language), ("audioType", submission.audio_type)];
        request.extend(
            said.into_iter()
                .filter_map(|(name, value)| value.map(|value| (name.to_owned(), json!(value)))),
        );
        let new = NewJob {
            id: JobId::generate(),
            caller_id: self.caller.into(),
            caller: "app",
            external_id: None,
            tags: &submission.tags,
            metadata: "{}",
            request: &request,
            content: None,
            media_id: None,
            recording_sha: None,
            deadline: Duration::from_hours(1),
            trace_context: None,
            notify: None,
        };
        jobs::enqueue_alone(&self.db, &Announcer::default(), &seal(), slice::from_ref(&new))
            .await
            .unwrap();
        let move_back = "update aftercall.jobs
            set created_at = '2026-03-30T23:59:59.9994Z'::timestamptz + make_interval(days => $2)
            where id = $1";
        let moved = sqlx::query(move_back).bind(new.id).bind(submission.days_later);
        moved.execute(&self.db).await.unwrap();
        self.jobs.push(new.id);
    }

    async fn take(&self, step: &Step) {
        let job = |which: &u8| self.jobs[usize::from(*which) % self.jobs.len()];
        match step {
            Step::Complete(which, failing, analysis) => {
                self.complete(job(which), failing.as_ref().map(job), analysis).await;
            }
            Step::Fail(which) => {
                let mut tx = Announcer::default().begin(&self.db).await.unwrap();
                jobs::fail(&mut tx, &[failure(job(which))]).await.unwrap();
                tx.commit().await.unwrap();
            }
            Step::Cancel(which) => {
                let mut tx = Announcer::default().begin(&self.db).await.unwrap();
                jobs::cancel(&mut tx, self.caller.into(), &[job(which)]).await.unwrap();
                tx.commit().await.unwrap();
            }
            Step::Expire(which) => {
                let pass = "update aftercall.jobs set deadline_at = now() - interval '1 second'
                    where id = $1";
                sqlx::query(pass).bind(job(which)).execute(&self.db).await.unwrap();
                jobs::expire(&self.db, &Announcer::default()).await.unwrap();
            }
            Step::Retry(which) => {
                let mut tx = Announcer::default().begin(&self.db).await.unwrap();
                let deadline = Duration::from_hours(1);
                jobs::retry(&mut tx, self.caller.into(), &[job(which)], deadline).await.unwrap();
                tx.commit().await.unwrap();
            }
            Step::Reparse(which, analysis) => self.reparse(job(which), analysis).await,
            Step::Merge(most) => {
                stats::merge(&self.db, i32::from(*most)).await.unwrap();
            }
        }
    }

    /// Completes the job as a delivery does, and has another one fail that is delivered with it.
    async fn complete(&self, job_id: JobId, failing: Option<JobId>, analysis: &Analysis) {
        let mut tx = Announcer::default().begin(&self.db).await.unwrap();
        let ids: Vec<_> = [job_id].into_iter().chain(failing).collect();
        let states = jobs::lock(&mut tx, &ids).await.unwrap();
        if states[&job_id].awaits_result {
            let prepared = Prepared::from(analysis.clone());
            insights::store(&mut tx, &[(origin(job_id), &prepared)]).await.unwrap();
            let completion =
                Completion { job_id, attempt: 1, via: Channel::Webhook, received_at: None };
            jobs::complete(&mut tx, &[completion]).await.unwrap();
        }
        if let Some(failing) = failing {
            jobs::fail(&mut tx, &[failure(failing)]).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn reparse(&self, job_id: JobId, analysis: &Analysis) {
        let mut tx = Announcer::default().begin(&self.db).await.unwrap();
        let states = jobs::lock(&mut tx, &[job_id]).await.unwrap();
        if states[&job_id].state == jobs::State::Completed {
            let prepared = Prepared::from(analysis.clone());
            insights::replace(&mut tx, &[(origin(job_id), &prepared)]).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Checks a single question that covers everything.
    async fn check_one(&self) -> TestCaseResult {
        let known = Known::load(&self.db, self.caller).await;
        let question =
            StatsQuestion { key: GroupKey::Language, ..self.question(Dimension::All, None) };
        self.check(&known, &question).await
    }

    /// Checks every kind of question.
    async fn check_all(&self) -> TestCaseResult {
        let known = Known::load(&self.db, self.caller).await;
        let keys = [
            (Dimension::All, GroupKey::Nothing),
            (Dimension::All, GroupKey::Language),
            (Dimension::All, GroupKey::AudioType),
            (Dimension::All, GroupKey::Time(Bucket::Day)),
            (Dimension::All, GroupKey::Time(Bucket::Week)),
            (Dimension::Tag, GroupKey::Value),
            (Dimension::Tag, GroupKey::Language),
            (Dimension::Emotion, GroupKey::Value),
            (Dimension::Insight, GroupKey::Value),
        ];
        for (dimension, key) in keys {
            let tags = if dimension == Dimension::Tag { &[None, Some("b")][..] } else { &[None] };
            for tag in tags {
                for bucket in [None, Some(Bucket::Day), Some(Bucket::Week)] {
                    let question = StatsQuestion { key, bucket, ..self.question(dimension, *tag) };
                    self.check(&known, &question).await?;
                    let varied = varied(&question);
                    // Values of insights cannot be filtered by request parameters.
                    let first = if dimension == Dimension::Insight { 2 } else { 0 };
                    for question in &varied[first..] {
                        self.check(&known, question).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A question for all measures over all days that have jobs.
    fn question(&self, dimension: Dimension, tag: Option<&str>) -> StatsQuestion {
        let name = if dimension == Dimension::Insight { "Topics" } else { "" };
        StatsQuestion {
            selection: StatsSelection {
                caller_id: self.caller.into(),
                dimension,
                name: name.to_owned(),
                value: tag.map(str::to_owned),
                language: None,
                audio_type: None,
                from: day(2026, 2, 15),
                to: day(2026, 6, 15),
            },
            key: GroupKey::Nothing,
            bucket: None,
            measures: match dimension {
                Dimension::Emotion => Measure::OF_EMOTIONS.to_vec(),
                _ => Measure::ALL.to_vec(),
            },
            sort: StatsSort { by: None, is_descending: false },
            limit: None,
        }
    }

    async fn check(&self, known: &Known, question: &StatsQuestion) -> TestCaseResult {
        let mut tx = self.db.begin().await.unwrap();
        let rows = stats::answer(&mut tx, question).await;
        let rows = rows.map_err(|error| TestCaseError::fail(format!("{error}: {question:?}")))?;
        let rows: Vec<_> =
            rows.into_iter().map(|row| (row.key, row.bucket, row.measures)).collect();
        prop_assert_eq!(rows, known.answer(question), "{:?}", question);
        Ok(())
    }
}

/// The same question with filters, and in another order.
fn varied(question: &StatsQuestion) -> [StatsQuestion; 4] {
    let mut other = [question.clone(), question.clone(), question.clone(), question.clone()];
    other[0].selection.language = Some("en-US".to_owned());
    other[1].selection.audio_type = Some("Meeting".to_owned());
    (other[2].selection.from, other[2].selection.to) = (day(2026, 4, 1), day(2026, 4, 7));
    other[3].sort = StatsSort { by: Some(Measure::TalkSeconds), is_descending: true };
    other[3].limit = Some(2);
    other
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn origin(job_id: JobId) -> DocumentOrigin<'static> {
    DocumentOrigin { job_id, provider_job_id: None, parser_version: 1 }
}

/// Two completed jobs and a canceled one, all with tags.
async fn app_with_jobs() -> TestApp {
    let app = TestApp::start().await;
    for (n, tags) in [(1, json!(["support"])), (2, json!(["support", "vip"]))] {
        let body = json!({ "contentUri": "https://media.example/a.wav", "encoding": "Wav",
            "tags": tags, "audioType": "Meeting" });
        app.post("/v1/jobs", &body).await;
        assert_eq!(app.dispatcher.drain().await, 1);
        let webhook = crate::support::app::webhook_of(app.submissions().await.last().unwrap());
        let found = fixture("delivery-2023.json").replace("@jobId", &format!("rc-{n}"));
        assert_eq!(app.deliver(&webhook, found).await.status, 200);
    }
    let canceled = app.submit().await;
    let answer = app.ask(app.request("POST", &format!("/v1/jobs/{canceled}/cancel"))).await;
    assert_eq!(answer.status, 200);
    app
}

#[tokio::test]
async fn statistics_are_served_at_once_and_the_same_once_they_are_merged() {
    let app = app_with_jobs().await;
    for merge in [false, true] {
        if merge {
            // Three jobs, each with two tags and an emotion, merged at once.
            assert_eq!(stats::merge(&app.db.pool, 100).await.unwrap().taken, 3);
        }
        let measures = "measures=completed&measures=canceled&measures=words&measures=talkSeconds";
        let all = app.get(&format!("/v1/stats/jobs?{measures}")).await.json();
        let expected = json!([{ "group": null, "measures":
            { "completed": 2, "canceled": 1, "words": 50, "talkSeconds": 18.86 } }]);
        assert_eq!((&all["data"], &all["hasMore"]), (&expected, &json!(false)));
        let tags = app.get(&format!("/v1/stats/jobs?groupBy=tag&{measures}")).await.json();
        let groups: Vec<_> =
            tags["data"].as_array().unwrap().iter().map(|it| &it["group"]).collect();
        assert_eq!(groups, ["support", "vip"]);
        assert_eq!(tags["data"][1]["measures"]["words"], 25);
        let first = app.get("/v1/stats/jobs?groupBy=tag&limit=1&sort=-group").await.json();
        assert_eq!((&first["data"][0]["group"], &first["hasMore"]), (&json!("vip"), &json!(true)));
        let query = "groupBy=emotion&bucket=week&sort=utterances&measures=talkSeconds";
        let emotions = app.get(&format!("/v1/stats/jobs?{query}")).await.json();
        assert_eq!(emotions["data"][0]["group"], "Joy");
        assert_eq!(emotions["data"][0]["series"][0]["measures"], json!({ "talkSeconds": 7.18 }));
        let query = "groupBy=insight&insight=KeyPhrases&measures=completed";
        let phrases = app.get(&format!("/v1/stats/jobs?{query}")).await.json();
        let expected = json!([
            { "group": "bicycle", "measures": { "completed": 2 } },
            { "group": "chain", "measures": { "completed": 2 } },
        ]);
        assert_eq!(phrases["data"], expected);
        let types = app.get("/v1/stats/jobs?groupBy=audioType&measures=jobs").await.json();
        let expected = json!([
            { "group": "Meeting", "measures": { "jobs": 2 } },
            { "group": null, "measures": { "jobs": 1 } },
        ]);
        assert_eq!(types["data"], expected);
        let none = app.get("/v1/stats/jobs?language=de-DE").await.json();
        assert_eq!(none["data"], json!([]));
    }
    assert_eq!(app.count("select count(*) from aftercall.stat_changes").await, 0);
}

#[tokio::test]
async fn what_the_sums_cannot_tell_is_refused() {
    let app = TestApp::start().await;
    for (query, parameter) in [
        ("groupBy=insight", "insight"),
        ("groupBy=tag&insight=Topics", "insight"),
        ("groupBy=emotion&tag=a", "tag"),
        ("groupBy=insight&insight=Topics&tag=a", "tag"),
        ("groupBy=insight&insight=Topics&language=en-US", "language"),
        ("groupBy=insight&insight=Topics&audioType=Meeting", "audioType"),
        ("groupBy=emotion&measures=words", "measures"),
        ("groupBy=emotion&sort=-jobs", "sort"),
        ("groupBy=day&bucket=week", "bucket"),
        ("groupBy=speaker", "groupBy"),
        ("bucket=month", "bucket"),
        ("sort=loudness", "sort"),
        ("measures=loudness", "measures"),
        ("from=2026-05-01&to=2026-05-01", "to"),
        ("from=2023-05-01&to=2026-05-02", "to"),
        ("from=yesterday", "from"),
        ("to=-262143-01-01", "to"),
        ("to=%2B262142-12-31", "to"),
    ] {
        let refused = app.get(&format!("/v1/stats/jobs?{query}")).await;
        let problem = refused.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{query}: {problem}");
    }
    let days = app.get("/v1/stats/jobs?from=2024-02-29&to=2024-03-01&groupBy=day").await;
    assert_eq!(days.json()["data"], json!([]));
}

#[tokio::test]
async fn a_process_merges_what_has_gathered_and_stops() {
    let app = app_with_jobs().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let rollups = (0..3).map(|_| aftercall::rollup::Rollup {
        db: app.db.pool.clone(),
        metrics: aftercall::metrics::Metrics::default(),
    });
    let running: Vec<_> = rollups.map(|rollup| tokio::spawn(rollup.run(stop.clone()))).collect();
    crate::support::eventually("all changes to be merged", async || {
        (app.count("select count(*) from aftercall.stat_changes").await == 0).then_some(())
    })
    .await;
    stop.cancel();
    for ended in join_all(running).await {
        ended.unwrap().unwrap();
    }
    let jobs = app.get("/v1/stats/jobs?measures=jobs").await.json();
    assert_eq!(jobs["data"][0]["measures"]["jobs"], 3);
}
