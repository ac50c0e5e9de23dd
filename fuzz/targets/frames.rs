//! Bytes that a peer sends where messages are expected: each becomes a message or a status, and the status stays.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mp::ffi::buffer::{mp_buffer, mp_buffer_data, mp_buffer_free};
use mp::ffi::connection::*;
use mp::ffi::status::mp_status;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::{null, null_mut};

fuzz_target!(|input: &[u8]| {
    // The first byte says in what pieces the others come.
    let Some((&pieces, bytes)) = input.split_first() else { return };
    let (mine, mut other) = UnixStream::pair().expect("a socket pair");
    let mut connection: *mut mp_connection = null_mut();
    // SAFETY: a descriptor of our own, and places for what comes back; so below.
    let made = unsafe { mp_connection_from_fd(&mut connection, mine.into_raw_fd(), null()) };
    assert_eq!(made, mp_status::MP_OK);
    let mut rest = bytes.chunks(usize::from(pieces) + 1);
    let mut room = [0u8; 1000];
    let mut into_room = pieces & 1 != 0;
    loop {
        let mut len = 0;
        let mut buffer: *mut mp_buffer = null_mut();
        into_room = !into_room;
        let status = match into_room {
            true => unsafe {
                mp_connection_recv(connection, room.as_mut_ptr().cast(), room.len(), &mut len, 0)
            },
            false => unsafe { mp_connection_recv_buffer(connection, &mut buffer, 1 << 20, &mut len, 0) },
        };
        if !buffer.is_null() {
            let mut size = 0;
            assert!(unsafe { !mp_buffer_data(buffer, &mut size).is_null() });
            assert_eq!(size, len);
            assert_eq!(unsafe { mp_buffer_free(buffer) }, mp_status::MP_OK);
        }
        match status {
            mp_status::MP_OK => assert!(len <= bytes.len()),
            mp_status::MP_ERR_TIMEOUT => match rest.next() {
                Some(piece) => other.write_all(piece).expect("room"),
                None => other.shutdown(Shutdown::Write).expect("a socket"),
            },
            mp_status::MP_ERR_TOO_SMALL if into_room && len <= 1 << 20 => {}
            mp_status::MP_ERR_TOO_SMALL | mp_status::MP_ERR_EOF | mp_status::MP_ERR_OS => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(unsafe { mp_connection_free(connection) }, mp_status::MP_OK);
});
