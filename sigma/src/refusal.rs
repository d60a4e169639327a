//! Why a rule is refused.

/// Why a rule cannot be honoured.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file is too large.
    #[error("file has {bytes} bytes, limit is {limit}")]
    FileTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The file is not UTF-8.
    #[error("file is not UTF-8")]
    NotUtf8,
    /// The file cannot be read.
    #[error("could not read file")]
    Unreadable {
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The file is not YAML, or goes beyond the bounds of YAML that is read.
    #[error("cannot read YAML")]
    Yaml {
        /// Why.
        #[source]
        cause: serde_yaml_ng::Error,
    },
    /// The file is YAML, but not a rule.
    #[error("cannot read rule: {reason}")]
    NotARule {
        /// What the parser says.
        reason: String,
    },
    /// Something of Sigma that this engine does not evaluate.
    #[error("cannot evaluate {what} yet")]
    Unsupported {
        /// What it is.
        what: String,
    },
    /// Modifiers that contradict each other.
    #[error("modifiers \"{modifiers}\" cannot stand together so")]
    Modifiers {
        /// As the rule writes them.
        modifiers: String,
    },
    /// A value that its field's modifiers cannot use.
    #[error("cannot use value \"{value}\" here")]
    Value {
        /// The value.
        value: String,
    },
    /// A regular expression is too long.
    #[error(
        "regular expression has {bytes} bytes, limit is {}",
        crate::compile::text::REGEX_LENGTH_MAX
    )]
    RegexTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A regular expression is wrong, or too costly.
    #[error("cannot compile regular expression")]
    Regex {
        /// Why.
        #[source]
        cause: Box<regex::Error>,
    },
    /// A detection asks for nothing.
    #[error("detection asks for nothing")]
    Empty,
    /// The condition names what is not there.
    #[error("condition names \"{name}\", which is no detection")]
    UnknownDetection {
        /// The name or pattern.
        name: String,
    },
    /// A condition is longer or deeper than is read.
    #[error("condition is longer than {limit} bytes or deeper than {depth} levels")]
    ConditionTooLarge {
        /// Most bytes.
        limit: usize,
        /// Most levels.
        depth: usize,
    },
    /// No table of the lake holds this log source.
    #[error("no table holds log source \"{logsource}\"; known are {known}")]
    LogSource {
        /// Product, category and service.
        logsource: String,
        /// What is known.
        known: String,
    },
    /// A mapping file names what is not there, or cannot be read.
    #[error("cannot read mapping")]
    Mapping {
        /// Why.
        #[source]
        cause: crate::mapping::Fault,
    },
    /// A key of the rule does not have the form that it needs.
    #[error("cannot read key \"{key}\"")]
    Key {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
    /// The rule has no id.
    #[error("rule has no id")]
    NoId,
    /// Another rule has this id or label.
    #[error("{what} {value} is taken by \"{title}\"")]
    Duplicate {
        /// "id" or "label".
        what: &'static str,
        /// The value.
        value: String,
        /// The rule that has it.
        title: String,
    },
}
