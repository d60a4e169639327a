//! A connection over TCP or TLS, and whether the other side's TCP has what was sent.
//!
//! Linux tells of each connection how many bytes are not acknowledged: `/proc/net/tcp`,
//! <https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt>. Where it does not, what was written a moment ago
//! counts as taken.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::SyslogConfig;
use crate::guard::Guard;
use crate::surroundings::Surroundings;
use crate::tls;

/// How often it is looked whether bytes are acknowledged.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long it is waited where the system does not tell what is acknowledged.
const REFUSAL_WAIT: Duration = Duration::from_millis(200);

/// `TCP_ESTABLISHED`, as `/proc/net/tcp` writes it.
const ESTABLISHED: &str = "01";

/// Makes connections to one receiver.
pub(super) struct Connector {
    host: String,
    port: u16,
    guard: Guard,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// What is needed to connect; an error names the setting.
    pub(super) fn new(
        config: &SyslogConfig,
        with: &Surroundings,
    ) -> Result<Self, (&'static str, String)> {
        let fault = |why: String| ("to.syslog.host", why);
        let host = match config.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => Host::parse(&config.host)
                .map_err(|error| fault(error.to_string()))?
                .to_string(),
        };
        let guard = Guard::new(config.allow_networks.clone());
        let tls = if config.insecure {
            None
        } else {
            let client = tls::client(&config.tls, with).map_err(|why| ("to.syslog.tls", why))?;
            let name = ServerName::try_from(host.clone())
                .map_err(|_| fault("it is no name that a certificate can have".to_owned()))?;
            Some((TlsConnector::from(Arc::new(client)), name))
        };
        Ok(Self {
            host,
            port: config.port,
            guard,
            tls,
        })
    }

    /// Where to, for a person.
    pub(super) fn address(&self) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "tcp" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// Connects to an address that the guard allows.
    pub(super) async fn connect(&self) -> Result<Connection, String> {
        let told = |error: io::Error| format!("it could not be connected to: {error}");
        let found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(told)?;
        let allowed = self.guard.allowed(&self.host, found)?;
        let stream = TcpStream::connect(allowed.as_slice()).await.map_err(told)?;
        stream.set_nodelay(true).map_err(told)?;
        let (local, peer) = (
            stream.local_addr().map_err(told)?,
            stream.peer_addr().map_err(told)?,
        );
        let line = match &self.tls {
            None => Line::Plain(stream),
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| format!("TLS failed: {error}"))?;
                Line::Tls(Box::new(stream))
            }
        };
        Ok(Connection { line, local, peer })
    }
}

enum Line {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection.
pub(super) struct Connection {
    line: Line,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Connection {
    /// Whether the other side has not ended it, as far as the system tells.
    pub(super) fn stands(&self) -> bool {
        self.unacknowledged() != Some(Sent::Ended)
    }

    /// Writes all of it, and returns when the other side's TCP has acknowledged it.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let told = |error: io::Error| format!("the connection broke: {error}");
        match &mut self.line {
            Line::Plain(stream) => {
                stream.write_all(bytes).await.map_err(told)?;
                stream.flush().await.map_err(told)?;
            }
            Line::Tls(stream) => {
                stream.write_all(bytes).await.map_err(told)?;
                stream.flush().await.map_err(told)?;
            }
        }
        loop {
            match self.unacknowledged() {
                Some(Sent::All) => return Ok(()),
                Some(Sent::Waiting) => sleep(LOOK_EVERY).await,
                Some(Sent::Ended) => {
                    return Err(
                        "the receiver ended the connection before it had taken them".to_owned()
                    );
                }
                None => {
                    sleep(REFUSAL_WAIT).await;
                    return Ok(());
                }
            }
        }
    }

    /// What the system says of this connection; none where it does not.
    fn unacknowledged(&self) -> Option<Sent> {
        let file = if self.local.is_ipv4() {
            "/proc/self/net/tcp"
        } else {
            "/proc/self/net/tcp6"
        };
        let table = std::fs::read_to_string(file).ok()?;
        Some(sent(&table, self.local.port(), self.peer.port()))
    }
}

/// What has become of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It is acknowledged.
    All,
    /// Some of it is not.
    Waiting,
    /// The connection is over.
    Ended,
}

/// Reads the table of connections: `sl local_address rem_address st tx_queue:rx_queue …`, in hexadecimal.
fn sent(table: &str, local: u16, peer: u16) -> Sent {
    let ends = |address: &str, port: u16| {
        address
            .rsplit_once(':')
            .and_then(|(_, text)| u16::from_str_radix(text, 16).ok())
            == Some(port)
    };
    let found = table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (here, there) = (fields.next()?, fields.next()?);
        let (state, queues) = (fields.next()?, fields.next()?);
        (ends(here, local) && ends(there, peer)).then_some((state, queues))
    });
    match found {
        Some((ESTABLISHED, queues)) => {
            let waiting = queues.split(':').next().unwrap_or_default();
            if waiting.bytes().all(|digit| digit == b'0') {
                Sent::All
            } else {
                Sent::Waiting
            }
        }
        _ => Sent::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::{Sent, sent};

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:C350 0100007F:1972 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0100007F:C351 0100007F:1972 01 0000002A:00000000 01:00000014 00000000     0        0 3 1
   3: 0100007F:C352 0100007F:1972 08 00000000:00000001 00:00000000 00000000     0        0 4 1
   4: 0100007F:1972 0100007F:C353 01 00000000:00000000 00:00000000 00000000     0        0 5 1
";

    #[test]
    fn reads_what_linux_says_of_a_connection() {
        assert_eq!(sent(TABLE, 50_000, 6_514), Sent::All);
        assert_eq!(sent(TABLE, 50_001, 6_514), Sent::Waiting);
        assert_eq!(
            sent(TABLE, 50_002, 6_514),
            Sent::Ended,
            "the other side has closed"
        );
        assert_eq!(
            sent(TABLE, 50_003, 6_514),
            Sent::Ended,
            "it is the other side's own"
        );
        assert_eq!(sent("", 1, 2), Sent::Ended);
    }
}
