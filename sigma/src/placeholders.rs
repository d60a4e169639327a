//! Placeholders: `%name%` in a value with `expand` stands for the values that the caller has for the name.
//!
//! A name without values is refused by its name: a rule that looks for the word "%admins%" would never match. The names
//! in `OF_TENANTS` differ from tenant to tenant: such an item holds for events of a tenant with that tenant's values,
//! and for nothing where nobody said any.

use std::collections::BTreeMap;

use rsigma_parser::{
    Detection, DetectionItem, Detections, FieldSpec, Modifier, SigmaString, SigmaValue,
};

use crate::error::RuleError;
use crate::expression::rewrite::{self, Rewrite};
use crate::mapping::TENANT_ID;

/// Most values that one value with placeholders may stand for.
pub(crate) const VALUES_MAX: usize = 10_000;

/// Domains whose addresses are the tenant's own.
pub const ACCEPTED_DOMAINS: &str = "accepted_domains";

/// Networks through which the tenant's people reach the internet: offices, private networks, security services.
pub const EGRESS: &str = "egress";

/// Names whose values are a tenant's, and which may have none.
pub(crate) const OF_TENANTS: [&str; 2] = [ACCEPTED_DOMAINS, EGRESS];

/// Whose events an item is about for which no tenant has values: as an explanation shows it, and no tenant is called.
const NOBODY: &str = "(no tenant has values)";

/// Values by the names of placeholders; `*` and `?` in them are wildcards, as in rules.
pub type PlaceholderValues = BTreeMap<String, Vec<String>>;

/// Values for names of placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placeholders {
    /// For every tenant.
    pub values: PlaceholderValues,
    /// Beside them for one tenant, by its id; only names in `OF_TENANTS` are looked up here.
    pub tenants: BTreeMap<String, PlaceholderValues>,
}

/// A piece of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text as it is.
    Text(&'a str),
    /// The name of a placeholder.
    Name(&'a str),
}

impl Placeholders {
    /// Replaces every value with `expand` by what it stands for.
    ///
    /// # Errors
    /// [`RuleError::Placeholder`] if a name has no values, [`RuleError::TooManyValues`] if there are too many.
    pub fn expand(&self, detections: &Detections) -> Result<Detections, RuleError> {
        let mut detections = detections.clone();
        rewrite::items(&mut detections, &mut |item| {
            if !item.field.modifiers.contains(&Modifier::Expand) {
                return Ok(Rewrite::Keep(item));
            }
            let expanded = if is_of_tenants(&item) {
                self.by_tenant(&item).map(Rewrite::Into)
            } else {
                expanded(&item, &|name| self.values_of(name)).map(Rewrite::Keep)
            };
            expanded.map_err(|refusal| refusal.of_item(&item))
        })?;
        Ok(detections)
    }

    /// One alternative for all tenants, and one for each that has values of its own.
    fn by_tenant(&self, item: &DetectionItem) -> Result<Detection, RuleError> {
        let mut alternatives = Vec::new();
        let shared = expanded(item, &|name| self.shared(name))?;
        if !shared.values.is_empty() {
            alternatives.push(Detection::AllOf(vec![shared]));
        }
        for (tenant_id, own) in &self.tenants {
            let of_tenant = expanded(item, &|name| match own.get(name) {
                Some(values) if OF_TENANTS.contains(&name) => Ok(values),
                _ => self.shared(name),
            })?;
            if !of_tenant.values.is_empty() {
                let whose = is_tenant(tenant_id);
                alternatives.push(Detection::AllOf(vec![whose, of_tenant]));
            }
        }
        if alternatives.is_empty() {
            alternatives.push(Detection::AllOf(vec![is_tenant(NOBODY)]));
        }
        Ok(Detection::AnyOf(alternatives))
    }

    /// As [`Self::values_of`], but names of tenants may have none.
    fn shared(&self, name: &str) -> Result<&[String], RuleError> {
        if OF_TENANTS.contains(&name) {
            return Ok(self.values.get(name).map_or(&[], Vec::as_slice));
        }
        self.values_of(name)
    }

    /// The values of a name for every tenant; one without any is refused.
    pub(crate) fn values_of(&self, name: &str) -> Result<&[String], RuleError> {
        self.values
            .get(name)
            .map(Vec::as_slice)
            .filter(|values| !values.is_empty())
            .ok_or_else(|| RuleError::Placeholder {
                name: name.to_owned(),
            })
    }
}

/// True if a value names a placeholder whose values are a tenant's.
fn is_of_tenants(item: &DetectionItem) -> bool {
    item.values.iter().any(|value| match value {
        SigmaValue::String(text) => pieces(&text.original)
            .iter()
            .any(|piece| matches!(piece, Piece::Name(name) if OF_TENANTS.contains(name))),
        _ => false,
    })
}

fn is_tenant(tenant_id: &str) -> DetectionItem {
    DetectionItem {
        field: FieldSpec::new(Some(TENANT_ID.to_owned()), Vec::new()),
        values: vec![SigmaValue::String(SigmaString::new(tenant_id))],
    }
}

/// Gives the values of a placeholder.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Result<&'a [String], RuleError>;

/// The item with the values that its placeholders stand for.
pub(crate) fn expanded(
    item: &DetectionItem,
    values_of: Lookup<'_>,
) -> Result<DetectionItem, RuleError> {
    let mut expanded = item.clone();
    expanded.values.clear();
    expanded
        .field
        .modifiers
        .retain(|modifier| *modifier != Modifier::Expand);
    let is_regex = expanded.field.modifiers.contains(&Modifier::Re);
    let wants_all = expanded.field.modifiers.contains(&Modifier::All);
    for value in &item.values {
        match value {
            SigmaValue::String(text) => {
                let texts = texts(&text.original, is_regex, values_of)?;
                if texts.is_empty() && wants_all {
                    expanded.values.clear();
                    return Ok(expanded);
                }
                let values = texts.iter().map(|text| {
                    SigmaValue::String(if is_regex {
                        SigmaString::from_raw(text)
                    } else {
                        SigmaString::new(text)
                    })
                });
                expanded.values.extend(values);
            }
            other => expanded.values.push(other.clone()),
        }
    }
    Ok(expanded)
}

fn texts(text: &str, is_regex: bool, values_of: Lookup<'_>) -> Result<Vec<String>, RuleError> {
    let mut texts = vec![String::new()];
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => texts.iter_mut().for_each(|known| known.push_str(text)),
            Piece::Name(name) => {
                let values = values_of(name)?;
                if texts.len().saturating_mul(values.len()) > VALUES_MAX {
                    return Err(RuleError::TooManyValues { limit: VALUES_MAX });
                }
                let with = |value: &String| {
                    let value = if is_regex {
                        in_regex(value)
                    } else {
                        value.clone()
                    };
                    texts
                        .iter()
                        .map(move |known| format!("{known}{value}"))
                        .collect::<Vec<_>>()
                };
                texts = values.iter().flat_map(with).collect();
            }
        }
    }
    Ok(texts)
}

/// Splits a value at its placeholders; `\%` is a percent sign, and so is one that no second closes.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        if let Some(before) = before.strip_suffix('\\') {
            pieces.push(Piece::Text(before));
            pieces.push(Piece::Text("%"));
            rest = after;
            continue;
        }
        let name = after.split('%').next().filter(|name| {
            let is_closed = after.len() > name.len();
            let is_name =
                |character: char| character.is_alphanumeric() || "_-.".contains(character);
            is_closed && !name.is_empty() && name.chars().all(is_name)
        });
        pieces.push(Piece::Text(before));
        if let Some(name) = name {
            pieces.push(Piece::Name(name));
            rest = &after[name.len() + 1..];
        } else {
            pieces.push(Piece::Text("%"));
            rest = after;
        }
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

/// A value with wildcards as a part of a regular expression.
fn in_regex(value: &str) -> String {
    let escaped = regex::escape(value);
    escaped.replace("\\*", ".*").replace("\\?", ".")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rsigma_parser::parse_sigma_yaml;
    use schemas::tables::Table;
    use schemas::wire::Event;

    use super::{Piece, PlaceholderValues, Placeholders, pieces};
    use crate::error::RuleError;
    use crate::mapping::Mapping;
    use crate::plan::chunk::Batch;
    use crate::plan::{Plan, event_batch};

    fn known() -> Placeholders {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Placeholders {
            values: [
                ("admins".to_owned(), list(&["ada", "adm_*"])),
                ("sites".to_owned(), list(&["a", "b"])),
                ("none".to_owned(), Vec::new()),
                ("many".to_owned(), vec!["x".to_owned(); 200]),
            ]
            .into(),
            tenants: BTreeMap::new(),
        }
    }

    fn expand(key: &str, value: &str) -> Result<Vec<String>, RuleError> {
        let text = format!("title: t\ndetection: {{s: {{{key}: '{value}'}}, condition: s}}\n");
        let rule = parse_sigma_yaml(&text).unwrap().rules.remove(0);
        let detections = known().expand(&rule.detection)?;
        let rsigma_parser::Detection::AllOf(items) = &detections.named["s"] else {
            panic!("not a map");
        };
        Ok(items[0].values.iter().map(ToString::to_string).collect())
    }

    #[track_caller]
    fn check(key: &str, value: &str, expected: &[&str]) {
        assert_eq!(expand(key, value).unwrap(), expected, "{value}");
    }

    #[test]
    fn names_stand_for_their_values() {
        check("f|expand", "%admins%", &["ada", "adm_*"]);
        check(
            "f|expand",
            "%sites%/%admins%",
            &["a/ada", "b/ada", "a/adm_*", "b/adm_*"],
        );
        check("f|contains|expand", "x%sites%", &["xa", "xb"]);
        check("f|re|expand", "^%admins%$", &["^ada$", "^adm_.*$"]);
        check("f", "%admins%", &["%admins%"]);
        check("f|expand", "plain", &["plain"]);
    }

    #[test]
    fn a_percent_sign_alone_is_one() {
        use Piece::{Name, Text};
        assert_eq!(pieces("%a%"), [Name("a")]);
        assert_eq!(
            pieces(r"\%plain%name%"),
            [Text("%"), Text("plain"), Name("name")]
        );
        assert_eq!(
            pieces("100% of %a"),
            [Text("100"), Text("%"), Text(" of "), Text("%"), Text("a")]
        );
        assert_eq!(pieces("%%"), [Text("%"), Text("%")]);
    }

    #[test]
    fn what_has_no_values_is_named() {
        for (value, name) in [("%who%", "who"), ("%none%", "none")] {
            let refusal = expand("f|expand", value).unwrap_err();
            let cause = std::error::Error::source(&refusal).unwrap().to_string();
            assert_eq!(cause, format!("placeholder \"%{name}%\" has no values"));
        }
        assert!(expand("f|expand", "%many%%many%%many%").is_err());
    }

    fn domains(names: &[&str]) -> PlaceholderValues {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        [("accepted_domains".to_owned(), names)].into()
    }

    /// Which of the events of tenants a, b and c, each with these targets, the rule finds.
    fn found(placeholders: &Placeholders, condition: &str) -> Vec<String> {
        let text = format!(
            "title: t\nlogsource: {{product: m365, service: exchange}}\n\
             detection: {{own: {{'ForwardTo|endswith|expand': '@%accepted_domains%'}}, \
             mail: {{'ForwardTo|contains': '@'}}, condition: {condition}}}\n"
        );
        let parsed = parse_sigma_yaml(&text).unwrap();
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        let mut rule = parsed.rules.into_iter().next().unwrap();
        rule.detection = placeholders.expand(&rule.detection).unwrap();
        let targets = ["x@a.test", "x@b.test", "x@all.test"];
        let events: Vec<Event> = ["a", "b", "c"]
            .iter()
            .flat_map(|tenant| targets.map(|target| (tenant, target)))
            .map(|(tenant, target)| Event {
                event_id: format!("{tenant} {target}"),
                tenant_id: (*tenant).to_owned(),
                raw: format!(
                    r#"{{"Operation": "New-InboxRule", "Parameters": [{{"Name": "ForwardTo", "Value": "{target}"}}]}}"#
                )
                .into(),
                ..Event::default()
            })
            .collect();
        let batch = event_batch::batch(Table::M365Activity, &events).unwrap();
        let (plan, refused) = Plan::new(Mapping::Lake(Table::M365Activity), [(0, &rule)]);
        assert!(refused.is_empty(), "{refused:?}");
        let hits = plan.evaluate(&mut Batch(&batch)).unwrap();
        let rows = hits.into_iter().flat_map(|hit| hit.rows);
        rows.map(|row| events[row].event_id.clone()).collect()
    }

    /// What is a tenant's own domain is a foreign one in the tenant beside it.
    #[test]
    fn each_tenant_has_its_own_values() {
        let placeholders = Placeholders {
            values: domains(&["all.test"]),
            tenants: [
                ("a".to_owned(), domains(&["a.test"])),
                ("b".to_owned(), domains(&["b.test", "all.test"])),
            ]
            .into(),
        };
        let own = [
            "a x@a.test",
            "a x@all.test",
            "b x@b.test",
            "b x@all.test",
            "c x@all.test",
        ];
        assert_eq!(found(&placeholders, "own"), own);
        let foreign = ["a x@b.test", "b x@a.test", "c x@a.test", "c x@b.test"];
        assert_eq!(found(&placeholders, "mail and not own"), foreign);
    }

    #[test]
    fn where_nobody_says_a_tenants_values_nothing_is_its_own() {
        let nobody = Placeholders::default();
        assert_eq!(found(&nobody, "own"), Vec::<String>::new());
        assert_eq!(found(&nobody, "mail and not own").len(), 9);
        let others = Placeholders {
            tenants: [("b".to_owned(), domains(&["b.test"]))].into(),
            ..Placeholders::default()
        };
        assert_eq!(found(&others, "own"), ["b x@b.test"]);
        assert_eq!(found(&others, "mail and not own").len(), 8);
    }
}
