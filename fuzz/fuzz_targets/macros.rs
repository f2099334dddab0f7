//! The attributes `#[main]` and `#[test]` against the parser that everybody else uses: functions and options of
//! every shape, with tokens lost, doubled and exchanged.
#![no_main]

// `proc_macro` works in a compiler only; this is the same, for anywhere.
extern crate proc_macro2 as proc_macro;

#[allow(clippy::cmp_owned, reason = "a word of `proc_macro` is compared as text")]
#[path = "../../macros/src/expand.rs"]
mod expand;
#[allow(clippy::cmp_owned, reason = "a word of `proc_macro` is compared as text")]
#[path = "../../macros/src/parse.rs"]
mod parse;

use expand::Kind;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span};
use proc_macro2::{TokenStream, TokenTree};
use syn::{AttrStyle, ItemFn, ReturnType, Stmt, Type};

/// What stands before `fn`.
const HEADS: [&str; 10] = [
    "async",
    "pub async",
    "pub(crate) async",
    "pub(in crate::a) async",
    "async unsafe",
    "async extern \"C\"",
    "#[allow(unused)] async",
    "/// a comment\n #[should_panic(expected = \"fn\")] pub async",
    "#[test] async",
    "const",
];
const NAMES: [&str; 5] = ["main", "f", "r#fn", "r#async", "where_"];
const GENERICS: [&str; 8] = [
    "",
    "<>",
    "<T>",
    "<'a, T: 'a + Fn(&'a str) -> Vec<Vec<u8>>>",
    "<const N: usize>",
    "<F: FnOnce() -> (), G: for<'a> Fn(&'a u8)>",
    "<T: Iterator<Item = <Vec<u8> as IntoIterator>::Item>>",
    "<T: Into<[u8; { 1 - 1 }]>>",
];
const ARGUMENTS: [&str; 5] =
    ["()", "(a: u8)", "(mut a: Vec<u8>, (b, c): (u8, u8),)", "(&self)", "(f: fn(u8) -> u8)"];
const OUTPUTS: [&str; 8] = [
    "",
    "-> ()",
    "-> !",
    "-> Result<(), Box<dyn std::error::Error>>",
    "-> impl Fn(u8) -> u8",
    "-> [u8; 1 << 3]",
    "-> <Vec<u8> as IntoIterator>::Item",
    "-> fn(u8) -> u8",
];
const WHERES: [&str; 4] =
    ["", "where", "where T: Copy, Vec<T>: Fn() -> u8,", "where for<'a> &'a T: Into<u8>"];
const BODIES: [&str; 8] = [
    "{}",
    "{ 1 }",
    "{ return f().await; }",
    "{ let a = |x: u8| -> u8 { x }; a(1) }",
    "{ #![allow(unused)] async fn f() {} f().await }",
    "{ match 1 { _ if true => \"}\", _ => '{'.into() } }",
    "{ where_!(fn async impl); }",
    ";",
];
const OPTIONS: [&str; 29] = [
    "",
    "start_paused = true",
    "start_paused = false,",
    "seed = 7",
    "seed = 0xffff_ffff_ffff_ffff",
    "seed = 0b1u64, start_paused = true",
    "unhandled_panic = \"abort\"",
    "unhandled_panic = UnhandledPanic::Log",
    "unhandled_panic = ::runtime::UnhandledPanic::Resume, seed = 0o17",
    "crate = rt",
    "crate = ::a::b",
    "crate = \"crate::a\"",
    "flavor = \"current_thread\", crate = self",
    "flavor = \"local\"",
    "auto_advance = false, start_paused = true",
    "seeds = 200",
    "crate = seed, seeds = 0x_1,",
    // What is refused.
    "seeds = 0",
    "seed = 7, seeds = 200",
    "seed = -1",
    "seed = 1, seed = 2",
    "worker_threads = 4",
    "crate = \"a b\"",
    "start_paused",
    "= ,",
    "unhandled_panic = \"lo\\u{67}\"",
    "seed = 1.5",
    "seed = 18446744073709551616",
    "crate = \"a::'\"",
];
/// What of `OPTIONS` is right.
const RIGHT: usize = 17;
const WORDS: [&str; 25] = [
    "fn",
    "async",
    "pub",
    "where",
    "impl",
    "const",
    "unsafe",
    "extern",
    "crate",
    "start_paused",
    "seed",
    "seeds",
    "auto_advance",
    "should_panic",
    "unhandled_panic",
    "flavor",
    "worker_threads",
    "true",
    "Log",
    "test",
    "main",
    "r#fn",
    "self",
    "T",
    "_",
];
const LITERALS: [&str; 16] = [
    "7",
    "0x",
    "0xg",
    "0b2",
    "0o8",
    "1_u64",
    "18446744073709551616",
    "1.5",
    "'a'",
    "b'\\n'",
    "\"log\"",
    "\"::\"",
    "\"a::b\"",
    "\"\\\"\"",
    "r#\"abort\"#",
    "c\"local\"",
];
const PUNCTS: &[u8] = b"=,:;<>-#&'!|.";

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("the pieces are whole tokens")
}

/// A stream that is not always one of Rust's.
fn any_tokens(input: &mut Unstructured<'_>, depth: u8) -> Result<TokenStream> {
    let count = input.int_in_range(0..=6u8)?;
    (0..count).map(|_| any_token(input, depth)).collect()
}

fn any_token(input: &mut Unstructured<'_>, depth: u8) -> Result<TokenTree> {
    Ok(match input.int_in_range(0..=if depth == 0 { 5 } else { 7u8 })? {
        0 | 1 => {
            let word = input.choose(&WORDS)?;
            match word.strip_prefix("r#") {
                Some(word) => TokenTree::Ident(Ident::new_raw(word, Span::call_site())),
                None => TokenTree::Ident(Ident::new(word, Span::call_site())),
            }
        }
        2 => match input.choose(&LITERALS)?.parse::<Literal>() {
            Ok(literal) => TokenTree::Literal(literal),
            Err(_) => TokenTree::Literal(Literal::i8_unsuffixed(-1)),
        },
        3..=5 => {
            let spacing = if input.arbitrary()? { Spacing::Joint } else { Spacing::Alone };
            TokenTree::Punct(Punct::new(char::from(*input.choose(PUNCTS)?), spacing))
        }
        _ => {
            use Delimiter::{Brace, Bracket, Parenthesis};
            let delimiter = *input.choose(&[Parenthesis, Brace, Bracket])?;
            TokenTree::Group(Group::new(delimiter, any_tokens(input, depth - 1)?))
        }
    })
}

/// Loses, doubles, exchanges, adds and wraps tokens.
fn mutate(input: &mut Unstructured<'_>, stream: TokenStream) -> Result<TokenStream> {
    let mut tokens = Vec::from_iter(stream);
    for _ in 0..input.int_in_range(0..=3u8)? {
        let at = input.int_in_range(0..=tokens.len())?;
        if at == tokens.len() {
            tokens.push(any_token(input, 2)?);
            continue;
        }
        match input.int_in_range(0..=5u8)? {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at].clone()),
            2 => tokens.swap(0, at),
            3 => tokens.truncate(at),
            4 => tokens[at] = any_token(input, 2)?,
            // As a macro hands on the type, the value or the block that it was given.
            _ if is_fragment(&tokens, at) => {
                let hidden = Group::new(Delimiter::None, tokens[at].clone().into());
                tokens[at] = TokenTree::Group(hidden);
            }
            _ => {}
        }
    }
    if let Some(TokenTree::Group(group)) = tokens.last().cloned() {
        if input.ratio(1, 8)? {
            let inner = mutate(input, group.stream())?;
            tokens.pop();
            tokens.push(TokenTree::Group(Group::new(group.delimiter(), inner)));
        }
    }
    Ok(tokens.into_iter().collect())
}

fn is_fragment(tokens: &[TokenTree], at: usize) -> bool {
    let is_punct = |token: &TokenTree, character| matches!(token, TokenTree::Punct(punct) if punct.as_char() == character);
    match &tokens[..=at] {
        [.., TokenTree::Group(block)] if block.delimiter() == Delimiter::Brace => true,
        [.., dash, head, _] if is_punct(dash, '-') => is_punct(head, '>'),
        [.., equals, _] => is_punct(equals, '='),
        _ => false,
    }
}

/// A function of the pieces above.
fn function(input: &mut Unstructured<'_>) -> Result<TokenStream> {
    let text = [
        input.choose(&HEADS)?,
        "fn",
        input.choose(&NAMES)?,
        input.choose(&GENERICS)?,
        input.choose(&ARGUMENTS)?,
        input.choose(&OUTPUTS)?,
        input.choose(&WHERES)?,
        input.choose(&BODIES)?,
    ];
    Ok(tokens(&text.join(" ")))
}

/// Options, and whether they are right.
fn options(input: &mut Unstructured<'_>) -> Result<(TokenStream, bool)> {
    let index = input.choose_index(OPTIONS.len())?;
    let given = tokens(OPTIONS[index]);
    if input.ratio(1, 4)? {
        return Ok((mutate(input, given)?, false));
    }
    Ok((given, index < RIGHT))
}

/// The text as a lexer reads it, up to what is no token.
fn lexed(text: &[u8]) -> Option<TokenStream> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Takes `::core::compile_error! { "sentence" }` off the front of what came out.
fn without_errors(out: TokenStream) -> (Vec<String>, TokenStream) {
    let mark = tokens("::core::compile_error!").into_iter().map(|token| token.to_string());
    let mark = Vec::from_iter(mark);
    let mut out = Vec::from_iter(out);
    let mut errors = Vec::new();
    while out.len() > mark.len() && out.iter().zip(&mark).all(|(a, b)| a.to_string() == *b) {
        let TokenTree::Group(group) = out.remove(mark.len()) else { panic!("no sentence") };
        out.drain(..mark.len());
        let message: syn::LitStr = syn::parse2(group.stream()).expect("a string");
        errors.push(message.value());
    }
    (errors, out.into_iter().collect())
}

/// The tokens without what invisible groups add, as text.
fn text(tokens: TokenStream) -> String {
    fn plain(token: TokenTree) -> TokenStream {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                group.stream().into_iter().map(plain).collect()
            }
            TokenTree::Group(group) => {
                let inner = group.stream().into_iter().map(plain).collect();
                TokenTree::Group(Group::new(group.delimiter(), inner)).into()
            }
            token => token.into(),
        }
    }
    tokens.into_iter().map(plain).collect::<TokenStream>().to_string()
}

/// The text of the last brace, which is the body of a function.
fn last_brace(tokens: TokenStream) -> Option<String> {
    match tokens.into_iter().last()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            Some(text(group.stream()))
        }
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            last_brace(group.stream())
        }
        _ => None,
    }
}

/// The body within `::runtime::__private::built(..).block_on(async { .. { BODY } })`, which a test with seeds
/// has within `::runtime::__private::test_seeds(.., |seed| ..)`.
fn body_within(function: TokenStream, seeded: bool) -> Option<String> {
    let TokenTree::Group(mut braces) = function.into_iter().last()? else { return None };
    if seeded {
        let TokenTree::Group(closure) = braces.stream().into_iter().last()? else { return None };
        braces = closure;
    }
    let TokenTree::Group(arguments) = braces.stream().into_iter().last()? else { return None };
    let TokenTree::Group(block) = arguments.stream().into_iter().last()? else { return None };
    last_brace(block.stream())
}

/// Whether an option has one of these names.
fn has_option(options: &TokenStream, names: &[&str]) -> bool {
    let tokens = Vec::from_iter(options.clone().into_iter().map(|token| token.to_string()));
    tokens.windows(2).any(|pair| names.contains(&&*pair[0]) && pair[1] == "=")
}

fn returns_nothing(output: &ReturnType) -> bool {
    fn is_unit(output: &Type) -> bool {
        match output {
            Type::Group(group) => is_unit(&group.elem),
            Type::Tuple(tuple) => tuple.elems.is_empty(),
            _ => false,
        }
    }
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, output) => is_unit(output),
    }
}

fn signature(function: &ItemFn) -> impl PartialEq + std::fmt::Debug {
    let mut signature = function.sig.clone();
    signature.asyncness = None;
    (signature, function.vis.clone())
}

/// Expands, and looks at what it says.
fn expand(kind: Kind, options: TokenStream, item: TokenStream) -> (Vec<String>, TokenStream) {
    let (errors, out) = without_errors(expand::attribute(kind, options, item));
    for error in &errors {
        assert!(error.contains(' ') && error.len() > 20, "no sentence: {error:?}");
    }
    assert!(errors.len() <= 1, "one mistake is answered with one error: {errors:?}");
    (errors, out)
}

fn check(kind: Kind, options: TokenStream, right: bool, item: TokenStream) {
    let (errors, out) = expand(kind, options.clone(), item.clone());
    let Ok(mut given) = syn::parse2::<ItemFn>(item.clone()) else { return };

    // A function as Rust has it: there is a reason if it is refused.
    let is_test = kind == Kind::Test;
    let marked = |attribute: &syn::Attribute| is_test && attribute.path().is_ident("test");
    let with_arguments = !given.sig.inputs.is_empty() || given.sig.variadic.is_some();
    let refused = given.sig.asyncness.is_none()
        || with_arguments && (is_test || given.sig.ident == "main")
        || given.attrs.iter().any(marked);
    let seeded = is_test && has_option(&options, &["seed", "seeds"]);
    let should_panic =
        given.attrs.iter().any(|attribute| attribute.path().is_ident("should_panic"));
    let unfit = !is_test && has_option(&options, &["seeds"])
        || seeded && should_panic && !returns_nothing(&given.sig.output);
    if errors.is_empty() {
        assert!(!unfit, "it should have been refused: {options} for {item}");
        assert!(!refused, "it should have been refused: {item}");
    } else {
        assert!(refused || unfit || !right, "{errors:?} for {item}");
    }
    if given.sig.asyncness.is_none() {
        assert_eq!(text(out), text(item), "what is refused is kept");
        return;
    }
    let made = match syn::parse2::<ItemFn>(out.clone()) {
        Ok(made) => made,
        // The path in `crate = const` is the compiler's to refuse.
        Err(_) if !right => return,
        Err(error) => panic!("{error} in {out}"),
    };
    assert_eq!(made.sig.ident, given.sig.ident);
    if refused {
        return;
    }
    // Who runs a test with seeds looks at what it returned. If an option was refused, it is made without.
    let seeded = seeded && errors.is_empty();
    if seeded {
        given.sig.output = ReturnType::Default;
    }
    assert_eq!(signature(&made), signature(&given), "{out}");
    // Those within the body stay there.
    let outer = |function: &ItemFn| {
        function.attrs.iter().filter(|attribute| attribute.style == AttrStyle::Outer).count()
    };
    assert_eq!(outer(&made), outer(&given) + usize::from(is_test));
    assert!(matches!(made.block.stmts[..], [Stmt::Expr(_, None)]), "{out}");
    assert_eq!(body_within(out.clone(), seeded), last_brace(item), "{out}");
}

fn play(input: &mut Unstructured<'_>) -> Result<()> {
    let kind = if input.arbitrary()? { Kind::Main } else { Kind::Test };
    let (options, right) = options(input)?;
    match input.int_in_range(0..=7u8)? {
        0 => {
            // Invisible groups where no compiler puts them: it is refused or not.
            let hide = |token| TokenTree::Group(Group::new(Delimiter::None, token));
            let tokens = Vec::from_iter(any_tokens(input, 3)?).into_iter();
            let item = tokens.map(|token| match input.ratio(1, 8)? {
                true => Ok(hide(token.into())),
                false => Ok(token),
            });
            expand(kind, options, item.collect::<Result<_>>()?);
        }
        1 => {
            if let Some(item) = lexed(input.peek_bytes(input.len()).unwrap_or_default()) {
                check(kind, options, right, item);
            }
        }
        2 => {
            let options = lexed(input.peek_bytes(input.len()).unwrap_or_default());
            let item = tokens("async fn main() { 1 }");
            check(kind, options.unwrap_or_default(), false, item);
        }
        3..=5 => check(kind, options, right, function(input)?),
        _ => {
            let item = function(input)?;
            check(kind, options, right, mutate(input, item)?);
        }
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let _ = play(&mut Unstructured::new(data));
});
