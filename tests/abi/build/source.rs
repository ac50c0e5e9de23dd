//! What src/ffi exports, and the same as plain declarations.

use quote::{quote, ToTokens};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Expr, ExprLit, FnArg, Item, ItemConst, ItemEnum, ItemFn, ItemStruct, ItemType, Lit, Meta,
    Type, UnOp, Visibility,
};

/// What src/ffi has for C.
pub(crate) struct Source {
    pub(crate) functions: BTreeMap<String, Function>,
    pub(crate) structs: BTreeMap<String, ItemStruct>,
    enums: BTreeMap<String, ItemEnum>,
    types: BTreeMap<String, ItemType>,
    constants: Vec<ItemConst>,
    opaque: BTreeSet<String>,
    /// The macros that are C text, in `// mp.h:` blocks: `NAME` or `NAME(parameter)`, and what follows.
    pub(crate) macros: Vec<(String, String)>,
    version: String,
}

/// An exported function.
pub(crate) struct Function {
    pub(crate) arguments: Vec<Type>,
    /// Nothing for void.
    pub(crate) result: Option<Type>,
}

/// Reads all of src/ffi.
pub(crate) fn read(root: &Path) -> Result<Source, String> {
    let mut source = Source {
        functions: BTreeMap::new(),
        structs: BTreeMap::new(),
        enums: BTreeMap::new(),
        types: BTreeMap::new(),
        constants: Vec::new(),
        opaque: BTreeSet::new(),
        macros: Vec::new(),
        version: version(root)?,
    };
    let directory = root.join("src/ffi");
    let entries = fs::read_dir(&directory).map_err(|e| format!("src/ffi: {e}"))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok()).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    for path in paths {
        let text = crate::read(&path)?;
        let file = syn::parse_file(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        for item in file.items {
            source.add(item).map_err(|problem| format!("{}: {problem}", path.display()))?;
        }
        source.add_macros(&text);
    }
    if source.functions.is_empty() {
        return Err("src/ffi exports nothing".into());
    }
    let aliases = source.types.clone();
    let mut callbacks = Callbacks(&aliases);
    for function in source.functions.values_mut() {
        function.arguments.iter_mut().chain(&mut function.result).for_each(|ty| callbacks.visit_type_mut(ty));
    }
    source.structs.values_mut().for_each(|item| callbacks.visit_item_struct_mut(item));
    source.types.values_mut().for_each(|item| callbacks.visit_item_type_mut(item));
    Ok(source)
}

/// Cargo.toml's version.
fn version(root: &Path) -> Result<String, String> {
    let manifest = crate::read(&root.join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \""));
    Ok(line.and_then(|rest| rest.strip_suffix('"')).ok_or("Cargo.toml has no version")?.to_owned())
}

impl Source {
    fn add(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::Fn(f) if says(&f.attrs, "no_mangle") => {
                self.functions.insert(f.sig.ident.to_string(), function(&f)?);
            }
            Item::Struct(s) if public(&s.vis) => {
                let name = s.ident.to_string();
                if repr(&s.attrs).is_some() {
                    self.structs.insert(name, s);
                } else {
                    self.opaque.insert(name);
                }
            }
            Item::Enum(e) if public(&e.vis) => {
                if repr(&e.attrs).as_deref() != Some("C") {
                    return Err(format!("{} is not repr(C)", e.ident));
                }
                self.enums.insert(e.ident.to_string(), e);
            }
            Item::Type(t) if public(&t.vis) => {
                self.types.insert(t.ident.to_string(), t);
            }
            Item::Const(c) if public(&c.vis) => self.constants.push(c),
            Item::Union(u) if public(&u.vis) => return Err(format!("the union {} is not checked", u.ident)),
            Item::Static(s) if public(&s.vis) => {
                return Err(format!("the static {} is not checked", s.ident))
            }
            _ => {}
        }
        Ok(())
    }

    fn add_macros(&mut self, text: &str) {
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("// #define ") else {
                continue;
            };
            // The parameters of a macro are joined to its name.
            let end = rest.find([' ', '(']).unwrap_or(rest.len());
            let end =
                if rest[end..].starts_with('(') { rest.find(')').map_or(end, |at| at + 1) } else { end };
            self.macros.push((rest[..end].to_owned(), rest[end..].trim().to_owned()));
        }
    }

    /// The names of the enums.
    pub(crate) fn enums(&self) -> Vec<String> {
        self.enums.keys().cloned().collect()
    }

    /// The structs that have a bool.
    pub(crate) fn structs_with_bool(&self) -> Vec<String> {
        let has = |item: &&ItemStruct| item.fields.iter().any(|field| text(&field.ty) == "bool");
        self.structs.values().filter(has).map(|item| item.ident.to_string()).collect()
    }

    /// How many checks there are at the very least: one for each name.
    pub(crate) fn least_checks(&self) -> usize {
        let variants: usize = self.enums.values().map(|e| e.variants.len()).sum();
        self.functions.len() + self.structs.len() + self.types.len() + self.macros.len() + variants
    }

    /// Declarations that a parser of 2017 understands, and rustc too.
    pub(crate) fn declarations(&self) -> Result<String, String> {
        let mut out = String::new();
        for name in &self.opaque {
            out.push_str(&format!("pub enum {name} {{}}\n"));
        }
        for (name, item) in &self.types {
            out.push_str(&format!("pub type {name} = {};\n", text(&item.ty)));
        }
        // To ctest2 an enum is nothing to check: it gets an alias and constants.
        for (name, item) in &self.enums {
            out.push_str(&format!("pub type {name} = c_int;\n"));
            for variant in &item.variants {
                let value = variant.discriminant.as_ref().and_then(|(_, value)| number(value));
                let value = value.ok_or_else(|| format!("{name}: {} has no number", variant.ident))?;
                out.push_str(&format!("pub const {}: c_int = {value};\n", variant.ident));
            }
        }
        for item in &self.constants {
            out.push_str(&format!("pub const {}: {} = {};\n", item.ident, text(&item.ty), text(&item.expr)));
        }
        let numbers: Vec<&str> = self.version.split(['.', '-']).collect();
        for (part, number) in ["MAJOR", "MINOR", "PATCH"].iter().zip(numbers) {
            out.push_str(&format!("pub const MP_VERSION_{part}: c_int = {number};\n"));
        }
        out.push_str(&format!("pub const MP_VERSION_STRING: &'static str = {:?};\n", self.version));
        for (name, item) in &self.structs {
            let fields = item.fields.iter().map(|field| {
                let (ident, ty) = (&field.ident, &field.ty);
                quote!(pub #ident: #ty)
            });
            out.push_str(&format!("#[repr(C)] pub struct {name} {{ {} }}\n", quote!(#(#fields),*)));
        }
        out.push_str("extern \"C\" {\n");
        for (name, function) in &self.functions {
            // A parameter's own name may be a word that the parser does not know.
            let arguments =
                function.arguments.iter().enumerate().map(|(at, ty)| format!("a{at}: {}", text(ty)));
            let arguments = arguments.collect::<Vec<_>>().join(", ");
            let result = function.result.as_ref().map_or(String::new(), |ty| format!(" -> {}", text(ty)));
            out.push_str(&format!("    pub fn {name}({arguments}){result};\n"));
        }
        Ok(out + "}\n")
    }
}

/// Puts the definition of a callback in the place of its name, or C would compare a name with itself.
struct Callbacks<'a>(&'a BTreeMap<String, ItemType>);

impl VisitMut for Callbacks<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        // Where a callback goes: ctest2 cannot write a pointer to one.
        if matches!(ty, Type::Ptr(_)) {
            return;
        }
        if let Some(definition) = self.0.get(&text(ty)).filter(|item| text(&item.ty).contains("fn")) {
            *ty = (*definition.ty).clone();
        }
        visit_mut::visit_type_mut(self, ty);
    }

    // C knows no difference between "C" and "C-unwind", and the parser not the latter.
    fn visit_abi_mut(&mut self, abi: &mut syn::Abi) {
        abi.name = Some(syn::parse_quote!("C"));
    }
}

fn function(item: &ItemFn) -> Result<Function, String> {
    let signature = &item.sig;
    let abi = signature.abi.as_ref().and_then(|abi| abi.name.as_ref()).map(|name| name.value());
    if !matches!(abi.as_deref(), Some("C" | "C-unwind")) || signature.variadic.is_some() {
        return Err(format!("{} is not a plain extern \"C\" function", signature.ident));
    }
    let argument = |argument: &FnArg| match argument {
        FnArg::Typed(typed) => Ok((*typed.ty).clone()),
        FnArg::Receiver(_) => Err(format!("{} has a self", signature.ident)),
    };
    Ok(Function {
        arguments: signature.inputs.iter().map(argument).collect::<Result<_, _>>()?,
        result: match &signature.output {
            syn::ReturnType::Default => None,
            syn::ReturnType::Type(_, ty) => Some((**ty).clone()),
        },
    })
}

/// The number that an enum's variant is given.
fn number(value: &Expr) -> Option<i64> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => number(&unary.expr).map(|n| -n),
        _ => None,
    }
}

fn public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether there is `#[word]` or `#[unsafe(word)]`.
fn says(attributes: &[Attribute], word: &str) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("unsafe") => list.tokens.to_string() == word,
        meta => meta.path().is_ident(word),
    })
}

/// What stands in `#[repr(...)]`.
fn repr(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("repr") => Some(list.tokens.to_string()),
        _ => None,
    })
}

/// The Rust text of something.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string()
}
