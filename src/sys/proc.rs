//! What /proc tells about a process: the second question when its record lock is gone.

use super::fd::Identity;
use std::fs;
use std::io::{BufRead, BufReader, Read};

/// When a process started (clock ticks since boot) and whether it is only a zombie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Birth {
    start: u64,
    zombie: bool,
}

/// This process's start time, 0 where /proc is not mounted.
pub(crate) fn own_start() -> u64 {
    // One read: each one makes the kernel write the whole line anew.
    let mut line = [0; 1024];
    let read = fs::File::open("/proc/self/stat").and_then(|mut f| f.read(&mut line));
    read.ok().and_then(|n| parse(&line[..n])).map_or(0, |b| b.start)
}

/// Whether a process with this number lives that has the file mapped; a `start` of 0 is not compared.
pub(crate) fn lives_with(pid: u32, start: u64, file: Identity) -> bool {
    let Some(leader) = birth(&format!("/proc/{pid}")) else { return false };
    if start != 0 && leader.start != start {
        return false;
    }
    if !leader.zombie {
        return maps(&format!("/proc/{pid}"), file);
    }
    // The main thread has ended; the process lives as long as another one does, and only that one has its memory.
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        let dir = thread.path().to_string_lossy().into_owned();
        birth(&dir).is_some_and(|b| !b.zombie) && maps(&dir, file)
    })
}

/// The process or thread with this directory, None when there is none (or no /proc to ask).
fn birth(dir: &str) -> Option<Birth> {
    parse(&fs::read(format!("{dir}/stat")).ok()?)
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

/// Whether a process has the file mapped. A process that may not be looked into counts as having it: a wrong
/// "dead" would break a lock, a wrong "alive" only costs time.
fn maps(dir: &str, file: Identity) -> bool {
    let reader = match fs::File::open(format!("{dir}/maps")) {
        Ok(f) => BufReader::new(f),
        Err(e) => return e.kind() == std::io::ErrorKind::PermissionDenied,
    };
    let (major, minor) = (libc::major(file.device), libc::minor(file.device));
    let device = format!("{major:02x}:{minor:02x}");
    let inode = file.inode.to_string();
    reader.split(b'\n').map_while(std::result::Result::ok).any(|line| {
        let text = String::from_utf8_lossy(&line);
        let mut fields = text.split_ascii_whitespace().skip(3);
        fields.next() == Some(&device) && fields.next() == Some(&inode)
    })
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
        assert_eq!(b.start, own_start());
        assert!(!b.zombie);
    }

    #[test]
    fn only_what_is_mapped_is_found() {
        let meta = fs::metadata("/proc/self/exe").unwrap();
        use std::os::unix::fs::MetadataExt;
        let exe = Identity { device: meta.dev(), inode: meta.ino() };
        assert!(maps("/proc/self", exe));
        assert!(lives_with(std::process::id(), own_start(), exe));
        assert!(!lives_with(std::process::id(), own_start() + 1, exe));
        assert!(!maps("/proc/self", Identity { device: exe.device, inode: exe.inode ^ (1 << 60) }));
    }
}
