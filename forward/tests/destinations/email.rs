//! A server of mail with STARTTLS, as RFC 5321 and RFC 3207 have it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forward::contract::Notice;
use forward::destination::{Answer, Outcome};
use forward::destinations::Target;
use forward::destinations::email::{EmailConfig, EmailDestination, MailEncryption};
use forward::formats::message::MessageTemplate;
use mailparse::MailHeaderMap as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::hostile;
use crate::kit::{CANARY, deliver, fates, notices, open, surroundings};
use crate::samples;

/// What the server keeps, and what it says instead of taking a mail.
#[derive(Default)]
struct Post {
    mails: Vec<String>,
    fault: Option<&'static str>,
    tls: bool,
}

/// A server of mail on this machine, and its port.
async fn post(tls: Option<TlsAcceptor>, fault: Option<&'static str>) -> (u16, Arc<Mutex<Post>>) {
    let kept = Arc::new(Mutex::new(Post {
        fault,
        ..Post::default()
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let shared = Arc::clone(&kept);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (shared, tls) = (Arc::clone(&shared), tls.clone());
            tokio::spawn(async move {
                let mut plain = BufReader::new(stream);
                plain
                    .write_all(b"220 test ESMTP\r\n")
                    .await
                    .expect("greets");
                let wants_tls = talk(&mut plain, &shared, tls.is_none()).await;
                if let (true, Some(tls)) = (wants_tls, tls) {
                    assert!(plain.buffer().is_empty(), "nothing is sent before TLS");
                    let Ok(secret) = tls.accept(plain.into_inner()).await else {
                        return;
                    };
                    shared.lock().expect("whole").tls = true;
                    talk(&mut BufReader::new(secret), &shared, true).await;
                }
            });
        }
    });
    (port, kept)
}

/// Talks until the end, or until the client asks for TLS; without it nothing is taken.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    kept: &Mutex<Post>,
    secure: bool,
) -> bool {
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        let command = line.trim_end().to_owned();
        let fault = kept.lock().expect("whole").fault;
        let answer = match command.split(' ').next().unwrap_or_default() {
            "EHLO" if secure => "250-test\r\n250-AUTH PLAIN\r\n250 8BITMIME".to_owned(),
            "EHLO" => "250-test\r\n250-STARTTLS\r\n250 8BITMIME".to_owned(),
            "STARTTLS" if !secure => {
                stream.write_all(b"220 go on\r\n").await.expect("answers");
                return true;
            }
            _ if !secure => "530 Must issue a STARTTLS command first".to_owned(),
            "AUTH" => {
                let given = STANDARD
                    .decode(command.rsplit(' ').next().unwrap_or_default())
                    .unwrap_or_default();
                let known = format!("\0vedette\0{CANARY}").into_bytes();
                if given == known {
                    "235 welcome".to_owned()
                } else {
                    format!("535 no: {}", String::from_utf8_lossy(&given))
                }
            }
            "MAIL" if fault.is_some() => fault.unwrap_or_default().to_owned(),
            "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 ok".to_owned(),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.expect("answers");
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    assert!(stream.read_line(&mut mail).await.expect("a line") > 0);
                }
                kept.lock().expect("whole").mails.push(mail);
                "250 queued as 1".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "500 what?".to_owned(),
        };
        stream
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .expect("answers");
    }
}

fn config(port: u16) -> EmailConfig {
    EmailConfig {
        server: "localhost".to_owned(),
        port,
        encryption: MailEncryption::Starttls,
        ca_file: std::path::PathBuf::new(),
        allow_networks: vec![
            "127.0.0.0/8".parse().expect("a network"),
            "::1/128".parse().expect("a network"),
        ],
        user: "vedette".to_owned(),
        password: "env:CANARY".to_owned(),
        from: "vedette <vedette@contoso.test>".to_owned(),
        to: vec![
            "Kim <kim@contoso.test>".to_owned(),
            "soc@contoso.test".to_owned(),
        ],
        title: String::new(),
        text: String::new(),
    }
}

#[tokio::test]
async fn mail_arrives_over_starttls_for_whom_it_is() {
    let authority = Authority::new();
    let (port, kept) = post(
        Some(TlsAcceptor::from(authority.server("localhost", false))),
        None,
    )
    .await;
    let mut destination = open(&Target::Email(EmailConfig {
        ca_file: authority.ca_file(),
        ..config(port)
    }));
    let batch = notices(3);
    let reply = deliver(destination.as_mut(), &batch).await;
    assert_eq!(fates(&reply, 3), ["delivered"; 3], "{}", reply.said);
    for found in destination.validate().await {
        assert_eq!(found.fault, None, "{found:?}");
    }
    let kept = kept.lock().expect("whole");
    assert!(kept.tls);
    for (mail, notice) in kept.mails.iter().zip(&batch) {
        let read = mailparse::parse_mail(mail.as_bytes()).expect("a mail");
        assert_eq!(
            read.headers.get_first_value("Message-ID"),
            Some(format!("<{}@contoso.test>", notice.idempotency_key()))
        );
        assert_eq!(
            read.headers.get_first_value("To").as_deref(),
            Some("Kim <kim@contoso.test>, soc@contoso.test")
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_gets_nothing() {
    let (known, other) = (Authority::new(), Authority::new());
    for certificate in [
        other.server("localhost", false),
        known.server("elsewhere.test", false),
    ] {
        let (port, kept) = post(Some(TlsAcceptor::from(certificate)), None).await;
        let mut destination = open(&Target::Email(EmailConfig {
            ca_file: known.ca_file(),
            ..config(port)
        }));
        let reply = deliver(destination.as_mut(), &notices(1)).await;
        assert_eq!(fates(&reply, 1), ["later"], "{}", reply.said);
        assert!(kept.lock().expect("whole").mails.is_empty());
    }
    // Who has no STARTTLS gets nothing either.
    let (port, kept) = post(None, None).await;
    let reply = deliver(open(&Target::Email(config(port))).as_mut(), &notices(1)).await;
    assert_eq!(fates(&reply, 1), ["later"], "{}", reply.said);
    assert!(kept.lock().expect("whole").mails.is_empty());
}

#[tokio::test]
async fn what_the_server_says_decides() {
    for (fault, fate) in [
        ("451 try again", "later"),
        ("421 too busy", "later"),
        ("550 no such sender", "later"),
        ("552 too large", "refused"),
        ("554 spam", "refused"),
    ] {
        let (port, _kept) = post(None, Some(fault)).await;
        let plain = EmailConfig {
            encryption: MailEncryption::None,
            ..config(port)
        };
        let reply = deliver(open(&Target::Email(plain)).as_mut(), &notices(1)).await;
        assert_eq!(fates(&reply, 1), [fate], "{fault}: {}", reply.said);
    }
    let (port, _kept) = post(None, None).await;
    let wrong = EmailConfig {
        encryption: MailEncryption::None,
        user: "nobody".to_owned(),
        ..config(port)
    };
    let reply = deliver(open(&Target::Email(wrong)).as_mut(), &notices(1)).await;
    let Answer::Each(outcomes) = &reply.answer else {
        panic!("{reply:?}")
    };
    assert!(
        matches!(&outcomes[0], Outcome::Retry(retry) if retry.why.contains("fix: look at user")),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_server_inside_is_not_reached_and_nothing_goes_unencrypted_elsewhere() {
    let (port, kept) = post(None, None).await;
    let guarded = EmailConfig {
        allow_networks: Vec::new(),
        encryption: MailEncryption::None,
        ..config(port)
    };
    let reply = deliver(open(&Target::Email(guarded)).as_mut(), &notices(1)).await;
    assert!(reply.said.contains("allow_networks"), "{}", reply.said);
    assert!(kept.lock().expect("whole").mails.is_empty());
    let plain = EmailConfig {
        server: "mail.example".to_owned(),
        encryption: MailEncryption::None,
        ..config(25)
    };
    let error = Target::Email(plain)
        .open("m", &surroundings())
        .err()
        .expect("refused");
    assert!(error.to_string().contains("starttls"), "{error}");
}

#[test]
fn hostile_text_makes_no_header_and_reads_back_by_somebody_elses_parser() {
    let destination = EmailDestination::new("m", &config(25), &surroundings()).expect("opens");
    let template = MessageTemplate::new("", "").expect("a template");
    for text in hostile::strings() {
        for notice in samples::each(&text) {
            let mail = destination.mail(&notice).expect("a mail").formatted();
            let read = mailparse::parse_mail(&mail).expect("a mail");
            let mut names: Vec<String> = read
                .headers
                .iter()
                .map(mailparse::MailHeader::get_key)
                .collect();
            names.sort_unstable();
            assert_eq!(
                names,
                [
                    "Auto-Submitted",
                    "Content-Transfer-Encoding",
                    "Content-Type",
                    "Date",
                    "From",
                    "MIME-Version",
                    "Message-ID",
                    "Subject",
                    "To",
                ],
                "{text:?}"
            );
            check(&read, &notice, &template, &text);
            let lines: Vec<&[u8]> = mail.split(|byte| *byte == b'\n').collect();
            assert!(lines.iter().all(|line| line.len() < 998), "{text:?}");
        }
    }
}

fn check(
    read: &mailparse::ParsedMail<'_>,
    notice: &Notice,
    template: &MessageTemplate,
    text: &str,
) {
    let message = template.message(notice);
    let subject = read.headers.get_first_value("Subject").expect("a subject");
    assert_eq!(subject, message.title, "{text:?}");
    let body = read.get_body().expect("a text").replace("\r\n", "\n");
    assert_eq!(body.trim_end(), message.text.trim_end(), "{text:?}");
}
