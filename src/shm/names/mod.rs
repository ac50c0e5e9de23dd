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
//!
//! How another kind of object gets a name:
//!
//! 1. Its `create` takes the segment and makes all of its blocks there, by [`create_in`](super::create_in): those it
//!    carries must be in the same one. Blocks, runs of pages, ledgers, books and sweeps are the same in every segment.
//! 2. Its calls ask [`tree_of`](super::tree_of) who sleeps and dies there, and look what it carries up by
//!    [`resolve_in`](super::resolve_in) in that one; what says TREE or ThisTree is for what never has a name.
//! 3. It says by a [`Wanted`] how many bytes it takes, and whether one that is there is as the caller wants it.
//! 4. In `ffi` it is found by `handle::block` or `handle::find`, which keep the mapping for as long as the call takes.
//!
//! A file on tmpfs cannot be sealed (only those of memfd_create can, which cannot be linked), so whoever may write it
//! may cut it, and who touches what was cut off is killed by SIGBUS. A size is looked at where a process comes and
//! where it leaves; between the two nobody can look in time.

mod fresh;
mod gone;
mod nameless;

use super::layout::{Kind, UNIT};
use super::ledger::{self, Entry, Line};
use super::objects::{self, Object};
use super::segment::Segment;
use super::{blocks, books, format, table};
use crate::error::{Result, fail};
use crate::park::Owner;
use crate::shm::Ref;
use crate::sys::fd::{self, Identity};
use crate::sys::named::{self, Place, soon};
use crate::sys::page::page;
use fresh::{Fresh, check, check_owner, check_whole, forget, is_whole, known, populate};
use gone::{Reaped, is_left_over, reap};
pub(crate) use gone::{reap_all, unlink};
pub(crate) use nameless::{create_nameless, visit};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;

/// The longest name.
const LONGEST: usize = 200;
/// Room for the tables, for the ledgers of a thousand processes, and for small blocks; pages that nobody touches
/// cost nothing.
const BASE: usize = 16 << 20;
/// No segment is larger.
const LARGEST: usize = 1 << 40;

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

/// What shall be at a name.
pub(crate) struct Wanted<M, F> {
    pub(crate) kind: Kind,
    /// How many bytes it takes, beside what any object does.
    pub(crate) data: usize,
    /// Makes it in the segment that it is given.
    pub(crate) make: M,
    /// INVALID where the one in this segment with this reference is not as it was asked for. It is of the right kind,
    /// and may be damaged.
    pub(crate) fits: F,
}

/// How large the file for `data` bytes is: their entries in the table of units are counted, too.
fn size_for(data: usize) -> Result<usize> {
    let all = data.checked_add(data / 4096).and_then(|s| s.checked_add(BASE));
    match all.and_then(|s| s.checked_next_multiple_of(UNIT)).filter(|&size| size <= LARGEST) {
        Some(size) => Ok(size),
        None => fail!(NoMemory, "{data} bytes are more than an object with a name can have"),
    }
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

/// Opens or creates. The object may be older than the call, and is as it is wanted.
pub(crate) fn open(
    naming: Naming<'_>,
    wanted: Wanted<impl Fn(&'static Segment) -> Result<Object>, impl Fn(&'static Segment, Ref) -> Result<()>>,
) -> Result<Object> {
    let own = place_of(naming.name)?;
    let mode = if naming.mode == 0 { 0o600 } else { naming.mode };
    if mode & !0o777 != 0 || mode & 0o600 != 0o600 {
        fail!(
            Invalid,
            "{mode:o} is no mode for a name: its user may read and write, and nobody execute by it"
        );
    }
    let wants = |s: &'static Segment| {
        let r = kept(s, wanted.kind)?;
        (wanted.fits)(s, r).map(|()| (r, wanted.kind))
    };
    let _names = page().names.lock();
    let text = String::from_utf8_lossy(naming.name);
    soon(|| {
        if naming.opening != Opening::Create {
            let found = match attach(&own, &wants, Some(named::own_user()))? {
                None if naming.any_user => attach_anybodys(naming.name, &wants)?,
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
        match create(&own, mode, size_for(wanted.data)?, &wanted.make)? {
            Some(object) => Ok(Some(object)),
            None if naming.opening == Opening::OrCreate => Ok(None),
            // Should it be left over, there is place for it now.
            None if reap(&own)? != Reaped::Stays => Ok(None),
            None => fail!(Exists, "something has the name \"{text}\" already"),
        }
    })
}

/// Makes the file with all that is in it, which has no name yet.
fn prepare(
    mode: u32,
    size: usize,
    make: &impl Fn(&'static Segment) -> Result<Object>,
) -> Result<(Fresh, Object)> {
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
    s.users.store(1, Ordering::Relaxed);
    Ok((fresh, object))
}

/// The same with its name; None when something has that.
fn create(
    at: &Place,
    mode: u32,
    size: usize,
    make: &impl Fn(&'static Segment) -> Result<Object>,
) -> Result<Option<Object>> {
    let (fresh, object) = prepare(mode, size, make)?;
    let linked = fresh.fd.as_ref().map_or(Ok(false), |fd| named::link(fd, at))?;
    if !linked {
        return Ok(None);
    }
    fresh.stays();
    Ok(Some(object))
}

/// The segment holds its object itself.
fn keep(s: &'static Segment, r: Ref) {
    let mut books = books::open(s);
    if let Some((head, _)) = blocks::resolve(s, r) {
        let mut tx = books.begin();
        tx.set(&head.refs, head.one_more());
        tx.set(&s.header().object, ledger::held(r));
        tx.commit();
    }
}

/// Says which object of a segment is meant, and what it is; or what is wrong with it. Nothing is changed by asking.
type Wants<'a> = &'a dyn Fn(&'static Segment) -> Result<(Ref, Kind)>;

/// The object that the name leads to, None where it leads to nothing.
fn attach(at: &Place, wants: Wants<'_>, user: Option<u32>) -> Result<Option<Object>> {
    soon(|| {
        let Some(seen) = named::look(at)? else { return Ok(Some(None)) };
        check_owner(&seen, user)?;
        let file = seen.identity();
        if let Some(s) = known(file) {
            check_whole(s)?;
            return object_in(s, wants).map(|object| Some(Some(object)));
        }
        let fd = seen.open()?;
        check(&fd)?;
        if named::lock_alone(&fd)? {
            let fresh = Fresh::map(fd)?;
            if is_left_over(fresh.s)? {
                fresh.unlink(at)?;
                return Ok(None);
            }
            return enter(fresh, at, wants);
        }
        enter(Fresh::map(fd)?, at, wants)
    })
}

/// With the shared lock, and the name looked at again: becomes a user. None: try again.
fn enter(fresh: Fresh, at: &Place, wants: Wants<'_>) -> Result<Option<Option<Object>>> {
    if !fresh.lock_shared()? || !named::leads_to(at, fresh.s.identity()) {
        return Ok(None);
    }
    let object = take_up(fresh, wants)?;
    Ok(Some(Some(object)))
}

/// Joins, and holds the object. The file is locked and checked.
fn take_up(fresh: Fresh, wants: Wants<'_>) -> Result<Object> {
    let s = fresh.s;
    populate(s)?;
    let object = object_in(s, wants).inspect_err(|_| part(s))?;
    fresh.stays();
    Ok(object)
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

/// Holds it. Whoever comes for something else leaves no trace.
fn object_in(s: &'static Segment, wants: Wants<'_>) -> Result<Object> {
    let (r, kind) = wants(s)?;
    join(s)?;
    Ok(Object { r, entry: hold_there(s, r, kind)? })
}

/// Another user's, if one lets us.
fn attach_anybodys(name: &[u8], wants: Wants<'_>) -> Result<Option<Object>> {
    for file in named::list(b"mp.")? {
        let user =
            file[3..].split(|&b| b == b'.').next().and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
        let Some(user) = user.filter(|&u| u != named::own_user() && file == file_of(u, name)) else {
            continue;
        };
        if let Some(object) = attach(&Place::of(&file), wants, Some(user))? {
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
    check_whole(s)?;
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
    let is_whole = is_whole(s);
    // What was cut off cannot be touched; the others miss this process as if it had died.
    if is_whole {
        objects::release(entry);
    }
    let left = s.users.load(Ordering::Relaxed).saturating_sub(1);
    s.users.store(left, Ordering::Relaxed);
    if left != 0 {
        return;
    }
    if is_whole {
        part(s);
    }
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

/// What a fresh image must know to find the segment that an entry is in: the descriptor that it inherits, and what
/// that must lead to.
pub(crate) fn passport(entry: Entry) -> Result<(RawFd, Identity)> {
    let s = entry.segment();
    match s.descriptor() {
        Some(fd) => Ok((fd, s.identity())),
        None => fail!(State, "the host program has closed the descriptor of a named object"),
    }
}

/// In a fresh image or a child of the fork server: holds what its parent handed it by this descriptor, which is its
/// own from now on.
pub(crate) fn receive(fd: RawFd, file: Identity, r: Ref, kind: Kind) -> Result<Object> {
    let _names = page().names.lock();
    let wants = |_| Ok((r, kind));
    if let Some(s) = known(file) {
        check_whole(s)?;
        // The fork server may have it open as well. Closed now: once this process has joined that would drop its
        // record lock there.
        let is_new = s.epoch.load(Ordering::Relaxed) != page().epoch.load(Ordering::Relaxed);
        if is_new && s.descriptor().is_some_and(|own| own != fd) && fd::identity(fd) == Some(file) {
            drop(fd::adopt(fd)?);
        }
        return object_in(s, &wants);
    }
    if fd::identity(fd) != Some(file) {
        fail!(State, "the descriptor of a named object did not come through");
    }
    settle_in(fd::adopt(fd)?, &wants)
}

/// Becomes a user of an open file.
fn settle_in(fd: OwnedFd, wants: Wants<'_>) -> Result<Object> {
    check(&fd)?;
    if !soon(|| named::lock_shared(&fd).map(|l| l.then_some(true)))? {
        fail!(State, "the named object is locked");
    }
    take_up(Fresh::map(fd)?, wants)
}
