//! `load TARGET TOKEN-FILE BODY-FILE CONNECTIONS REQUESTS END`: sends a fixed number of requests over connections that
//! stay open and checks every answer: status 200, and a body that ends with END. Prints the bytes of the shortest and of
//! the longest body.
//!
//! `#########` in the body is replaced by a number that no other request of the run has.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connections start this far apart, so that paced streams do not beat in time.
const STAGGER: Duration = Duration::from_micros(1300);
const PLACE: &str = "#########";

struct Job {
    target: String,
    token: String,
    body: String,
    end: String,
    left: RefCell<u32>,
    lengths: RefCell<Vec<usize>>,
}

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, token, body, connections, requests, end] = arguments.as_slice() else {
        return Err("usage: load HOST:PORT TOKEN-FILE BODY-FILE CONNECTIONS REQUESTS END".into());
    };
    let job = Rc::new(Job {
        target: target.clone(),
        token: std::fs::read_to_string(token)?,
        body: std::fs::read_to_string(body)?,
        end: end.clone(),
        left: RefCell::new(requests.parse()?),
        lengths: RefCell::default(),
    });
    let connections: u32 = connections.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let workers: Vec<_> = (0..connections)
            .map(|n| tokio::task::spawn_local(connection(job.clone(), STAGGER * n)))
            .collect();
        for worker in workers {
            worker.await??;
        }
        Ok::<_, BoxError>(())
    })?;
    let lengths = job.lengths.borrow();
    let (least, most) = (lengths.iter().min(), lengths.iter().max());
    println!("{} {}", least.ok_or("nothing was sent")?, most.unwrap_or(&0));
    Ok(())
}

async fn connection(job: Rc<Job>, after: Duration) -> Result<(), BoxError> {
    tokio::time::sleep(after).await;
    let stream = TcpStream::connect(&job.target).await?;
    stream.set_nodelay(true)?;
    let (mut send, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    loop {
        let number = {
            let mut left = job.left.borrow_mut();
            if *left == 0 {
                return Ok(());
            }
            *left -= 1;
            *left
        };
        let length = one(&job, &mut send, number).await?;
        job.lengths.borrow_mut().push(length);
    }
}

async fn one(job: &Job, send: &mut SendRequest<Full<Bytes>>, number: u32) -> Result<usize, BoxError> {
    let body = job.body.replacen(PLACE, &format!("{number:09}"), 1);
    let request = Request::post("/v1/chat/completions")
        .header(HOST, &job.target)
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, format!("Bearer {}", job.token))
        .body(Full::from(body))?;
    send.ready().await?;
    let (head, body) = send.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    if head.status != 200 || !body.ends_with(job.end.as_bytes()) {
        let text = String::from_utf8_lossy(&body);
        return Err(format!("{} with {} bytes: {text:.300}", head.status, body.len()).into());
    }
    Ok(body.len())
}
