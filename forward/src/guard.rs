//! Which addresses may be reached: the public ones, and those that the configuration allows. Pure.
//!
//! A destination's address can come from somebody who must not reach what vedette can: the metadata service of a cloud,
//! services of this machine, an intranet. A name is no protection, for it can lead elsewhere a moment later; so the
//! addresses are looked at that are connected to.
//!
//! Source: IANA special-purpose address registries, <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Host;

/// A network in the configuration, `10.20.0.0/16`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text
            .parse()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| format!("\"{text}\" is no network: write an address, or address/bits"))
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

/// Which addresses may be reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    allow: Vec<Network>,
    /// The host of a proxy, which the configuration names itself.
    trusted: Option<String>,
}

impl Guard {
    pub(crate) fn new(allow: Vec<Network>) -> Self {
        Self {
            allow,
            trusted: None,
        }
    }

    /// Allows a host by its name, whatever it leads to.
    pub(crate) fn trust(&mut self, host: &str) {
        self.trusted = Some(host.to_owned());
    }

    /// The addresses of a name that may be reached.
    pub(crate) fn allowed(
        &self,
        name: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, String> {
        let found: Vec<SocketAddr> = found.collect();
        if self.trusted.as_deref() == Some(name) {
            return Ok(found);
        }
        let allowed: Vec<SocketAddr> = found
            .iter()
            .copied()
            .filter(|address| self.refusal(address.ip()).is_none())
            .collect();
        match found.first() {
            Some(first) if allowed.is_empty() => Err(format!(
                "\"{name}\" leads to {}: {}",
                first.ip(),
                self.refusal(first.ip()).unwrap_or_default()
            )),
            _ => Ok(allowed),
        }
    }

    /// Whether a host that is an address may be reached; a name is looked at when it is resolved.
    pub(crate) fn check_literal(&self, host: &Host<&str>) -> Result<(), String> {
        let address = match host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(address) => IpAddr::V4(*address),
            Host::Ipv6(address) => IpAddr::V6(*address),
        };
        match self.refusal(address) {
            None => Ok(()),
            Some(why) => Err(format!("{address}: {why}")),
        }
    }

    /// Why an address may not be reached.
    fn refusal(&self, address: IpAddr) -> Option<String> {
        let address = inner(address);
        if self
            .allow
            .iter()
            .any(|network| network.0.contains(&address))
        {
            return None;
        }
        special(address).map(|what| {
            format!("it is {what}, which is refused; fix: if it is meant, allow_networks = [\"{address}\"] of this destination")
        })
    }
}

/// Whether a host is this machine, where nobody is on the way.
pub(crate) fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The address of IPv4 inside one of IPv6, where it is one: mapped, compatible, translated (NAT64) or 6to4.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    if let Some(four) = six.to_ipv4_mapped() {
        return IpAddr::V4(four);
    }
    let pair = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => pair(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => pair(high, low),
        _ => address,
    }
}

/// What an address is, where it is not one of the public internet.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(four) => special_four(four),
        IpAddr::V6(six) => special_six(six),
    }
}

fn special_four(four: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = four.octets();
    match (a, b, c) {
        (0, ..) => Some("an address of no host"),
        (127, ..) => Some("this machine"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("a private address"),
        (169, 254, _) => Some("a link-local address, as metadata services of clouds have"),
        (100, 64..=127, _) => Some("an address of a provider's inner network"),
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => {
            Some("a reserved address")
        }
        (198, 18..=19, _) => Some("an address for benchmarks"),
        (224..=239, ..) => Some("a multicast address"),
        (240..=255, ..) => Some("a reserved address"),
        _ => None,
    }
}

fn special_six(six: Ipv6Addr) -> Option<&'static str> {
    if six.is_unspecified() {
        return Some("an address of no host");
    }
    if six.is_loopback() {
        return Some("this machine");
    }
    match six.segments() {
        [0xfc00..=0xfdff, ..] => Some("a private address"),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xfec0..=0xfeff, ..] => Some("a site-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        // Teredo, ORCHID, benchmarks, documentation and their like.
        [0x2001, 0x0000..=0x01ff | 0x0db8, ..]
        | [0x3fff | 0x0100 | 0x5f00, ..]
        | [0x64, 0xff9b, ..] => Some("a reserved address"),
        // Global unicast is 2000::/3.
        [first, ..] if first >> 13 != 1 => Some("a reserved address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use url::Url;

    use super::{Guard, is_this_machine};

    fn refused(guard: &Guard, address: &str) -> bool {
        let address: IpAddr = address.parse().expect("an address");
        let found = std::iter::once(SocketAddr::new(address, 0));
        guard.allowed("name", found).is_err()
    }

    #[test]
    fn only_the_public_internet_is_reached() {
        let guard = Guard::default();
        for inside in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "192.0.0.192",
            "::",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "4000::1",
        ] {
            assert!(refused(&guard, inside), "{inside}");
        }
        for outside in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(!refused(&guard, outside), "{outside}");
        }
    }

    #[test]
    fn what_is_allowed_is_allowed_in_every_spelling_and_nothing_beside_it() {
        let guard = Guard::new(vec!["10.20.0.0/16".parse().expect("a network")]);
        assert!(!refused(&guard, "10.20.3.4"));
        assert!(!refused(&guard, "::ffff:10.20.3.4"));
        assert!(refused(&guard, "10.21.0.1"));
        assert!(refused(&guard, "127.0.0.1"));
    }

    #[test]
    fn of_several_addresses_only_the_allowed_are_connected_to() {
        let addresses = ["10.0.0.1:0", "8.8.8.8:0"].map(|text| text.parse().expect("an address"));
        let allowed = Guard::default().allowed("two-faced", addresses.into_iter());
        assert_eq!(allowed.expect("one is left"), [addresses[1]]);
    }

    #[test]
    fn an_address_in_the_url_is_read_in_every_form_that_connects() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://①②⑦.0.0.1/",
        ] {
            let url = Url::parse(text).expect("a URL");
            let host = url.host().expect("a host");
            assert!(Guard::default().check_literal(&host).is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_needs_no_encryption() {
        let here =
            |text: &str| is_this_machine(&Url::parse(text).expect("a URL").host().expect("a host"));
        assert!(here("http://127.0.0.1:1/") && here("http://localhost/") && here("http://[::1]/"));
        assert!(!here("http://10.0.0.1/") && !here("http://localhost.evil.example/"));
    }
}
