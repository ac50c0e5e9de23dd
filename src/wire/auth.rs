//! What is said to prove a key, byte for byte as CPython says it: challenges, the codes that answer them, verdicts.

use crate::error::{Result, fail};
use hmac::{Hmac, KeyInit, Mac, SimpleHmac};
use md5::Md5;
use sha2::{Sha256, Sha384};
use sha3::{Sha3_256, Sha3_384};

/// No message of a handshake is longer.
pub(super) const MOST: usize = 256;
pub(super) const CHALLENGE: &[u8] = b"#CHALLENGE#";
pub(super) const WELCOME: &[u8] = b"#WELCOME#";
pub(super) const FAILURE: &[u8] = b"#FAILURE#";
/// Random bytes of a challenge.
pub(super) const NONCE: usize = 40;
/// What CPython up to 3.11 sends as a challenge and as an answer: so many bytes, and nothing of a digest.
const OLD_CHALLENGE: usize = 20;
const OLD_ANSWER: usize = 16;

/// What a code is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digest {
    /// Of 3.11 and before, without a word about it.
    Md5,
    Sha256,
    Sha384,
    Sha3_256,
    Sha3_384,
}

/// What makes the codes of a digest, for a call with it.
macro_rules! with_code {
    ($digest:expr, $call:ident, $($argument:expr),*) => {
        match $digest {
            Digest::Md5 => $call::<Hmac<Md5>>($($argument),*),
            Digest::Sha256 => $call::<Hmac<Sha256>>($($argument),*),
            Digest::Sha384 => $call::<Hmac<Sha384>>($($argument),*),
            Digest::Sha3_256 => $call::<SimpleHmac<Sha3_256>>($($argument),*),
            Digest::Sha3_384 => $call::<SimpleHmac<Sha3_384>>($($argument),*),
        }
    };
}

impl Digest {
    const ALL: [Digest; 5] =
        [Digest::Md5, Digest::Sha256, Digest::Sha384, Digest::Sha3_256, Digest::Sha3_384];

    /// The digest that a message names, and what follows.
    fn split(message: &[u8]) -> Result<(Self, &[u8])> {
        // The longest name is sha3_256.
        const LONGEST: usize = 8;
        let end = message.iter().take(LONGEST + 2).position(|&b| b == b'}');
        let named = message.strip_prefix(b"{").zip(end);
        let Some((_, end)) = named else { fail!(Auth, "the other side names no digest") };
        let name = &message[1..end];
        match Self::ALL.into_iter().find(|digest| digest.name() == name) {
            Some(digest) => Ok((digest, &message[end + 1..])),
            None => fail!(Auth, "the other side asks for the digest {}", String::from_utf8_lossy(name)),
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Digest::Md5 => b"md5",
            Digest::Sha256 => b"sha256",
            Digest::Sha384 => b"sha384",
            Digest::Sha3_256 => b"sha3_256",
            Digest::Sha3_384 => b"sha3_384",
        }
    }

    fn check(self, allow_md5: bool) -> Result<()> {
        if self == Digest::Md5 && !allow_md5 {
            fail!(Auth, "the other side knows only HMAC-MD5 (CPython up to 3.11), which is not allowed here");
        }
        Ok(())
    }

    fn code(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        fn of<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
            // A key may have any length.
            let Ok(mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
            mac.chain_update(message).finalize().into_bytes().to_vec()
        }
        with_code!(self, of, key, message)
    }

    /// In a time that does not depend on where they differ.
    fn verify(self, key: &[u8], message: &[u8], code: &[u8]) -> bool {
        fn is<M: Mac + KeyInit>(key: &[u8], message: &[u8], code: &[u8]) -> bool {
            <M as KeyInit>::new_from_slice(key)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(code).is_ok())
        }
        with_code!(self, is, key, message, code)
    }
}

/// The part of a challenge that the code is made over: the digest that is asked for, and the random bytes.
pub(super) fn asked(nonce: &[u8; NONCE]) -> Vec<u8> {
    [&b"{sha256}"[..], nonce].concat()
}

/// The part of a challenge that came which the code is made over.
pub(super) fn part_of(challenge: &[u8]) -> Result<&[u8]> {
    match challenge.strip_prefix(CHALLENGE) {
        Some(part) if part.len() >= OLD_CHALLENGE => Ok(part),
        Some(part) => fail!(Auth, "the other side sent a challenge of only {} bytes", part.len()),
        None => fail!(Auth, "the other side sent something else where a challenge is expected"),
    }
}

/// The answer to a challenge.
pub(super) fn answer(key: &[u8], part: &[u8], allow_md5: bool) -> Result<Vec<u8>> {
    if part.len() == OLD_CHALLENGE {
        Digest::Md5.check(allow_md5)?;
        return Ok(Digest::Md5.code(key, part));
    }
    let (digest, _) = Digest::split(part)?;
    digest.check(allow_md5)?;
    Ok([b"{", digest.name(), b"}", &digest.code(key, part)].concat())
}

/// Whether an answer proves the key.
pub(super) fn check(key: &[u8], part: &[u8], answer: &[u8], allow_md5: bool) -> Result<()> {
    let (digest, code) = match answer.len() {
        OLD_ANSWER | OLD_CHALLENGE => (Digest::Md5, answer),
        _ => Digest::split(answer)?,
    };
    digest.check(allow_md5)?;
    if !digest.verify(key, part, code) {
        fail!(Auth, "the other side does not know the key");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// By `hmac.new(b"key", b"{...}" + bytes(range(40)), ...)` of CPython's.
    #[test]
    fn codes_are_the_ones_of_others() {
        let nonce: [u8; NONCE] = std::array::from_fn(|i| i as u8);
        let got = answer(b"key", &asked(&nonce), false).unwrap();
        assert_eq!(&got[..8], b"{sha256}");
        assert_eq!(hex(&got[8..]), SHA256);
        for (name, code) in [("{sha384}", SHA384), ("{sha3_256}", SHA3_256), ("{sha3_384}", SHA3_384)] {
            let part = [name.as_bytes(), &nonce].concat();
            let got = answer(b"key", &part, false).unwrap();
            assert_eq!(&got[..name.len()], name.as_bytes());
            assert_eq!(hex(&got[name.len()..]), code);
            assert!(check(b"key", &part, &got, false).is_ok());
        }
        let got = answer(b"key", &nonce[..20], true).unwrap();
        assert_eq!(hex(&got), MD5);
    }

    const SHA256: &str = "05b37335205f51ff483146e965fdf576943e0e64675a64ceccba80b6704d76b8";
    const SHA384: &str = concat!(
        "2f1a4233782b9eb58bdc61e0bbfc3dc518ef4f11e57c645b",
        "0a71de4ed5b9d38b1046df44f799a8dd5a563cfd2001a53d"
    );
    const SHA3_256: &str = "8952712aef2d0531a6eea6353c874de5335699947695baa0cfd0d30f50c0a5eb";
    const SHA3_384: &str = concat!(
        "40407b88279b3cbcda6c2dd87059f061095dafba34d4cf2f",
        "acdbd87260550c3a17caff5e3bc8d97899ada5a2b81c2a76"
    );
    const MD5: &str = "5b2709aec5bcecbd08bd1f92d77ecea1";

    #[test]
    fn only_the_right_answer_is_right() {
        let part = asked(&[7; NONCE]);
        let good = answer(b"key", &part, false).unwrap();
        assert!(check(b"key", &part, &good, false).is_ok());
        assert_eq!(check(b"kex", &part, &good, false).unwrap_err().status, Status::Auth);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(check(b"key", &part, &bad, true).unwrap_err().status, Status::Auth, "{at}");
            assert!(check(b"key", &part, &good[..at], true).is_err(), "{at}");
        }
        assert!(check(b"key", &part, &[&good[..], b"x"].concat(), true).is_err());
    }

    #[test]
    fn md5_only_where_it_is_allowed() {
        let part = asked(&[7; NONCE]);
        let old = Digest::Md5.code(b"key", &part);
        let named = [&b"{md5}"[..], &old].concat();
        for answer in [&old, &named] {
            assert!(check(b"key", &part, answer, true).is_ok());
            assert_eq!(check(b"key", &part, answer, false).unwrap_err().status, Status::Auth);
        }
        assert!(answer(b"key", &[7; 20], false).is_err());
        assert!(answer(b"key", &[&b"{md5}"[..], &[7; 40]].concat(), false).is_err());
    }

    #[test]
    fn challenges_of_other_forms() {
        assert!(part_of(b"#CHALLENGE#0123456789012345678").is_err());
        assert_eq!(part_of(b"#CHALLENGE#01234567890123456789").unwrap().len(), 20);
        assert!(part_of(b"#WELCOME#0123456789012345678901234567890123456789").is_err());
        for bad in [&b"{sha3_512}"[..], b"{sha1}", b"{", b"{}", b"{sha256", b"sha256}", b"{a very long name}"]
        {
            let part = [bad, &[1; 40]].concat();
            assert_eq!(answer(b"key", &part, true).unwrap_err().status, Status::Auth);
        }
    }
}
