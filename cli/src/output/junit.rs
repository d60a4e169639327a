//! Test results as XML in the form of `JUnit`, which build servers show.

use std::io::{self, Write};

/// A file, and what was tested of it.
#[derive(Debug)]
pub(crate) struct Suite {
    /// Its name.
    pub(crate) name: String,
    /// What was tested.
    pub(crate) cases: Vec<Case>,
}

/// One test.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: String,
    /// Why it failed: in a line, and at length.
    pub(crate) failure: Option<(String, String)>,
}

/// Writes a report with the name of its tool.
pub(crate) fn write(out: &mut impl Write, tool: &str, suites: &[Suite]) -> io::Result<()> {
    let count = |suite: &Suite| (suite.cases.len(), failures(suite));
    let (tests, failed) = suites
        .iter()
        .map(count)
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{tests}\" failures=\"{failed}\">",
        escaped(tool)
    )?;
    for suite in suites {
        let (tests, failed) = count(suite);
        let name = escaped(&suite.name);
        writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">"
        )?;
        for case in &suite.cases {
            write!(
                out,
                "    <testcase classname=\"{name}\" name=\"{}\"",
                escaped(&case.name)
            )?;
            match &case.failure {
                None => writeln!(out, "/>")?,
                Some((message, text)) => writeln!(
                    out,
                    "><failure message=\"{}\">{}</failure></testcase>",
                    escaped(message),
                    escaped(text)
                )?,
            }
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn failures(suite: &Suite) -> usize {
    let failed = suite.cases.iter().filter(|case| case.failure.is_some());
    failed.count()
}

/// The text with nothing that XML would read, or must not hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Case, Suite, write};

    #[test]
    fn a_report_is_xml_whatever_rules_are_called() {
        let case = |name: &str, failure| Case {
            name: name.to_owned(),
            failure,
        };
        let failure = Some(("a < b".to_owned(), "\u{1b}[2J & more\nlines".to_owned()));
        let suites = [Suite {
            name: "\"a\"&b.yml".to_owned(),
            cases: vec![case("passes", None), case("<fails>", failure)],
        }];
        let mut out = Vec::new();
        write(&mut out, "vedette rules test", &suites).unwrap();
        let expected = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"vedette rules test\" tests=\"2\" failures=\"1\">
  <testsuite name=\"&quot;a&quot;&amp;b.yml\" tests=\"2\" failures=\"1\">
    <testcase classname=\"&quot;a&quot;&amp;b.yml\" name=\"passes\"/>
    <testcase classname=\"&quot;a&quot;&amp;b.yml\" name=\"&lt;fails&gt;\"><failure message=\"a &lt; b\">\u{fffd}[2J &amp; more&#10;lines</failure></testcase>
  </testsuite>
</testsuites>
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
