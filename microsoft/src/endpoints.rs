//! Where the clouds are, and which host may see which token.

use schemas::ip::is_loopback;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::audience::Audience;
use crate::error::MicrosoftError;

/// Microsoft's clouds.
///
/// Source: Microsoft Graph national cloud deployments; Office 365 Management APIs, endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// The worldwide cloud.
    #[default]
    Worldwide,
    /// The US government community cloud.
    Gcc,
    /// The US government high cloud.
    GccHigh,
    /// The US department of defense.
    Dod,
    /// China, operated by 21Vianet; it has no Management Activity API.
    China,
}

impl Cloud {
    /// Login, Graph and Management Activity; the last is empty where a cloud has none.
    const fn hosts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Worldwide => (
                "https://login.microsoftonline.com",
                "https://graph.microsoft.com",
                "https://manage.office.com",
            ),
            Self::Gcc => (
                "https://login.microsoftonline.com",
                "https://graph.microsoft.com",
                "https://manage-gcc.office.com",
            ),
            Self::GccHigh => (
                "https://login.microsoftonline.us",
                "https://graph.microsoft.us",
                "https://manage.office365.us",
            ),
            Self::Dod => (
                "https://login.microsoftonline.us",
                "https://dod-graph.microsoft.us",
                "https://manage.protection.apps.mil",
            ),
            Self::China => (
                "https://login.partner.microsoftonline.cn",
                "https://microsoftgraph.chinacloudapi.cn",
                "",
            ),
        }
    }
}

/// The base URLs of one cloud, or of a simulated tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    login: Url,
    graph: Url,
    management: Option<Url>,
    graph_resource: String,
    management_resource: String,
}

impl Endpoints {
    /// The endpoints of one of Microsoft's clouds.
    ///
    /// # Errors
    /// [`MicrosoftError::Endpoint`] never happens for the built-in clouds; the type says so only to the compiler.
    pub fn of_cloud(cloud: Cloud) -> Result<Self, MicrosoftError> {
        let (login, graph, management) = cloud.hosts();
        Self::new(cloud, login, graph, management)
    }

    /// Endpoints at other places, for example a simulated tenant; token scopes stay those of `cloud`.
    ///
    /// An empty `management` means that there is none.
    ///
    /// # Errors
    /// [`MicrosoftError::Endpoint`] if a text is no URL, or is plain http on a host that is not loopback.
    pub fn new(
        cloud: Cloud,
        login: &str,
        graph: &str,
        management: &str,
    ) -> Result<Self, MicrosoftError> {
        let (_, graph_resource, management_resource) = cloud.hosts();
        Ok(Self {
            login: base(login)?,
            graph: base(graph)?,
            management: if management.is_empty() {
                None
            } else {
                Some(base(management)?)
            },
            graph_resource: graph_resource.to_owned(),
            management_resource: management_resource.to_owned(),
        })
    }

    /// The scope that is asked for in a token of `audience`.
    pub fn scope(&self, audience: Audience) -> String {
        match audience {
            Audience::Graph => format!("{}/.default", self.graph_resource),
            Audience::Management => format!("{}/.default", self.management_resource),
            // The Event Hubs crate asks for this one in every cloud.
            Audience::EventHubs => "https://eventhubs.azure.net/.default".to_owned(),
        }
    }

    /// The URL under `audience`'s base with these path segments, each encoded by itself.
    ///
    /// # Errors
    /// [`MicrosoftError::NoEndpoint`] for Event Hubs, which is not reached over HTTP, and where a cloud has none.
    pub fn url(&self, audience: Audience, segments: &[&str]) -> Result<Url, MicrosoftError> {
        Ok(with_segments(self.base_of(audience)?, segments))
    }

    /// The token endpoint of a tenant.
    pub(crate) fn token_url(&self, tenant_id: &str) -> Url {
        with_segments(&self.login, &[tenant_id, "oauth2", "v2.0", "token"])
    }

    /// Refuses a URL that a token of `audience` must not be sent to.
    ///
    /// Scheme, host and port must be those of the audience's base.
    pub(crate) fn check_host(&self, audience: Audience, url: &Url) -> Result<(), MicrosoftError> {
        let base = self.base_of(audience)?;
        let same = url.scheme() == base.scheme()
            && url.host() == base.host()
            && url.port_or_known_default() == base.port_or_known_default();
        // User information in a URL would be sent along as a second credential.
        if same && url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        Err(MicrosoftError::ForeignHost {
            audience,
            host: url.host_str().unwrap_or_default().to_owned(),
        })
    }

    fn base_of(&self, audience: Audience) -> Result<&Url, MicrosoftError> {
        match audience {
            Audience::Graph => Some(&self.graph),
            Audience::Management => self.management.as_ref(),
            Audience::EventHubs => None,
        }
        .ok_or(MicrosoftError::NoEndpoint { audience })
    }
}

fn with_segments(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

fn base(text: &str) -> Result<Url, MicrosoftError> {
    let refused = || MicrosoftError::Endpoint {
        text: text.to_owned(),
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    let fits = match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    if fits { Ok(url) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::{Cloud, Endpoints};
    use crate::audience::Audience;
    use url::Url;

    fn worldwide() -> Endpoints {
        Endpoints::of_cloud(Cloud::Worldwide).unwrap()
    }

    #[test]
    fn a_token_goes_to_its_own_host_only() {
        for (text, allowed) in [
            (
                "https://manage.office.com/api/v1.0/t/activity/feed/audit/1",
                true,
            ),
            ("https://manage.office.com:443/x", true),
            ("http://manage.office.com/x", false),
            ("https://manage.office.com:8443/x", false),
            ("https://manage.office.com.evil.example/x", false),
            ("https://manage.office.com@evil.example/x", false),
            ("https://someone@manage.office.com/x", false),
            ("http://169.254.169.254/metadata", false),
            ("https://graph.microsoft.com/v1.0", false),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(
                worldwide().check_host(Audience::Management, &url).is_ok(),
                allowed,
                "{text}"
            );
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for (text, fits) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
            ("http://localhost.evil.example", false),
            ("ftp://127.0.0.1", false),
            ("nonsense", false),
        ] {
            let built = Endpoints::new(Cloud::Worldwide, text, text, text);
            assert_eq!(built.is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn path_segments_cannot_break_out() {
        // Guests, quotes, slashes and Unicode in an id.
        let url = worldwide()
            .url(Audience::Graph, &["v1.0", "users", "a#EXT#@b/../c?d é"])
            .unwrap();
        assert_eq!(url.host_str(), Some("graph.microsoft.com"));
        assert_eq!(url.path(), "/v1.0/users/a%23EXT%23@b%2F..%2Fc%3Fd%20%C3%A9");
        assert_eq!(url.query(), None);
    }

    #[test]
    fn scopes_follow_the_cloud_even_at_another_place() {
        let endpoints = Endpoints::new(
            Cloud::GccHigh,
            "http://127.0.0.1:1",
            "http://127.0.0.1:1",
            "http://127.0.0.1:1",
        )
        .unwrap();
        assert_eq!(
            endpoints.scope(Audience::Management),
            "https://manage.office365.us/.default"
        );
    }
}
