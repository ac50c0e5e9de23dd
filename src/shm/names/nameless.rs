//! Objects in a segment of their own that have no name either: who holds one tells others, relatives or not, by which
//! descriptor. However its users end, nothing of it stays.

use super::fresh::{check_whole, known};
use super::{kept, object_in, prepare, settle_in, size_for};
use crate::error::{Result, fail};
use crate::shm::{Kind, Object, Segment};
use crate::sys::fd::Identity;
use crate::sys::named;
use crate::sys::page::page;
use std::os::fd::RawFd;

/// Makes one for `data` bytes, which only this user may open.
pub(crate) fn create_nameless(
    data: usize,
    make: impl Fn(&'static Segment) -> Result<Object>,
) -> Result<Object> {
    let _names = page().names.lock();
    let (fresh, object) = prepare(0o600, size_for(data)?, &make)?;
    fresh.stays();
    Ok(object)
}

/// Holds what another process of this user's holds by this descriptor, which leads to this file there.
pub(crate) fn visit(process: u32, fd: RawFd, file: Identity, kind: Kind) -> Result<Object> {
    let _names = page().names.lock();
    let wants = |s| kept(s, kind).map(|r| (r, kind));
    if let Some(s) = known(file) {
        check_whole(s)?;
        return object_in(s, &wants);
    }
    // Whatever else has the number there is not opened: not even a look into a stranger's file.
    let seen = named::look_at_descriptor(process, fd)?
        .filter(|seen| seen.identity() == file && seen.is_regular() && seen.user() == named::own_user());
    let Some(seen) = seen else {
        fail!(
            Unsupported,
            "the memory cannot be reached from here: the process {process} that has it is another user's, or on \
             another machine or in another container"
        );
    };
    settle_in(seen.open()?, &wants)
}
