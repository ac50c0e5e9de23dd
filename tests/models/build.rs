//! Copies src/park once for each mutant, with one thing wrong in each copy.

#[path = "src/list.rs"]
mod list;

use std::fmt::Write;
use std::fs;
use std::path::Path;

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where this is");
    let out = std::env::var("OUT_DIR").expect("cargo says where to write");
    let park = Path::new(&here).join("../../src/park");
    println!("cargo::rerun-if-changed={}", park.display());
    println!("cargo::rerun-if-changed={here}/src/list.rs");
    println!("cargo::rerun-if-changed={here}/build.rs");

    let (mut modules, mut arms) = (String::new(), String::new());
    for mutant in list::MUTANTS {
        let name = mutant.name;
        let copy = Path::new(&out).join(name);
        let _ = fs::remove_dir_all(&copy);
        copy_sources(&park, &copy);
        for &(from, to) in mutant.edits {
            edit(&copy.join(mutant.file), from, to, name);
        }
        // Only what is needed of the models: there are many mutants.
        let models = mutant.model.split('_').next().expect("a model's name begins with its file's");
        let (copy, uses) = (copy.display(), format!("{here}/src/models"));
        let needed = if models == "rlock" { &["rlock", "lock"][..] } else { &[models] };
        let needed: String =
            needed.iter().map(|name| format!("#[path = \"{uses}/{name}.rs\"] mod {name}; ")).collect();
        writeln!(
            modules,
            "pub mod {name} {{ #[path = \"{copy}/mod.rs\"] mod park; #[path = \"{uses}/explore.rs\"] mod explore; \
             {needed}pub fn check(name: &str) {{ super::find({models}::MODELS, name)() }} }}"
        )
        .expect("memory");
        writeln!(arms, "\"{name}\" => {name}::check(model),").expect("memory");
    }
    let check = format!(
        "/// Runs a model with that mutant.\npub fn check(mutant: &str, model: &str) {{\n\
         match mutant {{\n{arms}_ => panic!(\"there is no mutant {{mutant}}\"),\n}}\n}}\n"
    );
    fs::write(Path::new(&out).join("mutants.rs"), modules + &check).expect("a file can be written");
}

fn copy_sources(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory can be made");
    for entry in fs::read_dir(from).expect("src/park") {
        let path = entry.expect("src/park").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_sources(&path, &to);
        } else {
            fs::copy(&path, to).expect("a file can be copied");
        }
    }
}

/// The text must be there once, or the mutant is no longer what it was made for.
fn edit(file: &Path, from: &str, to: &str, mutant: &str) {
    let text = fs::read_to_string(file).expect("a source");
    let count = text.matches(from).count();
    assert_eq!(count, 1, "{mutant}: {} has {count} times:\n{from}\n", file.display());
    fs::write(file, text.replace(from, to)).expect("a file can be written");
}
