//! How many CPUs this process may use.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

/// Affinity and the cgroup's quota, whichever is less; `MP_CPU_COUNT` overrides both. At least 1.
pub(crate) fn usable() -> usize {
    if let Some(n) = std::env::var("MP_CPU_COUNT").ok().and_then(|v| v.trim().parse().ok())
        && n >= 1
    {
        return n;
    }
    let affine = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))
        .map(|set| (0..nix::sched::CpuSet::count()).filter(|&c| set.is_set(c).unwrap_or(false)).count())
        .unwrap_or_else(|_| std::thread::available_parallelism().map_or(1, Into::into));
    affine.min(quota().unwrap_or(usize::MAX)).max(1)
}

/// Whether a spinner can hope that somebody else is running meanwhile. Asked once.
pub(crate) fn several() -> bool {
    static KNOWN: AtomicU32 = AtomicU32::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let several = usable() > 1;
            KNOWN.store(1 + u32::from(several), Ordering::Relaxed);
            several
        }
        known => known == 2,
    }
}

/// Lets somebody else run here, if anybody wants to.
pub(crate) fn give_way() {
    // SAFETY: it has no arguments, and on Linux it always succeeds.
    unsafe { libc::sched_yield() };
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

    #[test]
    fn there_is_a_cpu() {
        assert!(usable() >= 1);
    }
}
