//! Which actor answers an HTTP request: by host name and by path prefix.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an actor wants requests from. Written by the manifest's `http` trait.
///
/// A path is a prefix on segment bounds: `/api` covers `/api` and `/api/x`, not `/apix`.
/// A route with a host goes before one without; then the longest path wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRoute {
    /// Without a port, in lower case; none matches every host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default = "root")]
    pub path: String,
}

fn root() -> String {
    "/".to_owned()
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    #[error("path {0:?} does not begin with `/`")]
    RelativePath(String),
    #[error("path {0:?} has a query, a fragment, a space or a control character")]
    NotAPath(String),
    #[error("host {0:?} is not a host name: letters, digits, `-` and `.`, and no port")]
    NotAHost(String),
}

impl HttpRoute {
    /// The same route in the one form in which routes are compared: host in lower case, no slash
    /// at the end of the path but for `/` itself.
    pub fn normalised(&self) -> Result<Self, RouteError> {
        if !self.path.starts_with('/') {
            return Err(RouteError::RelativePath(self.path.clone()));
        }
        let odd = |c: char| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control();
        if self.path.contains(odd) {
            return Err(RouteError::NotAPath(self.path.clone()));
        }
        let path = match self.path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let host = match &self.host {
            None => None,
            Some(host) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
                if host.is_empty() || !host.chars().all(plain) {
                    return Err(RouteError::NotAHost(host.clone()));
                }
                Some(host.to_ascii_lowercase())
            }
        };
        Ok(Self { host, path: path.to_owned() })
    }

    /// Whether a request for `path` at `host` (lower case, no port) is covered by this route.
    fn matches(&self, host: &str, path: &str) -> bool {
        let host_matches = self.host.as_deref().is_none_or(|wanted| wanted == host);
        host_matches && covers(&self.path, path)
    }
}

fn covers(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix.trim_end_matches('/')) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

impl fmt::Display for HttpRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host.as_deref().unwrap_or("*"), self.path)
    }
}

/// Routes and whom they lead to, in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct RouteTable<T> {
    routes: Vec<(HttpRoute, T)>,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { routes: Vec::new() }
    }
}

impl<T: Ord> RouteTable<T> {
    /// Of two targets with the same route the lower wins, so that all hosts agree.
    pub fn new(routes: impl IntoIterator<Item = (HttpRoute, T)>) -> Self {
        let mut routes: Vec<_> = routes.into_iter().collect();
        routes.sort_by(|(a, to_a), (b, to_b)| {
            let specific = |route: &HttpRoute| (route.host.is_some(), route.path.len());
            specific(b).cmp(&specific(a)).then_with(|| a.cmp(b)).then_with(|| to_a.cmp(to_b))
        });
        Self { routes }
    }

    /// Whom a request leads to. `host` is the `Host` header as it came: case and port are taken
    /// off here.
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<&T> {
        let host = host.map(without_port).unwrap_or_default().to_ascii_lowercase();
        let found = self.routes.iter().find(|(route, _)| route.matches(&host, path));
        found.map(|(_, target)| target)
    }
}

fn without_port(authority: &str) -> &str {
    // The colons of an IPv6 literal are inside brackets.
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: Option<&str>, path: &str) -> HttpRoute {
        HttpRoute { host: host.map(str::to_owned), path: path.to_owned() }
    }

    #[test]
    fn the_most_specific_route_wins() {
        let table = RouteTable::new([
            (route(None, "/"), "any"),
            (route(None, "/api"), "api"),
            (route(Some("shop.example"), "/"), "shop"),
            (route(Some("shop.example"), "/api/v2"), "shop v2"),
        ]);
        let cases = [
            (None, "/", "any"),
            (Some("shop.example.org"), "/x", "any"),
            (None, "/api", "api"),
            (None, "/api/", "api"),
            (None, "/api/v2/x", "api"),
            (None, "/apix", "any"),
            (Some("shop.example"), "/api", "shop"),
            (Some("SHOP.example:8080"), "/api/v2", "shop v2"),
            (Some("[::1]:8080"), "/", "any"),
        ];
        for (host, path, target) in cases {
            assert_eq!(table.find(host, path), Some(&target), "{host:?} {path}");
        }
    }

    #[test]
    fn without_a_matching_route_nobody_answers() {
        let table = RouteTable::new([(route(Some("a.example"), "/x"), 1)]);
        assert_eq!(table.find(Some("a.example"), "/"), None);
        assert_eq!(table.find(None, "/x"), None);
    }

    #[test]
    fn routes_are_compared_in_one_form() {
        let odd = route(Some("Shop.Example"), "/api/").normalised();
        assert_eq!(odd, Ok(route(Some("shop.example"), "/api")));
        assert_eq!(route(None, "").normalised(), Err(RouteError::RelativePath(String::new())));
        assert!(route(None, "/a b").normalised().is_err());
        assert!(route(None, "/a?b").normalised().is_err());
        assert!(route(Some("a:80"), "/").normalised().is_err());
        assert!(route(Some(""), "/").normalised().is_err());
    }
}
