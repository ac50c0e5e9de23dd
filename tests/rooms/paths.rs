//! Finds what a source uses: rooms and crates by path, the word unsafe, and ways around the check.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Item, UseTree};

/// One thing that a source uses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Use {
    /// A module at the crate's root.
    Room(String),
    /// The root itself, under another name or as a glob.
    Root(String),
    /// Another crate.
    Crate(String),
    /// The word.
    Unsafe,
    /// Something that this check cannot look into.
    Trick(String),
    /// An item at the crate's root: the name of a module, or what else stands there.
    Item(String),
}

/// What the file of the module `module` uses, with the lines. An Err is "line: sentence".
pub(crate) fn uses(module: &[String], text: &str) -> Result<Vec<(usize, Use)>, String> {
    let problem = |e: syn::Error| format!("{}: does not parse: {e}", e.span().start().line);
    let file = syn::parse_file(text).map_err(problem)?;
    let tokens: TokenStream = text.parse().map_err(|e| format!("1: does not parse: {e}"))?;
    let mut finder = Finder { module: module.to_vec(), scope: Vec::new(), found: Vec::new() };
    finder.visit_file(&file);
    let scope = std::mem::take(&mut finder.scope);
    finder.found.retain(|(_, found)| !matches!(found, Use::Crate(name) if scope.contains(name)));
    words_of_unsafe(tokens, &mut finder.found);
    if module.is_empty() {
        finder.found.extend(file.items.iter().map(root_item));
    }
    finder.found.sort_by_key(|(line, _)| *line);
    Ok(finder.found)
}

fn root_item(item: &Item) -> (usize, Use) {
    match item {
        Item::Mod(module) if module.content.is_none() => {
            (module.ident.span().start().line, Use::Item(module.ident.to_string()))
        }
        other => (syn::spanned::Spanned::span(other).start().line, Use::Item("an item".into())),
    }
}

fn words_of_unsafe(tokens: TokenStream, found: &mut Vec<(usize, Use)>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "unsafe" => {
                found.push((word.span().start().line, Use::Unsafe));
            }
            TokenTree::Group(group) => words_of_unsafe(group.stream(), found),
            _ => {}
        }
    }
}

struct Finder {
    /// Where the visit is, inline modules included.
    module: Vec<String>,
    /// Modules that a path of the file may begin with: its own, and the imported ones.
    scope: Vec<String>,
    found: Vec<(usize, Use)>,
}

impl Finder {
    /// Notes a path: `names` are its segments. A path may be one name of many kinds, unless it
    /// stands in a `use` (`imported`), where the name is a module or a crate.
    fn path(&mut self, line: usize, names: &[String], absolute: bool, imported: bool) {
        let Some(first) = names.first() else { return };
        let found = match first.as_str() {
            "crate" => at_root(&names[1..]),
            "self" | "super" => self.relative(names),
            _ if absolute || imported => Use::Crate(first.clone()),
            // `Type::new`, `u64::MAX` and `value` are not crates; a module in scope is sorted out
            // at the end, when all names are known.
            _ if names.len() > 1 && may_be_crate(first) => Use::Crate(first.clone()),
            _ => return,
        };
        self.found.push((line, found));
    }

    /// A path that begins with self or super.
    fn relative(&self, names: &[String]) -> Use {
        let mut place = self.module.clone();
        let mut rest = names;
        while let Some((first, tail)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => {
                    place.pop();
                }
                _ => break,
            }
            rest = tail;
        }
        place.extend(rest.iter().cloned());
        at_root(&place)
    }

    fn tree(&mut self, line: usize, tree: &UseTree, before: &[String], absolute: bool) {
        let with = |name: &syn::Ident| {
            let name = name_of(name);
            // `use a::{self}` is `use a`.
            let last = if name == "self" && !before.is_empty() { None } else { Some(name) };
            before.iter().cloned().chain(last).collect::<Vec<String>>()
        };
        let mut imports = |names: &[String], alias: Option<&syn::Ident>| {
            // `use libc;` brings no module of ours into scope.
            if names.len() > 1 {
                self.scope.extend(alias.map(name_of).or(names.last().cloned()));
            }
            self.path(line, names, absolute, true);
        };
        match tree {
            UseTree::Path(path) => self.tree(line, &path.tree, &with(&path.ident), absolute),
            UseTree::Name(name) => imports(&with(&name.ident), None),
            UseTree::Rename(name) => imports(&with(&name.ident), Some(&name.rename)),
            UseTree::Glob(_) => self.path(line, before, absolute, true),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(line, tree, before, absolute);
                }
            }
        }
    }

    /// Paths among the tokens of a macro or an attribute, where there is no syntax tree.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) => {
                    let mut names = vec![name_of(word)];
                    let absolute = at >= 2 && is_colons(&tokens[at - 2..at]);
                    let line = word.span().start().line;
                    while let Some(rest) = tokens.get(at + 1..at + 4).filter(|rest| is_colons(&rest[..2])) {
                        match &rest[2] {
                            TokenTree::Ident(next) => names.push(name_of(next)),
                            // `use crate::{a, b}` inside a macro.
                            TokenTree::Group(group) => self.group(&names, group.stream()),
                            _ => {}
                        }
                        at += 3;
                    }
                    // One word alone is a value or `self`, but `crate as x` is a way around.
                    let renamed = names[0] == "crate" && tokens.get(at + 1).is_some_and(is_as);
                    if names.len() > 1 || renamed {
                        self.path(line, &names, absolute, false);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The members of `names::{...}` in a macro.
    fn group(&mut self, names: &[String], members: TokenStream) {
        let parse = |input: syn::parse::ParseStream<'_>| {
            syn::punctuated::Punctuated::<UseTree, syn::Token![,]>::parse_terminated(input)
        };
        match syn::parse::Parser::parse2(parse, members.clone()) {
            Ok(trees) => {
                for tree in &trees {
                    let line = syn::spanned::Spanned::span(tree).start().line;
                    self.tree(line, tree, names, false);
                }
            }
            Err(_) => self.tokens(members),
        }
    }
}

fn name_of(word: &proc_macro2::Ident) -> String {
    word.to_string().trim_start_matches("r#").to_owned()
}

fn is_colons(tokens: &[TokenTree]) -> bool {
    tokens.iter().all(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':'))
}

fn is_as(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(word) if word == "as")
}

/// What `crate::names` is.
fn at_root(names: &[String]) -> Use {
    match names.first() {
        Some(room) => Use::Room(room.clone()),
        None => Use::Root("the crate's root".into()),
    }
}

fn may_be_crate(name: &str) -> bool {
    const TYPES: &[&str] = &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32",
        "u64", "u128", "usize",
    ];
    name.starts_with(|c: char| c.is_ascii_lowercase()) && !TYPES.contains(&name)
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.scope.push(name_of(&module.ident));
        self.module.push(name_of(&module.ident));
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let line = item.use_token.span.start().line;
        self.tree(line, &item.tree, &[], item.leading_colon.is_some());
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let line = item.ident.span().start().line;
        let found = match item.ident.to_string() {
            name if name == "self" => Use::Root("extern crate self".into()),
            name => Use::Crate(name),
        };
        self.found.push((line, found));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| name_of(&segment.ident)).collect();
        if let Some(first) = path.segments.first() {
            self.path(first.ident.span().start().line, &names, path.leading_colon.is_some(), false);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        // `pub(crate) use name;` behind a macro_rules names no crate.
        self.scope.extend(item.ident.as_ref().map(name_of));
        visit::visit_item_macro(self, item);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.is_ident("include") {
            let line = syn::spanned::Spanned::span(&call.path).start().line;
            self.found.push((line, Use::Trick("include!".into())));
        }
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let line = attribute.pound_token.span.start().line;
        if attribute.path().is_ident("path") {
            self.found.push((line, Use::Trick("#[path]".into())));
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    // pub(crate) and pub(in crate::a) say who may look in; they use nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}
