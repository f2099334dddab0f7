//! Where and with what it was measured: kept beside each row's figures.

use std::ffi::CStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    pub(crate) glibc: String,
    pub(crate) rustc: String,
    pub(crate) valgrind: String,
    pub(crate) strace: String,
    pub(crate) date: String,
    /// Of the tree that was measured; a `+` behind it says that something was not committed.
    pub(crate) commit: String,
}

impl Machine {
    pub(crate) fn of_this_run() -> Machine {
        static MACHINE: OnceLock<Machine> = OnceLock::new();
        MACHINE.get_or_init(Machine::look).clone()
    }

    fn look() -> Machine {
        // SAFETY: the function returns a string that is never freed.
        let glibc = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
        let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
        Machine {
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: said("uname", &["-r"]),
            glibc: glibc.to_string_lossy().into_owned(),
            rustc: second_word(&said("rustc", &["--version"])),
            valgrind: said("valgrind", &["--version"]).trim_start_matches("valgrind-").to_owned(),
            strace: said("strace", &["--version"])
                .lines()
                .next()
                .and_then(|line| line.split_whitespace().last())
                .unwrap_or_default()
                .to_owned(),
            date: said("date", &["-u", "+%-d %B %Y"]),
            commit: said("git", &["rev-parse", "--short", "HEAD"]) + if changed { "+" } else { "" },
        }
    }

    /// In one line, for below a table.
    pub(crate) fn sentence(&self) -> String {
        let Machine { processor, processors, kernel, glibc, rustc, valgrind, strace, date, commit } =
            self;
        let tool = |name, version: &str| {
            if version.is_empty() { format!("no {name}") } else { format!("{name} {version}") }
        };
        format!(
            "{date}, commit {commit}; {processor}, {processors} processors; Linux {kernel}, glibc {glibc}, \
             rustc {rustc}, {}, {}",
            tool("valgrind", valgrind),
            tool("strace", strace)
        )
    }
}

/// What a command prints; nothing if it is not there.
fn said(command: &str, args: &[&str]) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(command).args(args).current_dir(here).output();
    output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn second_word(line: &str) -> String {
    line.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// The name of the first processor, with family and model where the name says little.
fn processor(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map_or("?", |(_, value)| value.trim())
    };
    format!("{} (family {}, model {})", field("model name"), field("cpu family"), field("model"))
}

/// The version of a package in a lock file of cargo.
pub(crate) fn version_of(package: &str, lock: &str) -> Option<String> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let line = lines.nth(1)?;
    Some(line.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "[[package]]\nname = \"mio\"\nversion = \"1.2.5\"\n\n[[package]]\nname = \"tokio\"\nversion = \"1.54.1\"\n";
        assert_eq!(version_of("tokio", lock).as_deref(), Some("1.54.1"));
        assert_eq!(version_of("tok", lock), None);
    }

    #[test]
    fn processors_are_named() {
        let cpuinfo = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n";
        assert_eq!(processor(cpuinfo), "AMD EPYC (family 25, model 17)");
    }
}
