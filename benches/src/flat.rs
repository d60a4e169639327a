//! The kit's fields as columns: the value at exactly a dotted path, read in one pass over the JSON.
//!
//! Values on a path through a list are joined by blanks, as the kit's other engines have them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringDictionaryBuilder, StringViewBuilder};
use arrow::buffer::Buffer;
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
            // Most names of the same length differ in their first letter.
            .find(|(known, _)| known.as_bytes().first() == name.as_bytes().first() && known == name)
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

    /// Empty columns of text, one for each field, and one for the record as received if it `has_raw`.
    pub(crate) fn columns(&self, has_raw: bool) -> Columns {
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = self
            .names
            .iter()
            .map(|name| Field::new(name, text.clone(), true));
        let raw = has_raw.then(|| Field::new(sigma::plan::RAW, DataType::Utf8View, true));
        let column = |_: &String| Column {
            values: StringDictionaryBuilder::new(),
            rows: 0,
        };
        Columns {
            schema: Arc::new(Schema::new(fields.chain(raw).collect::<Vec<_>>())),
            fields: self.names.iter().map(column).collect(),
            raw: has_raw.then(StringViewBuilder::new),
            block: None,
            rows: 0,
        }
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
    fields: Arc<Fields>,
    nodes: Vec<Node>,
}

/// The values of one record: those fields only that it has, each once.
pub(crate) type Values<'a> = Vec<(usize, Cow<'a, str>)>;

impl Reader {
    pub(crate) fn new(fields: Arc<Fields>) -> Self {
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
    raw: Option<StringViewBuilder>,
    /// The number of the block that records are in now, in the column of records.
    block: Option<u32>,
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
    /// Adds the values of a record that has `length` bytes from `start` of `block`, which is not copied.
    pub(crate) fn push(
        &mut self,
        values: &Values<'_>,
        block: &Buffer,
        start: usize,
        length: usize,
    ) -> Result<(), ArrowError> {
        for (field, text) in values {
            let column = &mut self.fields[*field];
            column.pad(self.rows);
            column.values.append_value(text);
            column.rows += 1;
        }
        if let Some(raw) = &mut self.raw {
            let block = *self
                .block
                .get_or_insert_with(|| raw.append_block(block.clone()));
            let too_long = |_| ArrowError::OffsetOverflowError(start + length);
            let start = u32::try_from(start).map_err(too_long)?;
            raw.try_append_view(block, start, u32::try_from(length).map_err(too_long)?)?;
        }
        self.rows += 1;
        Ok(())
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
            arrays.push(Arc::new(raw.finish()));
        }
        self.block = None;
        self.rows = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Fields, Reader};

    #[test]
    fn reads_the_value_at_exactly_a_path() {
        let names = ["a", "a.b", "l.x", "l.y.z", "n", "s"].map(str::to_owned);
        let mut reader = Reader::new(Arc::new(Fields::new(names.to_vec())));
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
