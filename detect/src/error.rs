//! What can go wrong in detect: a rule that is refused, and an error that ends or repeats work.

use schemas::fate::Fate;

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
    #[error("no table holds log source \"{logsource}\"")]
    LogSource {
        /// Product, category and service.
        logsource: String,
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
    /// The engine under us cannot plan it.
    #[error("could not plan rule")]
    Plan {
        /// Why.
        #[source]
        cause: Box<datafusion::error::DataFusionError>,
    },
}

/// What can go wrong while detect runs.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The bus failed.
    #[error("could not use the bus")]
    Bus(#[from] bus::BusError),
    /// The lake failed.
    #[error("could not read the lake")]
    Lake(#[from] lake::LakeError),
    /// The engine failed on a batch.
    #[error("could not evaluate rules on table {table}")]
    Evaluate {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        cause: Box<datafusion::error::DataFusionError>,
    },
    /// A message on the topic is not of its type.
    #[error("cannot decode batch announcement at offset {offset}")]
    Announcement {
        /// Where it stands.
        offset: i64,
        /// Why.
        #[source]
        cause: prost::DecodeError,
    },
    /// The machine stopped an evaluation.
    #[error("evaluation was interrupted")]
    Interrupted,
    /// Rules were refused, and the configuration asks to stop then.
    #[error("{count} rules were refused, first \"{first}\"")]
    Refused {
        /// How many.
        count: usize,
        /// File and reason of the first.
        first: String,
    },
}

impl DetectError {
    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Bus(cause) => cause.fate(),
            // Neither a path outside the lake nor a damaged file gets better by waiting,
            // and the files after it must not wait for it.
            Self::Lake(lake::LakeError::ForeignPath { .. } | lake::LakeError::Parquet { .. })
            | Self::Announcement { .. } => Fate::DeadLetter,
            Self::Lake(cause) => cause.fate(),
            Self::Evaluate { .. } | Self::Interrupted | Self::Refused { .. } => Fate::Stop,
        }
    }
}
