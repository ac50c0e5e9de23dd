//! Copies src/park, src/queue and the bells of pipes with what is wrong with all mutants: a function that any of them
//! changes has a body for each, and `mutants::is` says which one runs. Of src/queue and the bells, which need something
//! changed for the models, it makes another copy that has no mutants.

#[path = "src/list/mod.rs"]
mod list;

use list::Mutant;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What of src/shm the queue's models take as it is.
const SHM: [&str; 4] = ["queue_block.rs", "rings.rs", "loans.rs", "redo.rs"];

/// In the copies of src/queue: without what the models have no use for, and so small that the checker comes to an
/// end. A block is made here, and is not memory that was zeroes already.
const SMALLER: &[(&str, &str, &str)] = &[
    ("queue/mod.rs", "pub(crate) mod priority;\n", ""),
    ("queue/mod.rs", "mod ready;\n", ""),
    ("queue/chain.rs", "const FIRST: usize = 2048;", "const FIRST: usize = 256;"),
    ("queue/chain.rs", "const USUAL: usize = 64 << 10;", "const USUAL: usize = 256;"),
    ("queue/chain.rs", "const LONGEST: usize = 1 << 20;", "const LONGEST: usize = 256;"),
    ("shm/redo.rs", "pub(crate) const PAIRS: usize = 32;", "pub(crate) const PAIRS: usize = 10;"),
    ("shm/redo.rs", "pub(crate) struct Redo", "#[derive(Default)]\npub(crate) struct Redo"),
    ("shm/queue_block.rs", "pub(crate) const LARGE: usize = 16;", "pub(crate) const LARGE: usize = 2;"),
    ("shm/queue_block.rs", "pub(crate) const LENT: usize = 16;", "pub(crate) const LENT: usize = 2;"),
    ("shm/queue_block.rs", "pub(crate) struct Loan", "#[derive(Default)]\npub(crate) struct Loan"),
    (
        "shm/queue_block.rs",
        "pub(crate) struct QueueBlock",
        "#[derive(Default)]\npub(crate) struct QueueBlock",
    ),
    ("shm/queue_block.rs", "pub(crate) struct Side", "#[derive(Default)]\npub(crate) struct Side"),
    ("shm/queue_block.rs", "pub(crate) struct RingBlock", "#[derive(Default)]\npub(crate) struct RingBlock"),
    ("shm/queue_block.rs", "assert!(size_of::<Side>() == 128 && size_of::<QueueBlock>() == 960)", "()"),
    ("shm/queue_block.rs", "assert!(size_of::<RingBlock>() == 448)", "()"),
];

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where this is");
    let out = std::env::var("OUT_DIR").expect("cargo says where to write");
    let (here, out) = (Path::new(&here), Path::new(&out));
    let library = here.join("../../src");
    for from in ["park", "queue"].into_iter().map(|room| library.join(room)) {
        println!("cargo::rerun-if-changed={}", from.display());
    }
    for from in SHM.map(|name| library.join("shm").join(name)) {
        println!("cargo::rerun-if-changed={}", from.display());
    }
    println!("cargo::rerun-if-changed={}", library.join("wire/pipe/bell.rs").display());
    for from in ["src/list", "src/shm", "build.rs"] {
        println!("cargo::rerun-if-changed={}", here.join(from).display());
    }

    let itself = |name, has: String| {
        format!(
            "#[allow(clippy::module_inception, dead_code, unused_imports)]\npub(crate) mod {name} {{ {has} }}\n"
        )
    };
    let queues = itself("flow", flow(here, &out.join("flow"), "crate::flow", &[]));
    let pipes = itself("polled", polled(here, &out.join("polled"), &[]));
    fs::write(out.join("rooms.rs"), queues + &pipes).expect("a file can be written");

    let (mut of_park, mut of_queue, mut of_pipe) = (Vec::new(), Vec::new(), Vec::new());
    for mutant in list::all() {
        // A model's name begins with its file's.
        match mutant.model.split('_').next() {
            Some("flow") => of_queue.push(mutant),
            Some("polled") => of_pipe.push(mutant),
            _ => of_park.push(mutant),
        }
    }
    let park = park(here, &out.join("park_mutants"), &of_park);
    let flow = flow(here, &out.join("flow_mutants"), "crate::mutants::flow", &of_queue);
    let polled = polled(here, &out.join("polled_mutants"), &of_pipe);
    let modules = [("park", park), ("flow", flow), ("polled", polled)];
    let modules = modules.map(|(name, has)| format!("pub(crate) mod {name} {{ {has} }}\n"));
    fs::write(out.join("mutants.rs"), modules.concat()).expect("a file can be written");
}

/// A copy of src/park, and all its models.
fn park(here: &Path, copy: &Path, mutants: &[&Mutant]) -> String {
    let _ = fs::remove_dir_all(copy);
    copy_sources(&here.join("../../src/park"), copy, &|text| text);
    add_mutants(copy, mutants);
    module("park", &copy.join("mod.rs"))
        + &module("models", &here.join("src/models/mod.rs"))
        + "pub(crate) use models::OF_PARK as MODELS; "
}

/// A copy of src/queue and of what it stands on, which is the module `path`, and its models.
fn flow(here: &Path, copy: &Path, path: &str, mutants: &[&Mutant]) -> String {
    let _ = fs::remove_dir_all(copy);
    let library = here.join("../../src");
    // Where the library's own atomics are named in full they are the checker's here.
    let moved = |text: String| {
        text.replace("std::sync::atomic", "crate::sys::atomic").replace("crate::shm", &format!("{path}::shm"))
    };
    copy_sources(&library.join("queue"), &copy.join("queue"), &moved);
    copy_sources(&here.join("src/shm"), &copy.join("shm"), &moved);
    for name in SHM {
        copy_source(&library.join("shm").join(name), &copy.join("shm").join(name), &moved);
    }
    for &(file, from, to) in SMALLER {
        let file = copy.join(file);
        let text = read(&file);
        let at = place(&file, &text, from);
        write(&file, &replaced(&text, at, to));
    }
    add_mutants(copy, mutants);
    "use crate::park; pub(crate) use flow::MODELS; ".to_owned()
        + &module("shm", &copy.join("shm/mod.rs"))
        + &module("queue", &copy.join("queue/mod.rs"))
        + &module("explore", &here.join("src/models/explore.rs"))
        + &module("flow", &here.join("src/models/flow.rs"))
}

/// A copy of the bells of pipes, and their models. What else they need lies beside the models.
fn polled(here: &Path, copy: &Path, mutants: &[&Mutant]) -> String {
    let _ = fs::remove_dir_all(copy);
    fs::create_dir_all(copy).expect("a directory can be made");
    let moved = |text: String| {
        let others = ["sys::flag", "sys::kept", "sys::packets", "sys::sockets"];
        let text = text
            .replace("std::os::fd::", "super::way::fd::")
            .replace("crate::shm::", "super::way::")
            .replace("crate::wire::output::", "super::way::");
        others.iter().fold(text, |text, from| {
            text.replace(&format!("crate::{from}"), &from.replace("sys::", "super::way::"))
        })
    };
    copy_source(&here.join("../../src/wire/pipe/bell.rs"), &copy.join("bell.rs"), &moved);
    add_mutants(copy, mutants);
    "use crate::park; pub(crate) use polled::MODELS; ".to_owned()
        + &module("way", &here.join("src/pipe/way.rs"))
        + &module("bell", &copy.join("bell.rs"))
        + &module("explore", &here.join("src/models/explore.rs"))
        + &module("polled", &here.join("src/models/polled.rs"))
}

fn module(name: &str, file: &Path) -> String {
    format!("#[path = \"{}\"] mod {name}; ", file.display())
}

fn copy_sources(from: &Path, to: &Path, moved: &dyn Fn(String) -> String) {
    fs::create_dir_all(to).expect("a directory can be made");
    for entry in fs::read_dir(from).expect("a room") {
        let path = entry.expect("a room").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy_sources(&path, &to, moved) } else { copy_source(&path, &to, moved) }
    }
}

fn copy_source(from: &Path, to: &Path, moved: &dyn Fn(String) -> String) {
    write(to, &moved(read(from)));
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("a file can be written");
}

/// Where that stands in the file. It must be there once, or the change is no longer what it was made for.
fn place(file: &Path, text: &str, what: &str) -> Range<usize> {
    let count = text.matches(what).count();
    assert_eq!(count, 1, "{} has {count} times:\n{what}\n", file.display());
    let from = text.find(what).expect("it was counted");
    from..from + what.len()
}

fn replaced(text: &str, at: Range<usize>, to: &str) -> String {
    [&text[..at.start], to, &text[at.end..]].concat()
}

/// In which file a function's body is, and from where to where.
type Place = (PathBuf, usize, usize);

/// Gives each function that a mutant changes a body for it, which runs where that mutant is asked for.
fn add_mutants(copy: &Path, mutants: &[&Mutant]) {
    let mut bodies = BTreeMap::<Place, Vec<(&str, String)>>::new();
    for mutant in mutants {
        let file = copy.join(mutant.file);
        let text = read(&file);
        for (from, to) in mutant.edits {
            let body = body(&text, place(&file, &text, from))
                .unwrap_or_else(|| panic!("{} changes more than bodies of functions", mutant.name));
            let others = bodies.entry((file.clone(), body.start, body.end)).or_default();
            if others.last().is_none_or(|(name, _)| *name != mutant.name) {
                others.push((mutant.name, text[body].to_owned()));
            }
            let (_, other) = others.last_mut().expect("it was put there");
            *other = replaced(other, place(&file, other, from), to);
        }
    }
    // From behind, so that the places of those before stay what they are.
    for ((file, from, to), others) in bodies.into_iter().rev() {
        let text = read(&file);
        let mut all = String::new();
        for (mutant, other) in others {
            write!(all, "if crate::mutants::is(\"{mutant}\") {{{other}}} else ").expect("memory");
        }
        write!(all, "{{{}}}", &text[from..to]).expect("memory");
        write(&file, &replaced(&text, from..to, &all));
    }
}

/// What is between the braces of the function that this is in. As rustfmt leaves it, the second brace stands on a line
/// of its own, and as far to the right as the function's first line.
fn body(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let starts = text[..at.start].rmatch_indices('\n').map(|(newline, _)| newline + 1);
    starts.into_iter().find_map(|start| {
        let line = text[start..].lines().next()?;
        let margin = &line[..line.len() - line.trim_start().len()];
        let head = ["", "pub ", "pub(crate) ", "pub(super) "];
        if !head.iter().any(|head| line.trim_start().starts_with(&format!("{head}fn "))) {
            return None;
        }
        let open = start + text[start..].find("{\n")? + 1;
        let close = open + text[open..].find(&format!("\n{margin}}}\n"))? + 1;
        (open <= at.start && at.end <= close).then_some(open..close)
    })
}
