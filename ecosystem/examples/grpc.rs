//! A gRPC service and a client of it: tonic without its transport, which is tokio's, on hyper's HTTP/2.
//!
//! Type `cargo run --example grpc -- serve`, and `cargo run --example grpc -- ask NAME` in another
//! terminal; an address may go behind either, which is `127.0.0.1:50051` otherwise. Any other gRPC client
//! can ask as well, of `package greeter; service Greeter { rpc Greet(Request) returns (Reply); rpc
//! Count(Request) returns (stream Reply); }`, where `Request` is `string name = 1` and `Reply`
//! `string text = 1`.
//!
//! The messages and the service are written by hand here; tonic-prost-build makes the same of a `.proto`
//! file: with `build_transport(false)`, what it makes runs here as this does.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper_util::service::TowerToHyperService;
use runtime::hyper::{Executor, Timer};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::sleep;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::uri::{PathAndQuery, Uri};
use tonic::codegen::http::{Request as HttpRequest, Response as HttpResponse};
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

#[derive(Clone, PartialEq, prost::Message)]
struct Question {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Reply {
    #[prost(string, tag = "1")]
    text: String,
}

struct Greet;

impl UnaryService<Question> for Greet {
    type Response = Reply;
    type Future = BoxFuture<'static, Result<Response<Reply>, Status>>;

    fn call(&mut self, request: Request<Question>) -> Self::Future {
        Box::pin(async move {
            let Question { name } = request.into_inner();
            if name.is_empty() {
                return Err(Status::invalid_argument("a name, please"));
            }
            Ok(Response::new(Reply { text: format!("Hello {name}!") }))
        })
    }
}

struct Count;

impl ServerStreamingService<Question> for Count {
    type Response = Reply;
    type ResponseStream = BoxStream<'static, Result<Reply, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Question>) -> Self::Future {
        let Question { name } = request.into_inner();
        let replies = stream::iter(1..=3).then(move |n| {
            let text = format!("{n}, {name}");
            async move {
                sleep(Duration::from_millis(10)).await;
                Ok(Reply { text })
            }
        });
        Box::pin(async move { Ok(Response::new(replies.boxed())) })
    }
}

/// The service: which of the two a path names.
#[derive(Clone)]
struct Greeter;

impl Service<HttpRequest<hyper::body::Incoming>> for Greeter {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<hyper::body::Incoming>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Reply, Question>::default());
            Ok(match request.uri().path() {
                "/greeter.Greeter/Greet" => grpc.unary(Greet, request).await,
                "/greeter.Greeter/Count" => grpc.server_streaming(Count, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

async fn serve(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut server = server::Builder::new(Executor);
        server.timer(Timer).keep_alive_interval(Duration::from_secs(30));
        let connection = server.serve_connection(stream, TowerToHyperService::new(Greeter));
        runtime::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn ask(name: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = client::handshake(Executor, stream).await?;
    runtime::spawn(connection);
    let channel = service_fn(move |request| sender.clone().send_request(request));
    let origin = Uri::builder().scheme("http").authority(address).path_and_query("/").build()?;
    let mut grpc = tonic::client::Grpc::with_origin(channel, origin);

    let question = || Request::new(Question { name: name.to_string() });
    let codec = ProstCodec::<Question, Reply>::default();
    let greet = PathAndQuery::from_static("/greeter.Greeter/Greet");
    grpc.ready().await?;
    println!("{}", grpc.unary(question(), greet, codec).await?.into_inner().text);

    let codec = ProstCodec::<Question, Reply>::default();
    let count = PathAndQuery::from_static("/greeter.Greeter/Count");
    grpc.ready().await?;
    let mut replies = grpc.server_streaming(question(), count, codec).await?.into_inner();
    while let Some(reply) = replies.message().await? {
        println!("{}", reply.text);
    }
    Ok(())
}

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    const ADDRESS: &str = "127.0.0.1:50051";
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(ADDRESS).await,
        ["serve", address] => serve(address).await,
        ["ask", name] => ask(name, ADDRESS).await,
        ["ask", name, address] => ask(name, address).await,
        _ => Err("type `serve` or `ask NAME` behind it".into()),
    }
}
