//! Query parameters: read case-insensitively, written back with one of them changed.

use url::form_urlencoded;

/// The parameters of a query, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the text after the question mark; it never fails.
    pub(super) fn read(text: Option<&str>) -> Self {
        Self(
            form_urlencoded::parse(text.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The value of a parameter, by name in any letter case; empty values count as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The same query with one parameter replaced or added.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let others = self
            .0
            .iter()
            .filter(|(key, _)| !key.eq_ignore_ascii_case(name));
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair(name, value)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn reads_names_in_any_case_and_replaces_one() {
        let query = Query::read(Some("ContentType=Audit.Exchange&startTime=&x=1"));
        assert_eq!(query.get("contenttype"), Some("Audit.Exchange"));
        assert_eq!(query.get("startTime"), None);
        assert_eq!(Query::read(Some("a=1&b=2")).with("A", "3"), "b=2&A=3");
    }
}
