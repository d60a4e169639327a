//! What goes where. Pure: the same notice and the same routes lead to the same destinations.

use std::collections::BTreeSet;

use schemas::severity::Severity;
use schemas::topics::Topic;
use serde::{Deserialize, Serialize};

use crate::contract::{Notice, NoticeKind};

/// Which of the routes that match decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Every one.
    #[default]
    All,
    /// The first, in the order of the file.
    First,
}

/// What goes where: a notice that has all of what is named goes to each of `to`; a list that is empty asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Names of destinations.
    pub to: Vec<String>,
    /// Kinds: `alert`, `case`, `action`, `gap`, …
    #[serde(default)]
    pub kinds: Vec<NoticeKind>,
    /// Tenant ids.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// At least this.
    #[serde(default)]
    pub severity_min: Severity,
    /// Categories of alerts.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Labels of alerts, such as `SAAS-M365-00001`; one that ends in `*` is a beginning.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Ids of rules.
    #[serde(default)]
    pub rules: Vec<String>,
    /// ATT&CK techniques; `T1114` has its sub-techniques with it.
    #[serde(default)]
    pub techniques: Vec<String>,
}

impl Route {
    fn matches(&self, notice: &Notice) -> bool {
        let subject = &notice.subject;
        (self.kinds.is_empty() || self.kinds.contains(&notice.kind))
            && notice.severity >= self.severity_min
            && any(&self.tenants, |one| {
                one.eq_ignore_ascii_case(&notice.tenant_id)
            })
            && any(&self.categories, |one| {
                one.eq_ignore_ascii_case(&subject.category)
            })
            && any(&self.labels, |one| match one.strip_suffix('*') {
                Some(beginning) => subject.label.starts_with(beginning),
                None => subject.label == *one,
            })
            && any(&self.rules, |one| {
                one.eq_ignore_ascii_case(&subject.rule_id)
            })
            && any(&self.techniques, |one| {
                subject.techniques.iter().any(|found| is_within(found, one))
            })
    }
}

/// Whether one of what is asked for holds; nothing asked for holds.
fn any(asked: &[String], holds: impl Fn(&String) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(holds)
}

/// Whether a technique is `of`, or a sub-technique of it.
fn is_within(technique: &str, of: &str) -> bool {
    technique
        .strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// All routes; without any, everything goes everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    which: Match,
    routes: Vec<Route>,
}

impl Routes {
    /// Routes in their order.
    pub fn new(which: Match, routes: Vec<Route>) -> Self {
        Self { which, routes }
    }

    /// Whether a notice goes to a destination.
    pub fn lead(&self, notice: &Notice, destination: &str) -> bool {
        let leads = |route: &Route| route.to.iter().any(|to| to == destination);
        let mut matching = self.routes.iter().filter(|route| route.matches(notice));
        if self.routes.is_empty() {
            return true;
        }
        match self.which {
            Match::All => matching.any(leads),
            Match::First => matching.next().is_some_and(leads),
        }
    }

    /// The topics that a destination reads.
    pub fn topics_of(&self, destination: &str) -> BTreeSet<Topic> {
        let kinds = self.kinds_of(destination);
        kinds.iter().map(|kind| kind.topic()).collect()
    }

    /// The kinds that can go to a destination at all: what else there is, it need not read.
    pub fn kinds_of(&self, destination: &str) -> BTreeSet<NoticeKind> {
        let all = || NoticeKind::ALL.into_iter();
        if self.routes.is_empty() {
            return all().collect();
        }
        let leading = self
            .routes
            .iter()
            .filter(|route| route.to.iter().any(|to| to == destination));
        leading
            .flat_map(|route| {
                all().filter(|kind| route.kinds.is_empty() || route.kinds.contains(kind))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Match, Route, Routes};
    use crate::contract::{Notice, NoticeKind};
    use schemas::severity::Severity;
    use schemas::wire::Alert;

    fn notice() -> Notice {
        Notice::of_alert(&Alert {
            alert_id: "a".to_owned(),
            tenant_id: "0b5c-aa".to_owned(),
            label: "SAAS-M365-00001".to_owned(),
            rule_id: "r-1".to_owned(),
            severity: "high".to_owned(),
            category: "Platform".to_owned(),
            techniques: vec!["T1114.003".to_owned()],
            ..Alert::default()
        })
    }

    fn route(to: &str, toml_like: impl FnOnce(&mut Route)) -> Route {
        let mut route = Route {
            to: vec![to.to_owned()],
            kinds: Vec::new(),
            tenants: Vec::new(),
            severity_min: Severity::Informational,
            categories: Vec::new(),
            labels: Vec::new(),
            rules: Vec::new(),
            techniques: Vec::new(),
        };
        toml_like(&mut route);
        route
    }

    fn leads(change: impl FnOnce(&mut Route)) -> bool {
        Routes::new(Match::All, vec![route("siem", change)]).lead(&notice(), "siem")
    }

    #[test]
    fn each_thing_that_is_asked_for_decides_by_itself() {
        let one = |text: &str| vec![text.to_owned()];
        assert!(leads(|_| {}));
        assert!(leads(|route| route.kinds = vec![NoticeKind::Alert]));
        assert!(!leads(|route| route.kinds = vec![NoticeKind::Case]));
        assert!(leads(|route| route.tenants = one("0B5C-AA")));
        assert!(!leads(|route| route.tenants = one("other")));
        assert!(leads(|route| route.severity_min = Severity::High));
        assert!(!leads(|route| route.severity_min = Severity::Critical));
        assert!(leads(|route| route.categories = one("platform")));
        assert!(!leads(|route| route.categories = one("other")));
        assert!(leads(|route| route.labels = one("SAAS-*")));
        assert!(!leads(|route| route.labels = one("SAAS")));
        assert!(leads(|route| route.rules = one("r-1")));
        assert!(!leads(|route| route.rules = one("r-2")));
        assert!(leads(|route| route.techniques = one("T1114")));
        assert!(leads(|route| route.techniques = one("T1114.003")));
        assert!(!leads(|route| route.techniques = one("T111")));
        assert!(!leads(|route| {
            route.labels = one("SAAS-*");
            route.rules = one("r-2");
        }));
    }

    #[test]
    fn first_and_all_differ_where_two_match() {
        let routes = || vec![route("chat", |_| {}), route("siem", |_| {})];
        let all = Routes::new(Match::All, routes());
        let first = Routes::new(Match::First, routes());
        assert!(all.lead(&notice(), "chat") && all.lead(&notice(), "siem"));
        assert!(first.lead(&notice(), "chat") && !first.lead(&notice(), "siem"));
    }

    #[test]
    fn without_routes_everything_goes_everywhere() {
        let none = Routes::default();
        assert!(none.lead(&notice(), "siem"));
        assert_eq!(none.kinds_of("siem").len(), NoticeKind::ALL.len());
    }

    #[test]
    fn a_destination_needs_not_read_what_no_route_leads_to_it() {
        let cases = route("chat", |route| route.kinds = vec![NoticeKind::Case]);
        let routes = Routes::new(Match::All, vec![cases]);
        assert!(routes.kinds_of("chat").iter().eq([&NoticeKind::Case]));
        assert!(routes.kinds_of("siem").is_empty());
    }
}
