//! What the attributes write: a function that builds a runtime and runs the user's body on it.

use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

use crate::parse::{Error, Function, Options, open};

/// Which attribute is being expanded.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Main => "main",
            Kind::Test => "test",
        }
    }
}

/// The whole of `#[main]` and `#[test]`.
///
/// A mistake becomes a `compile_error!`, and what can be kept of the function is kept beside it, so that one
/// mistake is answered with one error.
pub(crate) fn attribute(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let function = match Function::parse(item.clone(), kind.name()) {
        Ok(function) => function,
        Err(error) => return [compile_error(error), item].into_iter().collect(),
    };
    let body = match check(kind, &function) {
        Ok(body) => body,
        Err(error) => return [compile_error(error), stub(function)].into_iter().collect(),
    };
    let options = Options::parse(options);
    match options.and_then(|options| fit(kind, options, &function)) {
        Ok(options) => expand(kind, options, function, body),
        Err(error) => {
            let function = expand(kind, Options::default(), function, body);
            [compile_error(error), function].into_iter().collect()
        }
    }
}

/// The body of a function that the attribute can run.
fn check(kind: Kind, function: &Function) -> Result<Group, Error> {
    let arguments = function.arguments.stream();
    if let Some(first) = arguments.into_iter().next() {
        if kind == Kind::Test {
            let message = "a test has no arguments: nobody could pass them";
            return Err(Error::new(first.span(), message));
        }
        if function.name.to_string() == "main" {
            let message = "`main` has no arguments: the command line is in `std::env::args()`";
            return Err(Error::new(first.span(), message));
        }
    }
    if kind == Kind::Test {
        if let Some(attribute) = bracketed(&function.head, "test") {
            let message = "`#[runtime::test]` makes the function a test: take `#[test]` away";
            return Err(Error::new(attribute.span(), message));
        }
    }
    function.body.clone().ok_or_else(|| {
        let message = format!("`#[runtime::{}]` needs a function with a body", kind.name());
        Error::new(function.name.span(), message)
    })
}

/// The options, if they go with each other and with the function.
fn fit(kind: Kind, options: Options, function: &Function) -> Result<Options, Error> {
    if let Some((_, span)) = options.seeds {
        if kind == Kind::Main {
            let message = "`seeds` is for tests: a function that runs once has a `seed`";
            return Err(Error::new(span, message));
        }
        if options.seed.is_some() {
            let message = "a test has a `seed` or `seeds`, not both: take one of them away";
            return Err(Error::new(span, message));
        }
    }
    let seeded = options.seed.is_some() || options.seeds.is_some();
    if kind == Kind::Test && seeded && !returns_nothing(function) {
        if let Some(attribute) = bracketed(&function.head, "should_panic") {
            let message =
                "a test that should panic returns nothing: an error would pass for the panic";
            return Err(Error::new(attribute.span(), message));
        }
    }
    Ok(options)
}

fn returns_nothing(function: &Function) -> bool {
    let Some(output) = function.output.clone() else { return true };
    let output: Vec<_> = output.into_iter().flat_map(open).collect();
    match &output[..] {
        [TokenTree::Group(unit)] => {
            unit.delimiter() == Delimiter::Parenthesis && unit.stream().is_empty()
        }
        _ => false,
    }
}

/// An attribute of this name, in its brackets.
fn bracketed(head: &TokenStream, name: &str) -> Option<Group> {
    let is_wanted = |attribute: TokenStream| {
        let mut tokens = attribute.into_iter().map(|token| token.to_string());
        tokens.next().as_deref() == Some(name) && tokens.next().as_deref() != Some(":")
    };
    head.clone().into_iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            is_wanted(group.stream()).then_some(group)
        }
        _ => None,
    })
}

/// The function of the right name with nothing in it.
fn stub(function: Function) -> TokenStream {
    let mut out = TokenStream::from_iter([
        TokenTree::Ident(function.fn_token),
        TokenTree::Ident(function.name),
    ]);
    out.extend(tokens("() {}"));
    out
}

fn expand(kind: Kind, options: Options, function: Function, body: Group) -> TokenStream {
    // If there is no runtime at the path that was given, the error is shown at the path.
    let span =
        options.krate.clone().and_then(|krate| krate.into_iter().last()).map(|last| last.span());
    let span = span.map_or(Span::call_site(), |span| Span::call_site().located_at(span));
    let krate = options.krate.unwrap_or_else(|| tokens("::runtime"));
    let path = |rest: &str| {
        let mut path = krate.clone();
        path.extend(at(span, tokens(rest)));
        path
    };

    let mut builder = path("::Builder::new()");
    let mut set = |method: &str, value: TokenStream| {
        builder.extend(tokens(method));
        builder.extend([parenthesized(value)]);
    };
    if let Some(paused) = options.start_paused {
        set(".start_paused", TokenTree::Ident(paused).into());
    }
    if let Some(jumps) = options.auto_advance {
        set(".auto_advance", TokenTree::Ident(jumps).into());
    }
    let last_seed = options.seed.or(options.seeds.map(|(count, _)| count - 1));
    // Not a name that the body could see.
    let drawn = TokenTree::Ident(Ident::new("seed", Span::mixed_site()));
    match (kind, last_seed) {
        (Kind::Main, Some(seed)) => set(".rng_seed", number(seed)),
        (Kind::Test, Some(_)) => set(".rng_seed", drawn.clone().into()),
        (_, None) => {}
    }
    if let Some(variant) = options.unhandled_panic {
        let mut value = path("::UnhandledPanic::");
        value.extend([TokenTree::Ident(variant)]);
        set(".unhandled_panic", value);
    }
    builder.extend(tokens(".build()"));

    let mut runs = path("::__private::built");
    runs.extend([parenthesized(builder)]);
    runs.extend(tokens(".block_on"));
    runs.extend([parenthesized(future(function.output.clone(), body))]);

    let mut output = function.output;
    if let (Kind::Test, Some(last)) = (kind, last_seed) {
        let name = Literal::string(&format!("::{}", function.name));
        let name = [tokens("::core::module_path!(),"), TokenTree::Literal(name).into()];
        let mut arguments = tokens("::core::concat!");
        arguments.extend([parenthesized(TokenStream::from_iter(name))]);
        arguments.extend(tokens(", ::core::option_env!(\"CARGO_PKG_NAME\"),"));
        arguments.extend([number(options.seed.unwrap_or(0)), tokens("..="), number(last)]);
        arguments.extend([tokens(", |"), drawn.into(), tokens("|")]);
        arguments.extend(runs);
        runs = path("::__private::test_seeds");
        runs.extend([parenthesized(arguments)]);
        // That one has looked at what the body returned.
        output = None;
    }

    let mut out = TokenStream::new();
    if kind == Kind::Test {
        out.extend(tokens("#[::core::prelude::v1::test]"));
    }
    out.extend(function.head);
    out.extend([TokenTree::Ident(function.fn_token), TokenTree::Ident(function.name)]);
    out.extend(function.generics);
    out.extend([TokenTree::Group(function.arguments)]);
    if let Some(output) = output {
        out.extend(tokens("->"));
        out.extend(output);
    }
    out.extend(function.where_clause);
    out.extend([braced(runs)]);
    out
}

/// `async { if false { return (|| -> Output { unreachable!() })(); } { BODY } }`
///
/// The type of an async block cannot be written, and is that of the first `return` in it; hence one that never
/// runs. A closure cannot return `impl Trait`: the type of such a body is left to the compiler.
fn future(output: Option<TokenStream>, mut body: Group) -> TokenStream {
    let output = output.unwrap_or_else(|| tokens("()"));
    let span = output.clone().into_iter().next().map_or(Span::call_site(), |first| first.span());
    let mut block = TokenStream::new();
    if !has_impl(output.clone()) {
        let mut closure = tokens("|| ->");
        closure.extend(output);
        closure.extend(tokens("{ ::core::unreachable!() }"));
        let mut typed = TokenStream::from(parenthesized(closure));
        typed.extend(tokens("()"));
        let typed = at(Span::call_site().located_at(span), typed);
        let returns = [tokens("return"), typed, tokens(";")].into_iter().collect();
        block.extend(tokens("#[allow(unreachable_code)] if false"));
        block.extend([braced(returns)]);
    }
    // The braces are in their place but ours, so that no lint finds them superfluous.
    body.set_span(Span::call_site().located_at(body.span()));
    block.extend([TokenTree::Group(body)]);
    let mut out = tokens("async");
    out.extend([braced(block)]);
    out
}

fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word.to_string() == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        _ => false,
    })
}

fn compile_error(error: Error) -> TokenStream {
    let message = TokenTree::Literal(Literal::string(&error.message));
    let mut out = tokens("::core::compile_error!");
    out.extend([braced(message.into())]);
    at(error.span, out)
}

/// The tokens with their span set: where an error in them is shown.
fn at(span: Span, tokens: TokenStream) -> TokenStream {
    let place = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(place).collect()
}

fn number(number: u64) -> TokenStream {
    TokenTree::Literal(Literal::u64_suffixed(number)).into()
}

fn parenthesized(tokens: impl IntoIterator<Item = TokenTree>) -> TokenTree {
    TokenTree::Group(Group::new(Delimiter::Parenthesis, tokens.into_iter().collect()))
}

fn braced(tokens: TokenStream) -> TokenTree {
    TokenTree::Group(Group::new(Delimiter::Brace, tokens))
}

fn tokens(source: &str) -> TokenStream {
    source.parse().expect("the pieces of an expansion are whole tokens")
}
