//! What ctest2 does not see: that each macro of mp.h does what the function of its name does, and that no
//! struct has a member more, hidden where padding was.

use crate::source::{text, Source};
use std::fmt::Write;

/// The Rust half with its function `more`, and the C half.
pub(crate) fn checks(source: &Source) -> Result<(String, String), String> {
    let (mut rust, mut c) = (String::from("fn more() {\n"), String::new());
    for (name, value) in &source.macros {
        // A part of other macros, and no user's.
        if name.contains("_(") {
            continue;
        }
        let (half, other) = if value.starts_with('{') {
            initialiser(source, name)
        } else {
            match name.split_once('(') {
                Some((name, _)) if name.starts_with("MP_WITH_") => scope(source, name),
                Some((name, _)) => with_parameter(source, name),
                None => without_parameters(source, name),
            }
        }
        .ok_or_else(|| format!("{name} has no function that does the same"))?;
        rust += &half;
        c += &other;
    }
    for (name, item) in &source.structs {
        // -Wextra wants as many initialisers as there are members; it lets a lone 0 pass.
        if item.fields.len() > 1 {
            let zeros = vec!["0"; item.fields.len()].join(", ");
            let _ = writeln!(c, "const {name} all_of_{name} = {{ {zeros} }};");
        }
    }
    Ok((rust + "}\n", c))
}

/// `MP_X` is what `mp_x()` returns.
fn without_parameters(source: &Source, name: &str) -> Option<(String, String)> {
    let function = name.to_lowercase();
    let found = source.functions.get(&function).filter(|f| f.arguments.is_empty())?;
    let ty = text(found.result.as_ref()?);
    let rust = format!(
        "{{ extern \"C\" {{ fn macro_{name}() -> {ty}; }}\n\
         unsafe {{ same({function}(), macro_{name}(), \"{name}\"); }} }}\n"
    );
    Some((rust, format!("__typeof__({function}()) macro_{name}(void) {{ return {name}; }}\n")))
}

/// `MP_X(n)` is what `mp_x(n)` returns, for a few n.
fn with_parameter(source: &Source, name: &str) -> Option<(String, String)> {
    let function = name.to_lowercase();
    let found = source.functions.get(&function).filter(|f| f.arguments.len() == 1)?;
    let (parameter, ty) = (text(&found.arguments[0]), text(found.result.as_ref()?));
    let rust = format!(
        "{{ extern \"C\" {{ fn macro_{name}(n: {parameter}) -> {ty}; }}\n\
         for n in [-1000, -1, 0, 1, 7, 1000] {{ unsafe {{\n\
         same({function}(n) as i64, macro_{name}(n) as i64, \"{name}\"); }} }} }}\n"
    );
    let c_type = match parameter.as_str() {
        "i64" => "int64_t",
        "c_int" => "int",
        _ => return None,
    };
    let c = format!("__typeof__({function}(0)) macro_{name}({c_type} n) {{ return {name}(n); }}\n");
    Some((rust, c))
}

/// `MP_WITH_X(x)` is made of `mp_x_enter` and `mp_x_leave`, which C's own declarations of it fit.
fn scope(source: &Source, name: &str) -> Option<(String, String)> {
    let noun = name.strip_prefix("MP_WITH_")?.to_lowercase();
    source.functions.get(&format!("mp_{noun}_enter"))?;
    source.functions.get(&format!("mp_{noun}_leave"))?;
    let c = format!("void macro_{name}(mp_{noun} *x) {{ {name}(x) return; }}\n");
    Some((String::new(), c))
}

/// `MP_X` initialises an `mp_x` to what `mp_x_init` makes of it.
fn initialiser(source: &Source, name: &str) -> Option<(String, String)> {
    let ty = name.to_lowercase();
    source.functions.get(&format!("{ty}_init"))?;
    let fields = &source.structs.get(&ty)?.fields;
    let equal = fields
        .iter()
        .filter_map(|field| field.ident.as_ref())
        .map(|field| format!("a.{field} == b->{field}"));
    let equal = equal.collect::<Vec<_>>().join(" && ");
    let rust = format!(
        "{{ extern \"C\" {{ fn macro_{name}(b: *const {ty}) -> i32; }}\n\
         unsafe {{ let mut b = std::mem::MaybeUninit::<{ty}>::uninit();\n\
         same(0, {ty}_init(b.as_mut_ptr(), std::mem::size_of::<{ty}>()), \"{ty}_init\");\n\
         same(1, macro_{name}(b.as_ptr()), \"{name}\"); }} }}\n"
    );
    let c = format!("int macro_{name}(const {ty} *b) {{ {ty} a = {name}; return {equal}; }}\n");
    Some((rust, c))
}
