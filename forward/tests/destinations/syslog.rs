//! A receiver of syslog: what a parser of RFC 5424 reads, over TCP and TLS, and receivers that do everything wrong.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forward::destinations::Target;
use forward::destinations::syslog::SyslogConfig;
use forward::tls::TlsConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::kit::{deliver, fates, notices, open};

fn config(host: &str, port: u16) -> SyslogConfig {
    serde_json::from_value(serde_json::json!({
        "host": host,
        "port": port,
        "insecure": true,
        "allow_networks": ["127.0.0.0/8", "::1/128"],
        "timeout_ms": 1_000,
    }))
    .expect("a configuration")
}

/// Messages by the lengths before them.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let space = bytes
            .iter()
            .position(|byte| *byte == b' ')
            .expect("a length");
        let length: usize = std::str::from_utf8(&bytes[..space])
            .expect("text")
            .parse()
            .expect("a number");
        let message = &bytes[space + 1..space + 1 + length];
        found.push(String::from_utf8(message.to_vec()).expect("UTF-8"));
        bytes = &bytes[space + 1 + length..];
    }
    found
}

fn check(bytes: &[u8], count: usize) {
    let messages = messages(bytes);
    assert_eq!(messages.len(), count);
    for (number, message) in messages.iter().enumerate() {
        let parsed = syslog_rfc5424::parse_message(message).expect("RFC 5424");
        let data = parsed.sd.find_tuple("vedette@32473", "id").expect("an id");
        assert_eq!(*data, format!("{number:032x}"));
        let document: serde_json::Value = serde_json::from_str(&parsed.msg).expect("JSON");
        assert_eq!(document["id"], data.as_str());
    }
}

/// Keeps what comes on one connection.
async fn keep<S: AsyncRead + Unpin>(mut stream: S, kept: Arc<Mutex<Vec<u8>>>) {
    let mut piece = vec![0; 65_536];
    while let Ok(length) = stream.read(&mut piece).await {
        if length == 0 {
            break;
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&piece[..length]);
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

async fn arrived(kept: &Arc<Mutex<Vec<u8>>>, bytes_min: usize) -> Vec<u8> {
    for _ in 0..200 {
        let all = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if all.len() >= bytes_min {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not arrive");
}

#[tokio::test]
async fn what_is_sent_over_tcp_reads_as_rfc_5424_on_one_connection() {
    let (listener, port) = listen().await;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = Arc::clone(&kept);
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        keep(stream, keeping).await;
        listener
    });
    let mut destination = open(&Target::Syslog(config("127.0.0.1", port)));
    assert!(destination.validate().await[0].fault.is_none());
    let batch = notices(40);
    for some in [&batch[..20], &batch[20..]] {
        let reply = deliver(destination.as_mut(), some).await;
        assert_eq!(fates(&reply, 20), ["delivered"; 20], "{}", reply.said);
        assert!(reply.said.contains("acknowledged"), "{}", reply.said);
    }
    drop(destination);
    served.await.expect("one connection was enough");
    check(&arrived(&kept, 1).await, 40);
}

#[tokio::test]
async fn only_who_is_trusted_is_told() {
    let ours = Authority::new();
    for (name, trusts, expected) in [
        ("localhost", true, "delivered"),
        ("localhost", false, "later"),
        ("other.test", true, "later"),
    ] {
        let (listener, port) = listen().await;
        let acceptor = TlsAcceptor::from(ours.server(name, false));
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    keep(stream, Arc::clone(&keeping)).await;
                }
            }
        });
        let mut config = config("localhost", port);
        config.insecure = false;
        config.timeout_ms = 10_000;
        if trusts {
            config.tls = TlsConfig {
                ca_file: ours.ca_file(),
                ..TlsConfig::default()
            };
        }
        let mut destination = open(&Target::Syslog(config));
        let batch = notices(5);
        let reply = deliver(destination.as_mut(), &batch[..3]).await;
        assert_eq!(fates(&reply, 3), [expected; 3], "{name}: {}", reply.said);
        if expected == "delivered" {
            // The same connection again: what TLS says beside does not end it.
            let reply = deliver(destination.as_mut(), &batch[3..]).await;
            assert_eq!(fates(&reply, 2), [expected; 2], "{}", reply.said);
            drop(destination);
            tokio::time::sleep(Duration::from_millis(200)).await;
            check(&arrived(&kept, 1).await, 5);
        } else {
            assert!(destination.validate().await[0].fault.is_some());
            assert!(
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_empty()
            );
        }
    }
}

/// More than what a connection holds that nobody reads.
fn large() -> Vec<Arc<forward::contract::Notice>> {
    let mut batch = notices(20);
    for notice in &mut batch {
        let notice = Arc::make_mut(notice);
        notice.document["title"] = "x".repeat(1_000_000).into();
    }
    batch
}

#[tokio::test]
async fn what_is_not_read_is_not_delivered() {
    let (listener, port) = listen().await;
    let (held, mut streams) = tokio::sync::mpsc::channel::<TcpStream>(10);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if held.send(stream).await.is_err() {
                break;
            }
        }
    });
    let mut destination = open(&Target::Syslog(config("127.0.0.1", port)));
    // It takes connections, and reads nothing.
    let reply = deliver(destination.as_mut(), &large()).await;
    assert_eq!(fates(&reply, 20), ["later"; 20], "{}", reply.said);
    let mut stream = streams.recv().await.expect("a connection");
    let _dripping = tokio::spawn(async move {
        let mut byte = [0; 1];
        while let Ok(1) = stream.read(&mut byte).await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let reply = deliver(destination.as_mut(), &large()).await;
    assert_eq!(fates(&reply, 20), ["later"; 20], "{}", reply.said);
}

#[tokio::test]
async fn a_connection_that_ended_is_made_anew_and_nothing_is_believed_of_it() {
    let (listener, port) = listen().await;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = Arc::clone(&kept);
    tokio::spawn(async move {
        // The first says something, and hangs up at once.
        let (mut first, _) = listener.accept().await.expect("a connection");
        first.write_all(b"go away\n").await.expect("written");
        drop(first);
        while let Ok((stream, _)) = listener.accept().await {
            keep(stream, Arc::clone(&keeping)).await;
        }
    });
    let mut destination = open(&Target::Syslog(config("127.0.0.1", port)));
    assert!(
        destination.validate().await[0].fault.is_none(),
        "it connects"
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    let reply = deliver(destination.as_mut(), &notices(3)).await;
    assert_eq!(fates(&reply, 3), ["delivered"; 3], "{}", reply.said);
    drop(destination);
    tokio::time::sleep(Duration::from_millis(100)).await;
    check(&arrived(&kept, 1).await, 3);
}

#[tokio::test]
async fn nobody_inside_is_reached_and_who_is_away_is_waited_for() {
    let (listener, port) = listen().await;
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1"] {
        let mut config = config(host, port);
        config.allow_networks.clear();
        let mut destination = open(&Target::Syslog(config));
        let reply = deliver(destination.as_mut(), &notices(1)).await;
        assert_eq!(fates(&reply, 1), ["later"], "{host}: {}", reply.said);
        assert!(reply.said.contains("allow_networks"), "{}", reply.said);
    }
    drop(listener);
    let mut destination = open(&Target::Syslog(config("127.0.0.1", port)));
    let reply = deliver(destination.as_mut(), &notices(2)).await;
    assert_eq!(fates(&reply, 2), ["later"; 2], "{}", reply.said);
    assert!(destination.validate().await[0].fault.is_some());
}
