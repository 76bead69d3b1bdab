//! Misbehaviour on demand: by name, per request or at random.
//!
//! A request's own faults come from header `X-Sandbox-Faults`, or from a query member of its
//! `contentUri`; only requests that name none meet those of the settings.
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use url::Url;

/// Header of a submission; names separated by commas.
pub const HEADER: &str = "x-sandbox-faults";
/// Member of the query of `contentUri`, for callers that cannot set headers.
pub const QUERY: &str = "sandbox-faults";
/// Faults remembered as met once; beyond this the memory starts anew.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    Unauthorized,
    Throttled,
    Broken,
    Slow,
    Reset,
    NoJobId,
    Early,
    Fail,
    Lost,
    Late,
    Reordered,
    Duplicate,
    Malformed,
    WrongTypes,
    Large,
    Gzip,
    Chunked,
}

/// Every fault by name; `docs/sandbox.md` tells what each does.
const NAMES: &[(&str, Fault)] = &[
    ("unauthorized", Fault::Unauthorized),
    ("throttled", Fault::Throttled),
    ("broken", Fault::Broken),
    ("slow", Fault::Slow),
    ("reset", Fault::Reset),
    ("no-job-id", Fault::NoJobId),
    ("early", Fault::Early),
    ("fail", Fault::Fail),
    ("lost", Fault::Lost),
    ("late", Fault::Late),
    ("reordered", Fault::Reordered),
    ("duplicate", Fault::Duplicate),
    ("malformed", Fault::Malformed),
    ("wrong-types", Fault::WrongTypes),
    ("large", Fault::Large),
    ("gzip", Fault::Gzip),
    ("chunked", Fault::Chunked),
];

impl Fault {
    /// Whether it spoils the answer to a submission. Asked for in a `contentUri`, such a fault is
    /// met once for each recording: a client that tries again must be able to succeed.
    fn spoils_answer(self) -> bool {
        matches!(
            self,
            Self::Unauthorized | Self::Throttled | Self::Broken | Self::Slow | Self::Reset
        )
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no fault is called \"{name}\"; known are {known}", known = known())]
pub struct UnknownFault {
    name: String,
}

fn known() -> String {
    NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[derive(Debug)]
pub struct Faults {
    /// From the settings, each with its probability.
    rolls: Vec<(Fault, f64)>,
    random: Mutex<StdRng>,
    /// Faults that were met, each with its recording.
    met: Mutex<HashSet<(Fault, String)>>,
}

impl Faults {
    /// Reads the faults of the settings: `name` or `name=probability`.
    pub fn new(settings: &[String], seed: u64) -> anyhow::Result<Self> {
        let rolls = settings.iter().map(|text| roll(text)).collect::<anyhow::Result<_>>()?;
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        Ok(Self { rolls, random, met: Mutex::default() })
    }

    /// The faults of one submission. `recording` tells recordings apart: the URI, or a name for
    /// the content.
    pub fn of(&self, header: Option<&str>, recording: &str) -> Result<Vec<Fault>, UnknownFault> {
        if let Some(names) = header {
            return named(names);
        }
        if let Some(names) = asked_in(recording) {
            let mut faults = named(&names)?;
            faults.retain(|fault| !fault.spoils_answer() || self.is_first(*fault, recording));
            return Ok(faults);
        }
        let mut faults = self.rolled();
        // A client that logs in again must be let in, however often the settings say otherwise.
        faults.retain(|f| *f != Fault::Unauthorized || self.is_first(*f, recording));
        Ok(faults)
    }

    fn rolled(&self) -> Vec<Fault> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let hits = self.rolls.iter().filter(|(_, probability)| random.random_bool(*probability));
        hits.map(|(fault, _)| *fault).collect()
    }

    fn is_first(&self, fault: Fault, recording: &str) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() >= REMEMBERED {
            met.clear();
        }
        met.insert((fault, recording.to_owned()))
    }
}

fn asked_in(recording: &str) -> Option<String> {
    let url = Url::parse(recording).ok()?;
    url.query_pairs().find(|(name, _)| name == QUERY).map(|(_, names)| names.into_owned())
}

fn named(names: &str) -> Result<Vec<Fault>, UnknownFault> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(by_name).collect()
}

fn by_name(name: &str) -> Result<Fault, UnknownFault> {
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, fault)| *fault).ok_or_else(|| UnknownFault { name: name.to_owned() })
}

fn roll(text: &str) -> anyhow::Result<(Fault, f64)> {
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

    fn faults(settings: &[&str]) -> anyhow::Result<Faults> {
        Faults::new(&settings.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), 7)
    }

    #[test]
    fn a_request_asks_by_header_or_in_its_content_uri() {
        let faults = faults(&["lost"]).unwrap();
        assert_eq!(faults.of(Some("late, gzip"), "x").unwrap(), [Fault::Late, Fault::Gzip]);
        assert_eq!(faults.of(Some(""), "x").unwrap(), []);
        assert_eq!(faults.of(None, "https://h/a.wav").unwrap(), [Fault::Lost]);
        let uri = "https://h/a.wav?x=1&sandbox-faults=broken%2Cduplicate";
        assert_eq!(faults.of(None, uri).unwrap(), [Fault::Broken, Fault::Duplicate]);
        assert_eq!(faults.of(None, uri).unwrap(), [Fault::Duplicate], "broken is met once");
    }

    #[test]
    fn unknown_names_and_impossible_probabilities_are_refused() {
        let error = faults(&["losst"]).unwrap_err().to_string();
        assert!(error.contains("losst") && error.contains("no-job-id"), "{error}");
        assert!(faults(&["lost=2"]).is_err());
        assert!(faults(&[]).unwrap().of(Some("nope"), "x").is_err());
    }

    #[test]
    fn the_same_seed_rolls_the_same_faults() {
        let rolls = || {
            let faults = faults(&["lost=0.5"]).unwrap();
            (0..50).map(|_| faults.of(None, "x").unwrap().len()).collect::<Vec<_>>()
        };
        assert_eq!(rolls(), rolls());
        let hits: usize = rolls().iter().sum();
        assert!((10..40).contains(&hits), "{hits}");
    }
}
