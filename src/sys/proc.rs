//! What /proc tells about a process: the second question when its record lock is gone.

use super::fd::Identity;
use std::fs;
use std::io::{self, BufRead, BufReader};

/// When a process started (clock ticks since boot) and whether it is only a zombie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Birth {
    start: u64,
    zombie: bool,
}

/// Clock ticks since boot, now: this process has started before, and whoever gets its number after it later.
/// Asking /proc for the start itself would cost a new process 7 us; 0 where there is no such clock.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: time is ours to write; the rest are plain numbers.
    let (r, per_second) = unsafe {
        (libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time), libc::sysconf(libc::_SC_CLK_TCK))
    };
    if r != 0 || per_second <= 0 {
        return 0;
    }
    let per_second = per_second as u64;
    time.tv_sec as u64 * per_second + time.tv_nsec as u64 * per_second / 1_000_000_000
}

/// Whether a process with this number lives that has the file mapped and had started at `seen`, in clock ticks;
/// 0 is not compared. Where the question cannot be put, because the asker has no descriptor left or may not look, the answer is yes: a wrong
/// "dead" would break a lock, a wrong "alive" only costs time.
pub(crate) fn lives_with(pid: u32, seen: u64, file: Identity) -> bool {
    lives(&format!("/proc/{pid}"), seen, file).unwrap_or_else(|e| !is_gone(&e) || is_unreadable(pid))
}

fn lives(dir: &str, seen: u64, file: Identity) -> io::Result<bool> {
    let leader = birth(dir)?;
    if seen != 0 && leader.start > seen {
        return Ok(false);
    }
    if !leader.zombie {
        return maps(dir, file);
    }
    // The main thread has ended; the process lives as long as another one does, and only that one has its memory.
    for thread in fs::read_dir(format!("{dir}/task"))? {
        let dir = thread?.path().to_string_lossy().into_owned();
        match birth(&dir).and_then(|b| Ok(!b.zombie && maps(&dir, file)?)) {
            Ok(false) => {}
            Err(e) if is_gone(&e) => {}
            alive => return alive,
        }
    }
    Ok(false)
}

fn is_gone(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH)
}

/// Where there is no /proc nothing is found there; only the number is left to ask about.
fn is_unreadable(pid: u32) -> bool {
    // SAFETY: no signal is sent.
    let there = unsafe { libc::kill(pid as libc::pid_t, 0) } == 0;
    there && fs::metadata("/proc/self/stat").is_err()
}

/// The process or thread with this directory.
fn birth(dir: &str) -> io::Result<Birth> {
    parse(&fs::read(format!("{dir}/stat"))?).ok_or_else(|| io::Error::other("no line of /proc's"))
}

/// The name in the second field may hold spaces and parentheses, so the fields are counted from its end.
fn parse(stat: &[u8]) -> Option<Birth> {
    let end = stat.iter().rposition(|&b| b == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some(Birth { start, zombie: matches!(state, "Z" | "X" | "x") })
}

/// Whether a process has the file mapped.
fn maps(dir: &str, file: Identity) -> io::Result<bool> {
    let reader = BufReader::new(fs::File::open(format!("{dir}/maps"))?);
    let (major, minor) = (libc::major(file.device), libc::minor(file.device));
    let device = format!("{major:02x}:{minor:02x}");
    let inode = file.inode.to_string();
    for line in reader.split(b'\n') {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        let mut fields = text.split_ascii_whitespace().skip(3);
        if fields.next() == Some(&device) && fields.next() == Some(&inode) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let line = b"7 (a ) b) Z 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0 18446744073709551615";
        assert_eq!(parse(line), Some(Birth { start: 4711, zombie: true }));
        assert_eq!(parse(b"garbage"), None);
        assert_eq!(parse(b"7 (x) R 1"), None);
    }

    #[test]
    fn this_process_has_a_birth() {
        let b = birth("/proc/self").unwrap();
        assert!(b.start > 0 && b.start <= now());
        assert!(!b.zombie);
    }

    #[test]
    fn only_what_is_mapped_is_found() {
        let meta = fs::metadata("/proc/self/exe").unwrap();
        use std::os::unix::fs::MetadataExt;
        let exe = Identity { device: meta.dev(), inode: meta.ino() };
        assert!(maps("/proc/self", exe).unwrap());
        assert!(lives_with(std::process::id(), now(), exe));
        let born = birth("/proc/self").unwrap().start;
        assert!(lives_with(std::process::id(), born, exe));
        assert!(!lives_with(std::process::id(), born - 1, exe), "its number was another's then");
        assert!(!maps("/proc/self", Identity { device: exe.device, inode: exe.inode ^ (1 << 60) }).unwrap());
        assert!(is_gone(&maps("/proc/0", exe).unwrap_err()));
    }
}
