//! Peers in Rust; `peer.h` says what one is.

mod iceoryx;
mod ipc_channel;

use std::ffi::{c_char, c_int, c_void};

/// `struct peer_channel`.
#[repr(C)]
pub struct Channel {
    size: usize,
    producers: c_int,
    consumers: c_int,
    number: c_int,
    state: *mut c_void,
    fd: [c_int; 2],
    given: *mut c_void,
    stopped: extern "C" fn() -> bool,
}

impl Channel {
    /// What `open` or `join` has left here.
    fn state<T>(&mut self) -> &mut T {
        // SAFETY: each peer leaves a box of one type, and asks for that.
        unsafe { &mut *self.state.cast::<T>() }
    }

    fn leave_state<T>(&mut self, state: T) {
        self.state = Box::into_raw(Box::new(state)).cast();
    }

    fn drop_state<T>(&mut self) {
        // SAFETY: as in `state`; nobody asks for it again.
        drop(unsafe { Box::from_raw(self.state.cast::<T>()) });
    }

    fn stopped(&self) -> bool {
        (self.stopped)()
    }
}

/// `struct peer`.
#[repr(C)]
pub struct Peer {
    open: Option<extern "C" fn(&mut Channel) -> *const c_char>,
    join: Option<extern "C" fn(&mut Channel, bool, c_int) -> bool>,
    put: Option<extern "C" fn(&mut Channel, *const u8) -> bool>,
    get: Option<extern "C" fn(&mut Channel, *mut u8) -> bool>,
    lend: Option<extern "C" fn(&mut Channel) -> *mut u8>,
    commit: Option<extern "C" fn(&mut Channel) -> bool>,
    peek: Option<extern "C" fn(&mut Channel) -> *const u8>,
    release: Option<extern "C" fn(&mut Channel)>,
    leave: Option<extern "C" fn(&mut Channel)>,
    close: Option<extern "C" fn(&mut Channel)>,
    end: Option<extern "C" fn(&mut Channel, bool) -> *const c_void>,
}

impl Peer {
    const NONE: Peer = Peer {
        open: None,
        join: None,
        put: None,
        get: None,
        lend: None,
        commit: None,
        peek: None,
        release: None,
        leave: None,
        close: None,
        end: None,
    };
}
