//! The files of this process's listeners: removed when a listener is closed, or at the process's normal end, by the
//! process that made them only, and only if they still are what it made.

use crate::error::{Result, Status};
use crate::sys::fd::Identity;
use crate::sys::kept::{self, Kept};
use crate::sys::local::Local;
use crate::sys::sockets::{self, Address};

#[derive(Clone, PartialEq, Eq)]
pub(super) struct File {
    path: Vec<u8>,
    identity: (u64, u64),
}

static FILES: Local<Vec<File>> = Local::new();

/// Binds and listens. Where the file of a listener that nobody closed is in the way, it goes.
pub(super) fn listen(at: &Address, backlog: i32) -> Result<(Kept, Option<File>)> {
    let Address::Path(path) = at else {
        let fd = bind(at)?;
        sockets::listen(fd.fd(), backlog)?;
        return Ok((fd, None));
    };
    let held = sockets::hold_directory(path);
    let fd = match bind(at) {
        Err(e) if e.status == Status::Exists && held.is_some() && sockets::remove_stale(path) => bind(at)?,
        bound => bound?,
    };
    let file =
        sockets::file_at(path).map(|at| File { path: absolute(path), identity: (at.device, at.inode) });
    if let Some(file) = &file {
        FILES.with(|all| all.push(file.clone()));
    }
    if let Err(e) = sockets::listen(fd.fd(), backlog) {
        file.as_ref().map(remove);
        return Err(e);
    }
    Ok((fd, file))
}

fn bind(at: &Address) -> Result<Kept> {
    let mut list = kept::list();
    Ok(list.keep(sockets::bind(at)?))
}

/// So that it is found from another directory, too.
fn absolute(path: &[u8]) -> Vec<u8> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(path));
    match std::path::absolute(path) {
        Ok(full) => full.into_os_string().into_vec(),
        Err(_) => path.as_os_str().as_bytes().to_vec(),
    }
}

/// Removes one.
pub(super) fn remove(file: &File) {
    let was_there = FILES.with(|all| {
        let before = all.len();
        all.retain(|f| f != file);
        all.len() < before
    });
    if was_there {
        sockets::remove_own(&file.path, Identity { device: file.identity.0, inode: file.identity.1 });
    }
}

/// At the process's end.
pub(crate) fn remove_all() {
    for file in FILES.with(std::mem::take) {
        sockets::remove_own(&file.path, Identity { device: file.identity.0, inode: file.identity.1 });
    }
}
