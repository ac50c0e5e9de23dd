//! Bytes that a peer sends where it should prove a key, or ask for a proof: without the key it never gets anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mp::ffi::connection::*;
use mp::ffi::status::mp_status;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::null;

fuzz_target!(|input: &[u8]| {
    // The first byte says who asks, and whether MD5 will do.
    let Some((&how, bytes)) = input.split_first() else { return };
    let (mine, mut other) = UnixStream::pair().expect("a socket pair");
    let mut connection: *mut mp_connection = std::ptr::null_mut();
    // SAFETY: a descriptor of our own, a place for the handle, and a key of three bytes; so below.
    let made = unsafe { mp_connection_from_fd(&mut connection, mine.into_raw_fd(), null()) };
    assert_eq!(made, mp_status::MP_OK);
    other.write_all(bytes).expect("room");
    other.shutdown(Shutdown::Write).expect("a socket");
    let (key, md5) = (c"key".as_ptr().cast(), how & 2 != 0);
    let status = match how & 1 {
        0 => unsafe { mp_connection_deliver_challenge(connection, key, 3, md5, i64::MAX) },
        _ => unsafe { mp_connection_answer_challenge(connection, key, 3, md5, i64::MAX) },
    };
    match status {
        // Who asks may be content with any answer: then it is the one that has proved nothing.
        mp_status::MP_OK if how & 1 == 1 => {}
        mp_status::MP_ERR_AUTH | mp_status::MP_ERR_EOF => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(unsafe { mp_connection_free(connection) }, mp_status::MP_OK);
});
