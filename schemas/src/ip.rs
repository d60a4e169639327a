//! The forms in which Microsoft writes client addresses.

use std::net::IpAddr;

/// The host of a client address without its port and brackets, in one spelling; none if it names no place.
///
/// Reads `1.2.3.4`, `1.2.3.4:443`, `[v6]:port`, `[v6]`, `v6`, `host:port` and `host`.
/// An address is given as the standards write it, one of IPv4 inside IPv6 as IPv4, so that it compares equal in every
/// feed; `0.0.0.0` and `::` are none, as are `null` and `Unknown`.
/// What is no address is kept as it is: a form that we do not know must not lose the value.
pub fn host(text: &str) -> Option<String> {
    let text = text.trim();
    if is_nothing(text) {
        return None;
    }
    let host = host_part(text);
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => None,
        Ok(address) => Some(address.to_canonical().to_string()),
        Err(_) => (!host.is_empty()).then(|| host.to_ascii_lowercase()),
    }
}

/// True if a text holds an address of a place, in any of the forms of [`host`].
pub fn is_address(text: &str) -> bool {
    host_part(text.trim())
        .parse::<IpAddr>()
        .is_ok_and(|address| !address.is_unspecified())
}

fn host_part(text: &str) -> &str {
    if let Some(inside) = text.strip_prefix('[') {
        inside.split_once(']').map_or(inside, |(host, _)| host)
    } else {
        match text.split_once(':') {
            // One colon is a port; more are an IPv6 address.
            Some((host, port)) if !port.contains(':') => host,
            _ => text,
        }
    }
}

/// Longest of the words for nothing, in bytes.
const NOTHING_BYTES_MAX: usize = 13;

/// True for what exports write where there is nothing.
pub fn is_nothing(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "null",
        "<null>",
        "(null)",
        "unknown",
        "n/a",
        "-",
        "not available",
    ];
    let text = text.trim();
    text.is_empty()
        || (text.len() <= NOTHING_BYTES_MAX
            && WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// Whether a host of a URL or of `host:port` is this machine, by its name or address; brackets may stand around it.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{host, is_address};

    #[test]
    fn reads_every_form_seen_in_the_audit_log() {
        for (text, expected) in [
            ("10.11.12.13", "10.11.12.13"),
            ("10.11.12.13:12345", "10.11.12.13"),
            ("[10.11.12.13]:12345", "10.11.12.13"),
            ("::ffff:10.11.12.13", "10.11.12.13"),
            ("[::ffff:10.11.12.13]:12345", "10.11.12.13"),
            ("[2001:DB8::abcd]:12345", "2001:db8::abcd"),
            ("2001:db8::abcd", "2001:db8::abcd"),
            ("[2001:db8::abcd]", "2001:db8::abcd"),
            ("localhost:12345", "localhost"),
            ("[cool.client.local]:12345", "cool.client.local"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("2001:0DB8:0000:0000:0000:0000:0000:ABCD", "2001:db8::abcd"),
            ("2001:db8:0:0::abcd", "2001:db8::abcd"),
            ("::FFFF:0a0b:0c0d", "10.11.12.13"),
            ("not-an-ip", "not-an-ip"),
        ] {
            assert_eq!(host(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nothing_is_none() {
        for text in [
            "",
            "  ",
            "null",
            "[]:80",
            "<null>",
            "Unknown",
            "0.0.0.0",
            "0.0.0.0:0",
            "::",
            "-",
        ] {
            assert_eq!(host(text), None, "{text:?}");
            assert!(!is_address(text), "{text:?}");
        }
    }
}
