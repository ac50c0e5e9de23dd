//! mp.h passes the checks, and a copy of it with one thing wrong does not, whatever that thing is: so the
//! checks check.

#[path = "../build/compile.rs"]
mod compile;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEADER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../include/mp.h");

/// Runs all checks with a header: how many held, or what the compiler or the checks say.
fn verdict(name: &str, header: &str) -> Result<usize, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory can be made");
    fs::write(directory.join("mp.h"), header).expect("a header can be written");
    compile::compile(Path::new(env!("ABI_CHECKS")), &directory, &directory.join("libmp_header.so"))?;

    // The loader takes the C half from here, and libmp.so from where it always is.
    let output = Command::new(env!("CARGO_BIN_EXE_abi"))
        .env("LD_LIBRARY_PATH", &directory)
        .output()
        .expect("the checks can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(said);
    }
    fs::remove_dir_all(&directory).expect("the directory can be removed");
    let count = said.lines().find_map(|line| line.strip_prefix("PASSED ")?.strip_suffix(" tests"));
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {said:?}")))
}

fn header() -> String {
    fs::read_to_string(PathBuf::from(HEADER)).expect("include/mp.h")
}

/// `from`, which mp.h has once, is `to` in the copy; whoever finds that out speaks of `about`.
fn caught(name: &str, from: &str, to: &str, about: &str) {
    let header = header();
    assert_eq!(header.matches(from).count(), 1, "mp.h has {from:?} not once: choose another place");
    match verdict(name, &header.replace(from, to)) {
        Ok(count) => panic!("{count} checks passed with {to:?} in the place of {from:?}"),
        Err(said) => assert!(said.contains(about), "nobody speaks of {about:?}, but:\n{said}"),
    }
}

#[test]
fn mp_h_passes() {
    let count =
        verdict("mp_h", &header()).unwrap_or_else(|said| panic!("mp.h differs from src/ffi:\n{said}"));
    let least: usize = env!("ABI_LEAST").parse().expect("a number");
    assert!(count >= least, "{count} checks for {least} names");
    println!("{count} checks passed");
}

#[test]
fn what_is_not_abi_passes() {
    let from = "mp_status mp_lock_acquire(mp_lock *lock, mp_timeout timeout);";
    let changed = header().replace(from, "mp_status mp_lock_acquire(struct mp_lock *, int64_t nanoseconds);");
    assert_ne!(changed, header());
    assert!(verdict("not_abi", &changed).is_ok());
}

macro_rules! sabotage {
    ($($name:ident: $from:expr => $to:expr, $about:expr;)*) => {
        $(#[test] fn $name() { caught(stringify!($name), $from, $to, $about); })*
    };
}

sabotage! {
    argument_narrower: "mp_timeout mp_ms(int64_t n);" => "mp_timeout mp_ms(int32_t n);", "mp_ms";
    argument_unsigned: "mp_timeout mp_sec(int64_t n);" => "mp_timeout mp_sec(uint64_t n);", "mp_sec";
    argument_no_pointer:
        "mp_status mp_stats_init(mp_stats *stats, size_t size);" =>
        "mp_status mp_stats_init(mp_stats stats, size_t size);", "mp_stats_init";
    argument_less_indirect:
        "mp_status mp_lock_new(mp_lock **lock," => "mp_status mp_lock_new(mp_lock *lock,", "mp_lock_new";
    argument_of_another_handle:
        "mp_status mp_value_free(mp_value *value);" =>
        "mp_status mp_value_free(mp_array *value);", "mp_value_free";
    argument_missing:
        "size_t mp_child_count(const mp_child *child);" => "size_t mp_child_count(void);", "mp_child_count";
    argument_too_many: "size_t mp_cpu_count(void);" => "size_t mp_cpu_count(int flags);", "mp_cpu_count";
    arguments_swapped:
        "const void *mp_child_bytes(mp_child *child, size_t index, size_t *len);" =>
        "const void *mp_child_bytes(mp_child *child, size_t *len, size_t index);", "mp_child_bytes";
    argument_variadic:
        "mp_status mp_lock_free(mp_lock *lock);" =>
        "mp_status mp_lock_free(mp_lock *lock, ...);", "mp_lock_free";
    const_lost:
        "mp_status mp_lock_locked(const mp_lock *lock," =>
        "mp_status mp_lock_locked(mp_lock *lock,", "mp_lock_locked";
    const_gained:
        "mp_status mp_lock_release(mp_lock *lock);" =>
        "mp_status mp_lock_release(const mp_lock *lock);", "mp_lock_release";
    const_lost_in_the_result: "const char *mp_version(void);" => "char *mp_version(void);", "mp_version";
    result_narrower:
        "size_t mp_task_index(const mp_task *task);" =>
        "int mp_task_index(const mp_task *task);", "mp_task_index";
    result_missing:
        "mp_status mp_process_start(mp_process *process);" =>
        "void mp_process_start(mp_process *process);", "mp_process_start";
    result_bool_as_int: "bool mp_failed(int status);" => "int mp_failed(int status);", "mp_failed";
    function_missing: "int mp_last_errno(void);" => "", "mp_last_errno";
    function_renamed: "const char *mp_last_error(void);" => "const char *mp_error(void);", "mp_last_error";
    function_of_another_symbol:
        "mp_status mp_buffer_free(mp_buffer *buffer);" =>
        "mp_status mp_buffer_free(mp_buffer *buffer) __asm__(\"mp_lock_free\");", "mp_buffer_free";
    callback_argument:
        "typedef void (*mp_task_fn)(mp_task *task, void *user);" =>
        "typedef void (*mp_task_fn)(const mp_task *task, void *user);", "mp_pool_map";
    callback_arity:
        "typedef int (*mp_process_fn)(mp_child *child, void *user);" =>
        "typedef int (*mp_process_fn)(mp_child *child);", "mp_process_new";
    callback_result:
        "typedef void (*mp_task_fn)(mp_task *task, void *user);" =>
        "typedef int (*mp_task_fn)(mp_task *task, void *user);", "mp_pool_map";
    callback_in_a_field:
        "typedef int (*mp_progress_fn)(size_t done, size_t total, void *user);" =>
        "typedef int (*mp_progress_fn)(int done, size_t total, void *user);", "progress";
    typedef_narrower: "typedef int64_t mp_timeout;" => "typedef int32_t mp_timeout;", "mp_timeout size";
    typedef_unsigned: "typedef int64_t mp_timeout;" => "typedef uint64_t mp_timeout;", "mp_timeout signed";
    typedef_renamed: "typedef int64_t mp_timeout;" => "typedef int64_t mp_time;", "mp_timeout";
    field_type: "    bool run_all;" => "    char run_all;", "run_all";
    field_unsigned: "    mp_timeout timeout;\n    /* After" => "    uint64_t timeout;\n    /* After", "timeout";
    field_const: "    void *progress_user;" => "    const void *progress_user;", "progress_user";
    field_renamed: "    uint64_t rescued;" => "    uint64_t saved;", "rescued";
    field_missing: "    uint64_t sweeps;" => "", "sweeps";
    fields_swapped:
        "    uint64_t rescued;\n    /* Locks taken over from dead holders. */\n    uint64_t owner_deaths;" =>
        "    uint64_t owner_deaths;\n    uint64_t rescued;", "offset owner_deaths of mp_stats";
    field_too_many: "    uint64_t sweeps;" => "    uint64_t sweeps, naps;", "mp_stats";
    field_too_many_in_padding:
        "    bool give_back;" => "    bool give_back, more;", "mp_semaphore_options";
    struct_size: "} mp_bytes;" => "} __attribute__((aligned(32))) mp_bytes;", "mp_bytes size";
    struct_align:
        "} mp_pool_options;" => "} __attribute__((packed)) mp_pool_options;", "mp_pool_options align";
    struct_missing: "} mp_process_options;" => "} mp_options;", "mp_process_options";
    enum_value: "MP_ERR_TIMEOUT = -9," => "MP_ERR_TIMEOUT = -90,", "MP_ERR_TIMEOUT value";
    enum_sign: "MP_ERR_PANIC = -8," => "MP_ERR_PANIC = 8,", "MP_ERR_PANIC value";
    enum_values_shifted: "MP_UINT16 = 4," => "MP_UINT16 = 3,", "MP_UINT16 value";
    enum_constant_missing: "MP_ERR_EOF = -12," => "", "MP_ERR_EOF";
    enum_wider: "MP_DOUBLE = 9," => "MP_DOUBLE = 9, MP_WIDE = 1LL << 40,", "mp_type size";
    constant_changed: "#define MP_VERSION_MINOR " => "#define MP_VERSION_MINOR 1", "MP_VERSION_MINOR value";
    string_changed: "#define MP_VERSION_STRING \"" => "#define MP_VERSION_STRING \"1", "MP_VERSION_STRING";
    constant_missing: "#define MP_VERSION_PATCH " => "#define MP_PATCH ", "MP_VERSION_PATCH";
    macro_value:
        "#define MP_FOREVER ((mp_timeout)INT64_MAX)" =>
        "#define MP_FOREVER ((mp_timeout)INT32_MAX)", "MP_FOREVER";
    macro_unit:
        "#define MP_MS(n) ((mp_timeout)(n) * 1000000)" =>
        "#define MP_MS(n) ((mp_timeout)(n) * 1000)", "MP_MS";
    macro_condition:
        "#define MP_FAILED(status) ((status) < 0)" =>
        "#define MP_FAILED(status) ((status) != 0)", "MP_FAILED";
    initialiser_value:
        "#define MP_MAP_OPTIONS { sizeof(mp_map_options), 0, MP_FOREVER, false, NULL, NULL, 0" =>
        "#define MP_MAP_OPTIONS { sizeof(mp_map_options), 0, MP_NO_WAIT, false, NULL, NULL, 0",
        "MP_MAP_OPTIONS";
    initialiser_size:
        "#define MP_STATS { sizeof(mp_stats), 0, 0, 0, 0, 0, 0, 0 }" =>
        "#define MP_STATS { sizeof(size_t), 0, 0, 0, 0, 0, 0, 0 }", "MP_STATS";
}
