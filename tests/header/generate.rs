//! Writes mp.h: a section for each noun file of src/ffi, each declaration by cbindgen. And libmp.map, which
//! tells the linker what to export.

use crate::source::{Piece, Source};
use cbindgen::{Builder, Config, ItemType};
use std::fs;
use std::path::Path;

const WIDTH: usize = 100;

/// The whole of mp.h for the project under `root`.
pub(crate) fn header(root: &Path) -> Result<String, String> {
    let config = Config::from_file(root.join("cbindgen.toml").to_str().ok_or("not a UTF-8 path")?)?;
    let preamble = config.header.as_deref().ok_or("cbindgen.toml has no header")?;
    let ffi = root.join("src/ffi");
    let nouns = nouns(&read(&ffi.join("mod.rs"))?)?;
    let preamble = preamble.trim().replace("{sections}", &contents(&nouns));
    let mut out = format!("{preamble}\n\n{}", opening());
    for noun in nouns {
        let path = ffi.join(format!("{noun}.rs"));
        let named = |problem: String| format!("src/ffi/{noun}: {problem}");
        let title = Source::read(&read(&path)?).map_err(named)?.title;
        let declarations = section(&path, &config).map_err(named)?;
        out.push_str(&format!("\n{}\n{declarations}", heading(&noun, &title)));
    }
    out.push_str("\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* MP_H */\n");
    Ok(out)
}

/// The whole of libmp.map. Every export has the version of the ABI, which changes with the SONAME.
pub(crate) fn map(root: &Path) -> Result<String, String> {
    let ffi = root.join("src/ffi");
    let mut names = Vec::new();
    for noun in nouns(&read(&ffi.join("mod.rs"))?)? {
        let path = ffi.join(format!("{noun}.rs"));
        let source = Source::read(&read(&path)?).map_err(|problem| format!("src/ffi/{noun}: {problem}"))?;
        names.extend(source.functions);
    }
    names.sort();
    let major = env!("CARGO_PKG_VERSION_MAJOR");
    let names: String = names.iter().map(|name| format!("        {name};\n")).collect();
    Ok(format!(
        "/* What libmp.so exports. Generated from src/ffi by `make header`. */\n\
         MP_{major} {{\n    global:\n{names}    local:\n        *;\n}};\n"
    ))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The include guard, the includes and the version, which is Cargo.toml's.
fn opening() -> String {
    let (major, minor, patch) =
        (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH"));
    let text = env!("CARGO_PKG_VERSION");
    format!(
        "#ifndef MP_H\n#define MP_H\n\n\
         #include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #define MP_VERSION_MAJOR {major}\n#define MP_VERSION_MINOR {minor}\n\
         #define MP_VERSION_PATCH {patch}\n#define MP_VERSION_STRING \"{text}\"\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n"
    )
}

/// The sections' names, for the top of the file: each stands in a rule further down.
fn contents(nouns: &[String]) -> String {
    const INDENT: &str = "\n *             ";
    let mut text = String::new();
    let mut column = INDENT.len() - 1;
    for (at, noun) in nouns.iter().enumerate() {
        let word = format!("{noun}{}", if at + 1 < nouns.len() { ", " } else { "" });
        if column + word.len() > WIDTH {
            text.truncate(text.trim_end().len());
            text.push_str(INDENT);
            column = INDENT.len() - 1;
        }
        column += word.len();
        text.push_str(&word);
    }
    text
}

/// A rule with the noun in it, and the noun file's own words.
fn heading(noun: &str, title: &[String]) -> String {
    let mut text = format!("/* ---- {noun} {}\n *\n", "-".repeat(WIDTH - 9 - noun.len()));
    for line in title {
        text.push_str(format!(" *{line}").trim_end());
        text.push('\n');
    }
    text + " */\n"
}

/// The noun files, in the order of src/ffi/mod.rs. A module that has no section says so on its own
/// line or on the line above.
pub(crate) fn nouns(modules: &str) -> Result<Vec<String>, String> {
    const MARK: &str = "// not in the header";
    let file = syn::parse_file(modules).map_err(|e| format!("src/ffi/mod.rs does not parse: {e}"))?;
    let lines: Vec<&str> = modules.lines().collect();
    let mut found = Vec::new();
    for item in &file.items {
        let syn::Item::Mod(module) = item else {
            continue;
        };
        let at = module.ident.span().start().line - 1;
        let above = at > 0 && lines[at - 1].trim_start().starts_with(MARK);
        let test = module.attrs.iter().any(|a| a.path().is_ident("cfg"));
        if !test && !above && !lines[at].contains(MARK) {
            found.push(module.ident.to_string());
        }
    }
    if found.is_empty() {
        return Err("src/ffi/mod.rs names no noun".into());
    }
    Ok(found)
}

/// The declarations of one noun file, in the order of the source.
pub(crate) fn section(path: &Path, config: &Config) -> Result<String, String> {
    let source = Source::read(&read(path)?)?;
    let mut parts = Vec::new();
    for piece in &source.pieces {
        parts.push(match piece {
            Piece::Text(text) => text.clone(),
            Piece::Item(name) => declaration(path, config, &source, name)?,
        });
    }
    let text = parts.join("\n");
    match text.lines().find(|line| line.chars().count() > WIDTH) {
        Some(line) => Err(format!("a line longer than {WIDTH}: {line}")),
        None => Ok(text),
    }
}

/// One declaration. cbindgen sorts by kind and name, so it is asked for each item alone.
fn declaration(path: &Path, config: &Config, source: &Source, name: &str) -> Result<String, String> {
    let mut config = config.clone();
    config.header = None;
    config.export.exclude = source.names().filter(|other| *other != name).cloned().collect();
    config.export.include = vec![name.to_owned()];
    config.export.item_types = vec![
        ItemType::Constants,
        ItemType::Enums,
        ItemType::Structs,
        ItemType::Unions,
        ItemType::Typedefs,
        ItemType::OpaqueItems,
        ItemType::Functions,
    ];
    let bindings =
        Builder::new().with_config(config).with_src(path).generate().map_err(|e| format!("{name}: {e}"))?;
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).map_err(|e| format!("{name}: {e}"))?;
    let text = tidy(text.trim());
    // One comment opens and closes the declaration; a comment inside a comment would end it early.
    if text.matches("/*").count() != text.matches("*/").count() {
        return Err(format!("{name}: its comment contains \"*/\" or \"/*\""));
    }
    let rest = without_comments(&text);
    if !words(&rest).any(|word| word == name) {
        return Err(format!("{name}: cbindgen cannot write it"));
    }
    for word in ["Vec", "Option", "Box", "String"] {
        if words(&rest).any(|found| found == word || found.starts_with(&format!("{word}_"))) {
            return Err(format!("{name} has a {word}, which C does not know"));
        }
    }
    Ok(text)
}

/// Plain comments, short ones on one line; negative numbers in parentheses.
fn tidy(text: &str) -> String {
    let text = text.replace("/**\n", "/*\n");
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < lines.len() {
        let indent = &lines[at][..lines[at].len() - lines[at].trim_start().len()];
        let short = lines.get(at..at + 3).filter(|l| l[0].trim() == "/*" && l[2].trim() == "*/");
        let one = short.map(|l| format!("{indent}/* {} */", l[1].trim().trim_start_matches('*').trim()));
        if let Some(one) = one.filter(|line| line.len() <= WIDTH) {
            out.push_str(&one);
            at += 3;
        } else {
            out.push_str(&parenthesised(lines[at]));
            at += 1;
        }
        out.push('\n');
    }
    out
}

/// `#define X -1` would end a subtraction wrongly: `#define X (-1)`.
fn parenthesised(line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("#define"), Some(name), Some(value)) if value.starts_with('-') => {
            format!("#define {name} ({value})")
        }
        _ => line.trim_end().to_owned(),
    }
}

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out + rest
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}
