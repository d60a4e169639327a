//! An explanation as a value, and as lines of text for a person.

use std::fmt;

use serde::Serialize;

/// Most characters of a value that a line shows; the value itself has all of them.
const SHOWN_CHARACTERS_MAX: usize = 100;

/// Most values of an item, or of a record's field, that a line shows.
const SHOWN_VALUES_MAX: usize = 6;

/// What a rule made of an event, part by part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Label of the rule.
    pub rule: String,
    /// Its UUID.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The table whose rows it is asked about.
    pub table: String,
    /// Whether the event is a hit.
    pub holds: bool,
    /// Its conditions; one of them is enough.
    pub conditions: Vec<Node>,
}

/// A part of a rule, and whether it holds for the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Whether it holds; none if the engine cannot be asked about this part alone.
    pub holds: Option<bool>,
    /// What it is.
    #[serde(flatten)]
    pub part: Part,
    /// Its parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Node>,
}

/// What a part of a rule is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Part {
    /// `and`, and the items of a map: all parts must hold.
    And,
    /// `or`, and the maps of a list: one part must hold.
    Or,
    /// `not`: the part must not hold.
    Not,
    /// A selector such as `1 of selection_*`.
    Selector {
        /// As the rule writes it.
        text: String,
    },
    /// A detection that the condition names.
    Detection {
        /// Its name.
        name: String,
    },
    /// A field with what is asked of it, or keywords.
    Item(Item),
    /// Something that has no form of its own here.
    Other {
        /// As the rule writes it.
        text: String,
    },
}

/// A field of a rule, what is asked of it, and what the event has there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The field as the rule names it; none for keywords.
    pub field: Option<String>,
    /// Its modifiers, in order.
    pub modifiers: Vec<String>,
    /// What is asked for.
    pub values: Vec<Value>,
    /// Values that the rule has beyond those.
    pub values_left_out: usize,
    /// Where the mapping finds the field.
    pub standing: Standing,
    /// What the event has there; nothing if the field is absent.
    pub found: Vec<FoundValue>,
}

/// A value of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// As the rule writes it.
    pub value: String,
    /// Whether it alone holds; none where values are not asked one by one.
    pub holds: Option<bool>,
    /// What it stands for in records of this source, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
}

/// A value of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundValue {
    /// As the event has it.
    pub value: String,
    /// The form in which it is compared, where it differs by more than letter case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_as: Option<String>,
}

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In a column of the table.
    Column(String),
    /// In the raw record at this path.
    Record(String),
    /// At none of these paths of the raw record.
    Nowhere(Vec<String>),
    /// Anywhere in the record.
    Anywhere,
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => write!(formatter, "column {name}"),
            Self::Record(path) => write!(formatter, "record {}", shown(path)),
            Self::Nowhere(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| shown(path)).collect();
                write!(formatter, "record {}", paths.join(" or "))
            }
            Self::Anywhere => formatter.write_str("anywhere in the record"),
        }
    }
}

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The branches of the tree before it.
    pub branches: String,
    /// Whether what it says holds; none for what is no question.
    pub holds: Option<bool>,
    /// What it says; without control characters, whatever rule and event contain.
    pub text: String,
}

impl Explanation {
    /// The explanation line by line.
    pub fn lines(&self) -> Vec<Line> {
        let outcome = if self.holds {
            "matches"
        } else {
            "does not match"
        };
        let mut lines = vec![Line {
            branches: String::new(),
            holds: Some(self.holds),
            text: format!("{} {} {outcome}", plain(&self.rule), shown(&self.title)),
        }];
        lines.push(note(
            "   ",
            format!("asked of table {}", plain(&self.table)),
        ));
        draw(&self.conditions, "", &mut lines);
        lines
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.lines() {
            writeln!(formatter, "{line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.branches)?;
        match self.holds {
            Some(true) => formatter.write_str("✓ ")?,
            Some(false) => formatter.write_str("✗ ")?,
            None => {}
        }
        formatter.write_str(&self.text)
    }
}

fn note(branches: &str, text: String) -> Line {
    Line {
        branches: branches.to_owned(),
        holds: None,
        text,
    }
}

fn draw(nodes: &[Node], before: &str, lines: &mut Vec<Line>) {
    for (at, node) in nodes.iter().enumerate() {
        let is_last = at + 1 == nodes.len();
        let (branch, stem) = if is_last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        lines.push(Line {
            branches: format!("{before}{branch}"),
            holds: node.holds,
            text: node.part.to_string(),
        });
        let before = format!("{before}{stem}");
        if let Part::Item(item) = &node.part {
            let stem = format!("{before}  ");
            lines.extend(item.notes().map(|text| note(&stem, text)));
        }
        draw(&node.parts, &before, lines);
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And => formatter.write_str("all of"),
            Self::Or => formatter.write_str("one of"),
            Self::Not => formatter.write_str("not"),
            Self::Selector { text } | Self::Other { text } => formatter.write_str(&plain(text)),
            Self::Detection { name } => write!(formatter, "{}:", plain(name)),
            Self::Item(item) => item.fmt(formatter),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&plain(self.field.as_deref().unwrap_or("keywords")))?;
        for modifier in &self.modifiers {
            write!(formatter, "|{modifier}")?;
        }
        formatter.write_str(":")?;
        // Those that hold come first: a list of a thousand words is read for the one that was found.
        let held = |value: &&Value| value.holds == Some(true);
        let others = self.values.iter().filter(|value| !held(value));
        let order = self.values.iter().filter(held).chain(others);
        for (at, value) in order.take(SHOWN_VALUES_MAX).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(formatter, "{comma} {}", shown(&value.value))?;
            match value.holds {
                Some(true) => formatter.write_str(" ✓")?,
                Some(false) => formatter.write_str(" ✗")?,
                None => {}
            }
        }
        let left_out = self.values.len().saturating_sub(SHOWN_VALUES_MAX) + self.values_left_out;
        if left_out > 0 {
            write!(formatter, ", and {left_out} more")?;
        }
        Ok(())
    }
}

impl Item {
    /// Where it stands and what is there, then what its words mean.
    fn notes(&self) -> impl Iterator<Item = String> {
        let mut stands = format!("{}: ", self.standing);
        if self.standing == Standing::Anywhere {
            stands.truncate(stands.len() - 2);
        } else if self.found.is_empty() {
            stands.push_str("no value");
        } else {
            let mut texts: Vec<String> = self
                .found
                .iter()
                .take(SHOWN_VALUES_MAX)
                .map(found)
                .collect();
            if self.found.len() > SHOWN_VALUES_MAX {
                texts.push(format!("and {} more", self.found.len() - SHOWN_VALUES_MAX));
            }
            stands.push_str(&texts.join(", "));
        }
        let means = self.values.iter().filter_map(|value| {
            let means = value.means.as_ref()?;
            Some(format!("{} means {means}", shown(&value.value)))
        });
        std::iter::once(stands).chain(means)
    }
}

fn found(found: &FoundValue) -> String {
    match &found.compared_as {
        Some(form) => format!("{} compared as {}", shown(&found.value), shown(form)),
        None => shown(&found.value),
    }
}

/// The text in quotation marks, cut, with its control characters and overrides of direction escaped.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    // A backslash stays one: rules and paths have many.
    format!("\"{}{dots}\"", plain(&cut))
}

/// The text with its control characters and overrides of direction escaped.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '\'' | '"' => out.push(character),
            other => out.extend(other.escape_debug()),
        }
    }
    out
}
