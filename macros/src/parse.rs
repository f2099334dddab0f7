//! The few tokens that must be understood: the options of an attribute, and the parts of a function.

use proc_macro::{Delimiter, Group, Ident, Literal, Spacing, Span, TokenStream, TokenTree};

/// A sentence for the user, and the place it is about.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) span: Span,
    pub(crate) message: String,
}

impl Error {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Error {
        Error { span, message: message.into() }
    }
}

/// What stands in the parentheses of the attribute.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// `crate = path`
    pub(crate) krate: Option<TokenStream>,
    /// `start_paused = true`
    pub(crate) start_paused: Option<Ident>,
    /// `auto_advance = false`
    pub(crate) auto_advance: Option<Ident>,
    /// `seed = 7`
    pub(crate) seed: Option<u64>,
    /// `seeds = 200`, and where it stands.
    pub(crate) seeds: Option<(u64, Span)>,
    /// `unhandled_panic = "abort"`, as the name of the variant.
    pub(crate) unhandled_panic: Option<Ident>,
}

impl Options {
    /// Reads `name = value, ..`, a last comma allowed.
    pub(crate) fn parse(options: TokenStream) -> Result<Options, Error> {
        let mut parsed = Options::default();
        let mut seen = Vec::new();
        let mut tokens = options.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let TokenTree::Ident(name) = token else {
                let message = format!("expected an option, found `{token}`; {OPTIONS}");
                return Err(Error::new(token.span(), message));
            };
            let mut value = Vec::new();
            while let Some(token) = tokens.next_if(|token| !is_punct(token, ',')) {
                value.push(token);
            }
            tokens.next();

            let text = name.to_string();
            if seen.contains(&text) {
                return Err(Error::new(name.span(), format!("the option `{text}` is given twice")));
            }
            parsed.set(&name, &text, value)?;
            seen.push(text);
        }
        Ok(parsed)
    }

    fn set(&mut self, name: &Ident, text: &str, value: Vec<TokenTree>) -> Result<(), Error> {
        let example = match text {
            "start_paused" => "start_paused = true",
            "auto_advance" => "auto_advance = false",
            "seed" => "seed = 7",
            "seeds" => "seeds = 200",
            "unhandled_panic" => "unhandled_panic = \"abort\"",
            "flavor" => "flavor = \"current_thread\"",
            "crate" => "crate = path::to::runtime",
            "worker_threads" => {
                let message = "`worker_threads` has no meaning here: every task runs on the one thread of its \
                               runtime; for more threads, start a runtime on each";
                return Err(Error::new(name.span(), message));
            }
            _ => {
                let message = format!("there is no option `{text}`; {OPTIONS}");
                return Err(Error::new(name.span(), message));
            }
        };
        let mut value = value.into_iter();
        if !value.next().is_some_and(|token| is_punct(&token, '=')) {
            let message = format!("the option `{text}` needs a value, as in `{example}`");
            return Err(Error::new(name.span(), message));
        }
        // A value that comes through another macro stands in an invisible group.
        let value: Vec<TokenTree> = value.flat_map(open).collect();
        let Some(first) = value.first() else {
            let message = format!("the option `{text}` needs a value, as in `{example}`");
            return Err(Error::new(name.span(), message));
        };
        let wrong = |expected: &str| {
            let found: TokenStream = value.iter().cloned().collect();
            let message = format!("`{text}` is {expected}, as in `{example}`; found `{found}`");
            Error::new(first.span(), message)
        };

        match text {
            "start_paused" | "auto_advance" => match &value[..] {
                [TokenTree::Ident(word)] if ["true", "false"].contains(&&*word.to_string()) => {
                    let option = match text {
                        "start_paused" => &mut self.start_paused,
                        _ => &mut self.auto_advance,
                    };
                    *option = Some(word.clone());
                }
                _ => return Err(wrong("`true` or `false`")),
            },
            "seed" => match &value[..] {
                [TokenTree::Literal(number)] if integer(number).is_some() => {
                    self.seed = integer(number);
                }
                _ => return Err(wrong("a whole number from 0 to 18446744073709551615")),
            },
            "seeds" => match &value[..] {
                [TokenTree::Literal(number)] if integer(number).is_some_and(|count| count > 0) => {
                    self.seeds = integer(number).map(|count| (count, name.span()));
                }
                _ => return Err(wrong("how many are tried, from 0 on")),
            },
            "unhandled_panic" => {
                let variant = match &value[..] {
                    [TokenTree::Literal(word)] => match string(word).as_deref() {
                        Some("log") => Some("Log"),
                        Some("abort") => Some("Abort"),
                        Some("resume") => Some("Resume"),
                        _ => None,
                    },
                    [.., TokenTree::Ident(word)] if is_path(&value) => ["Log", "Abort", "Resume"]
                        .into_iter()
                        .find(|known| word.to_string() == *known),
                    _ => None,
                };
                let Some(variant) = variant else {
                    return Err(wrong("\"log\", \"abort\" or \"resume\""));
                };
                self.unhandled_panic = Some(Ident::new(variant, first.span()));
            }
            "flavor" => match &value[..] {
                [TokenTree::Literal(word)]
                    if ["current_thread", "local"].map(Some).contains(&string(word).as_deref()) => {
                }
                _ => {
                    return Err(wrong(
                        "\"current_thread\" or \"local\", for every runtime has one thread",
                    ));
                }
            },
            _ => {
                let path = match &value[..] {
                    [TokenTree::Literal(word)] => {
                        string(word).and_then(|path| respanned(&path, word.span()))
                    }
                    tokens => Some(tokens.to_vec()),
                };
                match path.filter(|path| is_path(path)) {
                    Some(path) => self.krate = Some(path.into_iter().collect()),
                    None => return Err(wrong("a path")),
                }
            }
        }
        Ok(())
    }
}

const OPTIONS: &str = "the options are `start_paused`, `auto_advance`, `seed`, for a test `seeds`, \
                       `unhandled_panic`, `crate` and `flavor`";

/// An `async fn`, in the parts that are put together anew.
#[derive(Debug)]
pub(crate) struct Function {
    /// Attributes, visibility, `unsafe` and the like: all that stands before `fn`, without `async`.
    pub(crate) head: TokenStream,
    pub(crate) fn_token: Ident,
    pub(crate) name: Ident,
    pub(crate) generics: TokenStream,
    pub(crate) arguments: Group,
    /// The type after `->`.
    pub(crate) output: Option<TokenStream>,
    pub(crate) where_clause: TokenStream,
    /// `None` if there is a semicolon in its place.
    pub(crate) body: Option<Group>,
}

impl Function {
    /// Takes apart the item under the attribute `#[runtime::{attribute}]`.
    pub(crate) fn parse(item: TokenStream, attribute: &str) -> Result<Function, Error> {
        let not_a_function =
            |span| Error::new(span, format!("`#[runtime::{attribute}]` belongs on an `async fn`"));

        let mut tokens = item.into_iter();
        let mut head = TokenStream::new();
        let mut is_async = false;
        let fn_token = loop {
            match tokens.next() {
                Some(TokenTree::Ident(word)) => match &*word.to_string() {
                    "fn" => break word,
                    "async" => is_async = true,
                    "pub" | "unsafe" | "const" | "extern" | "default" | "crate" => {
                        head.extend([TokenTree::Ident(word)]);
                    }
                    _ => return Err(not_a_function(word.span())),
                },
                // `#` and `[attribute]`, `(in path)` of a visibility, the `"C"` of an ABI.
                Some(token @ (TokenTree::Group(_) | TokenTree::Literal(_))) => head.extend([token]),
                Some(token) if is_punct(&token, '#') => head.extend([token]),
                Some(token) => return Err(not_a_function(token.span())),
                None => return Err(not_a_function(Span::call_site())),
            }
        };
        if !is_async {
            let message = format!(
                "`#[runtime::{attribute}]` runs an `async fn`, and this `fn` is not: put `async` in front of it"
            );
            return Err(Error::new(fn_token.span(), message));
        }
        let Some(TokenTree::Ident(name)) = tokens.next() else {
            return Err(not_a_function(fn_token.span()));
        };

        let mut generics = TokenStream::new();
        let mut depth = 0;
        let mut after_dash = false;
        let arguments = loop {
            match tokens.next() {
                Some(TokenTree::Group(group))
                    if depth == 0 && group.delimiter() == Delimiter::Parenthesis =>
                {
                    break group;
                }
                Some(token) => {
                    if is_punct(&token, '<') {
                        depth += 1;
                    } else if is_punct(&token, '>') && !after_dash {
                        depth -= 1;
                    }
                    after_dash = is_punct(&token, '-');
                    generics.extend([token]);
                }
                None => return Err(not_a_function(name.span())),
            }
        };

        let mut rest: Vec<TokenTree> = tokens.collect();
        let body = match rest.pop().map(open).and_then(|mut tokens| tokens.pop()) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => Some(group),
            _ => None,
        };
        let is_where = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word.to_string() == "where");
        let where_clause = rest.split_off(rest.iter().position(is_where).unwrap_or(rest.len()));
        let output = match &rest[..] {
            [] => None,
            [dash, head, output @ ..] if is_punct(dash, '-') && is_punct(head, '>') => {
                Some(output.iter().cloned().collect())
            }
            [other, ..] => return Err(not_a_function(other.span())),
        };

        Ok(Function {
            head,
            fn_token,
            name,
            generics,
            arguments,
            output,
            where_clause: where_clause.into_iter().collect(),
            body,
        })
    }
}

/// Whether the tokens are a path without generics, `a::b` or `::a::b`.
fn is_path(tokens: &[TokenTree]) -> bool {
    let tokens = match tokens {
        [first, second, rest @ ..] if is_separator(first, second) => rest,
        tokens => tokens,
    };
    tokens.chunks(3).enumerate().all(|(index, chunk)| {
        let last = index == tokens.len() / 3;
        match chunk {
            [TokenTree::Ident(_)] => last,
            [TokenTree::Ident(_), first, second] => !last && is_separator(first, second),
            _ => false,
        }
    }) && tokens.len() % 3 == 1
}

fn is_separator(first: &TokenTree, second: &TokenTree) -> bool {
    let joint = matches!(first, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    joint && is_punct(first, ':') && is_punct(second, ':')
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// What stands in an invisible group, which is how another macro hands a fragment on; else the token.
pub(crate) fn open(token: TokenTree) -> Vec<TokenTree> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            group.stream().into_iter().flat_map(open).collect()
        }
        token => vec![token],
    }
}

/// The text of a string literal without escapes.
fn string(literal: &Literal) -> Option<String> {
    let text = literal.to_string();
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then(|| text.to_owned())
}

/// An integer literal, whatever its radix.
fn integer(literal: &Literal) -> Option<u64> {
    let text = literal.to_string().replace('_', "");
    let text = text.strip_suffix("u64").unwrap_or(&text);
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0o") => (&text[2..], 8),
        Some("0b") => (&text[2..], 2),
        _ => (text, 10),
    };
    u64::from_str_radix(digits, radix).ok()
}

/// The tokens of a text that stood in a literal, with the literal's span.
fn respanned(text: &str, span: Span) -> Option<Vec<TokenTree>> {
    let tokens: TokenStream = text.parse().ok()?;
    let at_span = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    Some(tokens.into_iter().map(at_span).collect())
}
