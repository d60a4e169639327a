//! An HTTP receiver that keeps what it was sent and answers as it is told, however wrong that is.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// A header's value, or none.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// This status, these headers, this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Never answers.
    Hang,
    /// One byte of the head a second.
    DripHead,
    /// 200, and then one byte of the body a second, without an end.
    DripBody,
    /// Ends the connection before it answers.
    HangUp,
    /// This status, and everything that was sent as the body.
    Echo(u16),
    /// 200, and a few kilobytes that become a quarter of a gigabyte.
    GzipBomb,
    /// Something that is not HTTP.
    Noise,
}

/// A receiver that runs until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: std::net::SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    behaviour: Arc<Mutex<Behaviour>>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let behaviour = Arc::new(Mutex::new(behaviour));
        let (kept, told) = (Arc::clone(&received), Arc::clone(&behaviour));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, told) = (Arc::clone(&kept), Arc::clone(&told));
                tokio::spawn(async move { serve(stream, &kept, &told).await });
            }
        });
        Self {
            address,
            received,
            behaviour,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self
            .behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves requests on a connection, one after the other.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    received: &Mutex<Vec<Received>>,
    behaviour: &Mutex<Behaviour>,
) {
    while let Some(request) = read(&mut stream).await {
        received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        let behaviour = behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // Whoever asked may have left meanwhile.
        if answer(&mut stream, &request, behaviour).await.is_err() {
            break;
        }
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.ok()?;
        if length == 0 {
            return None;
        }
        bytes.extend_from_slice(&piece[..length]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end);
    let request = Received {
        head,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    while body.len() < length {
        let mut piece = vec![0; 65_536];
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 {
            return None;
        }
        body.extend_from_slice(&piece[..read]);
    }
    Some(Received { body, ..request })
}

async fn answer<S: AsyncWrite + Unpin>(
    stream: &mut S,
    request: &Received,
    behaviour: Behaviour,
) -> std::io::Result<()> {
    let whole = |status: u16, headers: &[(&str, String)], body: &[u8]| {
        let mut text = format!(
            "HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    };
    match behaviour {
        Behaviour::Answer(status, headers, body) => {
            stream
                .write_all(&whole(status, &headers, body.as_bytes()))
                .await
        }
        Behaviour::Echo(status) => {
            let mut all = request.head.clone().into_bytes();
            all.extend_from_slice(&request.body);
            stream.write_all(&whole(status, &[], &all)).await
        }
        Behaviour::Hang => std::future::pending().await,
        Behaviour::HangUp => Err(std::io::Error::other("it hangs up")),
        Behaviour::Noise => stream.write_all(&[0xff; 4096]).await,
        Behaviour::DripHead => {
            drip(
                stream,
                b"HTTP/1.1 200 OK\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaa",
            )
            .await
        }
        Behaviour::DripBody => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                .await?;
            drip(stream, &[b'a'; 1_000]).await
        }
        Behaviour::GzipBomb => {
            let headers = [("content-encoding", "gzip".to_owned())];
            stream.write_all(&whole(200, &headers, bomb())).await
        }
    }
}

async fn drip<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// A quarter of a megabyte that becomes a quarter of a gigabyte.
pub(crate) fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(make_bomb)
}

fn make_bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..256 {
        encoder.write_all(&zeros).expect("it is compressed");
    }
    encoder.finish().expect("it is whole")
}
