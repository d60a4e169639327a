//! ATT&CK in a rule's tags: techniques apart from tactics, both of v18's and v19's vocabularies.
//!
//! Source: MITRE ATT&CK v19 renamed *Defense Evasion* to *Stealth* and took *Defense Impairment* out of it.

/// Slugs of the enterprise tactics of v18 and v19, in the order of an intrusion.
pub const TACTICS: &[&str] = &[
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "stealth",
    "defense-impairment",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
];

/// The techniques and the tactics among `tags`, each in the order of the rule; other tags are left out.
pub fn split(tags: &[String]) -> (Vec<String>, Vec<String>) {
    let mut techniques = Vec::new();
    let mut tactics = Vec::new();
    for tag in tags {
        let lower = tag.to_ascii_lowercase();
        let Some(name) = lower.strip_prefix("attack.") else {
            continue;
        };
        let slug = name.replace('_', "-");
        if TACTICS.contains(&slug.as_str()) {
            tactics.push(slug);
        } else if is_technique(name) {
            techniques.push(name.to_ascii_uppercase());
        }
    }
    (techniques, tactics)
}

/// True for `t1114` and `t1114.003`.
fn is_technique(name: &str) -> bool {
    let is_number = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let Some(rest) = name.strip_prefix('t') else {
        return false;
    };
    match rest.split_once('.') {
        Some((technique, part)) => is_number(technique, 4) && is_number(part, 3),
        None => is_number(rest, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn accepts_both_vocabularies() {
        let tags = [
            "attack.Defense_Evasion",
            "attack.stealth",
            "attack.t1114.003",
            "attack.g0007",
            "tlp.red",
            "attack.t12",
        ];
        let (techniques, tactics) = split(&tags.map(str::to_owned));
        assert_eq!(techniques, ["T1114.003"]);
        assert_eq!(tactics, ["defense-evasion", "stealth"]);
    }
}
