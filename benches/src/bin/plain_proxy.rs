//! `plain_proxy LISTEN UPSTREAM`: forwards bytes with hyper's stock server and hyper-util's pooled client, and does
//! nothing else. What the guard is compared with.

use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream] = arguments.as_slice() else {
        return Err("usage: plain_proxy LISTEN UPSTREAM, both HOST:PORT".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(listen.parse()?, upstream))
}

async fn serve(listen: SocketAddr, upstream: &str) -> Result<(), BoxError> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Incoming>(tcp);
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.to_owned());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let client = client.clone();
            let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let uri = format!("http://{upstream}{target}").parse::<Uri>();
            async move {
                *request.uri_mut() = uri?;
                Ok::<_, BoxError>(client.request(request).await?)
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}
