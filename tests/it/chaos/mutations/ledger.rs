//! Mutations of a correct ledger.
use uuid::Uuid;

use crate::chaos::check::ledger::{Acceptance, Ledger};

/// Changes to the ledger, and part of the message the checker must then report.
pub type Change = fn(&mut Ledger);
pub const CHANGES: &[(Change, &str)] = &[
    (
        |ledger| {
            let mut second = ledger.acceptances[0].clone();
            "of-its-own".clone_into(&mut second.provider_job_id);
            ledger.acceptances.push(second);
        },
        "was accepted beside another",
    ),
    (
        |ledger| {
            let mut second = ledger.acceptances[0].clone();
            "of-its-own".clone_into(&mut second.provider_job_id);
            second.token_sha.reverse();
            ledger.acceptances.push(second);
        },
        "no attempt has the token of",
    ),
    (
        |ledger| {
            let id = delivered(ledger).provider_job_id.clone();
            ledger.acceptances.retain(|acceptance| acceptance.provider_job_id != id);
        },
        "was never sent to its webhook",
    ),
    (|ledger| ledger.acceptances[0].job_id = Uuid::nil(), "accepted a job that is not there"),
    (
        |ledger| {
            for sent in &mut delivered(ledger).sent {
                sent.sha.reverse();
            }
        },
        "was never sent to its webhook",
    ),
    (
        |ledger| {
            let delivered = delivered(ledger);
            let another = delivered.sent.last().unwrap().clone();
            delivered.sent.extend([another.clone(), another]);
        },
        "got a 200, ",
    ),
    (
        |ledger| delivered(ledger).finished.as_mut().unwrap().0 = "Fail".to_owned(),
        "but the provider said Fail",
    ),
    (
        |ledger| {
            let response = &mut delivered(ledger).finished.as_mut().unwrap().1;
            response["utteranceInsights"][0]["text"] = "Something else.".into();
        },
        "utteranceInsights is not what the provider computed",
    ),
    (|ledger| delivered(ledger).finished = None, "the provider has no result"),
];

/// A success that was delivered whole, acknowledged, and accepted once.
fn delivered(ledger: &mut Ledger) -> &mut Acceptance {
    let once: Vec<Uuid> = ledger.acceptances.iter().map(|a| a.job_id).collect();
    let is_once = |id| once.iter().filter(|other| **other == id).count() == 1;
    let spoilt = ["truncated", "fail", "duplicate", "wrong-types", "no-job-id", "late"];
    let is_plain = |a: &Acceptance| !spoilt.iter().any(|fault| a.has(fault));
    let is_acknowledged = |a: &Acceptance| a.sent.len() == 1 && a.sent[0].answer == Some(200);
    let mut acceptances = ledger.acceptances.iter_mut();
    acceptances.find(|a| is_plain(a) && is_acknowledged(a) && is_once(a.job_id)).unwrap()
}
