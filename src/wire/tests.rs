//! Whatever the other side sends: files of tests/corpus, and what becomes of them when they are damaged at random. What
//! once went wrong is kept there. MP_FUZZ is how many damaged forms of each file are tried, 200 if it is not set;
//! MP_FUZZ_SEED repeats a run.

use super::connection::Connection;
use super::frame::{self, Head};
use super::handshake::{Handshake, Key};
use crate::error::{Error, Status};
use crate::time::Deadline;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;

/// Of messages that are wanted.
const MOST: usize = 1 << 16;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Numbers that a seed gives (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn damage(bytes: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    const STRIKING: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'{', b'}', b'#'];
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = STRIKING[chance.below(STRIKING.len())],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, STRIKING[chance.below(STRIKING.len())]),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => {
                let other = &others[chance.below(others.len())];
                let from = chance.below(other.len() + 1);
                let tail = other[from..].to_vec();
                bytes.splice(at..at, tail);
            }
            _ => {
                let tail = bytes[at..].to_vec();
                bytes.extend_from_slice(&tail);
            }
        }
        bytes.truncate(1 << 14);
    }
}

/// Runs `check` with each file of a directory and with damaged forms of it.
pub(crate) fn for_each(directory: &str, check: impl Fn(&[u8], &mut Chance)) {
    let path = format!("{}/tests/corpus/{directory}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    files.sort_by(|a, b| a.1.cmp(&b.1));
    assert!(files.len() > 10, "the corpus is gone");
    let seed = number("MP_FUZZ_SEED", u64::from(std::process::id()));
    println!("MP_FUZZ_SEED={seed}");
    let contents: Vec<_> = files.iter().map(|file| file.0.clone()).collect();
    for (content, path) in &files {
        println!("{}", path.display());
        let mut chance = Chance(seed);
        check(content, &mut chance);
        for _ in 0..number("MP_FUZZ", 200) {
            let mut bytes = content.clone();
            damage(&mut bytes, &contents, &mut chance);
            check(&bytes, &mut chance);
        }
    }
}

/// What a stream of bytes has to give: its messages, and how it ends.
fn expected(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Status) {
    let mut messages = Vec::new();
    loop {
        let head = &bytes[..bytes.len().min(frame::MOST)];
        let len = match frame::read(head) {
            Head::Needs(_) => return (messages, Status::Eof),
            Head::Nonsense(_) => return (messages, Status::Os),
            Head::Length(len) if len > MOST => return (messages, Status::TooSmall),
            Head::Length(len) => len,
        };
        let skip = if bytes.starts_with(&[0xff; 4]) { frame::MOST } else { 4 };
        let Some(message) = bytes[skip..].get(..len) else { return (messages, Status::Eof) };
        messages.push(message.to_vec());
        bytes = &bytes[skip + len..];
    }
}

fn connected() -> (Connection, UnixStream) {
    let (mine, other) = UnixStream::pair().unwrap();
    (Connection::from_fd(mine.into_raw_fd(), true, true, usize::MAX).unwrap(), other)
}

/// One message, in one of the two ways, and with buffers that are too small first.
fn one(connection: &Connection, chance: &mut Chance) -> Result<Vec<u8>, Error> {
    let mut told = 0;
    let most = if chance.below(3) == 0 { chance.below(40) } else { MOST };
    let got = if chance.below(2) == 0 {
        connection.receive(most, Deadline::NoWait, |len| told = len)
    } else {
        let mut room = vec![0xAA; most];
        let got = connection.receive_into(&mut room, Deadline::NoWait, |len| told = len);
        got.map(|()| room[..told].to_vec())
    };
    match got {
        // It only did not fit.
        Err(e) if e.status == Status::TooSmall && told <= MOST => {
            assert!(told > most);
            connection.receive(MOST, Deadline::NoWait, |_| {})
        }
        got => got,
    }
}

#[test]
fn frames() {
    for_each("frames", |bytes, chance| {
        let (connection, mut other) = connected();
        let (wanted, end) = expected(bytes);
        let mut got = Vec::new();
        let mut at = 0;
        let status = loop {
            match one(&connection, chance) {
                Ok(message) => {
                    assert_eq!(Some(&message), wanted.get(got.len()), "{bytes:02x?}");
                    got.push(message);
                }
                Err(e) if e.status == Status::Timeout && at < bytes.len() => {
                    let n = (1 + chance.below(20)).min(bytes.len() - at);
                    other.write_all(&bytes[at..at + n]).unwrap();
                    at += n;
                }
                Err(e) if e.status == Status::Timeout => other.shutdown(Shutdown::Write).unwrap(),
                Err(e) => break e.status,
            }
        };
        assert_eq!((got, status), (wanted, end), "{bytes:02x?}");
        // And so it stays.
        assert_eq!(one(&connection, chance).unwrap_err().status, end);
        connection.send(b"the other way", Deadline::NoWait).unwrap();
    });
}

/// Nobody gets in without the key, and nothing else comes of it than a status.
#[test]
fn handshakes() {
    for_each("handshake", |bytes, chance| {
        for round in 0..4 {
            let (connection, mut other) = connected();
            let key = Key { bytes: b"the key".as_slice().into(), allow_md5: round & 1 != 0 };
            let make = if round & 2 == 0 { Handshake::of_client } else { Handshake::of_listener };
            let mut handshake = make(key);
            let mut at = 0;
            let status = loop {
                let Err(e) = handshake.advance(&connection, Deadline::NoWait) else {
                    panic!("in without a key, by {bytes:02x?}");
                };
                match e.status {
                    Status::Timeout if at < bytes.len() => {
                        let n = (1 + chance.below(40)).min(bytes.len() - at);
                        // It may have said no already.
                        if other.write_all(&bytes[at..at + n]).is_err() {
                            break Status::Eof;
                        }
                        at += n;
                    }
                    Status::Timeout => other.shutdown(Shutdown::Write).unwrap(),
                    status => break status,
                }
            };
            assert!(matches!(status, Status::Auth | Status::Eof), "{status:?} by {bytes:02x?}");
        }
    });
}

/// Both sides of our own: with the same key both are satisfied, with two neither is.
#[test]
fn both_sides() {
    for (theirs, is_in) in [(&b"the key"[..], true), (b"another", false)] {
        let (mine, other) = connected();
        let other = Connection::from_fd(other.into_raw_fd(), true, true, usize::MAX).unwrap();
        let key = |bytes: &[u8]| Key { bytes: bytes.into(), allow_md5: false };
        let mut sides = [
            (Handshake::of_listener(key(b"the key")), mine, None),
            (Handshake::of_client(key(theirs)), other, None),
        ];
        while sides.iter().any(|side| side.2.is_none()) {
            for (handshake, connection, result) in &mut sides {
                if result.is_none() {
                    *result = match handshake.advance(connection, Deadline::NoWait) {
                        Err(e) if e.status == Status::Timeout => None,
                        Err(e) => Some(e.status),
                        Ok(()) => Some(Status::Ok),
                    };
                }
            }
        }
        for side in &sides {
            assert_eq!(side.2, Some(if is_in { Status::Ok } else { Status::Auth }));
        }
    }
}
