//! The names that rules give a log source.

use serde::Deserialize;

/// Products and services that rules give a table; one of each must match.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// Products.
    pub products: Vec<String>,
    /// Services or categories; none if the product alone is enough.
    pub services: Vec<String>,
}

impl Names {
    pub(super) fn has(&self, product: Option<&str>, service: Option<&str>) -> bool {
        let known = |list: &[String], word: &str| list.iter().any(|name| same_word(name, word));
        let is_product = product.is_none_or(|word| known(&self.products, word));
        let is_service = match service {
            Some(word) => known(&self.services, word),
            None => self.services.is_empty() && product.is_some(),
        };
        is_product && is_service
    }
}

/// Equal but for letter case and the marks between words.
pub(super) fn same_word(left: &str, right: &str) -> bool {
    let letters = |text: &str| {
        text.chars()
            .filter(|character| !matches!(character, '_' | '-' | ' '))
            .map(|character| character.to_ascii_lowercase())
            .collect::<String>()
    };
    letters(left) == letters(right)
}
