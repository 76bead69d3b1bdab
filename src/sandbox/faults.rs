//! Faults that the sandbox injects: chosen by name per request, or at random.
//!
//! A request chooses faults with the header `X-Sandbox-Faults` or a query parameter of its
//! `contentUri`; the faults of the settings apply only to requests that choose none.
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

/// Request header of a submission: fault names separated by commas.
pub const HEADER: &str = "x-sandbox-faults";
/// Query parameter of `contentUri`, for callers that cannot set headers.
pub const QUERY: &str = "sandbox-faults";
/// Separates the faults of one submission of a `contentUri` from those of the next.
const TURNS: char = ';';
/// How many recordings to remember, with the faults they met and their submissions; beyond that the
/// memory is cleared.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxFault {
    Unauthorized,
    Forbidden,
    Misdirected,
    Page,
    Throttled,
    Broken,
    BadGateway,
    Slow,
    Reset,
    NoJobId,
    SameBody,
    Early,
    Fail,
    Quote,
    Lost,
    Late,
    Reordered,
    Duplicate,
    #[serde(alias = "malformed")]
    Truncated,
    WrongTypes,
    Large,
    Gzip,
    Chunked,
}

/// Every fault by name; `docs/sandbox.md` describes each.
const NAMES: &[(&str, SandboxFault)] = &[
    ("unauthorized", SandboxFault::Unauthorized),
    ("forbidden", SandboxFault::Forbidden),
    ("misdirected", SandboxFault::Misdirected),
    ("page", SandboxFault::Page),
    ("throttled", SandboxFault::Throttled),
    ("broken", SandboxFault::Broken),
    ("bad-gateway", SandboxFault::BadGateway),
    ("slow", SandboxFault::Slow),
    ("reset", SandboxFault::Reset),
    ("no-job-id", SandboxFault::NoJobId),
    ("same-body", SandboxFault::SameBody),
    ("sameBody", SandboxFault::SameBody),
    ("early", SandboxFault::Early),
    ("fail", SandboxFault::Fail),
    ("quote", SandboxFault::Quote),
    ("lost", SandboxFault::Lost),
    ("late", SandboxFault::Late),
    ("reordered", SandboxFault::Reordered),
    ("duplicate", SandboxFault::Duplicate),
    ("truncated", SandboxFault::Truncated),
    ("malformed", SandboxFault::Truncated), // former name
    ("wrong-types", SandboxFault::WrongTypes),
    ("large", SandboxFault::Large),
    ("gzip", SandboxFault::Gzip),
    ("chunked", SandboxFault::Chunked),
];

impl SandboxFault {
    /// Whether it replaces or delays the response to a submission. When a `contentUri` asks for
    /// such a fault, it applies once per recording, so that a retry can succeed.
    fn spoils_answer(self) -> bool {
        matches!(
            self,
            Self::Unauthorized
                | Self::Forbidden
                | Self::Misdirected
                | Self::Page
                | Self::Throttled
                | Self::Broken
                | Self::BadGateway
                | Self::Slow
                | Self::Reset
        )
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown fault \"{name}\"; known faults: {known}", known = known())]
pub struct UnknownFault {
    name: String,
}

fn known() -> String {
    NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[derive(Debug)]
pub struct SandboxFaults {
    /// From the settings, each with its probability.
    rolls: Vec<(SandboxFault, f64)>,
    seed: u64,
    /// How often each recording was submitted, for random faults and faults by turn.
    submissions: Mutex<HashMap<String, u32>>,
    /// Faults already applied, each with its recording.
    met: Mutex<HashSet<(SandboxFault, String)>>,
}

impl SandboxFaults {
    /// Parses the faults of the settings: `name` or `name=probability`.
    pub fn new(settings: &[String], seed: u64) -> anyhow::Result<Self> {
        let rolls = settings.iter().map(|text| roll(text)).collect::<anyhow::Result<_>>()?;
        Ok(Self { rolls, seed, submissions: Mutex::default(), met: Mutex::default() })
    }

    /// The faults of one submission. `recording` identifies the recording: its URI, or a digest of
    /// its content.
    pub fn of(
        &self,
        header: Option<&str>,
        recording: &str,
    ) -> Result<Vec<SandboxFault>, UnknownFault> {
        if let Some(names) = header {
            return named(names);
        }
        if let Some(names) = asked_in(recording) {
            if names.contains(TURNS) {
                return self.in_turn(&names, recording);
            }
            let mut faults = named(&names)?;
            faults.retain(|fault| !fault.spoils_answer() || self.is_first(*fault, recording));
            return Ok(faults);
        }
        let mut faults = self.rolled(recording);
        // Even at probability 1, a client that logs in again must get through.
        faults.retain(|f| *f != SandboxFault::Unauthorized || self.is_first(*f, recording));
        Ok(faults)
    }

    /// Each submission of the recording has its own list; submissions beyond the last repeat it.
    fn in_turn(&self, names: &str, recording: &str) -> Result<Vec<SandboxFault>, UnknownFault> {
        let mut turns = names.split(TURNS).map(named).collect::<Result<Vec<_>, _>>()?;
        let nth = usize::try_from(self.nth_submission(recording)).unwrap_or(usize::MAX);
        let turn = (nth - 1).min(turns.len() - 1);
        Ok(turns.swap_remove(turn))
    }

    fn rolled(&self, recording: &str) -> Vec<SandboxFault> {
        let nth = self.nth_submission(recording);
        let hits = self.rolls.iter().filter(|(fault, probability)| {
            // Decided per recording, not per submission: two submissions must get equal bodies.
            let nth = if *fault == SandboxFault::SameBody { 0 } else { nth };
            chance(self.seed, nth, *fault, without_origin(recording)) < *probability
        });
        hits.map(|(fault, _)| *fault).collect()
    }

    fn nth_submission(&self, recording: &str) -> u32 {
        let mut submissions = self.submissions.lock().unwrap_or_else(PoisonError::into_inner);
        if submissions.len() >= REMEMBERED {
            submissions.clear();
        }
        let nth = submissions.entry(recording.to_owned()).or_default();
        *nth += 1;
        *nth
    }

    fn is_first(&self, fault: SandboxFault, recording: &str) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() >= REMEMBERED {
            met.clear();
        }
        met.insert((fault, recording.to_owned()))
    }
}

/// A number in [0, 1) that depends only on its arguments, not on when or in which order submissions
/// arrive.
fn chance(seed: u64, nth: u32, fault: SandboxFault, recording: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(nth.to_be_bytes());
    hash.update(format!("{fault:?} {recording}"));
    let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

/// The URL without scheme, host and port, since tests run on arbitrary ports.
fn without_origin(recording: &str) -> &str {
    match recording.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => recording,
    }
}

fn asked_in(recording: &str) -> Option<String> {
    let url = Url::parse(recording).ok()?;
    url.query_pairs().find(|(name, _)| name == QUERY).map(|(_, names)| names.into_owned())
}

fn named(names: &str) -> Result<Vec<SandboxFault>, UnknownFault> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(by_name).collect()
}

fn by_name(name: &str) -> Result<SandboxFault, UnknownFault> {
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, fault)| *fault).ok_or_else(|| UnknownFault { name: name.to_owned() })
}

fn roll(text: &str) -> anyhow::Result<(SandboxFault, f64)> {
    let (name, probability) = text.split_once('=').unwrap_or((text, "1"));
    let fault = by_name(name.trim())?;
    match probability.trim().parse() {
        Ok(probability) if (0.0..=1.0).contains(&probability) => Ok((fault, probability)),
        _ => anyhow::bail!("the probability of the fault \"{text}\" must be a number from 0 to 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(settings: &[&str]) -> anyhow::Result<SandboxFaults> {
        SandboxFaults::new(&settings.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), 7)
    }

    #[test]
    fn a_request_asks_by_header_or_in_its_content_uri() {
        let faults = faults(&["lost"]).unwrap();
        assert_eq!(
            faults.of(Some("late, gzip"), "x").unwrap(),
            [SandboxFault::Late, SandboxFault::Gzip]
        );
        assert_eq!(faults.of(Some(""), "x").unwrap(), []);
        assert_eq!(faults.of(None, "https://h/a.wav").unwrap(), [SandboxFault::Lost]);
        let uri = "https://h/a.wav?x=1&sandbox-faults=broken%2Cduplicate";
        assert_eq!(faults.of(None, uri).unwrap(), [SandboxFault::Broken, SandboxFault::Duplicate]);
        assert_eq!(faults.of(None, uri).unwrap(), [SandboxFault::Duplicate], "broken is met once");
    }

    #[test]
    fn unknown_names_and_impossible_probabilities_are_refused() {
        let error = faults(&["losst"]).unwrap_err().to_string();
        assert!(error.contains("losst") && error.contains("no-job-id"), "{error}");
        assert!(faults(&["lost=2"]).is_err());
        assert!(faults(&[]).unwrap().of(Some("nope"), "x").is_err());
    }

    /// The faults that these submissions meet, sorted by recording.
    fn met(order: impl Iterator<Item = u32>, origin: &str) -> Vec<(u32, Vec<SandboxFault>)> {
        let faults = faults(&["lost=0.5", "gzip=0.5"]).unwrap();
        let of = |call| faults.of(None, &format!("{origin}/{call}.wav")).unwrap();
        let mut met: Vec<_> = order.map(|call| (call, of(call))).collect();
        met.sort_by_key(|(call, _)| *call);
        met
    }

    #[test]
    fn the_same_seed_gives_a_recording_the_same_faults_in_any_order() {
        let met_first = met(0..200, "http://127.0.0.1:1");
        assert_eq!(met_first, met((0..200).rev(), "http://127.0.0.1:2"));
        let count = |wanted: &[SandboxFault]| {
            met_first.iter().filter(|(_, faults)| faults == wanted).count()
        };
        for faults in [
            &[][..],
            &[SandboxFault::Lost],
            &[SandboxFault::Gzip],
            &[SandboxFault::Lost, SandboxFault::Gzip],
        ] {
            assert!((25..75).contains(&count(faults)), "{faults:?}: {}", count(faults));
        }
    }

    #[test]
    fn each_submission_of_a_recording_meets_faults_of_its_own() {
        let faults = faults(&["lost=0.5"]).unwrap();
        let lost = (0..100).filter(|_| !faults.of(None, "https://h/a.wav").unwrap().is_empty());
        let lost = lost.count();
        assert!((25..75).contains(&lost), "{lost}");
    }

    #[test]
    fn a_content_uri_may_ask_for_other_faults_each_time() {
        let faults = faults(&["lost"]).unwrap();
        let uri = "https://h/a.wav?sandbox-faults=reset,fail;;reset";
        let met: Vec<_> = (0..4).map(|_| faults.of(None, uri).unwrap()).collect();
        assert_eq!(
            met,
            [
                vec![SandboxFault::Reset, SandboxFault::Fail],
                vec![],
                vec![SandboxFault::Reset],
                vec![SandboxFault::Reset]
            ]
        );
        assert!(faults.of(None, "https://h/b.wav?sandbox-faults=reset;nope").is_err());
    }

    #[test]
    fn a_recording_is_told_of_in_the_same_body_always_or_never() {
        let faults = faults(&["same-body=0.5"]).unwrap();
        for call in 0..20 {
            let uri = format!("https://h/{call}.wav");
            let first = faults.of(None, &uri).unwrap();
            assert!((0..5).all(|_| faults.of(None, &uri).unwrap() == first), "{uri}");
        }
    }

    #[test]
    fn a_fault_is_also_known_by_its_former_name() {
        assert_eq!(named("malformed").unwrap(), [SandboxFault::Truncated]);
        assert_eq!(
            serde_json::from_str::<SandboxFault>("\"malformed\"").unwrap(),
            SandboxFault::Truncated
        );
    }
}
