//! The size of a run, and its faults.
use std::{fmt, io::Write as _};

/// Every fault the sandbox knows, each with its probability for a submission.
pub const FAULTS: &str = "unauthorized=0.01,forbidden=0.01,misdirected=0.005,page=0.005,\
    throttled=0.003,broken=0.05,bad-gateway=0.03,slow=0.03,reset=0.04,no-job-id=0.04,same-body=0.3,\
    early=0.05,fail=0.05,quote=0.01,lost=0.05,late=0.06,reordered=0.05,duplicate=0.1,truncated=0.06,\
    wrong-types=0.06,large=0.01,gzip=0.1,chunked=0.1";

/// Jobs in the short form, which runs with all tests.
const FEW: u32 = 100;

#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub jobs: u32,
    pub seed: u64,
    /// Postgres crashes, spread over the run.
    pub crashes: u32,
}

impl Plan {
    /// `AFTERCALL_CHAOS_JOBS` and `AFTERCALL_CHAOS_SEED`; without them the short form and any seed.
    pub fn from_environment() -> Self {
        let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let jobs = number("AFTERCALL_CHAOS_JOBS").map_or(FEW, |jobs| u32::try_from(jobs).unwrap());
        let seed = number("AFTERCALL_CHAOS_SEED").unwrap_or_else(|| rand::random_range(1..1 << 32));
        let crashes = if jobs > FEW { 4 } else { 1 };
        Self { jobs, seed, crashes }
    }

    /// Printed at the start, so that it is known whatever happens.
    pub fn announce(&self) {
        self.tell("begins");
    }

    /// Bypasses the test harness's capture, so that the seed is always visible.
    pub fn tell(&self, what: &str) {
        let _ = writeln!(std::io::stderr(), "{self}: {what}");
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, seed, .. } = self;
        write!(
            f,
            "AFTERCALL_CHAOS_JOBS={jobs} AFTERCALL_CHAOS_SEED={seed} cargo test --test it chaos"
        )
    }
}
