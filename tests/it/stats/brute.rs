//! Statistics computed from the jobs one by one.
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use aftercall::stats::{Bucket, Dimension, GroupKey, Measure, Measures, StatsQuestion};
use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// All jobs of a caller.
pub struct Known {
    jobs: Vec<Job>,
}

#[derive(FromRow)]
struct Job {
    state: String,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    tags: Vec<String>,
    request: Value,
    /// Utterances, words, questions, interruptions, duration, talk, silence and overlap as stored;
    /// other tests check that they are right.
    shape: Vec<i64>,
    said: Vec<Value>,
    values: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Sums {
    jobs: i64,
    completed: i64,
    failed: i64,
    timed_out: i64,
    canceled: i64,
    shape: [i64; 8],
    turnaround: i64,
}

type Group = (String, Option<NaiveDate>, Measures);

impl Known {
    pub async fn load(db: &PgPool, caller: Uuid) -> Self {
        let query = r#"select state, created_at, finished_at, tags, request,
                coalesce((select array[c.utterances, c.words, c.questions, c.interruptions,
                        c.duration_ms, c.talk_ms, c.silence_ms, c.overlap_ms]
                    from aftercall.conversations c where c.job_id = j.id), '{}') as shape,
                array(select to_json(u) from aftercall.utterances u where u.job_id = j.id) as said,
                array(select i.value from aftercall.conversation_insights i
                    where i.job_id = j.id and i.name = 'Topics') as "values"
            from aftercall.jobs j where caller_id = $1"#;
        Self { jobs: sqlx::query_as(query).bind(caller).fetch_all(db).await.unwrap() }
    }

    pub fn answer(&self, question: &StatsQuestion) -> Vec<Group> {
        let mut whole: BTreeMap<String, Sums> = BTreeMap::new();
        let mut parts: BTreeMap<(String, NaiveDate), Sums> = BTreeMap::new();
        for job in self.jobs.iter().filter(|job| job.is_selected(question)) {
            for value in job.values(question) {
                let key = job.key(question, &value);
                let sums = job.sums(question, &value);
                whole.entry(key.clone()).or_default().add(&sums);
                if let Some(bucket) = question.bucket {
                    parts.entry((key, first_day(job.day(), bucket))).or_default().add(&sums);
                }
            }
        }
        let mut whole: Vec<_> = whole.into_iter().collect();
        whole.sort_by(|one, other| order(question, one, other));
        let limit = question.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let mut answer = Vec::new();
        for (key, sums) in whole.into_iter().take(limit) {
            answer.push((key.clone(), None, sums.measures(&question.measures)));
            if matches!(question.key, GroupKey::Time(_)) {
                continue;
            }
            let own = parts.iter().filter(|((of, _), _)| *of == key);
            answer.extend(own.map(|((key, first), sums)| {
                (key.clone(), Some(*first), sums.measures(&question.measures))
            }));
        }
        answer
    }
}

fn order(question: &StatsQuestion, one: &(String, Sums), other: &(String, Sums)) -> Ordering {
    let by = match question.sort.by {
        None => one.0.cmp(&other.0),
        Some(Measure::TalkSeconds) => one.1.shape[5].cmp(&other.1.shape[5]),
        Some(measure) => panic!("{measure:?}"),
    };
    let by = if question.sort.is_descending { by.reverse() } else { by };
    by.then_with(|| one.0.cmp(&other.0))
}

fn first_day(day: NaiveDate, bucket: Bucket) -> NaiveDate {
    match bucket {
        Bucket::Day => day,
        Bucket::Week => day - Days::new(day.weekday().num_days_from_monday().into()),
    }
}

impl Job {
    fn day(&self) -> NaiveDate {
        self.created_at.date_naive()
    }

    fn said(&self, name: &str) -> &str {
        self.request[name].as_str().unwrap_or_default()
    }

    fn is_selected(&self, question: &StatsQuestion) -> bool {
        let selection = &question.selection;
        let is = |wanted: &Option<String>, name| {
            wanted.as_deref().is_none_or(|wanted| wanted == self.said(name))
        };
        self.finished_at.is_some()
            && (selection.from..selection.to).contains(&self.day())
            && is(&selection.language, "languageCode")
            && is(&selection.audio_type, "audioType")
    }

    /// The values of the question's dimension under which the job counts.
    fn values(&self, question: &StatsQuestion) -> BTreeSet<String> {
        let short = |value: &&str| value.chars().count() <= 80;
        let all: BTreeSet<String> = match question.selection.dimension {
            Dimension::All => BTreeSet::from([String::new()]),
            Dimension::Tag => self.tags.iter().cloned().collect(),
            Dimension::Emotion => self.emotions().filter(short).map(str::to_owned).collect(),
            Dimension::Insight => {
                self.values.iter().map(String::as_str).filter(short).map(str::to_owned).collect()
            }
        };
        let wanted = question.selection.value.as_ref();
        all.into_iter().filter(|value| wanted.is_none_or(|wanted| wanted == value)).collect()
    }

    fn emotions(&self) -> impl Iterator<Item = &str> {
        self.said.iter().filter_map(|said| said["emotion"].as_str())
    }

    fn key(&self, question: &StatsQuestion, value: &str) -> String {
        match question.key {
            GroupKey::Nothing => String::new(),
            GroupKey::Value => value.to_owned(),
            GroupKey::Language => self.said("languageCode").to_owned(),
            GroupKey::AudioType => self.said("audioType").to_owned(),
            GroupKey::Time(bucket) => first_day(self.day(), bucket).to_string(),
        }
    }

    fn sums(&self, question: &StatsQuestion, value: &str) -> Sums {
        let is = |state: &str| i64::from(self.state == state);
        let mut sums = Sums {
            jobs: 1,
            completed: is("completed"),
            failed: is("failed"),
            timed_out: is("timed_out"),
            canceled: is("canceled"),
            ..Sums::default()
        };
        if question.selection.dimension == Dimension::Emotion {
            let own = self.said.iter().filter(|said| said["emotion"] == value);
            for said in own {
                sums.shape[0] += 1;
                sums.shape[5] += millis(&said["end_seconds"]) - millis(&said["start_seconds"]);
            }
        } else if self.state == "completed" {
            sums.shape.copy_from_slice(&self.shape);
            let took = self.finished_at.unwrap() - self.created_at;
            sums.turnaround = took.num_milliseconds();
        }
        sums
    }
}

/// From tenths of seconds.
fn millis(seconds: &Value) -> i64 {
    format!("{:.1}00", seconds.as_f64().unwrap()).replace('.', "").parse().unwrap()
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.completed += other.completed;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.canceled += other.canceled;
        self.turnaround += other.turnaround;
        for (own, other) in self.shape.iter_mut().zip(other.shape) {
            *own += other;
        }
    }

    fn measures(&self, asked: &[Measure]) -> Measures {
        let [utterances, words, questions, interruptions, duration, talk, silence, overlap] =
            self.shape;
        let mut measures = Measures::default();
        for measure in asked {
            match measure {
                Measure::Jobs => measures.jobs = Some(self.jobs),
                Measure::Completed => measures.completed = Some(self.completed),
                Measure::Failed => measures.failed = Some(self.failed),
                Measure::TimedOut => measures.timed_out = Some(self.timed_out),
                Measure::Canceled => measures.canceled = Some(self.canceled),
                Measure::Utterances => measures.utterances = Some(utterances),
                Measure::Words => measures.words = Some(words),
                Measure::Questions => measures.questions = Some(questions),
                Measure::Interruptions => measures.interruptions = Some(interruptions),
                Measure::DurationSeconds => measures.duration_seconds = seconds(duration),
                Measure::TalkSeconds => measures.talk_seconds = seconds(talk),
                Measure::SilenceSeconds => measures.silence_seconds = seconds(silence),
                Measure::OverlapSeconds => measures.overlap_seconds = seconds(overlap),
                Measure::TurnaroundSeconds => {
                    measures.turnaround_seconds = seconds(self.turnaround);
                }
                Measure::AverageDurationSeconds => {
                    measures.average_duration_seconds = average(duration, self.completed, 3);
                }
                Measure::AverageTurnaroundSeconds => {
                    measures.average_turnaround_seconds =
                        average(self.turnaround, self.completed, 3);
                }
                Measure::WordsPerMinute => {
                    measures.words_per_minute = average(words * 600_000, talk, 1);
                }
            }
        }
        measures
    }
}

fn seconds(millis: i64) -> Option<f64> {
    average(millis, 1, 3)
}

/// Rounds half up; `part` is in units of the last of `decimals` decimals.
fn average(part: i64, whole: i64, decimals: usize) -> Option<f64> {
    let units = (part * 2 + whole).checked_div(whole * 2)?;
    let digits = format!("{units:0width$}", width = decimals + 1);
    let (before, after) = digits.split_at(digits.len() - decimals);
    Some(format!("{before}.{after}").parse().unwrap())
}
