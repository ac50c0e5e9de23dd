//! Whatever a client that knows the key asks for: each request has one answer, in its turn, and none of them is a panic.
//!
//! An input is requests, each behind its length in 2 bytes, the low one first. Nobody waits for long: of a timeout the
//! lowest 16 bits count.

use super::codec::Value;
use super::message::{self, Request, VERSION, What};
use super::registry::House;
use super::server::{Limits, Server};
use crate::error::Status;
use crate::wire::{Connection, Listener, Rules};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;

/// So many bytes go into a socket at once, whatever the kernel counts beside them.
const MOST: usize = 16 << 10;
const TIMEOUT: std::ops::Range<usize> = 8..16;

fn split(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    while let Some((&len, rest)) = input.split_first_chunk() {
        let (request, rest) = rest.split_at(rest.len().min(u16::from_le_bytes(len).into()));
        let mut request = request.to_vec();
        if let Some(timeout) = request.get_mut(TIMEOUT) {
            timeout[2..].fill(0);
        }
        requests.push(request);
        input = rest;
    }
    requests
}

fn hello() -> Vec<u8> {
    let who: [Value; 2] = [Value::Int(VERSION), Value::Bytes([7; 16][..].into())];
    let hello = Request { what: What::Hello, thread: 0, timeout: 0, object: 0, name: "" };
    hello.encode(&who).expect("a short request").into_vec()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes(), message].concat()
}

/// All answers that have come.
fn take_answers(came: &mut Vec<u8>) -> usize {
    let mut count = 0;
    while let Some((len, rest)) = came.split_first_chunk()
        && let Some(answer) = rest.get(..u32::from_be_bytes(*len) as usize)
    {
        let answer = message::decode_answer(answer).expect("an answer that a client can read");
        assert_ne!(answer.map_or_else(|e| e.status, |(status, _)| status), Status::Panic);
        came.drain(..4 + u32::from_be_bytes(*len) as usize);
        count += 1;
    }
    count
}

/// A server of its own gets these.
pub(crate) fn requests(input: &[u8]) {
    let requests = split(&input[..input.len().min(MOST)]);
    let rules = Rules { key: None, any_user: false, patience: 0, most: usize::MAX };
    let listener = Listener::new(None, 1, rules).expect("a socket");
    let limits = Limits { message: 1 << 20, total: 1 << 20 };
    let mut server =
        Server::new(listener, limits, House::without_types(limits).expect("a flag")).expect("a server");
    let (mut client, other) = UnixStream::pair().expect("a socket pair");
    server
        .add(Connection::from_fd(other.into_raw_fd(), true, true, usize::MAX).expect("a socket"))
        .expect("room");
    client.set_nonblocking(true).expect("a socket");
    let mut room = vec![0; 1 << 16];
    let (mut came, mut answers) = (Vec::new(), 0);
    client.write_all(&hello()).expect("room");
    for request in &requests {
        client.write_all(&framed(request)).expect("room");
    }
    let mut happened = Vec::new();
    while answers < 1 + requests.len() {
        assert!(server.turn(&mut happened).expect("a server goes on"));
        loop {
            match client.read(&mut room) {
                Ok(0) => panic!("the server has cut off a client that keeps to the limits"),
                Ok(n) => came.extend_from_slice(&room[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => panic!("{e}"),
            }
        }
        answers += take_answers(&mut came);
    }
    assert!(came.is_empty(), "an answer that nobody asked for");
    drop(client);
    server.turn(&mut happened).expect("a server goes on");
}

#[cfg(test)]
mod tests {
    #[test]
    fn requests() {
        crate::wire::tests::for_each("requests", |bytes, _| super::requests(bytes));
    }
}
