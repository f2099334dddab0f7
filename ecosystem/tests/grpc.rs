//! tonic on this runtime, against gRPC's own implementation in C, as Python has it.

mod support;

use std::process::Command;

use support::{Program, installed, limited, path};

/// A client and a server that need no compiler of messages: each has one string with a short length.
const PEER: &str = r#"
import sys, threading, grpc
from concurrent import futures
def pack(text):
    return b"\x0a" + bytes([len(text)]) + text.encode()
def unpack(message):
    return message[2:].decode()
def ask(address):
    channel = grpc.insecure_channel(address)
    greet = channel.unary_unary("/greeter.Greeter/Greet", pack, unpack)
    print(greet("Ada", timeout=60))
    for answer in [greet.future(str(n), timeout=60) for n in range(100)]:
        print(answer.result())
    count = channel.unary_stream("/greeter.Greeter/Count", pack, unpack)
    for reply in count("Ada", timeout=60):
        print(reply)
    for call, name in [(greet, ""), (channel.unary_unary("/greeter.Greeter/None", pack, unpack), "Ada")]:
        try:
            call(name, timeout=60)
        except grpc.RpcError as error:
            print(error.code().name, error.details())
def serve():
    class Greeter(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method == "/greeter.Greeter/Greet":
                return grpc.unary_unary_rpc_method_handler(lambda name, _: f"Bonjour {name}!", unpack, pack)
            return grpc.unary_stream_rpc_method_handler(
                lambda name, _: iter([f"un, {name}", f"deux, {name}"]), unpack, pack)
    server = grpc.server(futures.ThreadPoolExecutor(), handlers=[Greeter()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()
ask(sys.argv[1]) if len(sys.argv) > 1 else serve()
"#;

/// The system's Python, which has the system's packages.
fn python() -> Option<Command> {
    let python = || Command::new("/usr/bin/python3");
    installed("python3-grpcio", python().args(["-c", "import grpc"])).then(|| {
        let mut peer = python();
        peer.args(["-c", PEER]);
        peer
    })
}

#[test]
fn a_client_of_grpc_itself_is_served() {
    let Some(mut peer) = python() else { return };
    let (_server, address) =
        Program::serve_command(Command::new(path("grpc")).args(["serve", "127.0.0.1:0"]));
    let printed = limited(|| Program::start(peer.arg(address.to_string())).succeed());
    let mut wanted = vec!["Hello Ada!".to_string()];
    wanted.extend((0..100).map(|n| format!("Hello {n}!")));
    wanted.extend(["1, Ada", "2, Ada", "3, Ada"].map(String::from));
    wanted.extend(["INVALID_ARGUMENT a name, please", "UNIMPLEMENTED "].map(String::from));
    assert_eq!(printed, wanted);
}

#[test]
fn a_server_of_grpc_itself_answers() {
    let Some(mut peer) = python() else { return };
    let (_server, address) = Program::serve_command(&mut peer);
    let mut ask = Command::new(path("grpc"));
    ask.args(["ask", "Ada", &address.to_string()]);
    let printed = limited(|| Program::start(&mut ask).succeed());
    assert_eq!(printed, ["Bonjour Ada!", "un, Ada", "deux, Ada"]);
}

#[test]
fn the_example_talks_to_itself() {
    let (_server, address) =
        Program::serve_command(Command::new(path("grpc")).args(["serve", "127.0.0.1:0"]));
    let mut ask = Command::new(path("grpc"));
    ask.args(["ask", "Ada", &address.to_string()]);
    let printed = limited(|| Program::start(&mut ask).succeed());
    assert_eq!(printed, ["Hello Ada!", "1, Ada", "2, Ada", "3, Ada"]);
}
