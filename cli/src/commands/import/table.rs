//! The table at the end of an import: each file, as what it was read, and what of it was not.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

use ingest::sources::files::{FileRead, Summary};

/// Most files that are listed one by one; those with something to tell come first.
const FILES_MAX: usize = 100;

/// Prints the table.
pub(super) fn print(out: &mut impl Write, summary: &Summary) -> anyhow::Result<()> {
    let mut files: Vec<&FileRead> = summary.by_file.iter().collect();
    // Of very many, those that are not as they should be are worth the lines.
    files.sort_by_key(|file| !has_trouble(file));
    let (shown, rest) = files.split_at(files.len().min(FILES_MAX));
    writeln!(
        out,
        "\n{:>9} {:>7}  file, and what was read of it",
        "records", "letters"
    )?;
    for file in shown {
        let letters: u64 = file.dead_letters.values().sum();
        writeln!(
            out,
            "{:>9} {letters:>7}  {}",
            file.records,
            file.path.display()
        )?;
        for line in told(file) {
            writeln!(out, "{:>19}{line}", "")?;
        }
        if let Some(why) = &file.failure {
            writeln!(out, "{:>19}could not read it to its end: {why}", "")?;
        }
    }
    if !rest.is_empty() {
        let records: u64 = rest.iter().map(|file| file.records).sum();
        writeln!(out, "{records:>9} {:>7}  {} more files", 0, rest.len())?;
    }
    let sum = |of: fn(&FileRead) -> u64| summary.by_file.iter().map(of).sum::<u64>();
    for (count, what) in [
        (
            sum(|file| u64::from(file.is_incomplete())),
            "files say that there is more than they hold",
        ),
        (
            sum(|file| file.cut),
            "records are cut: what is left of them is kept",
        ),
        (
            sum(|file| file.without_time),
            "records have no time that is known: no window of time counts them",
        ),
        (
            sum(|file| file.other_tenant),
            "records name another tenant than --tenant",
        ),
    ] {
        if count > 0 {
            writeln!(out, "{count} {what}")?;
        }
    }
    Ok(())
}

fn has_trouble(file: &FileRead) -> bool {
    file.failure.is_some()
        || !file.dead_letters.is_empty()
        || !file.notes.is_empty()
        || file.cut + file.without_time + file.other_tenant > 0
}

/// As what a file was read, and what a person should know of it, a line each.
pub(super) fn told(file: &FileRead) -> Vec<String> {
    let mut lines: Vec<String> = file
        .recognised
        .iter()
        .map(|(name, count)| format!("{count} as {name}"))
        .collect();
    if !file.by_table.is_empty() {
        lines.push(format!("to {}", each(&file.by_table)));
    }
    if !file.dead_letters.is_empty() {
        lines.push(format!("dead letters: {}", each(&file.dead_letters)));
    }
    for (count, what) in [
        (file.cut, "cut: what is left of them is kept"),
        (
            file.without_time - file.ambiguous.min(file.without_time),
            "without a time that is known",
        ),
        (
            file.ambiguous,
            "with a date that could be either way round: --day-first or --month-first tells",
        ),
        (file.other_tenant, "that name another tenant than --tenant"),
    ] {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    }
    lines.extend(file.notes.iter().cloned());
    lines
}

fn each(counts: &BTreeMap<impl Display, u64>) -> String {
    let words: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{FILES_MAX, print};
    use ingest::sources::files::{FileRead, Summary};
    use schemas::tables::Table;

    fn file(path: &str) -> FileRead {
        FileRead {
            path: path.into(),
            records: 2,
            recognised: [("a record of the unified audit log".to_owned(), 2)].into(),
            by_table: [(Table::M365Activity, 2)].into(),
            ..FileRead::default()
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_comes_first_and_is_told() {
        let mut by_file: Vec<FileRead> = (0..FILES_MAX)
            .map(|number| file(&format!("{number}.json")))
            .collect();
        by_file.push(FileRead {
            dead_letters: [("truncated".to_owned(), 3)].into(),
            without_time: 2,
            ambiguous: 1,
            notes: vec!["incomplete: a further page follows (nextLink)".to_owned()],
            ..file("part.json")
        });
        let summary = Summary {
            by_file,
            ..Summary::default()
        };
        let mut out = Vec::new();
        print(&mut out, &summary).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines[2..9],
            [
                "2       3  part.json",
                "2 as a record of the unified audit log",
                "to m365_activity 2",
                "dead letters: truncated 3",
                "1 without a time that is known",
                "1 with a date that could be either way round: --day-first or --month-first tells",
                "incomplete: a further page follows (nextLink)",
            ]
        );
        assert!(text.contains("1 more files"));
        assert!(text.contains("1 files say that there is more than they hold"));
    }
}
