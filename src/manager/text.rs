//! Values as text, in the form that Python gives them.

use super::codec::Value;
use std::fmt::Write;

/// Appends a value. A managed object is told by its type and number: what is in it is asked of itself.
pub(super) fn write<'a>(to: &mut String, value: &Value, type_of: &dyn Fn(u64) -> &'a str) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::None => to.write_str("None"),
        Value::Int(i) => write!(to, "{i}"),
        Value::Double(d) if d.is_nan() => to.write_str("nan"),
        Value::Double(d) if d.is_infinite() => to.write_str(if *d > 0.0 { "inf" } else { "-inf" }),
        Value::Double(d) if *d != 0.0 && (d.abs() >= 1e16 || d.abs() < 1e-4) => exponent(to, *d),
        Value::Double(d) => write!(to, "{d:?}"),
        Value::Bool(true) => to.write_str("True"),
        Value::Bool(false) => to.write_str("False"),
        Value::Text(text) => quoted(to, text),
        Value::Bytes(bytes) => {
            to.push('b');
            let quote = quote_for(bytes.contains(&b'\''), bytes.contains(&b'"'));
            to.push(quote);
            for &byte in bytes.iter() {
                byte_as_text(to, byte, quote);
            }
            to.write_char(quote)
        }
        Value::Object(id) => write!(to, "<{} {id}>", type_of(*id)),
    };
}

/// 1e+16 and 1e-05, where Rust says 1e16 and 1e-5.
fn exponent(to: &mut String, d: f64) -> std::fmt::Result {
    let text = format!("{d:e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    write!(to, "{digits}e{sign}{power:0>2}")
}

fn quote_for(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

fn byte_as_text(to: &mut String, byte: u8, quote: char) {
    let _ = match byte {
        b'\n' => to.write_str("\\n"),
        b'\r' => to.write_str("\\r"),
        b'\t' => to.write_str("\\t"),
        b'\\' => to.write_str("\\\\"),
        0x20..0x7F if char::from(byte) == quote => write!(to, "\\{quote}"),
        0x20..0x7F => to.write_char(byte.into()),
        _ => write!(to, "\\x{byte:02x}"),
    };
}

fn quoted(to: &mut String, text: &str) -> std::fmt::Result {
    let quote = quote_for(text.contains('\''), text.contains('"'));
    to.push(quote);
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte @ 0..0x80) => byte_as_text(to, byte, quote),
            _ if c.is_control() => write!(to, "\\x{:02x}", u32::from(c))?,
            _ => to.push(c),
        }
    }
    to.write_char(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CPython's `repr` says of the same values.
    #[test]
    fn as_python_does() {
        let same = [
            (Value::None, "None"),
            (Value::Int(-7), "-7"),
            (Value::Double(1.0), "1.0"),
            (Value::Double(0.25), "0.25"),
            (Value::Double(-0.0), "-0.0"),
            (Value::Double(1e16), "1e+16"),
            (Value::Double(1.5e-5), "1.5e-05"),
            (Value::Double(1e300), "1e+300"),
            (Value::Double(9999999999999998.0), "9999999999999998.0"),
            (Value::Double(f64::NEG_INFINITY), "-inf"),
            (Value::Bool(true), "True"),
            (Value::Text("it's \"x\"\n\\ é".into()), "'it\\'s \"x\"\\n\\\\ é'"),
            (Value::Text("it's".into()), "\"it's\""),
            (Value::Bytes(b"a'\x00\xff"[..].into()), "b\"a'\\x00\\xff\""),
            (Value::Object(12), "<list 12>"),
        ];
        for (value, want) in same {
            let mut text = String::new();
            write(&mut text, &value, &|_| "list");
            assert_eq!(text, want);
        }
    }
}
