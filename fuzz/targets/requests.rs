//! Requests of a client of a manager's that knows the key: each is answered, and none ends the server.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mp::ffi::fuzz::requests(input));
