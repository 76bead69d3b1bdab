//! Memory and CPU time of other processes, from `/proc`.
use std::{fs, time::Duration};

use anyhow::Context as _;

/// Length of a tick in `/proc/PID/stat`; the same on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// Resident memory now, in MiB.
    pub fn resident_mib(self) -> anyhow::Result<f64> {
        self.status("VmRSS:")
    }

    /// Peak resident memory, in MiB.
    pub fn peak_mib(self) -> anyhow::Result<f64> {
        self.status("VmHWM:")
    }

    fn status(self, name: &str) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no such line")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    /// CPU time used so far.
    pub fn used(self) -> Duration {
        Stat::read(self.0).map_or(Duration::ZERO, |stat| TICK * stat.own)
    }

    /// CPU time including children, also those that have exited.
    pub fn used_by_family(self) -> Duration {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let children: u32 = pids
            .filter_map(Stat::read)
            .filter(|stat| stat.parent == self.0)
            .map(|stat| stat.own)
            .sum();
        let own = Stat::read(self.0).map_or(0, |stat| stat.own + stat.waited_for);
        TICK * (own + children)
    }
}

/// Fields of `/proc/PID/stat`, in ticks.
struct Stat {
    parent: u32,
    own: u32,
    waited_for: u32,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the name in parentheses; the third follows it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |n: usize| fields.get(n)?.parse::<u32>().ok();
        let (own, waited_for) = (ticks(11)? + ticks(12)?, ticks(13)? + ticks(14)?);
        Some(Self { parent: ticks(1)?, own, waited_for })
    }
}
