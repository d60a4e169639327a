//! The forms in which Microsoft writes client addresses.

use std::net::IpAddr;

/// The host of a client address without its port and brackets; none if nothing is left.
///
/// Reads `1.2.3.4`, `1.2.3.4:443`, `[v6]:port`, `[v6]`, `v6`, `host:port` and `host`.
/// An IPv4 address mapped into IPv6 is given as IPv4, so that it compares equal in every feed.
/// What is no address is kept as it is: a form that we do not know must not lose the value.
pub fn host(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") {
        return None;
    }
    let host = if let Some(inside) = text.strip_prefix('[') {
        inside.split_once(']').map_or(inside, |(host, _)| host)
    } else {
        match text.split_once(':') {
            // One colon is a port; more are an IPv6 address.
            Some((host, port)) if !port.contains(':') => host,
            _ => text,
        }
    };
    if host.is_empty() {
        return None;
    }
    let unmapped = host
        .get(..7)
        .filter(|start| start.eq_ignore_ascii_case("::ffff:"))
        .map(|_| &host[7..])
        .filter(|rest| rest.parse::<std::net::Ipv4Addr>().is_ok());
    Some(unmapped.unwrap_or(host).to_ascii_lowercase())
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
    use super::host;

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
        ] {
            assert_eq!(host(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nothing_is_none() {
        for text in ["", "  ", "null", "[]:80"] {
            assert_eq!(host(text), None, "{text:?}");
        }
    }
}
