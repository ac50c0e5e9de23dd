//! Compiles the C half of the checks, for the build and for tests/sabotage.rs.

use std::path::Path;
use std::process::Command;

/// Makes the shared object `out` from `checks`, with the mp.h of the directory `include`. An error is what
/// the compiler says.
pub(crate) fn compile(checks: &Path, include: &Path, out: &Path) -> Result<(), String> {
    let cc = std::env::var("CC").unwrap_or_default();
    let mut words = cc.split_whitespace();
    let output = Command::new(words.next().unwrap_or("cc"))
        .args(words)
        // ctest2's own flags: a declaration that differs is a warning for C, and has to be an error.
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-type-limits"])
        .args(["-Wno-address-of-packed-member", "-std=c11", "-shared", "-fPIC", "-o"])
        .args([out, checks])
        .arg("-I")
        .arg(include)
        .output()
        .map_err(|e| format!("no C compiler: {e}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
