//! Answers of Log Analytics, Application Insights and Data Explorer: `{"tables":[{"columns":[…],"rows":[[…]]}]}`.
//!
//! Row i, column j is the member columns\[j\] of record i. Read as a stream: an answer may be longer than memory.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::sink::Sink;
use crate::normalise::layout::BYTE_ORDER_MARK;
use crate::normalise::pages;
use crate::normalise::split::Piece;

/// Most bytes of one row, or of what stands around the rows.
const ROW_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// True if a text begins as an answer does.
pub(super) fn is_answer(start: &[u8]) -> bool {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let inside = start
        .trim_ascii_start()
        .strip_prefix(b"{")
        .unwrap_or_default();
    let name = inside.trim_ascii_start();
    name.get(..8)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"\"tables\""))
}

/// Reads every row, and gives what the answer says of its own wholeness.
///
/// # Errors
/// If it ends or breaks in its middle; the rows before are handed on.
pub(super) fn read(mut input: impl Read, sink: &mut Sink<'_>) -> io::Result<Vec<String>> {
    let mut mark = [0; 3];
    let length = input.read(&mut mark)?;
    let begun = &mark[..length];
    let begun = begun
        .strip_prefix(BYTE_ORDER_MARK)
        .unwrap_or(begun)
        .to_vec();
    let left = Rc::new(Cell::new(ROW_BYTES_MAX));
    let guarded = Guarded {
        input: io::Cursor::new(begun).chain(input),
        left: left.clone(),
    };
    let mut state = State {
        sink,
        left,
        records: 0,
        notes: Vec::new(),
        failure: None,
    };
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(guarded));
    let ended = loop {
        let read = Answer(&mut state).deserialize(&mut reader);
        if read.is_err() || reader.end().is_ok() {
            break read;
        }
    };
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    match ended {
        Ok(()) => Ok(state.notes),
        Err(error) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the answer of a query breaks off after {} rows: {error}",
                state.records
            ),
        )),
    }
}

/// What is known while an answer is read.
struct State<'s, 'k> {
    sink: &'s mut Sink<'k>,
    left: Rc<Cell<u64>>,
    records: u64,
    notes: Vec<String>,
    /// Why nobody takes rows any more.
    failure: Option<io::Error>,
}

/// An input of which only so much is read at once.
struct Guarded<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        match self.left.get().checked_sub(read as u64) {
            Some(left) => self.left.set(left),
            None => {
                return Err(io::Error::other(format!(
                    "a row of it is longer than {ROW_BYTES_MAX} bytes"
                )));
            }
        }
        Ok(read)
    }
}

/// An answer: its tables, and what stands around them.
struct Answer<'a, 's, 'k>(&'a mut State<'s, 'k>);

impl<'de> DeserializeSeed<'de> for Answer<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Answer<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an answer of a query")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let before = self.0.records;
        let mut around = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.eq_ignore_ascii_case("tables") {
                map.next_value_seed(Tables(self.0))?;
            } else {
                let value: Value = map.next_value()?;
                around.insert(name, value);
            }
            self.0.left.set(ROW_BYTES_MAX);
        }
        let records = self.0.records - before;
        self.0.notes.extend(pages::notes(&around, records));
        Ok(())
    }
}

struct Tables<'a, 's, 'k>(&'a mut State<'s, 'k>);

impl<'de> DeserializeSeed<'de> for Tables<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Tables<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of tables")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tables: A) -> Result<(), A::Error> {
        while tables.next_element_seed(Table(self.0))?.is_some() {}
        Ok(())
    }
}

/// A column; Data Explorer says `ColumnName`.
#[derive(Deserialize)]
struct Column {
    #[serde(alias = "ColumnName", alias = "Name")]
    name: String,
}

struct Table<'a, 's, 'k>(&'a mut State<'s, 'k>);

impl<'de> DeserializeSeed<'de> for Table<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Table<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of columns and rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut columns: Option<Vec<Column>> = None;
        while let Some(name) = map.next_key::<String>()? {
            match (name.to_ascii_lowercase().as_str(), &columns) {
                ("columns", _) => columns = Some(map.next_value()?),
                ("rows", Some(columns)) => {
                    map.next_value_seed(Rows {
                        columns,
                        state: self.0,
                    })?;
                }
                ("rows", None) => {
                    return Err(A::Error::custom("its rows stand before its columns"));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            self.0.left.set(ROW_BYTES_MAX);
        }
        Ok(())
    }
}

struct Rows<'a, 's, 'k> {
    columns: &'a [Column],
    state: &'a mut State<'s, 'k>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(cells) = rows.next_element::<Vec<Box<RawValue>>>()? {
            self.state.left.set(ROW_BYTES_MAX);
            self.state.records += 1;
            let piece = Piece::Object(object_of(self.columns, &cells).into_bytes());
            if let Err(error) = (self.state.sink)(piece) {
                self.state.failure = Some(error);
                return Err(A::Error::custom("nobody takes rows any more"));
            }
        }
        Ok(())
    }
}

/// A row as an object by the names of its columns, each cell with its own bytes.
fn object_of(columns: &[Column], cells: &[Box<RawValue>]) -> String {
    let mut text = String::from("{");
    for (column, cell) in columns.iter().zip(cells) {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&Value::from(column.name.as_str()).to_string());
        text.push(':');
        text.push_str(cell.get());
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::{is_answer, read};
    use crate::normalise::split::Piece;

    fn rows(text: &str) -> (Vec<String>, std::io::Result<Vec<String>>) {
        let mut found = Vec::new();
        let notes = read(text.as_bytes(), &mut |piece| {
            if let Piece::Object(raw) = piece {
                found.push(String::from_utf8(raw).unwrap());
            }
            Ok(())
        });
        (found, notes)
    }

    #[test]
    fn each_row_is_an_object_by_the_names_of_its_columns() {
        let table = r#"{"name":"PrimaryResult","columns":[{"name":"a","type":"string"},{"name":"b","type":"int"}],"rows":[["x",1],["y",{"c" : 2}]]}"#;
        let (found, notes) = rows(&format!(r#" {{"tables":[{table},{table}]}}"#));
        assert_eq!(
            found,
            [r#"{"a":"x","b":1}"#, r#"{"a":"y","b":{"c" : 2}}"#].repeat(2)
        );
        assert!(notes.unwrap().is_empty());
        let partial = format!(r#"{{"tables":[{table}],"error":{{"code":"PartialError"}}}}"#);
        let (found, notes) = rows(&partial);
        assert_eq!(found.len(), 2);
        assert_eq!(
            notes.unwrap(),
            ["incomplete: it says of itself PartialError"]
        );
        assert!(is_answer(partial.as_bytes()) && !is_answer(b"{\"a\":1}") && !is_answer(b""));
    }

    #[test]
    fn an_answer_that_breaks_off_keeps_its_rows_and_says_so() {
        let (found, notes) = rows(r#"{"tables":[{"columns":[{"name":"a"}],"rows":[[1],[2],[3"#);
        assert_eq!(found.len(), 2);
        let why = notes.unwrap_err().to_string();
        assert!(
            why.starts_with("the answer of a query breaks off after 2 rows"),
            "{why}"
        );
        let (_, notes) = rows(r#"{"tables":[{"rows":[[1]],"columns":[{"name":"a"}]}]}"#);
        assert!(notes.is_err());
    }
}
