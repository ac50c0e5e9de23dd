//! Taking names away.

use super::super::segment::Segment;
use super::super::table;
use super::fresh::{Fresh, check, check_owner, known, populate};
use super::{file_of, place_of};
use crate::error::{Result, fail};
use crate::sys::named::{self, Place, soon};
use crate::sys::page::page;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Whether all of its users died: for certain to who is alone with the file.
pub(super) fn is_left_over(s: &'static Segment) -> Result<bool> {
    populate(s)?;
    Ok(table::is_deserted(s))
}

/// Whoever judges a file is done sooner. For longer only children have it that its dead users forked.
const JUDGED: Duration = Duration::from_secs(1);

/// What became of a name.
#[derive(PartialEq, Eq)]
pub(super) enum Reaped {
    Stays,
    Taken,
    WasGone,
}

/// Takes the name away if it is left over.
pub(super) fn reap(at: &Place) -> Result<Reaped> {
    Ok(named::within(JUDGED, || try_reap(at))?.unwrap_or(Reaped::Stays))
}

/// None: all of its users are dead, and somebody has the file locked, most likely to take its name away.
fn try_reap(at: &Place) -> Result<Option<Reaped>> {
    let Some(seen) = named::look(at)? else { return Ok(Some(Reaped::WasGone)) };
    let file = seen.identity();
    if !seen.is_regular() || seen.user() != named::own_user() || known(file).is_some() {
        return Ok(Some(Reaped::Stays));
    }
    let fd = seen.open()?;
    if check(&fd).is_err() {
        return Ok(Some(Reaped::Stays));
    }
    if !named::lock_alone(&fd)? {
        // Looked at without a lock: also a shared one would keep others from judging.
        let is_left = Fresh::map(fd).and_then(|fresh| is_left_over(fresh.s)).unwrap_or(false);
        return Ok(if is_left { None } else { Some(Reaped::Stays) });
    }
    let fresh = Fresh::map(fd)?;
    let gone = is_left_over(fresh.s)? && fresh.unlink(at)?;
    Ok(Some(if gone { Reaped::Taken } else { Reaped::Stays }))
}

/// Takes away the names of this user whose users are all dead; answers how many these were.
pub(crate) fn reap_all() -> Result<u64> {
    let _names = page().names.lock();
    let mut count = 0;
    for file in named::list(&file_of(named::own_user(), b""))? {
        // One that cannot be looked into is not ours to take away.
        count += u64::from(reap(&Place::of(&file)).is_ok_and(|r| r == Reaped::Taken));
    }
    Ok(count)
}

/// Takes a name away. Whoever uses the object goes on, and who has a handle may hand it to children.
pub(crate) fn unlink(name: &[u8]) -> Result<()> {
    let at = place_of(name)?;
    let _names = page().names.lock();
    let gone = soon(|| {
        let Some(seen) = named::look(&at)? else { return Ok(Some(false)) };
        check_owner(&seen, Some(named::own_user()))?;
        let file = seen.identity();
        let ours = known(file).and_then(Segment::descriptor);
        let done = match ours {
            Some(fd) => named::unlink(&at, fd, file)?,
            None => named::unlink(&at, seen.open()?.as_raw_fd(), file)?,
        };
        Ok(done.then_some(true))
    })?;
    if !gone {
        fail!(NotFound, "nothing has the name \"{}\"", String::from_utf8_lossy(name));
    }
    Ok(())
}
