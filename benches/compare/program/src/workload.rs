//! The workloads, as the driver and the programs name them on the command line.

/// What a program is to do. `count` operations are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Enters the runtime with a future that is ready, and ends.
    Empty,
    /// Spawns a task that is ready at once and joins it, `count` times.
    Spawn { count: u64 },
    /// The same, a hundred tasks at a time: all are spawned, then all are joined.
    SpawnHundred { count: u64 },
    /// `tasks` tasks give way to each other, `count` times in all.
    Yield { tasks: u64, count: u64 },
    /// Two tasks wake each other by their wakers, `count` wakes in all.
    WakeTask { count: u64 },
    /// A message to another task and one back, over two channels of one place, `count` times there and back.
    Channel { count: u64 },
    /// A timeout of 30 s around a future that is pending once, then ready, while `pending` others wait.
    Timeout { pending: u64, count: u64 },
    /// `count` tasks sleep, each until a moment of its own within two seconds.
    Sleeps { count: u64 },
    /// Another thread wakes a task while the runtime's thread sleeps in the kernel.
    WakeParked { count: u64 },
    /// Another thread wakes a task while the runtime runs others: what the waking thread pays for each wake when
    /// they follow each other.
    WakeBusy { count: u64 },
    /// Another thread wakes a task while the runtime looks again and again instead of sleeping.
    WakeSpinning { count: u64 },
    /// `count` tasks of 16 bytes of state that wait for ever: the memory of each.
    Tasks { count: u64 },
    /// An echo server over TCP, whose connections read into `buffer` bytes each.
    Echo { buffer: u64 },
    /// The same, with each read under a timeout of 30 s.
    EchoTimeout { buffer: u64 },
    /// An echo server over UDP.
    Udp,
    /// A TCP proxy: what comes is passed on to `127.0.0.1:upstream`, and back.
    Proxy { upstream: u64 },
    /// An HTTP/1.1 server on hyper that answers "hello".
    Http,
    /// The same over HTTP/2, by prior knowledge.
    Http2,
}

/// Names, arguments and back: one line for each workload.
macro_rules! command_line {
    ($($name:literal => $workload:ident { $($argument:ident),* };)*) => {
        impl Workload {
            /// The words that make a program do this.
            pub fn to_args(self) -> Vec<String> {
                match self {
                    $(Workload::$workload { $($argument),* } => {
                        vec![$name.into() $(, format!("{}={}", stringify!($argument), $argument))*]
                    })*
                }
            }

            /// # Errors
            ///
            /// A sentence that says which word is not understood.
            pub fn from_args(args: &[String]) -> Result<Workload, String> {
                let name = args.first().ok_or("name a workload")?;
                match name.as_str() {
                    $($name => Ok(Workload::$workload {
                        $($argument: number(&args[1..], stringify!($argument))?),*
                    }),)*
                    _ => Err(format!("there is no workload {name}")),
                }
            }
        }
    };
}

command_line! {
    "empty" => Empty {};
    "spawn" => Spawn { count };
    "spawn-hundred" => SpawnHundred { count };
    "yield" => Yield { tasks, count };
    "wake-task" => WakeTask { count };
    "channel" => Channel { count };
    "timeout" => Timeout { pending, count };
    "sleeps" => Sleeps { count };
    "wake-parked" => WakeParked { count };
    "wake-busy" => WakeBusy { count };
    "wake-spinning" => WakeSpinning { count };
    "tasks" => Tasks { count };
    "echo" => Echo { buffer };
    "echo-timeout" => EchoTimeout { buffer };
    "udp" => Udp {};
    "proxy" => Proxy { upstream };
    "http" => Http {};
    "http2" => Http2 {};
}

fn number(args: &[String], name: &str) -> Result<u64, String> {
    let mut pairs = args.iter().filter_map(|arg| arg.split_once('='));
    let (_, value) =
        pairs.find(|(key, _)| *key == name).ok_or_else(|| format!("{name}=NUMBER is missing"))?;
    value.parse().map_err(|_| format!("{name}={value} is not a number"))
}

impl Workload {
    /// What this program was started for; ends it with a sentence if that is not understood.
    pub fn of_this_program() -> Workload {
        let args: Vec<String> = std::env::args().skip(1).collect();
        Workload::from_args(&args).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(2)
        })
    }

    /// The same workload with another number of operations; one that has none is returned as it is.
    #[must_use]
    pub fn with_count(mut self, wanted: u64) -> Workload {
        use Workload::*;
        match &mut self {
            Spawn { count }
            | SpawnHundred { count }
            | Yield { count, .. }
            | WakeTask { count }
            | Channel { count }
            | Timeout { count, .. }
            | Sleeps { count }
            | WakeParked { count }
            | WakeBusy { count }
            | WakeSpinning { count }
            | Tasks { count } => *count = wanted,
            Empty | Echo { .. } | EchoTimeout { .. } | Udp | Proxy { .. } | Http | Http2 => {}
        }
        self
    }
}
