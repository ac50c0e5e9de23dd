//! Copies src/park once for each mutant, with one thing wrong in each copy. Copies src/queue, which is longer, twice: as
//! it is, and with all that is wrong with one mutant or another, each where `mutants::is` says so; so the bells of pipes.

#[path = "src/list.rs"]
mod list;

use std::fmt::Write;
use std::fs;
use std::path::Path;

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
    for from in ["src/list.rs", "src/list_flow.rs", "src/list_polled.rs", "src/shm", "build.rs"] {
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

    let (mut modules, mut arms, mut of_queue, mut of_pipe) =
        (String::new(), String::new(), Vec::new(), Vec::new());
    for mutant in list::all() {
        let name = mutant.name;
        // Only what is needed of the models: there are many mutants.
        let models = mutant.model.split('_').next().expect("a model's name begins with its file's");
        let module = if models == "flow" || models == "polled" {
            let all = if models == "flow" { &mut of_queue } else { &mut of_pipe };
            all.extend(mutant.edits.iter().map(|edit| at_will(mutant, edit)));
            models
        } else {
            let edits: Vec<_> =
                mutant.edits.iter().map(|&(from, to)| (mutant.file, from, to.into())).collect();
            add_module(&mut modules, name, &park(here, &out.join(name), models, &edits), models);
            name
        };
        writeln!(arms, "\"{name}\" => {module}::check(model),").expect("memory");
    }
    let with_mutants = flow(here, &out.join("flow_mutants"), "crate::mutants::flow", &of_queue);
    add_module(&mut modules, "flow", &with_mutants, "flow");
    add_module(&mut modules, "polled", &polled(here, &out.join("polled_mutants"), &of_pipe), "polled");
    let check = format!(
        "/// Runs a model with that mutant.\npub fn check(mutant: &'static str, model: &str) {{\n\
         WRONG.set(mutant);\nmatch mutant {{\n{arms}_ => panic!(\"there is no mutant {{mutant}}\"),\n}}\n}}\n"
    );
    fs::write(out.join("mutants.rs"), modules + &check).expect("a file can be written");
}

fn add_module(modules: &mut String, name: &str, has: &str, models: &str) {
    let check = format!("pub fn check(name: &str) {{ super::find({models}::MODELS, name)() }}");
    writeln!(modules, "pub mod {name} {{ {has}{check} }}").expect("memory");
}

/// In which file, what stands there once, and what shall stand there.
type Edit<'a> = (&'a str, &'a str, String);

/// An expression, or whole statements, of which the mutant has others.
fn at_will<'a>(mutant: &'a list::Mutant, &(from, to): &'a (&str, &str)) -> Edit<'a> {
    let either = format!("if crate::mutants::is(\"{}\") {{ {to} }} else {{ {from} }}", mutant.name);
    (mutant.file, from, if from.ends_with(';') { either } else { format!("({either})") })
}

/// A copy of src/park, and its models.
fn park(here: &Path, copy: &Path, models: &str, edits: &[Edit]) -> String {
    let _ = fs::remove_dir_all(copy);
    copy_sources(&here.join("../../src/park"), copy, &|text| text);
    for edit in edits {
        change(copy, edit);
    }
    let needed = if models == "rlock" { &["rlock", "lock"][..] } else { &[models] };
    let needed = needed.iter().map(|name| module(name, &here.join(format!("src/models/{name}.rs"))));
    module("park", &copy.join("mod.rs"))
        + &module("explore", &here.join("src/models/explore.rs"))
        + &needed.collect::<String>()
}

/// A copy of src/queue and of what it stands on, which is the module `path`, and its models.
fn flow(here: &Path, copy: &Path, path: &str, edits: &[Edit]) -> String {
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
    let smaller = SMALLER.iter().map(|&(file, from, to)| (file, from, to.into()));
    for edit in smaller.chain(edits.iter().cloned()) {
        change(copy, &edit);
    }
    "use crate::park; pub(crate) use flow::MODELS; ".to_owned()
        + &module("shm", &copy.join("shm/mod.rs"))
        + &module("queue", &copy.join("queue/mod.rs"))
        + &module("explore", &here.join("src/models/explore.rs"))
        + &module("flow", &here.join("src/models/flow.rs"))
}

/// A copy of the bells of pipes, and their models. What else they need lies beside the models.
fn polled(here: &Path, copy: &Path, edits: &[Edit]) -> String {
    let _ = fs::remove_dir_all(copy);
    fs::create_dir_all(copy).expect("a directory can be made");
    let moved = |text: String| {
        let others = ["sys::flag", "sys::kept", "sys::packets", "sys::sockets"];
        let text = text.replace("std::os::fd::", "super::way::fd::").replace("crate::shm::", "super::way::");
        // The checker lets an exchange that comes after a store see what was there before it, and come last all the
        // same. Of exchanges it knows the order.
        let text = text
            .replace("rung.store(0, SeqCst)", "rung.fetch_and(0, SeqCst)")
            .replace("rung.store(RINGING, SeqCst)", "rung.swap(RINGING, SeqCst)");
        others.iter().fold(text, |text, from| {
            text.replace(&format!("crate::{from}"), &from.replace("sys::", "super::way::"))
        })
    };
    copy_source(&here.join("../../src/wire/pipe/bell.rs"), &copy.join("bell.rs"), &moved);
    for edit in edits {
        change(copy, edit);
    }
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
    let text = fs::read_to_string(from).expect("a source");
    fs::write(to, moved(text)).expect("a file can be written");
}

/// The text must be there once, or the change is no longer what it was made for.
fn change(copy: &Path, (file, from, to): &Edit) {
    let file = copy.join(file);
    let text = fs::read_to_string(&file).expect("a source");
    let count = text.matches(*from).count();
    assert_eq!(count, 1, "{} has {count} times:\n{from}\n", file.display());
    fs::write(file, text.replace(*from, to)).expect("a file can be written");
}
