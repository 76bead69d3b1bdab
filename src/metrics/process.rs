//! The build, and what the operating system knows about the process; read from `/proc` at each scrape.
use std::{fmt, fs};

use nix::{
    sys::resource::{Resource, getrlimit},
    unistd::{SysconfVar, sysconf},
};
use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::{MetricType, info::Info},
};

use super::book::{Book, Described, gauge, parts, sentence};

const GAUGES: [Described; 5] = [
    gauge("process_resident_memory_bytes", &[], "Resident memory size"),
    gauge("process_virtual_memory_bytes", &[], "Virtual memory size"),
    gauge("process_open_fds", &[], "Number of open file descriptors"),
    gauge("process_max_fds", &[], "Maximum number of open file descriptors"),
    gauge("process_start_time_seconds", &[], "Start time of the process since 1970"),
];
const CPU: Described = Described {
    kind: "counter",
    ..gauge("process_cpu_seconds_total", &[], "User and system CPU time spent")
};

#[derive(Debug)]
struct Process;

pub fn register(book: &mut Book) {
    book.add(
        "aftercall_build_info",
        &["version", "revision", "rustc"],
        "Always 1; the labels tell which build this is",
        Info::new([
            ("version", env!("CARGO_PKG_VERSION")),
            ("revision", option_env!("BUILD_REVISION").unwrap_or("unknown")),
            ("rustc", env!("BUILD_RUSTC")),
        ]),
    );
    let mut described = GAUGES.to_vec();
    described.push(CPU);
    book.collect(described, Process);
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let seen = look().unwrap_or_default();
        let values = [seen.resident, seen.virtual_size, seen.open_fds, seen.max_fds, seen.started];
        for (described, value) in GAUGES.iter().zip(values) {
            let (base, unit) = parts(described.name);
            let mut metric = encoder.encode_descriptor(
                base,
                &sentence(described.help),
                unit.as_ref(),
                MetricType::Gauge,
            )?;
            if let Some(value) = value {
                metric.encode_gauge(&value)?;
            }
        }
        let (base, unit) = parts(CPU.name);
        let mut metric = encoder.encode_descriptor(
            base,
            &sentence(CPU.help),
            unit.as_ref(),
            MetricType::Counter,
        )?;
        if let Some(cpu) = seen.cpu {
            metric.encode_counter::<[(&str, &str); 0], f64, f64>(&cpu, None)?;
        }
        Ok(())
    }
}

/// What could be found out.
#[derive(Debug, Default)]
struct Seen {
    resident: Option<f64>,
    virtual_size: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    started: Option<f64>,
    cpu: Option<f64>,
}

/// proc(5): `/proc/pid/stat` has CPU times (fields 14 and 15) and the start (22) in clock ticks, the virtual size (23) in
/// bytes and the resident size (24) in pages; `btime` in `/proc/stat` is when the system booted.
fn look() -> Option<Seen> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may contain anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<f64> =
        after_name.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = system(SysconfVar::CLK_TCK);
    let boot = fs::read_to_string("/proc/stat").ok().and_then(|stat| {
        stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())
    });
    let page = system(SysconfVar::PAGE_SIZE);
    let fds = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    let limit = getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft);
    Some(Seen {
        resident: field(24).zip(page).map(|(pages, size)| pages * size),
        virtual_size: field(23),
        open_fds: fds.and_then(|count| u32::try_from(count).ok()).map(f64::from),
        max_fds: limit.map(|limit| f64::from(u32::try_from(limit).unwrap_or(u32::MAX))),
        started: boot.zip(field(22).zip(ticks)).map(|(boot, (start, ticks))| boot + start / ticks),
        cpu: field(14).zip(field(15)).zip(ticks).map(|((user, sys), ticks)| (user + sys) / ticks),
    })
}

fn system(name: SysconfVar) -> Option<f64> {
    let value = sysconf(name).ok()??;
    i32::try_from(value).ok().map(f64::from)
}
