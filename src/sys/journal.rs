//! A file that grows at its end and has a last line that always stays the last: whoever reads it finds it whole,
//! whenever the program ends. No descriptor is kept meanwhile.

use crate::error::{Error, Result, fail};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// See the module.
pub(crate) struct Journal {
    path: PathBuf,
    last: &'static [u8],
    /// Where the last line begins.
    end: u64,
}

fn failed(path: &Path, e: &io::Error) -> Error {
    Error::os(e.raw_os_error().unwrap_or(0), format!("{} cannot be written", path.display()))
}

impl Journal {
    /// A new file, or an old one that is emptied. A path that is not from the root is taken from here, whatever
    /// directory the program goes to.
    pub(crate) fn begin(path: &Path, first: &[u8], last: &'static [u8]) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|e| failed(path, &e))?;
        // To open a pipe is to wait for its reader.
        if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
            fail!(Invalid, "{} is no regular file", path.display());
        }
        let open = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        let file = open.map_err(|e| failed(&path, &e))?;
        file.write_all_at(&[first, last].concat(), 0).map_err(|e| failed(&path, &e))?;
        Ok(Journal { path, last, end: first.len() as u64 })
    }

    /// Puts `text` before the last line, by one write.
    pub(crate) fn add(&mut self, text: &[u8]) -> Result<()> {
        let open = OpenOptions::new().write(true).open(&self.path);
        let file = open.map_err(|e| failed(&self.path, &e))?;
        let len = file.metadata().map_err(|e| failed(&self.path, &e))?.len();
        if len != self.end + self.last.len() as u64 {
            fail!(State, "somebody else writes to {}", self.path.display());
        }
        file.write_all_at(&[text, self.last].concat(), self.end).map_err(|e| failed(&self.path, &e))?;
        self.end += text.len() as u64;
        Ok(())
    }
}

/// The path that a variable of the environment names, for a program that has the rights of who started it.
pub(crate) fn path_from(variable: &str) -> Option<PathBuf> {
    // SAFETY: asks for a number.
    let trusted = unsafe { libc::getauxval(libc::AT_SECURE) } == 0;
    std::env::var_os(variable).filter(|path| trusted && !path.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_whole_after_each_step() {
        let path = std::env::temp_dir().join(format!("mp-journal-{}", std::process::id()));
        let text = || fs::read_to_string(&path).unwrap();
        fs::write(&path, "something old that is longer").unwrap();
        let mut journal = Journal::begin(&path, b"[", b"]").unwrap();
        assert_eq!(text(), "[]");
        journal.add(b"1,").unwrap();
        journal.add(b"2").unwrap();
        assert_eq!(text(), "[1,2]");
        fs::write(&path, "[").unwrap();
        assert!(journal.add(b"3").is_err());
        assert_eq!(text(), "[");
        fs::remove_file(&path).unwrap();
        assert!(journal.add(b"3").is_err());
        assert!(!path.exists());
        assert!(Journal::begin(Path::new("/dev/null"), b"[", b"]").is_err());
        assert!(Journal::begin(Path::new("/no/such/directory/x"), b"[", b"]").is_err());
    }
}
