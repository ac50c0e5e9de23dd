//! A process in one line, as CPython prints it.

use super::{Process, State, lock};
use crate::sys::signals;

impl Process {
    /// `<Process name='Process-3' pid=16853 parent=16849 started>`.
    pub(crate) fn describe(&self) -> String {
        let mut state = lock(&self.state);
        self.reap(&mut state);
        let (status, code) = match &*state {
            State::Initial(_) => ("initial", None),
            State::Running { .. } | State::Own => ("started", None),
            State::Ended { code, .. } => ("stopped", Some(*code)),
            State::Parent(_) => ("unknown", None),
        };
        let pid = match &*state {
            State::Running { started, .. } => Some(started.pid),
            State::Ended { pid, .. } => Some(*pid),
            _ => None,
        };
        drop(state);
        let mut line = format!("<{} name={}", self.type_name, quoted(&self.name().to_string_lossy()));
        if let Some(pid) = pid {
            line += &format!(" pid={pid}");
        }
        let parent = self.parent_pid.map_or("None".to_owned(), |p| p.to_string());
        line += &format!(" parent={parent} {status}");
        match code {
            Some(super::EXIT_UNKNOWN) => line += " exitcode=unknown",
            Some(code) if code < 0 => line += &format!(" exitcode=-{}", signals::name(-code)),
            Some(code) => line += &format!(" exitcode={code}"),
            None => {}
        }
        if self.is_daemon() {
            line += " daemon";
        }
        line + ">"
    }
}

/// As Python quotes a string: in single quotes unless only double ones do.
fn quoted(name: &str) -> String {
    let quote = if name.contains('\'') && !name.contains('"') { '"' } else { '\'' };
    let mut text = String::from(quote);
    for c in name.chars() {
        match c {
            '\n' => text += "\\n",
            '\r' => text += "\\r",
            '\t' => text += "\\t",
            '\\' => text += "\\\\",
            c if c == quote => text.extend(['\\', c]),
            c if c.is_ascii_control() => text += &format!("\\x{:02x}", c as u32),
            c => text.push(c),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn names_are_quoted_as_python_does() {
        assert_eq!(quoted("Process-1"), "'Process-1'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("'\""), "'\\'\"'");
        assert_eq!(quoted("a\\b\n\x01"), "'a\\\\b\\n\\x01'");
    }
}
