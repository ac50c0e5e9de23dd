//! include/mp.h and libmp.map say what src/ffi exports: they are generated here and compared with
//! the committed files. `make header` writes them.

#[path = "header/generate.rs"]
mod generate;
#[path = "header/source.rs"]
mod source;

use std::fs;
use std::path::Path;

#[test]
fn mp_h_is_up_to_date() {
    up_to_date("include/mp.h", generate::header);
}

#[test]
fn libmp_map_is_up_to_date() {
    up_to_date("libmp.map", generate::map);
}

fn up_to_date(name: &str, generate: fn(&Path) -> Result<String, String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join(name);
    let generated = generate(root).unwrap_or_else(|problem| panic!("{problem}"));
    if std::env::var_os("MP_HEADER_WRITE").is_some_and(|v| v == "1") {
        fs::write(&committed, generated).unwrap_or_else(|e| panic!("{name} cannot be written: {e}"));
        return;
    }
    let found = fs::read_to_string(&committed).unwrap_or_default();
    if let Some(difference) = first_difference(name, &found, &generated) {
        panic!("{name} does not say what src/ffi exports: run `make header`\n{difference}");
    }
}

/// Macros that are no function's, and why.
const C_ONLY: [(&str, &str); 8] = [
    ("MP_H", "the header's own"),
    ("MP_VERSION_MAJOR", "what a C program was compiled with; what it runs with is mp_version's"),
    ("MP_VERSION_MINOR", "the same"),
    ("MP_VERSION_PATCH", "the same"),
    ("MP_VERSION_STRING", "the same"),
    ("MP_PASTE_", "a part of MP_SCOPE_"),
    ("MP_JOIN_", "a part of MP_SCOPE_"),
    ("MP_SCOPE_", "a part of the scopes"),
];

/// What a header has that only C can use: inline functions, and macros without a function.
fn only_for_c(header: &str) -> Vec<String> {
    let declares = |function: &str| header.contains(&format!("{function}("));
    let mut found = Vec::new();
    for line in header.lines() {
        if line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "inline" || word == "static")
            && !line.trim_start().starts_with(['*', '/'])
        {
            found.push(line.to_owned());
        }
        let Some(rest) = line.trim_start().strip_prefix("#define ") else { continue };
        let name = rest.split([' ', '(']).next().unwrap_or_default();
        let function = name.to_lowercase();
        let is_there = match name.strip_prefix("MP_WITH_") {
            // A scope's braces are C's; what happens at them is two functions.
            Some(noun) => {
                ["enter", "leave"].iter().all(|what| declares(&format!("mp_{}_{what}", noun.to_lowercase())))
            }
            None if rest[name.len()..].trim_start().starts_with('{') => declares(&format!("{function}_init")),
            None => declares(&function),
        };
        if !is_there && !C_ONLY.iter().any(|&(known, _)| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// What the functions do is compared with what the macros do by tests/abi.
#[test]
fn whatever_a_macro_does_is_a_function_too() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/mp.h");
    let header = fs::read_to_string(header).expect("mp.h can be read");
    assert_eq!(only_for_c(&header), [""; 0]);
    for (name, _) in C_ONLY {
        assert!(header.contains(&format!("#define {name}")), "{name} is no macro any more");
    }
    let more = [
        ("#define MP_FIVE 5", "MP_FIVE"),
        ("  #define MP_TWICE(x) ((x) * 2)", "MP_TWICE"),
        ("#define MP_LOCK_DEFAULTS { 1, 2 }", "MP_LOCK_DEFAULTS"),
        ("#define MP_WITH_EVENT(event) MP_SCOPE_(mp_event, event)", "MP_WITH_EVENT"),
        ("static inline int mp_six(void) { return 6; }", "static inline int mp_six(void) { return 6; }"),
    ];
    for (line, found) in more {
        assert_eq!(only_for_c(&format!("{header}\n{line}\n")), [found]);
    }
}

/// The first lines that differ, as a small diff.
fn first_difference(name: &str, found: &str, wanted: &str) -> Option<String> {
    if found == wanted {
        return None;
    }
    let (found, wanted): (Vec<_>, Vec<_>) = (found.split('\n').collect(), wanted.split('\n').collect());
    let at = found.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
    let lines = |sign: char, lines: &[&str]| -> String {
        lines.iter().skip(at).take(4).map(|line| format!("{sign} {line}\n")).collect()
    };
    Some(format!("{name}:{}\n{}{}", at + 1, lines('-', &found), lines('+', &wanted)))
}

#[test]
fn a_difference_names_its_line() {
    assert_eq!(first_difference("mp.h", "a\nb\n", "a\nb\n"), None);
    assert_eq!(first_difference("mp.h", "a\nb", "a\nc").as_deref(), Some("mp.h:2\n- b\n+ c\n"));
    assert_eq!(first_difference("mp.h", "a", "a\n").as_deref(), Some("mp.h:2\n+ \n"));
    assert_eq!(first_difference("mp.h", "", "a").as_deref(), Some("mp.h:1\n- \n+ a\n"));
}

/// What one noun file becomes, without the section's title.
fn section(text: &str) -> Result<String, String> {
    let config = cbindgen::Config::from_file(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("cbindgen.toml").to_str().expect("UTF-8 path"),
    )?;
    let directory = tempfile();
    let path = directory.join("noun.rs");
    fs::write(&path, text).expect("a temporary file can be written");
    let result = generate::section(&path, &config);
    fs::remove_dir_all(&directory).expect("the temporary directory can be removed");
    result
}

/// A directory of one test's own, under target/.
fn tempfile() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("header-{}-{number}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).expect("a temporary directory can be made");
    path
}

#[test]
fn declarations_come_in_the_order_of_the_source() {
    let text = section(
        r#"
//! Locks.
//!
//! More.
use core::ffi::{c_int, c_void};
/// What it answers.
#[repr(C)]
pub enum mp_kind {
    /// None.
    MP_NONE = 0,
    /// Bad.
    MP_BAD = -2,
}
/// A lock.
pub struct mp_lock { _private: [u8; 0] }
/// Called.
pub type mp_lock_fn =
    Option<unsafe extern "C-unwind" fn(lock: *mut mp_lock, user: *mut c_void) -> c_int>;
/// Less than nothing.
pub const MP_LESS: i64 = -5;
/// Options.
#[repr(C)]
pub struct mp_lock_options {
    /// Its size.
    pub size: usize,
    /// Two
    /// lines.
    pub on: bool,
}
// mp.h:
// /* The defaults. */
// #define MP_LOCK_OPTIONS \
//     { sizeof(mp_lock_options), false }
// mp.h:

/// Waits.
///
/// On and on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mp_lock_wait(lock: *mut mp_lock, call: mp_lock_fn, elsewhere: mp_timeout) -> mp_kind {
    inside()
}
/// Nothing.
#[unsafe(no_mangle)]
pub extern "C" fn mp_nothing() {}
pub(crate) struct Inside;
pub(crate) fn inside() {}
#[cfg(test)]
mod tests {}
"#,
    )
    .expect("a good file");
    let wanted = r#"/* What it answers. */
typedef enum mp_kind {
    /* None. */
    MP_NONE = 0,
    /* Bad. */
    MP_BAD = -2,
} mp_kind;

/* A lock. */
typedef struct mp_lock mp_lock;

/* Called. */
typedef int (*mp_lock_fn)(mp_lock *lock, void *user);

/* Less than nothing. */
#define MP_LESS (-5)

/* Options. */
typedef struct mp_lock_options {
    /* Its size. */
    size_t size;
    /*
     * Two
     * lines.
     */
    bool on;
} mp_lock_options;

/* The defaults. */
#define MP_LOCK_OPTIONS \
    { sizeof(mp_lock_options), false }

/*
 * Waits.
 *
 * On and on.
 */
mp_kind mp_lock_wait(mp_lock *lock, mp_lock_fn call, mp_timeout elsewhere);

/* Nothing. */
void mp_nothing(void);
"#;
    assert_eq!(text, wanted);
}

#[test]
fn what_cannot_go_into_a_header_is_refused() {
    let refused = |text: &str, why: &str| {
        let problem = section(text).expect_err(text);
        assert!(problem.contains(why), "{problem:?} does not say {why:?}");
    };
    refused("//! A.\npub(crate) fn f() {}", "nothing for mp.h");
    refused("//! A.\n/// D.\npub struct Other { x: i32 }", "does not begin with mp_");
    refused("//! A.\n/// D.\npub fn mp_x() {}", "is not exported");
    refused("//! A.\n#[unsafe(no_mangle)] pub extern \"C\" fn mp_x() {}", "has no comment");
    refused("//! A.\n/// D. */\n#[unsafe(no_mangle)] pub extern \"C\" fn mp_x() {}", "\"*/\"");
    refused("//! A.\n/// D.\n#[unsafe(no_mangle)] extern \"C\" fn mp_x() {}", "is not pub");
    refused("//! A.\n/// D.\n#[unsafe(no_mangle)] pub fn mp_x() {}", "is not extern \"C\"");
    refused("//! A.\n/// D.\n#[unsafe(export_name = \"mp_y\")] pub extern \"C\" fn mp_x() {}", "export_name");
    refused("//! A.\n/// D.\n#[unsafe(no_mangle)] pub extern \"C\" fn mp_x(v: Vec<u8>) {}", "mp_x");
    refused("//! A.\n// mp.h:\n\nfn f() {}", "empty");
    let long =
        format!("//! A.\n/// {}\n#[unsafe(no_mangle)] pub extern \"C\" fn mp_x() {{}}", "x".repeat(98));
    refused(&long, "longer than 100");
}

#[test]
fn modules_are_sections_unless_they_say_otherwise() {
    let modules = "//! T.\nmod guard; // not in the header\npub mod library;\n// not in the header\nmod handle;\n\
                   pub mod lock;\n#[cfg(test)]\nmod tests;\n";
    assert_eq!(generate::nouns(modules).expect("parses"), ["library", "lock"]);
}
