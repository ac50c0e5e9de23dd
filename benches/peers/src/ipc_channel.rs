//! ipc-channel's channel of bytes: socket pairs, and shared memory for what is long. One consumer.

use crate::{Channel, Peer};
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, bytes_channel};
use std::ffi::c_char;
use std::ptr::null;
use std::slice::from_raw_parts;

type State = (IpcBytesSender, IpcBytesReceiver);

#[unsafe(export_name = "peer_ipc_channel")]
pub static IPC_CHANNEL: Peer =
    Peer { open: Some(open), put: Some(put), get: Some(get), close: Some(close), ..Peer::NONE };

extern "C" fn open(channel: &mut Channel) -> *const c_char {
    if channel.consumers > 1 {
        return c"a receiver has one owner".as_ptr();
    }
    match bytes_channel() {
        Ok(state) => channel.leave_state::<State>(state),
        Err(_) => return c"bytes_channel fails".as_ptr(),
    }
    null()
}

extern "C" fn put(channel: &mut Channel, message: *const u8) -> bool {
    // SAFETY: a message has the channel's size.
    let message = unsafe { from_raw_parts(message, channel.size) };
    channel.state::<State>().0.send(message).is_ok()
}

/// The vector is copied as a C program would have to, or the bytes be read where they are: a memcpy from the cache.
extern "C" fn get(channel: &mut Channel, message: *mut u8) -> bool {
    let size = channel.size;
    match channel.state::<State>().1.recv() {
        Ok(bytes) if bytes.len() == size => {
            // SAFETY: the caller's buffer has the channel's size.
            unsafe { message.copy_from_nonoverlapping(bytes.as_ptr(), size) };
            true
        }
        _ => false,
    }
}

extern "C" fn close(channel: &mut Channel) {
    channel.drop_state::<State>();
}
