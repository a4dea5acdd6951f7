//! What an actor may reach over HTTP. Pure; deny by default.
//!
//! A server is reached only if the actor's spec asks for it *and* this host allows it. And
//! wherever a name leads, an address of the host itself, of its link or of a cloud's metadata
//! service is reached only if the host's own configuration names that address: names are given by
//! whoever runs the DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `host` or `host:port`, as an operator or a manifest writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Lower case; an IPv6 address without brackets.
    host: String,
    /// None: any port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a server: write `host` or `host:port`, such as api.example:443")]
pub struct ServerError(pub String);

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(raw: &str) -> Result<Self, ServerError> {
        let wrong = || ServerError(raw.to_owned());
        let authority: http::uri::Authority = raw.parse().map_err(|_| wrong())?;
        if raw.contains(['@', '*']) || authority.host().is_empty() {
            return Err(wrong());
        }
        // A colon that leads to no port is a mistake, not any port.
        let port = authority.port_u16();
        if port.is_none() && raw.len() != authority.host().len() {
            return Err(wrong());
        }
        Ok(Self { host: plain(authority.host()), port })
    }
}

impl Server {
    fn covers(&self, host: &str, port: u16) -> bool {
        self.host == plain(host) && self.port.is_none_or(|own| own == port)
    }
}

/// What this host lets out, and what one actor asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Egress {
    host: Vec<Server>,
    actor: Vec<Server>,
}

impl Egress {
    pub(crate) const fn new(host: Vec<Server>, actor: Vec<Server>) -> Self {
        Self { host, actor }
    }

    /// Whether a server may be reached, as far as its name goes.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        let covered = |list: &[Server]| list.iter().any(|server| server.covers(host, port));
        covered(&self.host) && covered(&self.actor)
    }

    /// Whether a name that is allowed may lead to this address.
    pub(crate) fn allows_address(&self, host: &str, address: IpAddr, port: u16) -> bool {
        if is_ordinary(address) {
            return true;
        }
        // By name only where the name means the machine itself and nothing else.
        let is_itself = plain(host) == "localhost" && canonical(address).is_loopback();
        let named = |server: &Server| {
            let literal: Option<IpAddr> = server.host.parse().ok();
            let fits = server.port.is_none_or(|own| own == port);
            let says_localhost = server.host == "localhost" && is_itself;
            fits && (says_localhost || literal.map(canonical) == Some(canonical(address)))
        };
        self.host.iter().any(named)
    }
}

fn plain(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase()
}

/// An IPv4 address has several spellings in IPv6; they are one address.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => embedded(six).map_or(address, IpAddr::V4),
    }
}

/// Mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`), 6to4 and NAT64.
fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match six.segments() {
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(four(high, low)),
        [0x2002, high, low, ..] => Some(four(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(four(high, low)),
        _ => None,
    }
}

/// An address of some other machine, beyond our own link.
fn is_ordinary(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(four) => {
            let this_network = four.octets()[0] == 0;
            let metadata = four == Ipv4Addr::new(100, 100, 100, 200)
                || four == Ipv4Addr::new(168, 63, 129, 16);
            !(four.is_loopback()
                || four.is_link_local()
                || four.is_multicast()
                || four.is_broadcast()
                || this_network
                || metadata)
        }
        IpAddr::V6(six) => {
            let link_local = six.segments()[0] & 0xffc0 == 0xfe80;
            let metadata = six.segments()[..6] == [0xfd00, 0xec2, 0, 0, 0, 0];
            let nothing = six.is_unspecified();
            !(six.is_loopback() || six.is_multicast() || link_local || metadata || nothing)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(raw: &[&str]) -> Vec<Server> {
        raw.iter().map(|raw| raw.parse().unwrap()).collect()
    }

    #[test]
    fn a_server_is_reached_only_if_the_actor_asks_and_the_host_allows() {
        type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a str, u16, bool);
        let cases: [Case<'_>; 11] = [
            (&[], &[], "api.example", 443, false),
            (&["api.example"], &[], "api.example", 443, false),
            (&[], &["api.example"], "api.example", 443, false),
            (&["api.example"], &["api.example"], "api.example", 443, true),
            (&["api.example"], &["api.example"], "API.example.", 443, true),
            (&["api.example:443"], &["api.example"], "api.example", 443, true),
            (&["api.example:443"], &["api.example"], "api.example", 80, false),
            (&["api.example"], &["api.example:80"], "api.example", 443, false),
            // Neither a suffix nor a part of a name.
            (&["example"], &["example"], "api.example", 80, false),
            (&["api.example"], &["api.example"], "evil-api.example", 80, false),
            (&["[::1]:80"], &["[::1]"], "::1", 80, true),
        ];
        for (host, actor, name, port, allowed) in cases {
            let egress = Egress::new(servers(host), servers(actor));
            assert_eq!(egress.allows(name, port), allowed, "{host:?} {actor:?} {name}:{port}");
        }
    }

    #[test]
    fn a_name_never_leads_to_this_machine_its_link_or_the_metadata_of_a_cloud() {
        let forbidden = [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::a9fe:a9fe",
        ];
        let ordinary =
            ["1.1.1.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "2606:4700::1111", "fd12::1"];
        let egress = Egress::new(servers(&["api.example", "localhost:9"]), vec![]);
        let led_to = |raw: &str| egress.allows_address("api.example", raw.parse().unwrap(), 80);
        for raw in forbidden {
            assert!(!led_to(raw), "{raw}");
        }
        for raw in ordinary {
            assert!(led_to(raw), "{raw}");
        }
    }

    #[test]
    fn an_address_that_the_host_names_itself_is_reached() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", "127.0.0.1", 80, true),
            ("127.0.0.1:80", "127.0.0.1", "127.0.0.1", 80, true),
            ("127.0.0.1:80", "127.0.0.1", "127.0.0.1", 81, false),
            ("127.0.0.1", "127.0.0.2", "127.0.0.2", 80, false),
            ("127.0.0.1", "[::ffff:127.0.0.1]", "::ffff:127.0.0.1", 80, true),
            ("localhost:80", "localhost", "127.0.0.1", 80, true),
            ("localhost:80", "localhost", "::1", 80, true),
            // Whoever answers for that name chose the address.
            ("localhost", "localhost", "169.254.169.254", 80, false),
            ("api.example", "api.example", "127.0.0.1", 80, false),
        ];
        for (allowed, name, address, port, expected) in cases {
            let egress = Egress::new(servers(&[allowed]), vec![]);
            let address = address.parse().unwrap();
            let verdict = egress.allows_address(name, address, port);
            assert_eq!(verdict, expected, "{allowed}: {name} -> {address}:{port}");
        }
    }

    #[test]
    fn what_is_not_a_server_is_refused() {
        for raw in ["", "http://a", "a/b", "a b", "user@a", "a:", "a:99999", ":80", "*"] {
            // A name with a star is a name nobody has; whoever writes it means something else.
            let parsed = raw.parse::<Server>();
            assert!(parsed.is_err(), "{raw:?} {parsed:?}");
        }
    }
}
