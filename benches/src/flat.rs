//! The kit's fields as columns: the value at exactly a dotted path, read in one pass over the JSON.
//!
//! Values on a path through a list are joined by blanks, as the kit's other engines have them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, StringDictionaryBuilder};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use columns::json::{Kind, Malformed, Node, View, scan};

/// Fields as a tree of the names on their paths.
#[derive(Debug)]
pub(crate) struct Fields {
    names: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Debug, Default)]
struct Step {
    /// The field whose path ends here.
    field: Option<usize>,
    /// Names of members and the step to each, by the length of the name.
    members: Vec<Vec<(String, usize)>>,
}

impl Step {
    fn find(&self, name: &str) -> Option<usize> {
        let of_length = self.members.get(name.len())?;
        of_length
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, step)| *step)
    }
}

impl Fields {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let mut steps = vec![Step::default()];
        for (field, name) in names.iter().enumerate() {
            let mut at = 0;
            for part in name.split('.') {
                at = steps[at].find(part).unwrap_or_else(|| {
                    let next = steps.len();
                    let members = &mut steps[at].members;
                    members.resize(members.len().max(part.len() + 1), Vec::new());
                    members[part.len()].push((part.to_owned(), next));
                    steps.push(Step::default());
                    next
                });
            }
            steps[at].field = Some(field);
        }
        Self { names, steps }
    }

    /// One column of text for each field, and the record as received if it `has_raw`.
    pub(crate) fn schema(&self, has_raw: bool) -> SchemaRef {
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = self
            .names
            .iter()
            .map(|name| Field::new(name, text.clone(), true));
        let raw = has_raw.then(|| Field::new(sigma::plan::RAW, DataType::Utf8, true));
        Arc::new(Schema::new(fields.chain(raw).collect::<Vec<_>>()))
    }

    /// Gives the values of a record's fields to `found`, in the order of the text, lists member by member.
    fn walk<'a>(
        &self,
        view: View<'a>,
        (node, step): (u32, usize),
        is_listed: bool,
        found: &mut dyn FnMut(usize, Cow<'a, str>, bool),
    ) {
        let here = &self.steps[step];
        if let Some(field) = here.field
            && view.kind(node) != Kind::Null
        {
            found(field, view.text(node), is_listed);
        }
        if here.members.is_empty() {
            return;
        }
        for item in view.items(node) {
            if view.kind(item) == Kind::Object {
                self.members(view, (item, step), true, found);
            }
        }
        self.members(view, (node, step), is_listed, found);
    }

    fn members<'a>(
        &self,
        view: View<'a>,
        (object, step): (u32, usize),
        is_listed: bool,
        found: &mut dyn FnMut(usize, Cow<'a, str>, bool),
    ) {
        for (key, value) in view.members(object) {
            let next = match view.kind(key) {
                Kind::Plain => self.steps[step].find(view.written(key)),
                _ => view.string(key).and_then(|key| self.steps[step].find(&key)),
            };
            if let Some(next) = next {
                self.walk(view, (value, next), is_listed, found);
            }
        }
    }
}

/// A record's values by field, and room to find them again and again.
#[derive(Debug)]
pub(crate) struct Reader {
    fields: Fields,
    nodes: Vec<Node>,
}

/// The values of one record: those fields only that it has, each once.
pub(crate) type Values<'a> = Vec<(usize, Cow<'a, str>)>;

impl Reader {
    pub(crate) fn new(fields: Fields) -> Self {
        Self {
            fields,
            nodes: Vec::new(),
        }
    }

    /// What a record has.
    ///
    /// # Errors
    /// [`Malformed`] if it is not JSON.
    pub(crate) fn read<'a>(&'a mut self, line: &'a str) -> Result<Values<'a>, Malformed> {
        scan(line, &mut self.nodes)?;
        let mut values = Values::new();
        let view = View::new(line, &self.nodes);
        let mut keep = |field, text: Cow<'a, str>, is_listed| match values
            .iter_mut()
            .find(|(known, _)| *known == field)
        {
            Some((_, held)) if is_listed => {
                let joined = held.to_mut();
                joined.push(' ');
                joined.push_str(&text);
            }
            Some((_, held)) => *held = text,
            None => values.push((field, text)),
        };
        self.fields.members(view, (0, 0), false, &mut keep);
        Ok(values)
    }
}

/// The columns of a batch while it is read.
pub(crate) struct Columns {
    schema: SchemaRef,
    fields: Vec<Column>,
    raw: Option<StringBuilder>,
    pub(crate) rows: usize,
}

struct Column {
    values: StringDictionaryBuilder<Int32Type>,
    /// Rows that it has: most fields are absent from most records, so absence is written late, many at once.
    rows: usize,
}

impl Column {
    fn pad(&mut self, rows: usize) {
        self.values.append_nulls(rows - self.rows);
        self.rows = rows;
    }
}

impl Columns {
    pub(crate) fn new(schema: SchemaRef, fields: usize, rows: usize) -> Self {
        let column = || Column {
            values: StringDictionaryBuilder::new(),
            rows: 0,
        };
        Self {
            raw: (schema.fields().len() > fields)
                .then(|| StringBuilder::with_capacity(rows, rows * 2048)),
            fields: (0..fields).map(|_| column()).collect(),
            schema,
            rows: 0,
        }
    }

    pub(crate) fn push(&mut self, values: &Values<'_>, line: &str) {
        for (field, text) in values {
            let column = &mut self.fields[*field];
            column.pad(self.rows);
            column.values.append_value(text);
            column.rows += 1;
        }
        if let Some(raw) = &mut self.raw {
            raw.append_value(line);
        }
        self.rows += 1;
    }

    /// The rows as a batch; no rows are left.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.fields.len() + 1);
        for column in &mut self.fields {
            column.pad(self.rows);
            column.rows = 0;
            arrays.push(Arc::new(column.values.finish()));
        }
        if let Some(raw) = &mut self.raw {
            let full = std::mem::replace(
                raw,
                StringBuilder::with_capacity(self.rows, raw.values_slice().len() * 9 / 8),
            )
            .finish();
            arrays.push(Arc::new(full));
        }
        self.rows = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, Reader};

    #[test]
    fn reads_the_value_at_exactly_a_path() {
        let names = ["a", "a.b", "l.x", "l.y.z", "n", "s"].map(str::to_owned);
        let mut reader = Reader::new(Fields::new(names.to_vec()));
        let line = r#"{"A":0,"a":{"b":1.50,"c":2},"l":[{"x":"1","y":{"z":true}},7,{"x":null},{"x":[2]}],"n":null,"s":"\u0041"}"#;
        let values = reader.read(line).unwrap();
        let found: Vec<(usize, &str)> = values.iter().map(|(at, text)| (*at, &**text)).collect();
        assert_eq!(
            found,
            [
                (0, r#"{"b":1.5,"c":2}"#),
                (1, "1.5"),
                (2, "1 [2]"),
                (3, "true"),
                (5, "A")
            ]
        );
        assert!(reader.read("{").is_err());
    }
}
