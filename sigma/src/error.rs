//! Why a rule is refused.

use rsigma_parser::DetectionItem;
use schemas::tables::Table;

/// Why a rule cannot be honoured.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
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
        cause: yaml_serde::Error,
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
    /// An item of a detection cannot be honoured.
    #[error("cannot honour {}", display_field(.field))]
    Item {
        /// Its field; empty for keywords.
        field: String,
        /// Why.
        #[source]
        cause: Box<RuleError>,
    },
    /// YAML is nested deeper than is read.
    #[error("YAML is deeper than {limit} levels")]
    TooDeep {
        /// Most levels.
        limit: usize,
    },
    /// YAML has a tag, which could make anything of a value.
    #[error("YAML has a tag")]
    Tag,
    /// A document is not a mapping.
    #[error("document is not a YAML mapping")]
    NotAMapping,
    /// A file has nothing in it.
    #[error("file has no document")]
    NoDocument,
    /// A folder has more files than are read.
    #[error("folder has more than {limit} files or is nested too deep")]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// There are more of something than are read.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A key has letters that look like others.
    #[error("key \"{key}\" has letters that only look like those that it needs")]
    LookAlike {
        /// The key.
        key: String,
    },
    /// A key or its value does not have the form that it needs.
    #[error("key \"{key}\" or its value has the wrong form")]
    Shape {
        /// The key.
        key: String,
    },
    /// A correlation has a key that nothing reads.
    #[error(
        "correlation has no key \"{key}\": it has type, rules, group-by, timespan, condition, aliases, generate, window, gap"
    )]
    UnknownCorrelationKey {
        /// The key.
        key: String,
    },
    /// A filter does not say which rules it is about.
    #[error("a filter names its rules: rules: [ID, …], or rules: any for all of its log source")]
    FilterOfNothing,
    /// No condition can write this name of a detection.
    #[error("detection \"{name}\" is not named with letters, digits, _ and -")]
    DetectionName {
        /// The name.
        name: String,
    },
    /// No rule goes by a name that a filter or correlation uses.
    #[error("no rule is called \"{name}\"")]
    UnknownRule {
        /// The name.
        name: String,
    },
    /// More than one rule goes by a name that a correlation uses.
    #[error("more than one rule is called \"{name}\"")]
    Ambiguous {
        /// The name.
        name: String,
    },
    /// A correlation refers to itself, by way of others or not.
    #[error("correlations {names} refer to each other")]
    Cycle {
        /// Two of them.
        names: String,
    },
    /// A key of a correlation says what cannot be.
    #[error("correlation's {key} cannot stand: {reason}")]
    Correlation {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// What a rule asks of its matches over time cannot be.
    #[error("{key} cannot stand: {reason}")]
    OwnCorrelation {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// A pipeline has a transformation that is not known here.
    #[error("transformation \"{name}\" is not known")]
    Transformation {
        /// Its type.
        name: String,
    },
    /// A pipeline has a condition that is not known here.
    #[error("condition \"{name}\" is not known")]
    PipelineCondition {
        /// Its type.
        name: String,
    },
    /// A step of a pipeline does not have the keys that it needs.
    #[error("cannot read transformation \"{name}\"")]
    PipelineStep {
        /// Its type, or that of its condition.
        name: String,
        /// Why.
        #[source]
        cause: yaml_serde::Error,
    },
    /// A pipeline says that a rule must not be used.
    #[error("pipeline \"{name}\" refuses: {message}")]
    Pipeline {
        /// The pipeline.
        name: String,
        /// What it says.
        message: String,
    },
    /// Nobody gave values for a placeholder.
    #[error("placeholder \"%{name}%\" has no values")]
    Placeholder {
        /// Its name.
        name: String,
    },
    /// A value stands for too many.
    #[error("value stands for more than {limit} values")]
    TooManyValues {
        /// The limit.
        limit: usize,
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
    #[error("regular expression has {bytes} bytes, limit is {limit}")]
    RegexTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
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
        cause: MappingError,
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

impl RuleError {
    /// The same, said of an item.
    pub(crate) fn of_item(self, item: &DetectionItem) -> Self {
        match self {
            said @ Self::Item { .. } => said,
            cause => Self::Item {
                field: item.field.name.clone().unwrap_or_default(),
                cause: Box::new(cause),
            },
        }
    }
}

fn display_field(field: &str) -> String {
    if field.is_empty() {
        "keywords".to_owned()
    } else {
        format!("field \"{field}\"")
    }
}

/// Why a mapping file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// It names no table that records of sources go to.
    #[error("no table \"{name}\"")]
    Table {
        /// The name.
        name: String,
    },
    /// The table has no such column.
    #[error("table {table} has no column \"{name}\"")]
    Column {
        /// The table.
        table: Table,
        /// The name.
        name: String,
    },
    /// A path has an empty step or an open bracket, or is too long.
    #[error("cannot read path \"{path}\"")]
    Path {
        /// The path.
        path: String,
    },
    /// A template of paths does not say where the field's name goes.
    #[error("path \"{path}\" needs {{}} once, where the name of the field goes")]
    Template {
        /// The path.
        path: String,
    },
    /// A field has no names, or not exactly one place.
    #[error("field \"{name}\" needs names and one of column, paths, anywhere")]
    Field {
        /// Its first name.
        name: String,
    },
    /// A word says nothing, or several things at once.
    #[error(
        "word \"{word}\" needs one of one_of, none_of, contains, starts_with, present, or where"
    )]
    Word {
        /// The word.
        word: String,
    },
    /// Values are documented for no place.
    #[error("values need a column or a path")]
    Values,
}

impl MappingError {
    /// The text in the file that it is about.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::Table { name } | Self::Column { name, .. } | Self::Field { name } => name,
            Self::Path { path } | Self::Template { path } => path,
            Self::Word { word } => word,
            Self::Values => "values",
        }
    }
}

/// A file or rule that was refused.
#[derive(Debug)]
pub struct LoadDiagnostic {
    /// The file.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// Why.
    pub reason: RuleError,
}

impl std::fmt::Display for LoadDiagnostic {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {}", self.reason)?;
        let mut cause = std::error::Error::source(&self.reason);
        while let Some(inner) = cause {
            write!(formatter, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    }
}
