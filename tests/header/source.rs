//! Reads a noun file: which of its items belong to mp.h, in the order of the text.

use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Item, Lit, Meta, Visibility};

/// One piece of a section.
pub(crate) enum Piece {
    /// An item that cbindgen writes.
    Item(String),
    /// C text that Rust cannot say, from a `// mp.h:` block.
    Text(String),
}

/// A noun file's share of mp.h.
pub(crate) struct Source {
    /// The lines of its `//!` comment.
    pub(crate) title: Vec<String>,
    /// What follows, in the order of the source.
    pub(crate) pieces: Vec<Piece>,
    /// The names of the functions among it.
    pub(crate) functions: Vec<String>,
}

impl Source {
    /// Reads a file. A problem is a sentence.
    pub(crate) fn read(text: &str) -> Result<Source, String> {
        let file = syn::parse_file(text).map_err(|e| format!("does not parse: {e}"))?;
        let mut pieces = blocks(text)?;
        let mut functions = Vec::new();
        for item in &file.items {
            if let Some(name) = public_name(item)? {
                if matches!(item, Item::Fn(_)) {
                    functions.push(name.clone());
                }
                pieces.push((item.span().start().line, Piece::Item(name)));
            }
        }
        if pieces.is_empty() {
            return Err("has nothing for mp.h: mark its module `// not in the header`".into());
        }
        pieces.sort_by_key(|(line, _)| *line);
        let title = comment(&file.attrs);
        if title.is_empty() {
            return Err("has no //! comment".into());
        }
        Ok(Source { title, pieces: pieces.into_iter().map(|(_, piece)| piece).collect(), functions })
    }

    /// The names of all items.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Item(name) => Some(name),
            Piece::Text(_) => None,
        })
    }
}

/// The `// mp.h:` blocks with their lines. A block is the run of comment lines below the mark.
fn blocks(text: &str) -> Result<Vec<(usize, Piece)>, String> {
    const MARK: &str = "// mp.h:";
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if line.trim_end() != MARK {
            continue;
        }
        let mut block = String::new();
        let plain = |line: &str| line.starts_with("//") && !line.starts_with("///");
        while let Some((_, next)) = lines.next_if(|(_, next)| plain(next)) {
            if next.trim_end() == MARK {
                break;
            }
            let verbatim = next.strip_prefix("// ").or(next.strip_prefix("//")).unwrap_or(next);
            block.push_str(verbatim.trim_end());
            block.push('\n');
        }
        if block.trim().is_empty() {
            return Err(format!("line {}: an empty `{MARK}` block", at + 1));
        }
        found.push((at + 1, Piece::Text(block)));
    }
    Ok(found)
}

/// The name under which an item belongs to mp.h, or nothing for an item that stays inside.
fn public_name(item: &Item) -> Result<Option<String>, String> {
    let (name, visibility, attributes) = match item {
        Item::Fn(f) => (&f.sig.ident, &f.vis, &f.attrs),
        Item::Struct(s) => (&s.ident, &s.vis, &s.attrs),
        Item::Enum(e) => (&e.ident, &e.vis, &e.attrs),
        Item::Union(u) => (&u.ident, &u.vis, &u.attrs),
        Item::Type(t) => (&t.ident, &t.vis, &t.attrs),
        Item::Const(c) => (&c.ident, &c.vis, &c.attrs),
        Item::Static(s) => (&s.ident, &s.vis, &s.attrs),
        _ => return Ok(None),
    };
    let public = matches!(visibility, Visibility::Public(_));
    let says = |word: &str| attributes.iter().any(|attribute| names(attribute, word));
    let exported = says("no_mangle");
    if says("export_name") {
        return Err(format!("{name}: export_name hides a function from mp.h: use no_mangle"));
    }
    if !public && !exported {
        return Ok(None);
    }
    if !public {
        return Err(format!("{name} is exported but is not pub"));
    }
    let name = name.to_string();
    if !name.starts_with("mp_") && !name.starts_with("MP_") {
        return Err(format!("{name} is pub and does not begin with mp_: make it pub(crate)"));
    }
    if let Item::Fn(function) = item {
        if !exported {
            return Err(format!("{name} is pub and is not exported: make it pub(crate)"));
        }
        let abi = function.sig.abi.as_ref().and_then(|abi| abi.name.as_ref()).map(|name| name.value());
        if !matches!(abi.as_deref(), Some("C" | "C-unwind")) {
            return Err(format!("{name} is not extern \"C\""));
        }
    }
    if comment(attributes).is_empty() {
        return Err(format!("{name} has no comment"));
    }
    Ok(Some(name))
}

/// Whether an attribute is `#[word]`, `#[word = ...]` or one of them inside `unsafe(...)`.
fn names(attribute: &Attribute, word: &str) -> bool {
    let inner = match &attribute.meta {
        Meta::List(list) if list.path.is_ident("unsafe") => list.parse_args::<Meta>().ok(),
        _ => None,
    };
    inner.as_ref().unwrap_or(&attribute.meta).path().is_ident(word)
}

/// The lines of a doc comment.
fn comment(attributes: &[Attribute]) -> Vec<String> {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else {
            continue;
        };
        if pair.path.is_ident("doc") {
            lines.extend(text.value().split('\n').map(|line| line.trim_end().to_owned()));
        }
    }
    lines
}
