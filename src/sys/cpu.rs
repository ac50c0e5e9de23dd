//! How many CPUs this process may use.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Affinity and the cgroup's quota, whichever is less; `MP_CPU_COUNT` overrides both. At least 1.
pub(crate) fn usable() -> usize {
    if let Some(n) = asked_for() {
        return n;
    }
    let affine = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))
        .map(|set| (0..nix::sched::CpuSet::count()).filter(|&c| set.is_set(c).unwrap_or(false)).count())
        .unwrap_or_else(|_| std::thread::available_parallelism().map_or(1, Into::into));
    affine.min(quota().unwrap_or(usize::MAX)).max(1)
}

fn asked_for() -> Option<usize> {
    std::env::var("MP_CPU_COUNT").ok().and_then(|v| v.trim().parse().ok()).filter(|&n| n >= 1)
}

/// Whether a spinner can hope that somebody else is running meanwhile. Asked once. The affinity says nothing about
/// that: of two processes each may have a CPU of its own.
pub(crate) fn several() -> bool {
    static KNOWN: AtomicU32 = AtomicU32::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let several = ask_several();
            KNOWN.store(1 + u32::from(several), Ordering::Relaxed);
            several
        }
        known => known == 2,
    }
}

fn ask_several() -> bool {
    asked_for().unwrap_or_else(|| online().min(quota().unwrap_or(usize::MAX))) > 1
}

fn online() -> usize {
    // SAFETY: it only returns a number, negative where it does not know.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize
}

/// Lets somebody else run here, if anybody wants to. Whether somebody may have.
pub(crate) fn give_way() -> bool {
    // SAFETY: it has no arguments, and on Linux it always succeeds.
    unsafe { libc::sched_yield() == 0 }
}

/// Yields that took longer than this found somebody at work here who does not wait for what we wait for.
const LONG: Duration = Duration::from_micros(500);
/// So often nobody yields after that.
const KEPT: u32 = 20;

/// The same, for who waits for something that is short: it keeps the CPU for a while after it had been away for
/// long. The kernel takes a yield for the rest of a slice; beside somebody else's program that is milliseconds.
pub(crate) fn give_way_where_it_pays() {
    // A hint; threads that count it down at once do no harm.
    static KEEP: AtomicU32 = AtomicU32::new(0);
    let keep = KEEP.load(Ordering::Relaxed);
    if keep > 0 {
        KEEP.store(keep - 1, Ordering::Relaxed);
        return;
    }
    let began = Instant::now();
    give_way();
    if began.elapsed() > LONG {
        KEEP.store(KEPT, Ordering::Relaxed);
    }
}

/// The smallest `cpu.max` of the cgroups (v2) that this process is in, rounded up to whole CPUs.
fn quota() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|l| l.strip_prefix("0::"))?;
    let mut least = None;
    let mut dir = format!("/sys/fs/cgroup{path}");
    while dir.len() >= "/sys/fs/cgroup".len() {
        if let Some(n) = fs::read_to_string(format!("{dir}/cpu.max")).ok().as_deref().and_then(cpus) {
            least = Some(least.map_or(n, |l: usize| l.min(n)));
        }
        let up = dir.rfind('/')?;
        dir.truncate(up);
    }
    least
}

/// `cpu.max` is "QUOTA PERIOD" in microseconds or "max PERIOD".
fn cpus(text: &str) -> Option<usize> {
    let mut fields = text.split_ascii_whitespace().map(|f| f.parse::<usize>());
    let quota = fields.next()?.ok()?;
    let period = fields.next()?.ok().filter(|&p| p > 0)?;
    Some(quota.div_ceil(period).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_rounded_up() {
        assert_eq!(cpus("max 100000\n"), None);
        assert_eq!(cpus("150000 100000\n"), Some(2));
        assert_eq!(cpus("50000 100000"), Some(1));
        assert_eq!(cpus("1 0"), None);
        assert_eq!(cpus(""), None);
    }

    /// Who may run on one CPU only still finds others at work.
    #[test]
    fn affinity_does_not_hide_other_cpus() {
        if asked_for().is_some() || quota() == Some(1) || online() < 2 {
            return;
        }
        std::thread::spawn(|| {
            let this = nix::unistd::Pid::from_raw(0);
            let all = nix::sched::sched_getaffinity(this).expect("an affinity");
            let mut one = nix::sched::CpuSet::new();
            let first = (0..nix::sched::CpuSet::count()).find(|&c| all.is_set(c) == Ok(true));
            one.set(first.expect("a CPU")).expect("a CPU that there is");
            nix::sched::sched_setaffinity(this, &one).expect("a CPU that it had");
            assert_eq!(usable(), 1);
            assert!(ask_several());
        })
        .join()
        .expect("no failure");
    }

    #[test]
    fn there_is_a_cpu() {
        assert!(usable() >= 1);
    }
}
