//! Addresses as text: `/path` and `./path`, `@name` for a name without a file, `host:port`, `[v6]:port`,
//! `vsock:context:port`. Before any of them may stand what it is: `unix:`, `abstract:`, `tcp:`.

use crate::error::{Error, Result, Status, fail};
use crate::sys::random;
use crate::sys::sockets::{ANY_CONTEXT, Address, MOST_PATH};
use std::fmt::Write;
use std::net::{SocketAddr, ToSocketAddrs};

/// Where a text leads to; several for a host of several addresses, those of IP version 4 first: with those CPython
/// means by the same name.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Address>> {
    if let Some(found) = unix_of(text) {
        return found;
    }
    if let Some(rest) = text.strip_prefix(b"vsock:") {
        return vsock_of(rest).map(|at| vec![at]).ok_or_else(|| none_such(text));
    }
    inet_of(text.strip_prefix(b"tcp:").unwrap_or(text))
}

/// Whether it leads to a socket of this machine; no host is looked up.
pub(crate) fn is_local(text: &[u8]) -> bool {
    unix_of(text).is_some()
}

/// None for other kinds of sockets.
fn unix_of(text: &[u8]) -> Option<Result<Vec<Address>>> {
    if let Some(path) = text.strip_prefix(b"unix:") {
        return Some(path_of(path));
    }
    if let Some(name) = text.strip_prefix(b"abstract:").or_else(|| text.strip_prefix(b"@")) {
        return Some(abstract_of(name));
    }
    let says_what = text.starts_with(b"vsock:") || text.starts_with(b"tcp:");
    let is_path = !says_what && (text.contains(&b'/') || !text.contains(&b':'));
    is_path.then(|| path_of(text))
}

fn none_such(text: &[u8]) -> Error {
    let text = String::from_utf8_lossy(text);
    let forms = "/path, @name, host:port, [address]:port or vsock:context:port";
    Error::new(Status::Invalid, format!("\"{text}\" is no address: {forms} is expected"))
}

fn path_of(path: &[u8]) -> Result<Vec<Address>> {
    if path.is_empty() {
        fail!(Invalid, "the address is empty");
    }
    if path.len() > MOST_PATH {
        fail!(Invalid, "the path has {} bytes, and a socket's has at most {MOST_PATH}", path.len());
    }
    Ok(vec![Address::Path(path.to_vec())])
}

fn abstract_of(name: &[u8]) -> Result<Vec<Address>> {
    // To bind to no name at all means: to one that the kernel chooses.
    if name.is_empty() {
        fail!(Invalid, "the name is empty");
    }
    if name.len() > MOST_PATH {
        fail!(Invalid, "the name has {} bytes, and a socket's has at most {MOST_PATH}", name.len());
    }
    Ok(vec![Address::Abstract(name.to_vec())])
}

fn vsock_of(rest: &[u8]) -> Option<Address> {
    let (context, port) = std::str::from_utf8(rest).ok()?.split_once(':')?;
    let context = if context == "any" { ANY_CONTEXT } else { context.parse().ok()? };
    Some(Address::Vsock(context, port.parse().ok()?))
}

fn inet_of(rest: &[u8]) -> Result<Vec<Address>> {
    let text = std::str::from_utf8(rest).map_err(|_| none_such(rest))?;
    if let Ok(numbers) = text.parse::<SocketAddr>() {
        return Ok(vec![Address::Inet(numbers)]);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| none_such(rest))?;
    let port: u16 = port.parse().map_err(|_| none_such(rest))?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(none_such(rest));
    }
    let mut found: Vec<_> = match (host, port).to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(e) => {
            let text = format!("the host \"{host}\" is not known: {e}");
            return Err(Error::new(Status::NotFound, text));
        }
    };
    found.sort_by_key(SocketAddr::is_ipv6);
    Ok(found.into_iter().map(Address::Inet).collect())
}

/// A name that nobody can guess.
pub(super) fn random() -> Result<Address> {
    let mut name = String::from("mp-");
    for byte in random::bytes::<16>()? {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(Address::Abstract(name.into_bytes()))
}

/// The text that leads there. Whatever is no text in it is shown as a question mark.
pub(super) fn text(at: &Address) -> String {
    match at {
        Address::Inet(at) => at.to_string(),
        Address::Path(path) if path.contains(&b'/') => String::from_utf8_lossy(path).into_owned(),
        Address::Path(path) => format!("unix:{}", String::from_utf8_lossy(path)),
        Address::Abstract(name) => format!("@{}", String::from_utf8_lossy(name)),
        Address::Vsock(ANY_CONTEXT, port) => format!("vsock:any:{port}"),
        Address::Vsock(context, port) => format!("vsock:{context}:{port}"),
        Address::Unnamed => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(what: &str) -> Address {
        parse(what.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn each_form_is_found_out() {
        assert_eq!(one("/tmp/x"), Address::Path(b"/tmp/x".to_vec()));
        assert_eq!(one("x.sock"), Address::Path(b"x.sock".to_vec()));
        assert_eq!(one("./a:5"), Address::Path(b"./a:5".to_vec()));
        assert_eq!(one("unix:a:5"), Address::Path(b"a:5".to_vec()));
        assert_eq!(one("@a/b"), Address::Abstract(b"a/b".to_vec()));
        assert_eq!(one("abstract:x"), Address::Abstract(b"x".to_vec()));
        assert_eq!(one("127.0.0.1:0"), Address::Inet("127.0.0.1:0".parse().unwrap()));
        assert_eq!(one("tcp:[::1]:65535"), Address::Inet("[::1]:65535".parse().unwrap()));
        assert_eq!(one("vsock:1:7"), Address::Vsock(1, 7));
        assert_eq!(one("vsock:any:0"), Address::Vsock(ANY_CONTEXT, 0));
    }

    #[test]
    fn what_is_none_is_invalid() {
        let long = "x".repeat(MOST_PATH + 1);
        for bad in [
            "",
            "@",
            "a:b",
            ":5",
            "1.2.3.4:65536",
            "[::1]",
            "vsock:x:1",
            "vsock:1",
            &long,
            &format!("@{long}"),
        ] {
            assert_eq!(parse(bad.as_bytes()).unwrap_err().status, Status::Invalid, "{bad}");
        }
        assert!(parse(&long.as_bytes()[1..]).is_ok());
    }

    #[test]
    fn text_leads_back() {
        for what in ["/tmp/x", "unix:x.sock", "@a", "127.0.0.1:80", "[::1]:9", "vsock:1:7", "vsock:any:7"] {
            assert_eq!(text(&one(what)), what);
        }
        assert_ne!(random().unwrap(), random().unwrap());
    }
}
