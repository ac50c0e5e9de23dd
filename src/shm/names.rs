//! Objects with names, for processes that are no relatives: each in a segment of its own, whose file is in
//! /dev/shm. What a name leads to, and when it goes:
//!
//! - A file is complete before it gets its name (linked, never renamed), so whoever finds it finds all of it.
//! - Its users hold its shared lock (flock). It passes on to forked children, and goes with the last of them.
//!   Whoever has the lock alone knows that nobody comes or goes meanwhile, and may judge the dead.
//! - A name is taken away with the lock of the file's byte 0 held and the name looked at again, so that it is
//!   always the judged file whose name goes. Whoever opens looks again too, once it has the shared lock.
//! - Where processes died as users and none lives, the name is left over: the next opener, or the reaper, takes it
//!   away. Where all have left by themselves it stays, as the names of POSIX do.

use super::layout::{Header, Kind, MAGIC, UNIT, hash};
use super::ledger::{self, Entry, Line};
use super::objects::{self, Object};
use super::segment::{self, Mapped, Segment};
use super::{blocks, books, format, table};
use crate::error::{Result, fail};
use crate::park::Owner;
use crate::shm::Ref;
use crate::sys::fd::{self, Identity};
use crate::sys::named::{self, Place, Seen, soon};
use crate::sys::page::page;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;

/// The longest name.
const LONGEST: usize = 200;
/// Room for the tables, for the ledgers of a thousand processes, and for small blocks; pages that nobody touches
/// cost nothing.
const BASE: usize = 16 << 20;

/// What to do where a name is there, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    OrCreate,
    Create,
    Attach,
}

/// A name, and how to open it.
#[derive(Clone, Copy)]
pub(crate) struct Naming<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) opening: Opening,
    /// Where this user has no such name, another's will do.
    pub(crate) any_user: bool,
    /// The file's mode; 0: only this user's processes.
    pub(crate) mode: u32,
}

fn file_of(user: u32, name: &[u8]) -> Vec<u8> {
    [format!("mp.{user}.").as_bytes(), name].concat()
}

fn place_of(name: &[u8]) -> Result<Place> {
    let text = String::from_utf8_lossy(name);
    match name {
        b"" => fail!(Invalid, "the name is empty"),
        _ if name.len() > LONGEST => {
            fail!(Invalid, "the name has {} bytes, and {LONGEST} is the most", name.len())
        }
        _ if name.contains(&b'/') => fail!(Invalid, "the name \"{text}\" has a slash in it"),
        _ => Ok(Place::of(&file_of(named::own_user(), name))),
    }
}

/// Opens or creates. `make` creates the object, in the segment that it is given and that has room for `data` bytes.
/// The object may be older than the call, and is of this kind.
pub(crate) fn open(
    naming: Naming<'_>,
    kind: Kind,
    data: usize,
    make: impl Fn(&'static Segment) -> Result<Object>,
) -> Result<Object> {
    let own = place_of(naming.name)?;
    let mode = if naming.mode == 0 { 0o600 } else { naming.mode };
    if mode & !0o777 != 0 || mode & 0o600 != 0o600 {
        fail!(
            Invalid,
            "{mode:o} is no mode for a name: its user may read and write, and nobody execute by it"
        );
    }
    let Some(size) = data.checked_add(BASE).and_then(|s| s.checked_next_multiple_of(UNIT)) else {
        fail!(NoMemory, "{data} bytes are more than there is memory");
    };
    let _names = page().names.lock();
    let text = String::from_utf8_lossy(naming.name);
    soon(|| {
        if naming.opening != Opening::Create {
            let found = match attach(&own, kind, Some(named::own_user()))? {
                None if naming.any_user => attach_anybodys(naming.name, kind)?,
                found => found,
            };
            match found {
                Some(object) => return Ok(Some(object)),
                None if naming.opening == Opening::Attach => {
                    fail!(NotFound, "nothing has the name \"{text}\"")
                }
                None => {}
            }
        }
        match create(&own, mode, size, &make)? {
            Some(object) => Ok(Some(object)),
            None if naming.opening == Opening::OrCreate => Ok(None),
            // Should it be left over, there is place for it now.
            None if reap(&own)? != Reaped::Stays => Ok(None),
            None => fail!(Exists, "something has the name \"{text}\" already"),
        }
    })
}

/// Makes the file with all that is in it; None when something has the name.
fn create(
    at: &Place,
    mode: u32,
    size: usize,
    make: &impl Fn(&'static Segment) -> Result<Object>,
) -> Result<Option<Object>> {
    let fresh = Fresh::map(named::make(size, mode)?)?;
    let s = fresh.s;
    s.populate_tables()?;
    format::format(s);
    if !fresh.lock_shared()? {
        fail!(Os, "a file that nobody knows is locked");
    }
    join(s)?;
    let object = make(s)?;
    keep(s, object.r);
    let linked = fresh.fd.as_ref().map_or(Ok(false), |fd| named::link(fd, at))?;
    if !linked {
        return Ok(None);
    }
    s.users.store(1, Ordering::Relaxed);
    fresh.stays();
    Ok(Some(object))
}

/// The segment holds its object itself.
fn keep(s: &'static Segment, r: Ref) {
    let mut books = books::open(s);
    if let Some((head, _)) = blocks::resolve(s, r) {
        let refs = head.refs.load(Ordering::Relaxed);
        let mut tx = books.begin();
        tx.set(&head.refs, refs + 1);
        tx.set(&s.header().object, ledger::held(r));
        tx.commit();
    }
}

/// A mapped file that is not a segment of this process's yet; dropped, it is not mapped any more.
struct Fresh {
    s: &'static Segment,
    /// None once it stays.
    fd: Option<OwnedFd>,
}

impl Fresh {
    fn map(fd: OwnedFd) -> Result<Self> {
        let Some(identity) = fd::identity(fd.as_raw_fd()) else {
            fail!(Os, "cannot look at the file (fstat)")
        };
        let size = named::size(&fd)? as usize;
        let reserved = |s: &&'static Segment| s.reserved.load(Ordering::Relaxed);
        let idle = segment::named().filter(|s| s.size() == 0 && reserved(s) >= size).min_by_key(reserved);
        let s = match idle {
            Some(s) => s,
            None => segment::named().find(|s| reserved(s) == 0).map_or_else(segment::add, Ok)?,
        };
        let base = named::map(&fd, size, idle.map(Segment::base))?;
        s.reserved.fetch_max(size, Ordering::Relaxed);
        s.set(&Mapped { fd: fd.as_raw_fd(), base, size, identity });
        Ok(Fresh { s, fd: Some(fd) })
    }

    /// Takes its name away, if it is still its.
    fn unlink(&self, at: &Place) -> Result<bool> {
        self.fd.as_ref().map_or(Ok(false), |fd| named::unlink(at, fd.as_raw_fd(), self.s.identity()))
    }

    fn lock_shared(&self) -> Result<bool> {
        self.fd.as_ref().map_or(Ok(false), named::lock_shared)
    }

    /// It has become one: its descriptor stands in the segment, which closes it.
    fn stays(mut self) {
        self.s.set_ready();
        let _ = self.fd.take().map(IntoRawFd::into_raw_fd);
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // The descriptor closes itself.
        if self.fd.is_some() {
            forget(self.s);
        }
    }
}

/// Where the segment was mapped nothing is any more; its place is free for the next one.
fn forget(s: &'static Segment) {
    let (base, reserved) = (s.base(), s.reserved.load(Ordering::Relaxed));
    s.set_me(0);
    s.epoch.store(0, Ordering::Relaxed);
    s.users.store(0, Ordering::Relaxed);
    s.unset();
    match named::unmap(base, reserved) {
        // The addresses are kept, so that whoever still knows one meets zeros and no stranger.
        Ok(()) => s.set_base(base),
        Err(_) => s.reserved.store(0, Ordering::Relaxed),
    }
}

/// What the words that a segment begins with say, checked before anything is mapped.
fn check(fd: &OwnedFd) -> Result<()> {
    let size = named::size(fd)?;
    let Some([magic, layout, says]) = named::first_words::<3>(fd) else {
        fail!(Invalid, "the name leads to a file of {size} bytes, which is none of libmp's");
    };
    if magic >> 16 != MAGIC >> 16 {
        fail!(Invalid, "the name leads to a file that is none of libmp's");
    }
    if magic != MAGIC || layout != hash() {
        fail!(Unsupported, "the name leads to an object of another version of libmp");
    }
    if says != size || size < BASE as u64 || size > 1 << 40 || !size.is_multiple_of(UNIT as u64) {
        fail!(Invalid, "the name leads to a file of {size} bytes that was cut or overwritten: it had {says}");
    }
    const _: () = assert!(std::mem::offset_of!(Header, size) == 16);
    Ok(())
}

fn check_owner(seen: &Seen, user: Option<u32>) -> Result<()> {
    if !seen.is_regular() {
        fail!(Invalid, "the name leads to something that is no file of libmp's");
    }
    if user.is_some_and(|user| user != seen.user()) {
        fail!(Invalid, "the name leads to a file of user {}, who is somebody else", seen.user());
    }
    Ok(())
}

/// This process's segment for a file, if it has one; in a forked child it may be its parent's.
fn known(file: Identity) -> Option<&'static Segment> {
    segment::named().find(|s| s.size() != 0 && s.is_ready() && s.identity() == file)
}

/// The object that the name leads to, None where it leads to nothing.
fn attach(at: &Place, kind: Kind, user: Option<u32>) -> Result<Option<Object>> {
    soon(|| {
        let Some(seen) = named::look(at)? else { return Ok(Some(None)) };
        check_owner(&seen, user)?;
        let file = seen.identity();
        if let Some(s) = known(file) {
            return object_in(s, kind).map(|object| Some(Some(object)));
        }
        let fd = seen.open()?;
        check(&fd)?;
        if named::lock_alone(&fd)? {
            let fresh = Fresh::map(fd)?;
            if is_left_over(fresh.s)? {
                fresh.unlink(at)?;
                return Ok(None);
            }
            return enter(fresh, at, kind);
        }
        enter(Fresh::map(fd)?, at, kind)
    })
}

/// With the shared lock, and the name looked at again: becomes a user. None: try again.
fn enter(fresh: Fresh, at: &Place, kind: Kind) -> Result<Option<Option<Object>>> {
    if !fresh.lock_shared()? || !named::leads_to(at, fresh.s.identity()) {
        return Ok(None);
    }
    let object = take_up(fresh, kind)?;
    Ok(Some(Some(object)))
}

/// Joins, and holds the object. The file is locked and checked.
fn take_up(fresh: Fresh, kind: Kind) -> Result<Object> {
    let s = fresh.s;
    populate(s)?;
    let object = object_in(s, kind).inspect_err(|_| part(s))?;
    fresh.stays();
    Ok(object)
}

/// The tables have their memory already, unless somebody has punched holes into the file.
fn populate(s: &'static Segment) -> Result<()> {
    s.populate_tables()?;
    let ready = table::ready(s);
    if ready == 0 {
        fail!(Invalid, "the name leads to a file that was overwritten: it has no room for processes");
    }
    (1..=ready).step_by(16).chain([ready]).try_for_each(|n| s.populate_slots(n))
}

/// The object that the segment holds, if it is of this kind.
fn kept(s: &'static Segment, kind: Kind) -> Result<Ref> {
    let Line::Held(r) = ledger::read(&s.header().object) else {
        fail!(Invalid, "the name leads to a file that was overwritten: there is no object in it");
    };
    match blocks::resolve(s, r) {
        Some((_, found)) if found == kind => Ok(r),
        Some((_, found)) => fail!(Invalid, "the name is that of a {found:?}, and a {kind:?} was asked for"),
        None => fail!(Invalid, "the name leads to a file that was overwritten: its object is not there"),
    }
}

/// Holds it. Whoever comes for something of another kind leaves no trace.
fn object_in(s: &'static Segment, kind: Kind) -> Result<Object> {
    let r = kept(s, kind)?;
    join(s)?;
    Ok(Object { r, entry: hold_there(s, r, kind)? })
}

/// Another user's, if one lets us.
fn attach_anybodys(name: &[u8], kind: Kind) -> Result<Option<Object>> {
    for file in named::list(b"mp.")? {
        let user =
            file[3..].split(|&b| b == b'.').next().and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
        let Some(user) = user.filter(|&u| u != named::own_user() && file == file_of(u, name)) else {
            continue;
        };
        if let Some(object) = attach(&Place::of(&file), kind, Some(user))? {
            return Ok(Some(object));
        }
    }
    Ok(None)
}

/// This process gets a slot in there, if it has none. In a forked child nothing of its parent's is its own.
fn join(s: &'static Segment) -> Result<()> {
    let epoch = page().epoch.load(Ordering::Relaxed);
    let was = s.epoch.load(Ordering::Relaxed);
    if was == epoch {
        return Ok(());
    }
    if was != 0 {
        s.inherited.store(true, Ordering::Relaxed);
    }
    s.shelf.reset();
    s.users.store(0, Ordering::Relaxed);
    s.set_me(0);
    let me = table::claim_own(s)?;
    table::go_live(s, me).inspect_err(|_| table::withdraw(s, me))?;
    ledger::private(s).private.begin(s, me.slot());
    s.set_me(me.bits());
    s.epoch.store(epoch, Ordering::Relaxed);
    table::bury_all(s);
    Ok(())
}

/// It gives it back.
fn part(s: &'static Segment) {
    if let Some(me) = Owner::from_bits(s.me()) {
        ledger::end(s);
        s.set_me(0);
        s.epoch.store(0, Ordering::Relaxed);
        table::leave(s, me);
    }
}

fn hold_there(s: &'static Segment, r: Ref, kind: Kind) -> Result<Entry> {
    let entry = objects::hold_in(s, r, kind)?;
    s.users.fetch_add(1, Ordering::Relaxed);
    Ok(entry)
}

/// This process holds what `entry` holds once more, or, in a forked child, what it held in the parent.
pub(crate) fn hold_again(entry: Entry, r: Ref, kind: Kind) -> Result<Entry> {
    let s = entry.segment();
    let _names = page().names.lock();
    join(s)?;
    hold_there(s, r, kind)
}

/// What came from [`open`], [`receive`] or [`hold_again`], or is in the tree's segment, is held no longer. Without
/// any reference nothing of a named segment stays in this process.
pub(crate) fn let_go(entry: Entry) {
    if !entry.is_named() {
        return objects::release(entry);
    }
    let s = entry.segment();
    let _names = page().names.lock();
    objects::release(entry);
    let left = s.users.load(Ordering::Relaxed).saturating_sub(1);
    s.users.store(left, Ordering::Relaxed);
    if left != 0 {
        return;
    }
    part(s);
    // A parent's handles may lead there, and are taken over when they are used.
    if !s.inherited.load(Ordering::Relaxed) {
        let fd = s.descriptor();
        forget(s);
        if let Some(fd) = fd {
            // SAFETY: the segment's own, checked to be still that, and forgotten.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

/// Alone with the file: whether all of its users died.
fn is_left_over(s: &'static Segment) -> Result<bool> {
    populate(s)?;
    Ok(table::is_deserted(s))
}

/// What became of a name.
#[derive(PartialEq, Eq)]
enum Reaped {
    Stays,
    Taken,
    WasGone,
}

/// Takes the name away if it is left over.
fn reap(at: &Place) -> Result<Reaped> {
    let Some(seen) = named::look(at)? else { return Ok(Reaped::WasGone) };
    let file = seen.identity();
    if !seen.is_regular() || seen.user() != named::own_user() || known(file).is_some() {
        return Ok(Reaped::Stays);
    }
    let fd = seen.open()?;
    if check(&fd).is_err() || !named::lock_alone(&fd)? {
        return Ok(Reaped::Stays);
    }
    let fresh = Fresh::map(fd)?;
    let gone = is_left_over(fresh.s)? && fresh.unlink(at)?;
    Ok(if gone { Reaped::Taken } else { Reaped::Stays })
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

/// What a fresh image must know to find the segment that an entry is in: the descriptor that it inherits, and what
/// that must lead to.
pub(crate) fn passport(entry: Entry) -> Result<(RawFd, Identity)> {
    let s = entry.segment();
    match s.descriptor() {
        Some(fd) => Ok((fd, s.identity())),
        None => fail!(State, "the host program has closed the descriptor of a named object"),
    }
}

/// In a fresh image: holds what its parent handed it by this descriptor.
pub(crate) fn receive(fd: RawFd, file: Identity, kind: Kind) -> Result<Object> {
    let _names = page().names.lock();
    if let Some(s) = known(file) {
        return object_in(s, kind);
    }
    if fd::identity(fd) != Some(file) {
        fail!(State, "the descriptor of a named object did not come through");
    }
    let fd = fd::adopt(fd)?;
    check(&fd)?;
    if !soon(|| named::lock_shared(&fd).map(|l| l.then_some(true)))? {
        fail!(State, "the named object is locked");
    }
    take_up(Fresh::map(fd)?, kind)
}
