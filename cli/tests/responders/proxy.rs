//! A way to the simulated tenant on which answers can be held back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes every connection on.
pub(crate) struct Proxy {
    pub(crate) url: String,
    is_open: watch::Sender<bool>,
    asked: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn to(url: &str) -> Self {
        let to: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (is_open, open) = watch::channel(true);
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (open, counts) = (open.clone(), Arc::clone(&counts));
                tokio::spawn(async move {
                    let far = TcpStream::connect(to).await.unwrap();
                    let ((near_in, near_out), (far_in, far_out)) =
                        (near.into_split(), far.into_split());
                    let answers = AtomicUsize::new(0);
                    tokio::join!(
                        pass(near_in, far_out, None, &counts),
                        pass(far_in, near_out, Some(open), &answers),
                    );
                });
            }
        });
        Self {
            url,
            is_open,
            asked,
        }
    }

    /// From now on questions arrive and answers do not.
    pub(crate) fn hold_answers(&self) {
        self.is_open.send_replace(false);
    }

    /// What was held back arrives, and so does what comes after it.
    pub(crate) fn let_go(&self) {
        self.is_open.send_replace(true);
    }

    /// Waits until nothing has been asked for a while.
    pub(crate) async fn is_quiet(&self) {
        loop {
            let asked = self.asked();
            tokio::time::sleep(Duration::from_secs(2)).await;
            if self.asked() == asked {
                return;
            }
        }
    }

    /// How often something was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    open: Option<watch::Receiver<bool>>,
    counts: &AtomicUsize,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut bytes).await {
        counts.fetch_add(1, Ordering::SeqCst);
        if let Some(mut open) = open.clone() {
            drop(open.wait_for(|open| *open).await);
        }
        if length == 0 || to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}
