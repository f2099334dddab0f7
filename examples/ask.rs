//! Asks whoever runs a script, and answers the script by exit code: 0 is yes.
//!
//! Type `cargo run -q --example ask -- 'Delete it all?' && echo gone`, and y or n. Nobody there is no answer
//! either: after ten seconds, or as many as are given behind the question, it ends with code 124, as
//! timeout(1) does; on Ctrl-C with 130, as a shell has it.
//!
//! It takes the lines of its input one by one, and no byte more: what follows is the script's.

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use runtime::io::{stderr, stdin};
use runtime::signal::ctrl_c;
use runtime::time::timeout;

#[runtime::main]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (question, seconds) = match &args[..] {
        [question] => (question, Some(10)),
        [question, seconds] => (question, seconds.parse().ok()),
        _ => (&String::new(), None),
    };
    let Some(patience) = seconds.map(Duration::from_secs) else {
        eprintln!("usage: ask QUESTION [SECONDS]");
        return ExitCode::from(2);
    };
    let answer = runtime::select! {
        biased; // listens for Ctrl-C before the question is seen
        pressed = ctrl_c() => pressed.map(|()| 130),
        answer = timeout(patience, ask(question)) => match answer {
            Ok(answer) => answer.map(|yes| if yes { 0 } else { 1 }),
            Err(_elapsed) => Ok(124),
        },
    };
    match answer {
        Ok(code) => {
            if code > 1 {
                eprintln!(); // the cursor is still behind the question
            }
            ExitCode::from(code)
        }
        Err(error) => {
            eprintln!("ask: {error}");
            ExitCode::from(2)
        }
    }
}

/// Asks until the answer is clear. The end of the input is a no.
async fn ask(question: &str) -> io::Result<bool> {
    let (stdin, stderr) = (stdin(), stderr());
    let prompt = format!("{question} [y/n] ");
    let mut line = String::new();
    loop {
        stderr.write_all(prompt.as_bytes()).await?;
        line.clear();
        if stdin.read_line(&mut line).await? == 0 {
            stderr.write_all(b"\n").await?;
            return Ok(false);
        }
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => {}
        }
    }
}
