//! Reads the definitions in src/ffi and writes the checks of them against mp.h: their C half is the shared
//! object libmp_header.so, which tests/sabotage.rs compiles again for wrong headers.

mod compile;
mod macros;
mod source;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    if let Err(problem) = run() {
        eprintln!("{problem}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().map_err(|e| format!("no project: {e}"))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for changed in ["src/ffi", "include/mp.h", "Cargo.toml", "tests/abi/build"] {
        println!("cargo:rerun-if-changed={}", root.join(changed).display());
    }
    println!("cargo:rerun-if-env-changed=CC");

    let source = source::read(&root)?;
    let declarations = out.join("declarations.rs");
    write(&declarations, &source.declarations()?)?;

    let mut ctest = ctest2::TestGenerator::new();
    ctest.header("mp.h").include(root.join("include"));
    ctest.type_name(|name, _, _| match name {
        "f64" => "double".into(),
        "f32" => "float".into(),
        _ => name.into(),
    });
    // C leaves it to the compiler whether an enum is signed.
    let enums = source.enums();
    ctest.skip_signededness(move |name| enums.iter().any(|e| e == name));
    // A round trip puts bytes into a bool that no bool has. Structs with one go by pointer only.
    let with_bool = source.structs_with_bool();
    ctest.skip_roundtrip(move |name| with_bool.iter().any(|s| s == name));
    ctest.generate_files(&declarations, "checks.rs");

    // What ctest2 does not look at joins its two halves.
    let (rust, c) = macros::checks(&source)?;
    let checks = read(&out.join("checks.rs"))?;
    let call = "run_all();\n";
    if checks.matches(call).count() != 1 {
        return Err("ctest2's main is not what it was".into());
    }
    write(&out.join("checks.rs"), &(checks.replace(call, "run_all(); more();\n") + &rust))?;
    let c_file = out.join("checks.c");
    write(&c_file, &(read(&c_file)? + &c))?;
    compile::compile(&c_file, &root.join("include"), &out.join("libmp_header.so"))?;

    let library = root.join("build/lib");
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-search=native={}", library.display());
    println!("cargo:rustc-link-lib=dylib=mp_header");
    println!("cargo:rustc-link-lib=dylib=mp");
    // LD_LIBRARY_PATH comes before a run path of this kind: so the sabotaged C half gets in.
    for path in [&out, &library] {
        println!("cargo:rustc-link-arg-bins=-Wl,--enable-new-dtags,-rpath,{}", path.display());
    }
    println!("cargo:rustc-env=ABI_CHECKS={}", c_file.display());
    println!("cargo:rustc-env=ABI_LEAST={}", source.least_checks());
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
