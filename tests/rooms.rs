//! The rooms of src/ and the arrows between them: a room may use only what lies below it.

#[path = "rooms/paths.rs"]
mod paths;
#[path = "rooms/plan.rs"]
mod plan;
#[path = "rooms/samples.rs"]
mod samples;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const LINES_TO_EXPLAIN: usize = 500;
const LINES_ALLOWED: usize = 1000;

#[test]
fn every_arrow_points_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    files.sort();
    let mut problems = Vec::new();
    let mut seen = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&src).expect("a file of src").to_str().expect("a UTF-8 name");
        let text = fs::read_to_string(file).expect("a readable source");
        let lines = text.lines().count();
        if lines > LINES_ALLOWED {
            problems.push(format!("src/{name}: {lines} lines, at most {LINES_ALLOWED}: split it"));
        } else if lines > LINES_TO_EXPLAIN {
            // Past the test harness, which would keep the words of a passing test to itself.
            let _ = writeln!(std::io::stderr(), "note: src/{name} has {lines} lines");
        }
        problems.extend(plan::check(name, &text).into_iter().map(|what| format!("src/{name}:{what}")));
        seen.extend(plan::room_of(name));
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    // A check that read nothing proves nothing.
    for room in ["sys", "shm", "ffi"] {
        assert!(seen.iter().any(|found| found == room), "src has no room {room}");
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
