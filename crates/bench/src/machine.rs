//! What the benchmark asks of the operating system: a core for each side, enough sockets, and what a process has used.
//!
//! Server and generator each get a core of their own, so that the figures are those of one server core, and a slow
//! generator shows as an idle server rather than as a slow one.

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The core of whatever is measured.
pub const SERVER_CORE: usize = 0;
/// The core of the generator.
pub const GENERATOR_CORE: usize = 1;

/// Sockets that one process of the benchmark may need.
const OPEN_FILES: u64 = 16_384;

/// Keeps this thread, and every thread it starts from now on, on one core.
///
/// # Errors
/// When the core does not exist or the system does not allow it.
#[cfg(target_os = "linux")]
pub fn stay_on_core(core: usize) -> Result<()> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores).with_context(|| format!("cannot stay on core {core}"))
}

/// Lets this process open as many sockets as the benchmark needs.
///
/// # Errors
/// When the system's hard limit is lower.
#[cfg(target_os = "linux")]
pub fn allow_many_sockets() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < OPEN_FILES) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(OPEN_FILES), maximum: limit.maximum })
            .with_context(|| format!("cannot open {OPEN_FILES} sockets; raise the limit with `ulimit -n`"))?;
    }
    Ok(())
}

/// Processor time that this process has used so far.
#[cfg(target_os = "linux")]
pub fn own_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
pub fn own_cpu_time() -> Duration {
    Duration::ZERO
}

#[cfg(not(target_os = "linux"))]
pub fn stay_on_core(_core: usize) -> Result<()> {
    bail!("the benchmark runs on Linux only: it pins processes to cores and reads /proc")
}

#[cfg(not(target_os = "linux"))]
pub fn allow_many_sockets() -> Result<()> {
    bail!("the benchmark runs on Linux only: it pins processes to cores and reads /proc")
}

/// Fails unless both cores are there.
///
/// # Errors
/// On a machine with one core.
pub fn need_two_cores() -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    if cores < 2 {
        bail!("the benchmark needs two cores, one for the server and one for the generator; here is {cores}");
    }
    Ok(())
}

/// Processor time that a process has used so far, in user and system mode, all its threads together.
///
/// # Errors
/// When the process is gone.
pub fn cpu_time(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The second field is the program's name in parentheses and may itself have spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')').with_context(|| format!("{path} is not as expected"))?;
    let ticks = |index: usize| fields.split_whitespace().nth(index).and_then(|field| field.parse::<u64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).with_context(|| format!("{path} is not as expected"))?;
    // USER_HZ, which is 100 on every architecture that Linux has a Rust target for.
    Ok(Duration::from_millis((user + system) * 10))
}

/// Resident memory of a process, in bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident_memory(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    Ok(kibibytes.with_context(|| format!("{path} has no VmRSS"))? * 1024)
}

/// One line about the machine, for the table's head. Ask before [`stay_on_core`]: then there is only one core left.
pub fn description() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| {
        let model = info.lines().find_map(|line| line.strip_prefix("model name"))?;
        Some(model.trim_start_matches([' ', '\t', ':']).to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    format!("{cores} cores, {}", model.unwrap_or_else(|| "unknown processor".into()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_be_measured() {
        let me = std::process::id();
        assert!(resident_memory(me).unwrap() > 100_000);
        assert!(cpu_time(me).is_ok());
        assert!(cpu_time(u32::MAX).is_err());
    }
}
