//! Queries over a million conversations, compared with the same SQL run by `pgbench` and with ten thousand
//! conversations.
use super::{
    Plan,
    calls::get,
    captured,
    library::Library,
    load::{self, Run},
    pgbench::Script,
    report::{Budget, Line},
    stand::{Database, Service, Stand},
};

/// Concurrent requests.
const CONNECTIONS: u32 = 2;
/// Distinct requests per question.
const VARIANTS: u32 = 20;

/// A database full of conversations and a service in front of it.
pub struct Side {
    pub database: Database,
    pub library: Library,
    pub service: Service,
}

impl Side {
    pub async fn new(stand: &Stand, name: &'static str, jobs: u32) -> anyhow::Result<Self> {
        let database = stand.database(name).await?;
        let library = Library::fill(&database.pool, jobs).await?;
        let service = Service::start(stand, &database).await?;
        Ok(Self { database, library, service })
    }

    async fn ask(&self, paths: &[String], count: u32) -> anyhow::Result<Run> {
        load::closed(&get(&self.service, &self.database, paths), count, CONNECTIONS).await
    }
}

/// A kind of request.
struct Question {
    name: &'static str,
    path: fn(&Library, u32) -> String,
    /// Highest allowed 99th percentile, in milliseconds.
    most_ms: Option<f64>,
    /// Whether it may take at most 1.3 times as long with a million jobs as with ten thousand.
    grows_little: bool,
}

const QUESTIONS: &[Question] = &[
    listed("list", |_, _| "/v1/jobs?limit=50".to_owned(), true),
    listed(
        "list, a day",
        |library, n| {
            let day = n % 20;
            format!(
                "/v1/jobs?limit=50&createdAfter={}&createdBefore={}",
                library.day(day + 1),
                library.day(day)
            )
        },
        true,
    ),
    listed("list, by tag", |_, n| format!("/v1/jobs?limit=50&tag=topic-{}", n % 40), true),
    listed(
        "list, by two tags",
        |_, n| format!("/v1/jobs?limit=50&tag=topic-{}&tag=team-{}", n % 40, n % 5),
        false,
    ),
    listed(
        "list, by externalId",
        |library, n| format!("/v1/jobs?externalId=call-{}", library.some(n)),
        true,
    ),
    listed(
        "list, by emotion",
        |_, _| "/v1/jobs?limit=50&hasEmotion=Fear&minSpeakers=2".to_owned(),
        false,
    ),
    listed(
        "list, audio type",
        |_, _| "/v1/jobs?limit=50&audioType=Voicemail&language=en-US".to_owned(),
        false,
    ),
    listed("list, failed", |_, _| "/v1/jobs?limit=50&status=failed".to_owned(), true),
    listed("list, by completion", |_, _| "/v1/jobs?limit=50&sort=-completedAt".to_owned(), true),
    listed("result", |library, n| format!("/v1/jobs/{}/result", library.id(library.some(n))), true),
    listed(
        "utterances",
        |library, n| format!("/v1/jobs/{}/utterances", library.id(library.some(n))),
        true,
    ),
    timed("search, 1 in 10", |_, _| "/v1/search?q=refund".to_owned(), 150.0),
    timed("search, 1 in 100", |_, _| "/v1/search?q=parcel".to_owned(), 150.0),
    timed("search, 1 in 1,000", |_, _| "/v1/search?q=walrus".to_owned(), 150.0),
    timed("search, newest 1 in 10", |_, _| "/v1/search?q=refund&sort=-createdAt".to_owned(), 150.0),
    timed("search, rare phrase", |_, _| "/v1/search?q=%22turbot%20lagoon%22".to_owned(), 20.0),
    timed("stats, by day", |_, _| "/v1/stats/jobs?groupBy=day".to_owned(), 50.0),
    timed("stats, by tag", |_, _| "/v1/stats/jobs?groupBy=tag".to_owned(), 50.0),
    timed("stats, by emotion", |_, _| "/v1/stats/jobs?groupBy=emotion".to_owned(), 50.0),
    timed(
        "stats, by topic",
        |_, _| "/v1/stats/jobs?groupBy=insight&insight=Topics".to_owned(),
        50.0,
    ),
    timed("suggestions, tag", |_, n| format!("/v1/suggestions?field=tag&q=topic-{}", n % 10), 20.0),
    timed(
        "suggestions, externalId",
        |library, n| {
            let name = format!("call-{}", library.some(n));
            format!("/v1/suggestions?field=externalId&q={}", &name[..name.len() - 1])
        },
        20.0,
    ),
    timed("suggestions, emotion", |_, _| "/v1/suggestions?field=emotion".to_owned(), 20.0),
    timed("suggestions, insight", |_, _| "/v1/suggestions?field=insight".to_owned(), 20.0),
    timed("suggestions, language", |_, _| "/v1/suggestions?field=language".to_owned(), 20.0),
    timed("counts", |_, _| "/v1/jobs/counts".to_owned(), 50.0),
    timed("counts, by tag", |_, n| format!("/v1/jobs/counts?tag=topic-{}", n % 40), 100.0),
    timed("counts, by emotion", |_, _| "/v1/jobs/counts?hasEmotion=Fear".to_owned(), 200.0),
    timed("call, job", |library, n| of_job(library, n, ""), 20.0),
    timed("call, timeline", |library, n| of_job(library, n, "/timeline"), 20.0),
    timed("call, speakers", |library, n| of_job(library, n, "/speakers"), 20.0),
    timed("call, insights", |library, n| of_job(library, n, "/insights"), 20.0),
    timed("call, shape", |library, n| of_job(library, n, "/shape"), 20.0),
    timed("call, transcript", |library, n| of_job(library, n, "/transcript?format=txt"), 20.0),
    timed("call, notifications", |library, n| of_job(library, n, "/notifications"), 20.0),
    timed("call, peaks", |library, n| format!("/v1/jobs/{}/peaks", library.recorded(n)), 20.0),
    timed("charts, all", |_, _| "/v1/stats/jobs?bucket=day".to_owned(), 50.0),
    timed("charts, tags", |_, _| "/v1/stats/jobs?groupBy=tag&bucket=day&limit=6".to_owned(), 100.0),
    timed("charts, emotions", |_, _| "/v1/stats/jobs?groupBy=emotion&bucket=day".to_owned(), 50.0),
    timed("operations, deliveries", |_, _| "/v1/admin/deliveries".to_owned(), 20.0),
    timed(
        "operations, deliveries of a job",
        |library, n| format!("/v1/admin/deliveries?jobId={}", library.id(library.some(n))),
        20.0,
    ),
    timed(
        "operations, quarantine",
        |_, _| "/v1/admin/deliveries?quarantined=true".to_owned(),
        20.0,
    ),
    timed(
        "operations, job",
        |library, n| format!("/v1/admin/jobs/{}", library.id(library.some(n))),
        20.0,
    ),
    timed("operations, storage", |_, _| "/v1/admin/storage".to_owned(), 500.0),
    timed("operations, callers", |_, _| "/v1/admin/callers".to_owned(), 50.0),
    timed("operations, provider", |_, _| "/v1/admin/provider".to_owned(), 20.0),
    timed("operations, drift", |_, _| "/v1/admin/drift".to_owned(), 20.0),
];

fn of_job(library: &Library, n: u32, rest: &str) -> String {
    format!("/v1/jobs/{}{rest}", library.id(library.some(n)))
}

const fn listed(
    name: &'static str,
    path: fn(&Library, u32) -> String,
    grows_little: bool,
) -> Question {
    Question { name, path, most_ms: None, grows_little }
}

const fn timed(name: &'static str, path: fn(&Library, u32) -> String, most_ms: f64) -> Question {
    Question { name, path, most_ms: Some(most_ms), grows_little: false }
}

/// Runs each question on both sides in turns, then compares the larger side with `pgbench`.
pub async fn questions(
    stand: &Stand,
    few: &Side,
    many: &Side,
    plan: &Plan,
    wants: impl Fn(&str) -> bool,
    mut show: impl FnMut(Line),
) -> anyhow::Result<()> {
    for question in QUESTIONS.iter().filter(|question| wants(question.name)) {
        let paths =
            |library| (0..VARIANTS).map(|n| (question.path)(library, n)).collect::<Vec<_>>();
        let (few_paths, many_paths) = (paths(&few.library), paths(&many.library));
        few.ask(&few_paths, VARIANTS * 5).await?; // warms up
        many.ask(&many_paths, VARIANTS * 5).await?;
        let of_few = few.ask(&few_paths, plan.questions).await?;
        let of_many = many.ask(&many_paths, plan.questions).await?;
        let scripts = captured::statements(stand, &many.database, &many_paths).await?;
        let scripts = Script::some(stand, &question.name.replace([' ', ','], "-"), &scripts)?;
        let sql =
            Script::latencies(&scripts, stand, &many.database, plan.questions, CONNECTIONS).await?;
        show(beside(question, &of_many, &sql));
        if question.grows_little {
            show(growth(question, plan, &of_few, &of_many));
        }
    }
    Ok(())
}

fn beside(question: &Question, asked: &Run, sql: &Run) -> Line {
    let ratio = sql.percentile(50) / asked.percentile(50);
    let (value, budget) = match question.most_ms {
        Some(most) => (asked.percentile(99), Budget::AtMost(most)),
        None => (ratio, Budget::None),
    };
    let line = Line::figure(question.name, value, "/s", budget);
    Line {
        measured: asked.per_second,
        compared_with: format!(
            "pgbench, p50 {:.2}, p99 {:.2} ms",
            sql.percentile(50),
            sql.percentile(99)
        ),
        compared: Some(sql.per_second),
        p50_ms: Some(asked.percentile(50)),
        p99_ms: Some(asked.percentile(99)),
        ..line
    }
}

fn growth(question: &Question, plan: &Plan, few: &Run, many: &Run) -> Line {
    let slower = many.percentile(50) / few.percentile(50);
    let what = format!("{}, growth", question.name);
    let line = Line::figure(what, slower, "/s", Budget::AtMost(1.3));
    Line {
        measured: many.per_second,
        compared_with: format!("{} jobs, p50 {:.2} ms", plan.few, few.percentile(50)),
        compared: Some(few.per_second),
        p50_ms: Some(many.percentile(50)),
        p99_ms: Some(many.percentile(99)),
        ..line
    }
}
