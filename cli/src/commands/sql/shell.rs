//! The interactive shell: history, completion of tables and columns, a few commands.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use lake::{Lake, literals};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Editor, Helper, Highlighter, Hinter};
use schemas::tables::Table;

use super::{Asked, answer};
use crate::output::{self, Form, exit};

const HELP: &str = "\
A query ends with a semicolon.
  \\d          list the tables      \\d NAME   list a table's columns
  \\o FORM     table, csv or json   \\h        this help
  \\q          quit (or Ctrl-D)";

/// Keywords that are completed beside tables and columns.
const KEYWORDS: &[&str] = &[
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "COUNT(*)", "DISTINCT", "AND",
    "OR", "NOT", "IS NULL", "LIKE", "ILIKE", "BETWEEN", "INTERVAL", "JOIN", "DESC",
];

#[derive(Helper, Hinter, Highlighter)]
struct Words {
    names: Vec<String>,
}

impl Words {
    fn of_lake() -> Self {
        let mut names: Vec<String> = KEYWORDS.iter().map(|word| (*word).to_owned()).collect();
        for table in Table::ALL {
            names.push(table.name().to_owned());
            names.extend(table.columns().iter().map(|column| column.name.to_owned()));
        }
        names.extend(["tenant_id", "day"].map(str::to_owned));
        names.sort_unstable();
        names.dedup();
        Self { names }
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or(line);
        let start = before
            .rfind(|character: char| !(character.is_alphanumeric() || character == '_'))
            .map_or(0, |at| at + 1);
        let word = before.get(start..).unwrap_or("").to_lowercase();
        let found = self
            .names
            .iter()
            .filter(|name| !word.is_empty() && name.to_lowercase().starts_with(&word))
            .map(|name| Pair {
                display: name.clone(),
                replacement: name.clone(),
            })
            .collect();
        Ok((start, found))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let line = context.input().trim();
        let complete = line.is_empty() || line.starts_with('\\') || line.ends_with(';');
        Ok(if complete {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

/// Reads and answers until the end of input; `history` is the file of what was asked, which names people.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    lake: &Lake,
    mut asked: Asked,
    history: &Path,
) -> anyhow::Result<()> {
    let mut editor: Editor<Words, DefaultHistory> =
        Editor::new().context("could not open the terminal")?;
    editor.set_helper(Some(Words::of_lake()));
    // A first start has no history yet.
    let no_history = editor.load_history(history).is_err();
    tracing::debug!(no_history, "shell starts");
    let mut errors = output::stderr();
    writeln!(errors, "vedette sql: \\h for help, \\q to quit")?;
    loop {
        let line = match editor.readline("vedette> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("could not read the line"),
        };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        editor.add_history_entry(line)?;
        match command(line, &mut asked.output) {
            Wish::Quit => break,
            Wish::Say(text) => writeln!(errors, "{text}")?,
            Wish::Ask(query) => {
                if let Err(error) = answer(runtime, lake, &query, asked) {
                    writeln!(errors, "{}", exit::chain(&error))?;
                }
            }
        }
    }
    if let Err(error) = editor.save_history(history) {
        writeln!(
            errors,
            "could not keep the history in {}: {error}",
            history.display()
        )?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Quit,
    Say(Cow<'static, str>),
    Ask(String),
}

fn command(line: &str, output: &mut Form) -> Wish {
    let mut words = line.trim_end_matches(';').split_whitespace();
    match (words.next().unwrap_or(""), words.next()) {
        ("\\q" | "quit" | "exit", None) => Wish::Quit,
        ("\\h" | "help", None) => Wish::Say(Cow::Borrowed(HELP)),
        ("\\d", None) => Wish::Ask(
            "SELECT table_name, table_type FROM information_schema.tables \
             WHERE table_schema = 'public' ORDER BY 1"
                .to_owned(),
        ),
        ("\\d", Some(name)) => Wish::Ask(format!(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns \
             WHERE table_name = {} ORDER BY ordinal_position",
            literals([name])
        )),
        ("\\o", Some(form)) => {
            let chosen = match form {
                "table" => Form::Table,
                "csv" => Form::Csv,
                "json" => Form::Json,
                _ => return Wish::Say(Cow::Borrowed("forms are table, csv and json")),
            };
            *output = chosen;
            Wish::Say(Cow::Owned(format!("answers are {form}")))
        }
        (word, _) if word.starts_with('\\') => Wish::Say(Cow::Owned(format!(
            "unknown command {word}; \\h lists them"
        ))),
        _ => Wish::Ask(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Wish, Words, command};
    use rustyline::completion::Completer as _;
    use rustyline::history::DefaultHistory;

    #[test]
    fn a_name_in_a_command_stays_a_name() {
        let Wish::Ask(query) = command("\\d x'; DROP", &mut Form::Table) else {
            panic!("a question")
        };
        assert!(
            query.contains("'x'';'") || query.contains("'x'''"),
            "{query}"
        );
    }

    #[test]
    fn commands_change_the_form() {
        let mut output = Form::Table;
        command("\\o json", &mut output);
        assert_eq!(output, Form::Json);
        assert!(matches!(command("\\zzz", &mut output), Wish::Say(_)));
        assert_eq!(command("\\q", &mut output), Wish::Quit);
    }

    #[test]
    fn completes_tables_and_columns() {
        let words = Words::of_lake();
        let history = DefaultHistory::new();
        let context = rustyline::Context::new(&history);
        let (start, found) = words
            .complete("SELECT * FROM m365_a", 20, &context)
            .expect("it completes");
        assert_eq!(start, 14);
        assert_eq!(found[0].replacement, "m365_activity");
    }
}
